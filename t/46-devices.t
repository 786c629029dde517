#!/bin/sh
# Results of a GPU against those of the CPU: every op, and whole pipes whose stages run partly on the GPU and
# partly on the CPU.
. "$(dirname "$0")/tap.sh"
cpu=${CPU_BUILD:-$ROOT/build/cpu} cuda=${CUDA_BUILD:-$ROOT/build/cuda}
model=$ROOT/fixtures/random
cd "$ROOT" || exit 1

# Operations that exchange data between cards are tested in 45-ranks.t; those without a result are left out.
"$BUILD/t/devices/ops" fp32 >"$TMP/ops"
is "$(sed -n 's/^\(void\|int64_t\|tensor\) \([a-z0-9_]*\)(.*/\2/p' kernels/kernels.h |
    grep -v -e '^device_' -e '^scratch' -e '^ranks_' -e '^exchange' -e '^download_finish' | sort | tr '\n' ' ')" \
    "$(tensor-info --names "$TMP/ops" | sed 's/\..*//' | sort -u | tr '\n' ' ')" \
    "t/devices/ops.c has every op of kernels.h"
missing=
for build in "$cpu" "$cuda"; do
    [ -x "$build/wan-denoise" ] && [ -x "$build/t/devices/ops" ] || missing="$build is not built"
done
nvidia-smi -L >/dev/null 2>&1 || missing="nvidia-smi finds no GPU"
if [ "$missing" ]; then
    skip "$missing" "a GPU's results against the CPU's"
    done_testing
    exit
fi

# ---- every op ----

# Products, norms and gates round their result once (by a relative 2^-11 in F16, 2^-8 in BF16 at most), attention
# also its weights; in F32 only the order of sums differs. Operations that only move numbers are exact.
ops() { # TYPE BOUND
    "$cpu/t/devices/ops" "$1" >"$TMP/ops"
    "$cuda/t/devices/ops" "$1" >"$TMP/gpu"
    ok $? "ops run, $1"
    for name in $(tensor-info --names "$TMP/ops"); do
        case $name in
        upload* | download* | copy* | zero | *nonfinite* | *patchify | unfold | max_pool | split_frames | quantize_frames | spread_frames)
            close_to "$name, $1" --same 1 "$TMP/gpu:$name" "$TMP/ops:$name" ;;
        # sums of e4m3 products have about 14 bits; a weight midway between two codes may become either
        # a unit of weights may be another on a GPU
        attention.int8_pv*) close_to "$name, $1" --rel 5e-2 "$TMP/gpu:$name" "$TMP/ops:$name" ;;
        attention.fp8*) close_to "$name, $1" --rel 5e-3 "$TMP/gpu:$name" "$TMP/ops:$name" ;;
        *) close_to "$name, $1" --rel "$2" "$TMP/gpu:$name" "$TMP/ops:$name" ;;
        esac
    done
}
ops fp32 4e-6
ops fp16 4.9e-4
ops bf16 3.9e-3

# ---- pipes that use both ----

line="5 17 99 4 1"
encode() { echo "$line" | "$1/wan-encode-text" -m "$model" --token-ids -n "3 4 5 1"; }
denoise() { "$1/wan-denoise" -m "$model" -s 4 -S 7 --size 160x128 --frames 9 --dtype "${2-fp32}"; }
decode() { "$1/wan-vae-decode" -m "$model" --raw; }
encode "$cpu" | tee "$TMP/text" | denoise "$cpu" | tee "$TMP/latents" | decode "$cpu" >"$TMP/video"
ok $? "the CPU alone"
denoise "$cuda" <"$TMP/text" | decode "$cpu" >"$TMP/mixed"
close_to "denoised on the GPU, decoded on the CPU" --rel 1e-4 "$TMP/mixed:video" "$TMP/video:video"
denoise "$cpu" <"$TMP/text" | decode "$cuda" >"$TMP/mixed"
close_to "denoised on the CPU, decoded on the GPU" --rel 1e-4 "$TMP/mixed:video" "$TMP/video:video"
denoise "$cuda" <"$TMP/text" | decode "$cuda" >"$TMP/mixed"
close_to "both on the GPU" --rel 1e-4 "$TMP/mixed:video" "$TMP/video:video"
tensor-info "$TMP/mixed" | grep -c 'device: "cuda: ' >"$TMP/count"
is "$(cat "$TMP/count")" 2 "whose metadata name it twice"
put() { "$1/wan-vae-encode" -m "$model" --raw --dtype "${2-fp32}" <"$TMP/video"; }
put "$cpu" >"$TMP/put"
put "$cuda" >"$TMP/mixed"
close_to "encoded on the GPU" --rel 1e-4 "$TMP/mixed:latents" "$TMP/put:latents"
for type in fp16 bf16; do
    put "$cuda" $type >"$TMP/mixed"
    close_to "encoded on the GPU, $type" --rel "$(bound $type 1e-4 vae.encode)" \
        "$TMP/mixed:latents" "$TMP/put:latents"
done
# These are 4 steps; the bound is the reference's own error after 8 steps, which is greater.
for type in fp16 bf16; do
    denoise "$cuda" $type <"$TMP/text" >"$TMP/mixed"
    close_to "denoised on the GPU, $type" --rel "$(bound $type 1e-4 unipc.latents)" \
        "$TMP/mixed:latents" "$TMP/latents:latents"
done
for tensor in context:t5.prompt context_null:t5.negative; do
    encode "$cuda" >"$TMP/mixed"
    close_to "${tensor%:*} of the GPU" --rel "$(bound bf16 1e-4 ${tensor#*:}.context)" \
        "$TMP/mixed:${tensor%:*}" "$TMP/text:${tensor%:*}"
done
encode "$cuda" | denoise "$cpu" fp16 | decode "$cuda" | tensor-info >"$TMP/info"
like "$(cat "$TMP/info")" "*video *F32 *[[]3, 9, 128, 160[]]*" "the GPU's text and pictures around the CPU's latents"
done_testing
