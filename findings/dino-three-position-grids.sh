#!/bin/sh
# DINO: three libraries stretch one position embedding to another size of picture in three ways.
#
# Versions: transformers==5.24.0, timm==1.0.31, torch==2.15.0, torchvision==0.29.2, numpy==2.4.6. On the CPU.
# Behaviour: a picture that is not of the size that the weights were trained for needs the position embedding
#   on another grid, h x w. All three interpolate bicubically. DINO's own code asks for a scale_factor of
#   (h + 0.1) / 14 and (w + 0.1) / 14, and the 0.1 moves every sampling point, in the direction that needs no
#   stretching too. transformers, whose comment says "adapted from" that code, asks for size=(h, w). timm asks
#   for size=(h, w) with antialias=True, whose bicubic kernel is another one when it enlarges too. At the trained
#   size all three are equal.
# Seen: one ViT with random weights, trained grid 14 x 14, relative differences of DINO's rule and transformers',
#   DINO's and timm's, transformers' and timm's. Embedding of smooth waves: at 224 x 388 0.031, 0.034 and 0.014,
#   of the class token's feature 0.010, 0.012 and 0.005; at 480 x 832 0.012, 0.023 and 0.020, of the feature
#   0.003, 0.005 and 0.004. Embedding of noise: 0.083, 0.099, 0.053 and 0.049, 0.095, 0.078, of the feature 0.017
#   to 0.038. The cosine of two pictures' features moved by up to 0.0002 with waves, 0.013 with noise. What it
#   is with trained weights was not seen.
# Why it matters: VBench's subject consistency takes the cosine of DINO's features of frames whose shorter side
#   is 224, so 480 x 832 becomes 224 x 388. The same weights by another library give other numbers.
# Source: seen by running; DINO's rule is in its vision_transformer.py, interpolate_pos_encoding, and written
#   anew here; transformers/models/vit/modeling_vit.py; timm/layers/pos_embed.py.
# Needs python3 with venv and 7 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 torchvision==0.29.2 \
    numpy==2.4.6 transformers==5.24.0 tokenizers==0.23.3 timm==1.0.31 || { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" -W ignore - 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import sys
import timm, torch, transformers
from timm.layers import resample_abs_pos_embed
from torch.nn.functional import cosine_similarity, interpolate
from transformers import ViTConfig, ViTModel
assert transformers.__version__ == "5.24.0" and timm.__version__ == "1.0.31"
torch.manual_seed(0)
side, patch, dim = 14, 16, 192
config = ViTConfig(hidden_size=dim, num_hidden_layers=4, num_attention_heads=3, intermediate_size=4 * dim,
                   image_size=side * patch, patch_size=patch, initializer_range=0.1)
model = ViTModel(config, add_pooling_layer=False).eval()
position = model.embeddings.position_embeddings
of_transformers = model.embeddings.interpolate_pos_encoding

def of_dino(h, w): # the rule of DINO's own code: to h + 0.1 rows and w + 0.1 columns, rounded down
    if h == w == side:
        return position
    grid = position[:, 1:].reshape(1, side, side, dim).permute(0, 3, 1, 2)
    grid = interpolate(grid, scale_factor=((h + 0.1) / side, (w + 0.1) / side), mode="bicubic")
    assert grid.shape[2:] == (h, w)
    return torch.cat([position[:, :1], grid.flatten(2).transpose(1, 2)], 1)

def features(p, pictures):
    model.embeddings.interpolate_pos_encoding = lambda *_: p
    return model(pictures, interpolate_pos_encoding=True).last_hidden_state[:, 0]

at = (torch.arange(side) + 0.5) / side
waves = torch.stack([torch.cos(torch.pi * k * at) for k in range(4)])
smooth = torch.einsum("dab,ay,bx->yxd", torch.randn(dim, 4, 4), waves, waves) / 4
noise = torch.randn(side, side, dim)
ok = True
with torch.no_grad():
    for kind, grid in ("smooth", smooth), ("noise", noise):
        position[:, 1:] = grid.reshape(1, side * side, dim)
        for height, width in (224, 224), (224, 388), (480, 832):
            h, w = height // patch, width // patch
            pictures = torch.randn(1, 3, height, width) + torch.randn(2, 3, height, width) / 4
            p = {"DINO": of_dino(h, w),
                 "transformers": of_transformers(torch.empty(1, 1 + h * w, dim), height, width),
                 "timm": resample_abs_pos_embed(position, [h, w])}
            f = {name: features(q, pictures) for name, q in p.items()}
            print("%s embedding, picture %d x %d, grid %d x %d" % (kind, height, width, h, w))
            for a, b in ("DINO", "transformers"), ("DINO", "timm"), ("transformers", "timm"):
                embeddings = ((p[a] - p[b])[:, 1:].norm() / p[a][:, 1:].norm()).item()
                feature = ((f[a] - f[b]).norm() / f[a].norm()).item()
                cosine = 1 - cosine_similarity(f[a].double(), f[b].double()).min()
                print("   %-20s: embeddings differ by %.4f, features by %.4f, 1 - cosine %.1e"
                      % (a + ", " + b, embeddings, feature, cosine))
                low, high = (0, 0) if (height, width) == (224, 224) else (0.005, 0.2)
                ok &= low <= embeddings <= high and low / 5 <= feature <= high
            print("   cosine of two pictures:", *("%s %.4f" % (n, cosine_similarity(*x, 0)) for n, x in f.items()))
print("as described" if ok else "not so")
sys.exit(not ok)
PY
