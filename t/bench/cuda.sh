#!/bin/bash
# cuda.sh: the whole line on one card, with random models of the 1.3B's real sizes at 832x480: seconds and
# peak memory, each beside its bound and its floor. `make bench DEVICE=cuda` runs it: about two minutes.
#
# Random models take 16 GB under ${TMPDIR:-/tmp}/wan-bench, are made once and stay in the page cache.
# A step is (seconds of many steps - seconds of few) / difference: what a run pays once goes out. Each
# figure is the median of ROUNDS; w8a16 and fp16 take turns, so a card that warms up is fair to both.
# Floor: operations (flops.awk) over the rate of a large product, bytes over the rate of an upload; both
# are measured first. Seconds of whole programs count from start to exit. Our peak excludes the driver's context.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$here/../../build/cuda}
SIZE=832x480 STEPS=20 ROUNDS=${ROUNDS:-3} PROMPTS=${PROMPTS:-5}
directory=${TMPDIR:-/tmp}/wan-bench
mkdir -p "$directory/w8a16"
PATH=$BUILD:$BUILD/t/bench:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# ---- arithmetic ----

calc() { awk "BEGIN { printf \"%.6g\", $1 }"; }
median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
number() { sed -n "s/.*\"$2\": \([0-9.e+-]*\).*/\1/p" "$1" | head -1; }
gflop() { # STAGE (1 encode, 2 denoise, 3 decode) FRAMES: of one step
    awk -v size=$SIZE -v frames="$2" -v steps=1 -v layers=24 -f "$here/flops.awk" | cut -d' ' -f"$1"
}
# WHAT VALUE UNIT BOUND FLOOR: - where there is none
row() {
    awk -v n="$1" -v v="$2" -v u="$3" -v b="$4" -v f="$5" 'BEGIN {
        printf "| %s | %.3f %s | %s | %s | %s |\n", n, v, u, b == "-" ? "" : b " " u,
            f == "-" ? "" : sprintf("%.3f", f), f == "-" ? "" : sprintf("%.2f", v / f) }'
}

# ---- models ----

[ -e "$directory/diffusion_pytorch_model.safetensors" ] || random-model "$directory" 1.3B
[ -e "$directory/vae_random.safetensors" ] || random-model "$directory" vae
[ -e "$directory/text24/umt5_random.safetensors" ] || random-model "$directory/text24" text 24
if [ ! -e "$directory/w8a16/config.json" ]; then
    wan-quantize -q -t w8a16 -m "$directory" > "$directory/w8a16/diffusion_pytorch_model.safetensors"
    cp "$directory/config.json" "$directory/w8a16"
fi

# ---- stages ----

# Prompts of 20 tokens, the default negative prompt's length, each ended by token 1.
ids() { echo "$(seq "$1" $(($1 + $2 - 2)) | tr '\n' ' ')1"; }
prompts() { for i in $(seq "$1"); do ids $((1000 + 31 * i)) 20; done; }
encode() { wan-encode-text -m "$directory/text24" --token-ids -n "$(ids 2000 127)" "$@"; }
denoise() { # DTYPE FRAMES STEPS STATS
    local model=$directory dtype=$1
    [ "$dtype" = w8a16 ] && model=$directory/w8a16 dtype=fp16
    wan-denoise -m "$model" --dtype $dtype --size $SIZE --frames "$2" -s "$3" --stats "$4"
}
decode() { wan-vae-decode -m "$directory" --dtype fp16 "$@"; }

seconds() { # COMMAND...: appends to the file `took`
    local start end
    start=$(date +%s.%N)
    "$@"
    end=$(date +%s.%N)
    calc "$end - $start" >> took
    echo >> took
}
line() { prompts "$1" | encode | denoise fp16 13 $STEPS /dev/null | decode > frames; }
lines() { for i in $(seq "$1"); do line 1; done; }

steps() { # FRAMES FEW MANY DTYPE: a line in step.FRAMES.DTYPE
    denoise "$4" "$1" "$2" few.json < text > latents
    denoise "$4" "$1" "$3" "peak.$1.$4" < text > latents
    calc "($(number "peak.$1.$4" steps) - $(number few.json steps)) / ($3 - $2)" >> "step.$1.$4"
    echo >> "step.$1.$4"
}

# ---- the card ----

