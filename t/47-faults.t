#!/bin/sh
# What goes wrong with a GPU is one clear line and exit 1, and nothing that it has spoilt is written:
# no driver, a card too old, no memory (with what needs less), a library's error, a kernel that faults.
# t/faults/preload.c makes them happen.
. "$(dirname "$0")/tap.sh"
[ "$DEVICE" = cuda ] || skip_all "the CPU has no such faults"
model=$ROOT/fixtures/random
cd "$TMP" || exit 1
contexts="$GOLDEN:t5.prompt.context=context $GOLDEN:t5.negative.context=context_null"
tensor-pick $contexts "$GOLDEN:noise" > text
tensor-pick "$GOLDEN:vae.z=latents" > latents
tensor-pick -k prompt=cat "$ROOT/fixtures/clip/golden.safetensors:frames" > frames
tensor-pick "$GOLDEN:vae.frames=frames" > pictures
"$ROOT/fixtures/clip/unpack.sh" clip
encode() { echo "3 4 1" | wan-encode-text -m "$model" --token-ids -n "5 1" "$@"; }
denoise() { wan-denoise -m "$model" -s 2 "$@" < text; }
decode() { wan-vae-decode -m "$model" "$@" < latents; }
put() { wan-vae-encode -m "$model" "$@" < pictures; }
score() { clipscore -m clip "$@" < frames; }
# with FAULT COMMAND...
with() (
    export FAULT=$1 LD_PRELOAD=$BUILD/t/faults/preload.so
    shift
    "$@"
)
# faulty FAULT PATTERN NAME COMMAND...: as fails 1, and nothing whole is on standard output
faulty() {
    _fault=$1 _what=$2 _case=$3; shift 3
    fails 1 "*: $_what" "$_case" with "$_fault" "$@"
    tensor-info .out >/dev/null 2>&1
    is $? 1 "$_case: nothing is written, or what any reader finds cut"
}

# ---- no need of a GPU ----
if ! nvidia-smi -L >/dev/null 2>&1; then
    for command in encode denoise decode put score; do
        fails 1 "*: there is no gpu that can be used (*); the programs in build/cpu need none" \
            "no GPU: $command says so" $command
        is "$(wc -c < .out)" 0 "and writes nothing"
    done
fi
for command in encode denoise decode put score; do
    faulty driver "the gpu's driver is for CUDA 11.8, but this program needs one for *" \
        "an old driver: $command" $command
    faulty old "NVIDIA Turing has compute capability 7.5, but 8.0 is needed; the programs in build/cpu need no gpu" \
        "an old card: $command" $command
done
if ! nvidia-smi -L >/dev/null 2>&1; then
    skip "nvidia-smi finds no GPU" "faults of one"
    done_testing
    exit
fi

# ---- memory: of videos large enough that the first 40 MB do not do, and a text that needs 6 ----
tensor-pick $contexts > contexts
wan-denoise --size 416x240 --frames 5 -s 0 < contexts > noise
tensor-pick noise:noise=latents > large
denoise_large() { wan-denoise -m "$model" -s 2 --frames 81 "$@" < contexts; }
decode_large() { wan-vae-decode -m "$model" "$@" < large; }
memory() { # ENOUGH PROGRAM ADVICE COMMAND...: with 1 MB, and with ENOUGH to begin
    _enough=$1 _program=$2 _advice=$3; shift 3
    for mb in 1 $_enough; do
        faulty memory=$mb "out of gpu memory: * needs * MB more, * MB are in use here and * of * MB are free; $_advice" \
            "$mb MB: $*" "$@"
        is "$(sed 's/:.*//' .err)" "$_program" "it is $_program that says so"
        comment "$(cat .err)"
    done
}
memory 4 wan-encode-text "end what else uses the gpu, or use the program in build/cpu" encode
memory 40 wan-denoise "fewer --frames, a smaller --size or w8a16 weights (wan-quantize) need less" denoise_large
memory 40 wan-vae-decode "--dtype fp16 or smaller pictures (wan-denoise --size) need less" decode_large
memory 40 wan-vae-decode "smaller pictures (wan-denoise --size) need less" decode_large --dtype bf16
memory 40 clipscore "--dtype fp16 needs less" score
faulty context "out of gpu memory: to make a stream needs more memory*" "no memory for a context" denoise
faulty pinned "out of memory: cannot pin * MB of the host's for the way to the gpu and back" "no memory to pin" denoise

# ---- libraries and kernels ----
faulty cublas=3 "cannot multiply on the gpu: *" "cuBLAS fails" denoise --dtype fp32
for command in encode denoise decode put score; do
    for n in 1 30; do
        faulty kernel=$n "the gpu failed: an illegal memory access was encountered; it was found out when it was to *" \
            "kernels fault from $n on: $command" $command
    done
done
comment "$(cat .err)"

# What was whole before the fault stays, and is right. The fault comes half way.
half() { # COMMAND...: half the number of kernels it starts
    with count "$@" 2>&1 >/dev/null | awk '{ print int($1 / 2) }'
}
for i in 1 2 3 4 5 6 7 8 9 10; do cat text; done > ten
many() { wan-denoise -m "$model" -s 1 < ten; }
many > good
with kernel="$(half many)" many > bad 2> err
is $? 1 "a fault among ten documents"
like "$(cat err)" "wan-denoise: the gpu failed: *" "is said"
whole=$(tensor-info --names bad 2>/dev/null | grep -c latents)
[ "$whole" -ge 1 ] && [ "$whole" -lt 10 ]
ok $? "after some of them"
same_so_far() { # NAME: bad is the beginning of good
    size=$(wc -c < bad)
    [ "$size" -gt 0 ] && [ "$size" -lt "$(wc -c < good)" ] && head -c "$size" good | cmp -s - bad
    ok $? "$1"
    comment "$size of $(wc -c < good) bytes"
}
same_so_far "and what was written is what is written without it"
decode > good
with kernel="$(half decode)" decode > bad 2> err
is $? 1 "a fault in a later frame"
same_so_far "the frames before it are right"
done_testing
