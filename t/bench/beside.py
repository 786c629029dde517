#!/usr/bin/env python3
"""Ours beside the official PyTorch model, on one card, in one run: a table for kernels/PERFORMANCE.md.

    WAN_REFERENCE=DIR python3 t/bench/beside.py [BUILD [dit] [vae]]

DIR is the official repository. Needs a GPU and PyTorch; `make bench DEVICE=cuda` has made the random
models in ${TMPDIR:-/tmp}/wan-bench, which both sides load. The official transformer is given the best
that is known for it: torch.compile, cuDNN's attention and a quick RoPE, F32 weights under BF16 autocast;
a step is two of its forwards. Errors are relative 2-norms against its own F32, on the same weights.
"""
import functools
import json
import os
import statistics
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
from safetensors.torch import load, load_file, save
from torch.nn.attention import SDPBackend, sdpa_kernel

import wan.modules.model as M
import wan.modules.vae as V

torch.set_grad_enabled(False)
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/cuda"
PARTS = sys.argv[2:] or ("dit", "vae")
MODELS = os.path.join(os.environ.get("TMPDIR", "/tmp"), "wan-bench")
SIZES = {13: (4, 30, 52), 81: (21, 30, 52)}  # frames to latent frames, rows and columns of tokens
half = torch.bfloat16  # the type that attention is given; None: F32


# ---- the official model ----

def attention(q, k, v, q_lens=None, k_lens=None, **_):
    was = q.dtype
    q, k, v = (t.transpose(1, 2).to(half or torch.float32) for t in (q, k, v))
    if half and torch.compiler.is_compiling():
        y = F.scaled_dot_product_attention(q, k, v)
    else:
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION if half else SDPBackend.EFFICIENT_ATTENTION):
            y = F.scaled_dot_product_attention(q, k, v)
    return y.transpose(1, 2).contiguous().to(was)


M.flash_attention = attention


def official():
    c = json.load(open(f"{MODELS}/config.json"))
    with torch.device("cuda"):
        net = M.WanModel(model_type="t2v", **{k: c[k] for k in (
            "dim", "ffn_dim", "freq_dim", "num_heads", "num_layers")}).eval()
    state = load_file(f"{MODELS}/diffusion_pytorch_model.safetensors")
    net.load_state_dict({k: v.float() for k, v in state.items()})
    net.freqs = net.freqs.cuda()
    return net


def forward(net, latents, context, t, dtype):
    global half
    half = dtype
    tokens = latents.shape[1] * latents.shape[2] * latents.shape[3] // 4
    with torch.amp.autocast("cuda", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        return net([latents], t=torch.tensor([t], device="cuda"), context=[context],
                   seq_len=tokens)[0].float()


def compiled(net, table):
    """The same with compiled blocks and a RoPE in F32 from a table."""
    def rope(x, grid_sizes, freqs):
        cos, sin = table["now"]
        a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(3).to(torch.bfloat16)

    M.rope_apply = rope
    block = torch.compile(M.WanAttentionBlock.forward, dynamic=False)
    for b in net.blocks:
        b.forward = functools.partial(block, b)


def rope_table(net, T, Y, X):
    parts = net.freqs.split([22, 21, 21], dim=1)
    turn = torch.cat([parts[0][:T].view(T, 1, 1, -1).expand(T, Y, X, -1),
                      parts[1][:Y].view(1, Y, 1, -1).expand(T, Y, X, -1),
                      parts[2][:X].view(1, 1, X, -1).expand(T, Y, X, -1)], -1)
    turn = turn.reshape(1, T * Y * X, 1, -1)
    return turn.real.float().contiguous(), turn.imag.float().contiguous()


def seconds(call, rounds, warm=2):
    for _ in range(warm):
        call()
    took = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.time()
        call()
        torch.cuda.synchronize()
        took.append(time.time() - start)
    return statistics.median(took)


# ---- ours ----

def ours(program, document, *options, model=MODELS):
    stats = f"{MODELS}/stats.json"
    run = subprocess.run([f"{BUILD}/{program}", "-q", "-m", model, "--stats", stats, *options],
                         input=save(document), stdout=subprocess.PIPE, check=True)
    return run.stdout, json.load(open(stats))


def step(text, frames, few, many, model, dtype="fp16"):
    took = []
    for n in (few, many):
        _, stats = ours("wan-denoise", text, "-s", str(n), "--frames", str(frames), "--dtype",
                        dtype, model=model)
        took.append(stats["seconds"]["steps"])
    return (took[1] - took[0]) / (many - few), stats["counts"]["peak_device_bytes"] / 1e9


def others(enabled):
    torch.backends.cuda.enable_flash_sdp(enabled)
    torch.backends.cuda.enable_mem_efficient_sdp(enabled)
    torch.backends.cuda.enable_math_sdp(enabled)


def row(*cells):
    print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)