ops rates > rates
upload=$(sed 's/.*upload \([0-9.]*\).*/\1/' rates) product=$(sed 's/.*product \([0-9.]*\).*/\1/' rates)
echo "$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -1), $(date +%F)," \
    "commit $(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown), make bench DEVICE=cuda"
echo "rates: $(sed 's/.*: //' rates)"
echo
echo '| what | measured | bound | floor | times floor |'
echo '| --- | --- | --- | --- | --- |'

# ---- the table ----

for n in 1 20; do
    for _ in $(seq "$ROUNDS"); do
        prompts $n | encode --stats text.json > text$n
        echo "$(number text.json encode)" >> encode.$n
    done
    floor=$(calc "($(number text.json weight_bytes.BF16) + $(number text.json weight_bytes.F32)) / $upload / 1e9")
    row "encode $n prompts" "$(median encode.$n)" s - "$floor"
    [ $n = 20 ] || encode_floor=$floor
done
row "peak, encode 20 prompts" "$(calc "$(number text.json peak_device_bytes) / 1e9")" GB 1.5 -
mv text1 text

for case in 13:104:3:23 81:1040:1:4; do
    IFS=: read -r frames bound few many <<< "$case"
    for round in $(seq "$ROUNDS"); do
        for dtype in fp16 w8a16 bf16; do
            [ $frames:$dtype = 81:bf16 ] && [ "$round" -gt 1 ] && continue
            steps "$frames" "$few" "$many" $dtype
        done
    done
    floor=$(calc "$(gflop 2 "$frames") / $product")
    for dtype in fp16 bf16 w8a16; do
        row "step of two forwards, $frames frames, $dtype" \
            "$(calc "$(median "step.$frames.$dtype") * 1e3")" ms \
            "$([ $dtype = fp16 ] && echo "$bound" || echo -)" "$floor"
    done
    paste "step.$frames.w8a16" "step.$frames.fp16" | awk '{ print $1 / $2 }' > ratio
    row "w8a16 over fp16, $frames frames" "$(median ratio)" '' 1.03 -
    [ "$frames" = 81 ] || step_floor=$floor
done
row "peak, denoise 81 frames, fp16" "$(calc "$(number peak.81.fp16 peak_device_bytes) / 1e9")" GB 4.5 -
row "peak, denoise 81 frames, w8a16" "$(calc "$(number peak.81.w8a16 peak_device_bytes) / 1e9")" GB 3.2 -

for case in 13:0.32 81:2.0; do
    IFS=: read -r frames bound <<< "$case"
    wan-denoise --size $SIZE --frames "$frames" -s 0 < text > drawn
    tensor-pick drawn:noise=latents > noise
    for _ in $(seq "$ROUNDS"); do
        decode --stats decode.json < noise > frames
        echo "$(number decode.json decode)" >> "decode.$frames"
    done
    floor=$(calc "$(gflop 3 "$frames") / $product / 1e3")
    row "VAE decode, $frames frames, fp16" "$(median "decode.$frames")" s "$bound" "$floor"
    [ "$frames" = 81 ] || decode_floor=$floor
done
row "peak, decode 81 frames" "$(calc "$(number decode.json peak_device_bytes) / 1e9")" GB 3.2 -

for _ in $(seq "$ROUNDS"); do
    seconds line 1
done
weights=$(calc "$(number peak.13.fp16 weight_bytes.F16) / $upload / 1e9")
row "whole line, 13 frames, $STEPS steps, fp16" "$(median took)" s 7 \
    "$(calc "$encode_floor + $weights + $STEPS * $step_floor / 1e3 + $decode_floor")"
rm took
seconds lines "$PROMPTS"
row "$PROMPTS prompts, $PROMPTS runs of the line" "$(cat took)" s - -
rm took
seconds line "$PROMPTS"
row "$PROMPTS prompts, one line" "$(cat took)" s - -

# ---- what the driver adds ----

nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits | head -1 > before
nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -i 0 -lms 50 > used &
watch=$!
denoise fp16 13 3 smi.json < text > latents
kill $watch
echo
echo "peak of a run as nvidia-smi saw it: $(calc "($(sort -n used | tail -1) - $(cat before)) * 1048576 / 1e9") GB," \
    "as we count: $(calc "$(number smi.json peak_device_bytes) / 1e9") GB; the rest is the context"
