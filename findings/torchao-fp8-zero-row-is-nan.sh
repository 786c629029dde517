#!/bin/sh
# torchao: Float8WeightOnlyConfig turns a row of zeros into NaN, and with it that channel of every output.
#
# Versions: torchao==0.18.0, torch==2.15.0. On the CPU; F32 and BF16 alike.
# Behaviour: a row's scale is its absmax / 448, with nothing that keeps it from zero; codes are w / scale, so a row
#   of zeros is 0 / 0. quantize_() says nothing, and neither does the forward pass. int8 of the same release keeps
#   its scale at 2^-23 at least and gives zeros.
# Seen: a Linear of 4 rows of which one is zero: its scale 0, its values NaN, that output NaN for any input; with
#   Int8WeightOnlyConfig the row is zeros.
# Why it matters: layers that begin at zero are common beside a diffusion transformer (zero-initialised projections
#   of adapters and control branches, pruned channels), and one NaN channel is a black video after a whole run.
# Here: wan-quantize's fp8 rules give a row of zeros the scale 2^-126 and the codes 0 (t/28-rules.t).
# Source: seen by running.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 numpy==2.4.6 torchao==0.18.0 ||
    { echo "cannot install torch, torchao" >&2; exit 2; }
"$dir/venv/bin/python" -W ignore - 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import torch
from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig, quantize_
for dtype in torch.float32, torch.bfloat16:
    for config in Float8WeightOnlyConfig, Int8WeightOnlyConfig:
        torch.manual_seed(0)
        m = torch.nn.Sequential(torch.nn.Linear(32, 4, bias=False, dtype=dtype))
        with torch.no_grad():
            m[0].weight[1] = 0
        quantize_(m, config())
        y = m(torch.ones(1, 32, dtype=dtype))[0]
        row = m[0].weight.dequantize()[1]
        print(dtype, config.__name__, "row:", "NaN" if row.isnan().all() else row.unique().tolist(), "outputs:", y.tolist())
        if config is Float8WeightOnlyConfig:
            assert row.isnan().all() and y.isnan().tolist() == [False, True, False, False]
        else:
            assert (row == 0).all() and not y.isnan().any()
PY
