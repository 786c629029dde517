#!/bin/bash
# make check-model: what a checkpoint is, what it lacks and how that is got, whether it fits.
. "$(dirname "$0")/tap.sh"
cd "$ROOT" || exit 1
check() { make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" check-model OUT="$TMP/out" "$@" >"$TMP/said" 2>&1; }

check MODEL=fixtures/tiny CLIP=fixtures/tiny/clip SIZE=128x80 FRAMES=13
is $? 0 "a whole checkpoint"
like "$(cat "$TMP/said")" "fixtures/tiny
  transformer  diffusion_pytorch_model.safetensors: Wan's transformer; 4 blocks, 256 wide, 3.2 million numbers; F16 6.5 MB
  text         models_t5_umt5-xxl-enc-bf16.pth: *BF16 248 kB
  vae          Wan2.1_VAE.pth: Wan's video VAE; *
  clip         model.safetensors: *
  tokenizer    found
sampling 128x80, 13 frames takes about * MB: fits *
a video of that takes about * on disk: * are free, for * of them" "files, layouts, sizes, types; card and disk"
[ ! -e "$TMP/out" ]
ok $? "nothing is made"
cp -r fixtures/tiny "$TMP/half" && rm -r "$TMP/half/Wan2.1_VAE.pth" "$TMP/half/google"
check MODEL="$TMP/half"
is $? 2 "one that lacks something"
is "$(sed -n 's/ *missing: .*//p' "$TMP/said" | tr -d '\n')" "  vae  tokenizer" "what that is"
is "$(grep '^  hf ' "$TMP/said")" \
    "  hf download Wan-AI/Wan2.1-T2V-1.3B --local-dir $TMP/half --include Wan2.1_VAE.pth --include 'google/umt5-xxl/*'" \
    "a command of one line gets it"
check MODEL="$TMP/half" SIZE=1280x720 FRAMES=10000000
like "$(cat "$TMP/said")" "*does not fit*fewer FRAMES*" "what no card holds"
like "$(check MODEL=/nowhere; cat "$TMP/said")" "check-model: MODEL=/nowhere: there is no such directory*hf download Wan-AI/Wan2.1-T2V-1.3B --local-dir /nowhere*" \
    "a directory that is not there"
like "$(check SIZE=9; cat "$TMP/said")" "check-model: MODEL is needed*" "no MODEL"
like "$(check MODEL=fixtures/tiny SIZE=9; cat "$TMP/said")" "check-model: SIZE='9' is not WIDTHxHEIGHT*" "a SIZE that is none"

# ---- other layouts ----

gzip -dc fixtures/layouts/wan.safetensors.gz >"$TMP/wan.safetensors"
is "$(wan-check -m "$TMP/wan.safetensors" | cut -f 1,2,5,6 | head -n 1)" "transformer	wan.safetensors	1	64" "wan-check: a single file"
for f in fixtures/layouts/*.safetensors.gz; do
    gzip -dc "$f" >"$TMP/one.safetensors"
    wan-check -m "$TMP/one.safetensors" >"$TMP/table" 2>"$TMP/err"
    [ $? -le 1 ] && [ "$(wc -l <"$TMP/table")" = 3 ] && [ ! -s "$TMP/err" ] || other="$other $f"
done
is "${other-}" "" "wan-check: three lines for whatever there is"
fails 1 "wan-check: cannot read /nowhere: *" "wan-check: nothing there" wan-check -m /nowhere
fails 2 "wan-check: -m DIR or -m FILE is needed*" "wan-check: no -m" wan-check
done_testing
