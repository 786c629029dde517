#!/usr/bin/env python3
"""The error of the latents by step, a line a variant, means over all videos: what `make trace` left in trace.csv.

    error-by-step.py dataset/trace.csv error.svg        (matplotlib; without it the means are printed)
"""
import collections, csv, sys

errors = collections.defaultdict(lambda: collections.defaultdict(list))
with open(sys.argv[1], newline="") as f:
    for row in csv.DictReader(f):
        errors[row["variant_b"]][int(row["step"])].append(float(row["relative"]))
lines = {v: [(s, sum(e) / len(e)) for s, e in sorted(steps.items())] for v, steps in errors.items()}
try:
    import matplotlib.pyplot as plt
except ImportError:
    for variant, line in lines.items():
        print(*(f"{variant}\t{step}\t{error:.3g}" for step, error in line), sep="\n")
else:
    for variant, line in lines.items():
        plt.semilogy(*zip(*line), label=variant)
    plt.xlabel("step"), plt.ylabel("relative error of the latents"), plt.legend()
    plt.savefig(sys.argv[2])