def relative(got, want):
    return ((got - want).norm() / want.norm()).item()


def errors(net, contexts):
    row("forward at t 500, relative to F32", "ours", "official", "ours of official")
    for frames, (T, Y, X) in SIZES.items():
        latents = torch.randn(16, T, 2 * Y, 2 * X)
        both = latents.cuda(), contexts["context"].cuda()
        want = forward(net, *both, 500, None).cpu()
        for name, dtype in (("fp16", torch.float16), ("bf16", torch.bfloat16)):
            theirs = relative(forward(net, *both, 500, dtype).cpu(), want)
            got, _ = ours("wan-denoise", dict(contexts, latents=latents), "--forward", "500",
                          "--dtype", name)
            mine = relative(load(got)["cond"], want)
            row(f"{frames} frames, {name}", f"{mine:.3g}", f"{theirs:.3g}", f"{mine / theirs:.2f}")


def steps(net, contexts):
    row("step of two forwards", "fp16", "w8a16", "official", "fp16 of official",
        "peak: fp16, w8a16; official")
    counts, models, table = {13: (3, 23), 81: (1, 4)}, (MODELS, f"{MODELS}/w8a16"), {}
    our_steps = lambda f: [step(contexts, f, *counts[f], m) for m in models]
    before = {f: our_steps(f) for f in SIZES}
    compiled(net, table)
    others(False)  # compiled code asks for no backend: cuDNN's is left
    theirs = {}
    for frames, (T, Y, X) in SIZES.items():
        table["now"] = rope_table(net, T, Y, X)
        latents, context = torch.randn(16, T, 2 * Y, 2 * X).cuda(), contexts["context"].cuda()
        torch.cuda.reset_peak_memory_stats()
        once = lambda: forward(net, latents, context, 500, torch.bfloat16)
        theirs[frames] = 2 * seconds(once, 7 if frames == 13 else 3), torch.cuda.max_memory_allocated()
    others(True)  # the VAE's head is too wide for cuDNN's
    for f in SIZES:
        (a16, p16), (a8, p8), (b16, _), (b8, _) = *before[f], *our_steps(f)
        row(f"{f} frames, before and after the official", f"{a16 * 1e3:.1f} and {b16 * 1e3:.1f} ms",
            f"{a8 * 1e3:.1f} and {b8 * 1e3:.1f} ms", f"{theirs[f][0] * 1e3:.1f} ms",
            f"{(a16 + b16) / 2 / theirs[f][0]:.2f}",
            f"{p16:.2f}, {p8:.2f}; {theirs[f][1] / 1e9:.2f} GB")
        row(f"{f} frames, w8a16 over fp16", f"{(a8 + b8) / (a16 + b16):.3f}")


def decoder():
    with torch.device("cuda"):
        vae = V.WanVAE_(dim=96, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
                        temperal_downsample=[False, True, True]).eval()
    row("VAE decode", "ours, fp16", "official, BF16 autocast", "ours of official", "peak")
    for frames, (T, Y, X) in SIZES.items():
        z = torch.randn(16, T, 2 * Y, 2 * X)
        runs = [ours("wan-vae-decode", dict(latents=z), "--dtype", "fp16")[1] for _ in range(3)]
        mine = statistics.median(r["seconds"]["decode"] for r in runs)
        torch.cuda.reset_peak_memory_stats()
        with torch.amp.autocast("cuda", dtype=torch.bfloat16):
            theirs = seconds(lambda: vae.decode(z[None].cuda(), [0.0, 1.0]), 2, 1)
        row(f"{frames} frames", f"{mine:.3f} s", f"{theirs:.3f} s", f"{mine / theirs:.2f}",
            f"{runs[0]['counts']['peak_device_bytes'] / 1e9:.2f}; "
            f"{torch.cuda.max_memory_allocated() / 1e9:.2f} GB")


def main():
    torch.manual_seed(0)
    driver = subprocess.check_output(["nvidia-smi", "--query-gpu=driver_version",
                                      "--format=csv,noheader"]).decode().split()[0]
    print(f"{torch.cuda.get_device_name()}, driver {driver}, PyTorch {torch.__version__}")
    contexts = {k: torch.randn(n, 4096) for k, n in (("context", 20), ("context_null", 127))}
    if "dit" in PARTS:
        net = official()
        errors(net, contexts)
        steps(net, contexts)
        del net
        torch.cuda.empty_cache()
    if "vae" in PARTS:
        decoder()


if __name__ == "__main__":
    main()
