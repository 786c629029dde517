#!/bin/sh
# diffusers: TaylorSeer caching enabled on a Wan transformer caches nothing, and says that it is enabled.
#
# Versions: diffusers==0.42.1, torch==2.15.0. A Wan transformer of three small layers with random weights.
# Behaviour: TaylorSeerCacheConfig() chooses modules by patterns, among them "^blocks.*attn". They are tried
#   with re.fullmatch, and Wan's attentions are called blocks.0.attn1 and blocks.0.attn2: no name matches to its
#   end, so no module gets the hook. enable_cache returns, is_cache_enabled is True, nothing is logged at level
#   info. With cache_identifiers for Wan's names, or use_lite_mode, it does predict.
# Seen: hooked modules: 0 by default; 9 with identifiers; 4 in lite mode (three blocks, proj_out). Over ten
#   steps the default's outputs equal the plain model's bit for bit; those with identifiers differ from the
#   fourth on. On a Flux transformer the default hooks both attentions.
# Why it matters: the measurement "TaylorSeer costs no quality on Wan" comes out perfect, and its speed equal to
#   none.
# Source: seen by running; _TRANSFORMER_BLOCK_IDENTIFIERS in diffusers/hooks/taylorseer_cache.py.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 numpy==2.4.6 diffusers==0.42.1 ||
    { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" -W ignore - 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import io, logging, sys
import diffusers, torch
from diffusers import FluxTransformer2DModel, TaylorSeerCacheConfig, WanTransformer3DModel
print("diffusers", diffusers.__version__)
said = io.StringIO()
diffusers.utils.logging.set_verbosity_info()
diffusers.utils.logging.add_handler(logging.StreamHandler(said))

def hooked(model):
    return [n for n, m in model.named_modules()
            if n and hasattr(m, "_diffusers_hook") and any("taylor" in k for k in m._diffusers_hook.hooks)]

def run(config):
    torch.manual_seed(0)
    wan = WanTransformer3DModel(num_attention_heads=2, attention_head_dim=64, in_channels=4, out_channels=4, text_dim=16,
                                freq_dim=32, ffn_dim=64, num_layers=3, rope_max_seq_len=32).eval()
    said.seek(0)
    said.truncate()
    if config:
        wan.enable_cache(config)
    outputs = []
    x, text = torch.randn(1, 4, 2, 8, 8), torch.randn(1, 6, 16)
    with torch.no_grad(), wan.cache_context("cond"):
        for step in range(10):
            v = wan(x, timestep=torch.tensor([1000 - 100 * step]), encoder_hidden_states=text).sample
            x = x - 0.1 * v
            outputs.append(v)
    return wan, outputs

plain = run(None)[1]
ok = True
names = {"default": TaylorSeerCacheConfig(),
         "identifiers": TaylorSeerCacheConfig(cache_identifiers=[r"blocks\.\d+\.(attn1|attn2|ffn)"]),
         "lite": TaylorSeerCacheConfig(use_lite_mode=True)}
for name, config in names.items():
    wan, outputs = run(config)
    h = hooked(wan)
    first = next((i for i in range(10) if not torch.equal(plain[i], outputs[i])), None)
    print("%-12s enabled %s, %d modules hooked, first step that differs: %s, logged: %r"
          % (name, wan.is_cache_enabled, len(h), first, said.getvalue().strip()))
    ok &= wan.is_cache_enabled
    if name == "default":
        ok &= h == [] and first is None and "aylor" not in said.getvalue()
    else:
        ok &= len(h) == (9 if name == "identifiers" else 4) and first is not None
flux = FluxTransformer2DModel(in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
                              joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8))
flux.enable_cache(TaylorSeerCacheConfig())
print("Flux, default:", hooked(flux))
ok &= len(hooked(flux)) == 2
print("as described" if ok else "not so")
sys.exit(not ok)
PY
