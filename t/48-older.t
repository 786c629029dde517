#!/bin/sh
# The ways of older cards (before Hopper) on the card that is there: kernels and goldens.
. "$(dirname "$0")/tap.sh"
[ "$DEVICE" = cuda ] || skip_all "the CPU has no older ways"
nvidia-smi -L >/dev/null 2>&1 || skip_all "nvidia-smi finds no GPU"
model=$ROOT/fixtures/random
cd "$ROOT" || exit 1
export WAN_CAPABILITY=80

for test in attention attention8 kernels formats inputs activations pictures rows threads; do
    "$BUILD/t/$test" >"$TMP/out" 2>&1
    ok $? "$test"
    comment "$(grep -e '^not ok' -e 'of the tolerance' "$TMP/out")"
done

# ---- less shared memory ----
for test in attention attention8; do
    WAN_CAPABILITY=86 "$BUILD/t/$test" >"$TMP/out" 2>&1
    ok $? "$test, in 99 KB"
    comment "$(grep -e '^not ok' -e 'of the tolerance' "$TMP/out")"
done

# ---- goldens ----
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" \
    "$GOLDEN:dit.x=latents" >"$TMP/in"
tensor-pick "$GOLDEN:vae.z=latents" >"$TMP/z"
wan-quantize -q -t w8a16 -m "$model" >"$TMP/w8a16.safetensors"
for type in fp16 bf16; do
    wan-denoise -m "$model" --dtype $type --forward 500 <"$TMP/in" >"$TMP/out"
    close_to "velocity, $type" --rel "$(bound $type 1e-4 dit.out.t500)" "$TMP/out:cond" "$GOLDEN:dit.out.t500"
    wan-denoise -m "$TMP/w8a16.safetensors" --dtype $type --forward 500 <"$TMP/in" >"$TMP/out"
    close_to "velocity, w8a16, $type" --rel "$(bound $type 1e-4 dit.w8a16.out.t500)" \
        "$TMP/out:cond" "$GOLDEN:dit.w8a16.out.t500"
    wan-vae-decode -m "$model" --dtype $type --raw <"$TMP/z" >"$TMP/out"
    close_to "pictures, $type" --rel "$(bound $type 1e-4 vae.raw)" "$TMP/out:video" "$GOLDEN:vae.raw"
done
done_testing
