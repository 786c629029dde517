#!/bin/sh
# wan-denoise --memory: blocks that come and go make the same bytes, and what is held is less.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random
cd "$TMP" || exit 1

for bad in 0 -1 2g x; do
    wan-denoise -m "$model" --memory "$bad" </dev/null >out 2>error
    is $? 2 "--memory $bad is refused"
done
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" >text
denoise() { # MODEL OPTIONS..: latents and stats
    from=$1
    shift
    wan-denoise -m "$from" -s 3 --size 64x48 --frames 5 -S 3 --stats stats "$@" <text 2>error
}
number() { sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" stats; }
wan-quantize -q -t w8a16 -m "$model" >w8a16.safetensors
wan-quantize -q -t q4_0 -m "$model" >q4.safetensors
for from in "$model" w8a16.safetensors q4.safetensors; do
    denoise "$from" >all
    [ -s all ] || exit 1
    denoise "$from" --memory 1 >some
    cmp -s all some
    ok $? "${from##*/}, all blocks come and go: the same bytes"
    [ "$DEVICE" = cuda ] || continue
    grep -q "MB of the device are needed, more than --memory's 1" error
    ok $? "it says that 1 MB is not enough"
    least=$(($(number peak_device_bytes) / 1048576))
    for mb in $((least + 1)) 100000; do
        denoise "$from" --memory $mb >some
        cmp -s all some
        ok $? "${from##*/}, $mb MB: the same bytes"
        comment "$(number resident_blocks) blocks stay"
        [ "$(number peak_device_bytes)" -le $((mb * 1048576)) ]
        ok $? "no more is held"
    done
done
done_testing
