#!/usr/bin/env python3
"""Our attention beside FlashAttention 4, on one card, in turns: a table for kernels/PERFORMANCE.md.

    python3 t/bench/attention.py [BUILD [fp16|bf16]...]

BUILD, by default build/cuda, has t/bench/attention-launches, which `make` builds by its path.
Needs a GPU, PyTorch and flash-attn-4, without which ours is measured alone. 12 heads of 128, two
sequences, normal values. A burst is launches of some 10 or 40 ms after a pause, the median of nine;
sustained are seconds of them without one, when the card is held by its power: the two rank kernels
differently, so both are told. Seconds are the host's, from the first launch until all are done.
"""
import os
import statistics
import subprocess
import sys
import time

import torch

try:
    from flash_attn.cute import flash_attn_func
except ImportError:
    flash_attn_func = None

HEADS, HEAD, SEQUENCES = 12, 128, 2
BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/cuda"
TYPES = sys.argv[2:] or ["fp16", "bf16"]
LENGTHS = {6240: (16, 9), 32760: (2, 9)}  # tokens: launches of a burst, bursts
SUSTAINED = (0.5, 2.5)  # seconds


def ours(kind):
    """A function of tokens and launches that returns seconds."""
    process = subprocess.Popen([os.path.join(BUILD, "t/bench/attention-launches"), kind],
                               text=True, bufsize=1, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)

    def run(tokens, launches):
        print(tokens, launches, file=process.stdin, flush=True)
        return float(process.stdout.readline())
    return run


def theirs(kind):
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}[kind]
    operands = {}

    def run(tokens, launches):
        if tokens not in operands:
            operands.clear()
            operands[tokens] = [torch.randn(SEQUENCES, tokens, HEADS, HEAD, device="cuda").to(dtype)
                                for _ in range(3)]
        flash_attn_func(*operands[tokens])
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(launches):
            flash_attn_func(*operands[tokens])
        torch.cuda.synchronize()
        return time.perf_counter() - start
    return run


def main():
    print(f"{torch.cuda.get_device_name()}\n")
    print("| tokens, type | what | ours, TFLOP/s | FlashAttention 4 | ours of theirs |")
    print("| --- | --- | --- | --- | --- |")
    for kind in TYPES:
        runs = [ours(kind)] + ([theirs(kind)] if flash_attn_func else [])
        for tokens, (launches, bursts) in LENGTHS.items():
            work = 4e-12 * SEQUENCES * HEADS * HEAD * tokens ** 2  # of a launch

            def row(what, rates):
                rates = list(rates) + [float("nan")] * (2 - len(rates))
                print(f"| {tokens}, {kind} | {what} | {rates[0]:.1f} | {rates[1]:.1f} | "
                      f"{rates[0] / rates[1]:.3f} |", flush=True)

            rates = [[] for _ in runs]
            for _ in range(bursts):
                for rate, run in zip(rates, runs):
                    time.sleep(0.1)
                    rate.append(work * launches / run(tokens, launches))
            row("burst", [statistics.median(rate) for rate in rates])
            for seconds in SUSTAINED:
                count = int(seconds / (work / 650)) + 1
                rates = [[] for _ in runs]
                for _ in range(2):  # forth and back
                    for i in range(len(runs)):
                        rates[i].append(work * count / runs[i](tokens, count))
                    runs.reverse()
                    rates.reverse()
                row(f"{seconds} s", [statistics.mean(rate) for rate in rates])


main()
