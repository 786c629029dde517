#!/bin/sh
# diffusers: AutoencoderKLWan encodes 16 frames as if the last three were not there, without a word.
#
# Versions: diffusers==0.42.1, torch==2.15.0. A small AutoencoderKLWan with random weights, 32 x 32 pixels.
# Behaviour: _encode takes the first frame, then (frames - 1) // 4 groups of four; what is left of a group is
#   never read. encode() neither refuses nor warns.
# Seen: 13, 14, 15 and 16 frames give the same 4 latents, bit for bit, whatever frames 14 to 16 hold; 17 give 5.
#   decode() of them returns 13 frames. Frames 2 to 4 of a video of 4 are lost likewise: one latent.
# Why it matters: the error of the autoencoder, measured on clips of 16 frames (a usual length of datasets), is
#   of 13, or fails on the shapes; videos whose ends differ have equal latents; latents cached for training
#   are paired with captions of what they do not show. Wan's own code counts the same way.
# Source: seen by running; AutoencoderKLWan._encode in diffusers/models/autoencoders/autoencoder_kl_wan.py.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 numpy==2.4.6 diffusers==0.42.1 ||
    { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" -W error::UserWarning - 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import sys
import diffusers, torch
from diffusers import AutoencoderKLWan
print("diffusers", diffusers.__version__)
torch.manual_seed(0)
vae = AutoencoderKLWan(base_dim=8, z_dim=4, dim_mult=[1, 1, 2, 2], num_res_blocks=1, latents_mean=[0.0] * 4,
                       latents_std=[1.0] * 4).eval()
video = torch.randn(1, 3, 17, 32, 32)
with torch.no_grad():
    latents = {n: vae.encode(video[:, :, :n]).latent_dist.mean for n in (1, 4, 13, 14, 15, 16, 17)}
    other = video[:, :, :16].clone()
    other[:, :, 13:] = 1 - other[:, :, 13:]
    changed = vae.encode(other).latent_dist.mean
    back = vae.decode(latents[16]).sample.shape[2]
for n, z in latents.items():
    print(n, "frames:", z.shape[2], "latents")
same = all(torch.equal(latents[13], latents[n]) for n in (14, 15, 16))
print("13 to 16 frames the same:", same, "| other last frames, the same:", torch.equal(changed, latents[16]),
      "| of 16 frames come back", back)
ok = (same and torch.equal(changed, latents[16]) and back == 13 and torch.equal(latents[1], latents[4])
      and [latents[n].shape[2] for n in (1, 13, 16, 17)] == [1, 4, 4, 5])
print("as described" if ok else "not so")
sys.exit(not ok)
PY
