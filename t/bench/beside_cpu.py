#!/usr/bin/env python3
"""Times our programs and the official PyTorch model in F32, on the CPU, in turns in one run.

    WAN_REFERENCE=DIR python3 t/bench/beside_cpu.py BUILD[,BUILD] [TOKENS=64,640] [FRAMES=5,13] [LAYERS=30]

DIR is the official repository. Both sides load the same random weights, of a transformer with LAYERS layers of the
1.3B's sizes and of the decoder; ours are stored in F16 and as w8a16. TOKENS are those of two latent
frames, FRAMES are decoded at VAE_SIZE=320x256. A step is two forwards. Seconds are the least of ROUNDS=3 runs.
With OMP_NUM_THREADS=1 they are processor time, loading included, on which other programs have less influence.
Errors are relative 2-norms against the official F32. Several builds are run in turns.
"""
import inspect
import json
import os
import re
import resource
import subprocess
import sys
import time
import types

sys.path[:0] = [os.environ["WAN_REFERENCE"]]
for name in ("wan", "wan.modules"):  # without their __init__, which import what is not needed here
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [os.path.join(os.environ["WAN_REFERENCE"], *name.split("."))]

import torch
import torch.nn.functional as F
from safetensors.torch import load, save, save_file

import wan.modules.model as M
import wan.modules.vae as V

torch.set_grad_enabled(False)
torch.manual_seed(1)
BUILDS = sys.argv[1].split(",")
TOKENS, FRAMES = ([int(n) for n in a.split(",") if n] for a in (sys.argv[2:4] + ["64,640", "5,13"][len(sys.argv) - 2:])[:2])
LAYERS = int(sys.argv[4]) if len(sys.argv) > 4 else 30
ALONE = torch.get_num_threads() == 1
ROUNDS = int(os.environ.get("ROUNDS", 3))
WORK = os.path.join(os.environ.get("TMPDIR", "/tmp"), "wan-beside-cpu")
SIZES = {64: (8, 16), 160: (16, 20), 640: (32, 40), 1560: (60, 52)}  # of latents


def attention(q, k, v, q_lens=None, k_lens=None, **_):
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).contiguous()


M.flash_attention = attention
V.amp = M.amp = types.SimpleNamespace(autocast=lambda *a, **k: torch.amp.autocast("cpu", enabled=False))


def drawn(net):
    """Activations stay of order one."""
    for name, p in net.named_parameters():
        if p.ndim > 1 and "modulation" not in name:
            p.uniform_(-1, 1).mul_((3 / p[0].numel()) ** 0.5)
        elif "bias" in name or "modulation" in name:
            p.uniform_(-0.1, 0.1)
        else:
            p.uniform_(0.9, 1.1)
    return net.eval()


def ours(build, program, document, *options):
    stats, before = f"{WORK}/stats.json", resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([f"{build}/{program}", "-q", "--stats", stats, *options],
                         input=save(document), stdout=subprocess.PIPE, check=True)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), json.load(open(stats))["seconds"]
    if ALONE:
        seconds["steps"] = seconds["decode"] = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return load(run.stdout), seconds


def relative(got, want):
    return ((got - want).norm() / want.norm()).item()


def row(*cells):
    print("| " + " | ".join(f"{c:.3g}" if isinstance(c, float) else str(c) for c in cells) + " |", flush=True)


def timed(call):
    clock = time.process_time if ALONE else time.time
    start = clock()
    result = call()
    return result, clock() - start


def step(build, model, text, size):
    took = []
    for n in ("1", "4"):
        _, seconds = ours(build, "wan-denoise", text, "-m", model, "-s", n, "--frames", "5", "--size",
                          f"{8 * size[1]}x{8 * size[0]}", "--dtype", "fp16")
        took.append(seconds["steps"])
    return (took[1] - took[0]) / 3


def transformer():
    c = dict(dim=1536, ffn_dim=8960, freq_dim=256, num_heads=12, num_layers=LAYERS)
    net = drawn(M.WanModel(model_type="t2v", **c))
    for p in net.parameters():
        p.copy_(p.half())
    model = f"{WORK}/fp16"
    os.makedirs(model, exist_ok=True)
    json.dump(dict(c, model_type="t2v"), open(f"{model}/config.json", "w"))
    save_file({k: v.half() for k, v in net.state_dict().items()},
              f"{model}/diffusion_pytorch_model.safetensors")
    models = [model]
    for kind in os.environ.get("FORMATS", "w8a16 q8_0").split():
        with open(f"{WORK}/{kind}.safetensors", "wb") as f:
            subprocess.run([f"{BUILDS[0]}/wan-quantize", "-q", "-t", kind, "-m", model], stdout=f, check=True)
        models.append(f"{WORK}/{kind}.safetensors")
    text = dict(context=torch.randn(20, 4096), context_null=torch.randn(127, 4096))
    row("tokens", "official", *(f"{os.path.basename(m).split('.')[0]} {i}" for m in models for i in range(len(BUILDS))),
        "of official", "error")
    for tokens in TOKENS:
        size = SIZES[tokens]
        latents = torch.randn(16, 2, *size)
        both = lambda: [net([latents], t=torch.tensor([500]), context=[text[k]], seq_len=tokens)[0]
                        for k in ("context", "context_null")]
        got, _ = ours(BUILDS[-1], "wan-denoise", dict(text, latents=latents), "-m", model, "--forward", "500")
        want, _ = timed(both)
        theirs, mine = [], {}
        for _ in range(ROUNDS):
            theirs.append(timed(both)[1])
            for m in models:
                for b in BUILDS:
                    mine.setdefault((m, b), []).append(step(b, m, text, size))
        least = [min(v) for v in mine.values()]
        row(tokens, min(theirs), *least, " ".join(f"{v / min(theirs):.3f}" for v in least),
            relative(got["cond"], want[0]))


def decoder():
    net = drawn(V.WanVAE_(dim=96, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
                          temperal_downsample=[False, True, True]))
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, f"{WORK}/Wan2.1_VAE.safetensors")
    mean, std = (torch.tensor([float(n) for n in re.findall(r"-?\d+\.\d+", part)]) for part in re.findall(
        r"= \[([^\]]*)\]", inspect.getsource(V.WanVAE.__init__))[:2])
    row("frames decoded", "official", *(f"ours {b}" for b in range(len(BUILDS))), "of official", "error")
    for frames in FRAMES:
        wide, high = (int(n) // 8 for n in os.environ.get("VAE_SIZE", "320x256").split("x"))
        z = torch.randn(16, (frames - 1) // 4 + 1, high, wide)
        theirs, mine = [], {b: [] for b in BUILDS}
        for _ in range(ROUNDS):
            want, took = timed(lambda: net.decode(z[None], [mean, 1.0 / std]))
            theirs.append(took)
            for b in BUILDS:
                got, seconds = ours(b, "wan-vae-decode", dict(latents=z), "-m", f"{WORK}/Wan2.1_VAE.safetensors",
                                    "--raw", "--dtype", "fp32")
                mine[b].append(seconds["decode"])
        least = [min(v) for v in mine.values()]
        row(frames, min(theirs), *least, " ".join(f"{v / min(theirs):.3f}" for v in least),
            relative(got["video"], want[0]))


os.makedirs(WORK, exist_ok=True)
print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
if FRAMES:
    decoder()
if TOKENS:
    transformer()
