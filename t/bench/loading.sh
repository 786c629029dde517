#!/bin/bash
# loading.sh: real sizes in other layouts beside the official one: milliseconds and memory of tensor-info,
# and seconds to load. The 1.3B in diffusers' names and in three shards, as Q4_K in GGUF; the whole umT5-xxl
# with Hugging Face's names. Random weights; needs 50 GB of disk under ${TMPDIR:-/tmp}/wan-bench.
#
#   BUILD=build/cuda t/bench/loading.sh            ROUNDS, TEXT_LAYERS
#
# A model is timed as often as ROUNDS says, by turns with the official one; medians are told. The first
# use of a file, which digests every byte of it, is not among them. All are copies written by tensor-pick,
# the official ones too: how a file was written changes how fast its cached pages are mapped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$here/../../build/cpu}
ROUNDS=${ROUNDS:-5} TEXT_LAYERS=${TEXT_LAYERS:-24}
directory=${TMPDIR:-/tmp}/wan-bench
mkdir -p "$directory"
PATH=$BUILD:$BUILD/t/bench:$BUILD/t/tools:$PATH
work=$(mktemp -d "$directory/loading.XXXXXX")
trap 'rm -rf "$work"' EXIT
TMP=$work # for layouts.sh
. "$here/../layouts.sh"
model=$directory/diffusion_pytorch_model.safetensors text=$directory/text$TEXT_LAYERS/umt5_random.safetensors
[ -e "$model" ] || random-model "$directory" 1.3B
[ -e "$text" ] || random-model "$directory/text$TEXT_LAYERS" text "$TEXT_LAYERS"
cd "$work"
mkdir official sharded quantized text text.official
renamed "$model" cat > official/diffusion_pytorch_model.safetensors
renamed "$text" cat > text.official/model.safetensors
cp "$directory/config.json" official/
cp "$directory/config.json" quantized/

# ---- the same weights in other layouts ----

tensor-info --names "$model" > names
diffusers_names < names > theirs
paste -d = names theirs > pairs
for n in 1 2 3; do
    file=diffusion_pytorch_model-0000$n-of-00003.safetensors
    awk -v n=$n 'NR % 3 == n - 1' pairs | sed "s|^|$model:|" | xargs tensor-pick > "sharded/$file"
    awk -F= -v n=$n -v f=$file 'NR % 3 == n - 1 { printf "\"%s\": \"%s\"\n", $2, f }' pairs
done | paste -sd , | sed 's/^/{"weight_map": {/; s/$/}}/' > sharded/diffusion_pytorch_model.safetensors.index.json
heads=$(sed -n 's/.*"num_heads": *\([0-9]*\).*/\1/p' "$directory/config.json")
echo "{\"_class_name\": \"WanTransformer3DModel\", \"num_attention_heads\": $heads, \"eps\": 1e-06}" > sharded/config.json
recode Q4_K "$model" > quantized/wan-t2v.gguf
renamed "$text" hf_names > text/model.safetensors

# ---- times ----

tensor-pick -t F32 "$model:text_embedding.0.weight[0:20]=context" \
    "$model:text_embedding.0.weight[20:40]=context_null" > context
denoise() { wan-denoise -q -m "$1" --dtype fp16 --size 64x64 --frames 1 -s 1 --stats stats < context > /dev/null; }
encode() { echo "5 6 7 1" | wan-encode-text -q -m "$1" --token-ids -n "5 1" --stats stats > /dev/null; }
median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
# umT5's layers are loaded one by one, while it encodes.
load() { sed -n 's/.*"\(load\|encode\)": \([0-9.e+-]*\).*/\2/p' stats | head -1; }
whole() { # COMMAND MODEL FILE: seconds of the process, a line of FILE; its loading, of FILE.load
    began=$(date +%s%N)
    "$1" "$2"
    echo $((($(date +%s%N) - began) / 1000000)) >> "$3"
    load >> "$3.load"
}
info() { # FILE: the least of five, milliseconds of a processor and MB
    for _ in 1 2 3 4 5; do
        measure m tensor-info "$1" > /dev/null
        cat m
    done | sort -n | awk 'NR == 1 { printf "%d %.1f", $1, $2 / 1000 }'
}
row() { # NAME COMMAND OFFICIAL OTHER FILE
    sleep 4 # a digest is kept of files that have settled
    "$2" "$3"
    "$2" "$4"
    rm -f a b a.load b.load
    for _ in $(seq "$ROUNDS"); do
        whole "$2" "$3" a
        whole "$2" "$4" b
    done
    read -r ms mb < <(info "$5"; echo)
    printf '%-22s %8d %8.1f %9.0f %9.0f %7.3f %9.3f %9.3f %7.3f\n' "$1" "$ms" "$mb" \
        "$(median b)" "$(median a)" "$(awk "BEGIN { print $(median b) / $(median a) }")" \
        "$(median b.load)" "$(median a.load)" "$(awk "BEGIN { print $(median b.load) / $(median a.load) }")"
}

echo "tensor-info; a whole run, ms, and the official file's; of that loading, seconds"
printf '%-22s %8s %8s %9s %9s %7s %9s %9s %7s\n' layout ms MB run official ratio load official ratio
row 'diffusers, 3 shards' denoise official sharded sharded/diffusion_pytorch_model.safetensors.index.json
row 'GGUF, Q4_K' denoise official quantized quantized/wan-t2v.gguf
row "umT5, HF's names" encode text.official text text/model.safetensors
