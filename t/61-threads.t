#!/bin/sh
# The number of threads changes no byte of what the programs write; memory is taken as it is needed.
. "$(dirname "$0")/tap.sh"
[ "$DEVICE" = cpu ] || skip_all "threads are the CPU's"
model=$ROOT/fixtures/random
cd "$TMP" || exit 1
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" >text

for n in 1 2 3; do
    export OMP_NUM_THREADS=$n
    echo "4 8 15 16 23 42" | wan-encode-text -m "$model" --token-ids -n "1" >context$n
    wan-denoise -m "$model" -s 3 --size 160x128 --frames 9 <text >latents$n
    wan-denoise -m "$model" -s 3 --size 160x128 --frames 9 --dtype bf16 <text >latents-bf16-$n
    wan-vae-decode -m "$model" --raw <latents1 >raw$n
    ok $? "with $n threads"
done
for n in 2 3; do
    for result in context latents latents-bf16- raw; do
        [ -s "$result$n" ] && cmp "${result}1" "$result$n"
        ok $? "${result%-} with $n threads and with one"
    done
done

# Nothing is reserved ahead: 1 GB of addresses is enough for small work, BLAS included.
OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2 \
    within 1000000 wan-vae-decode -m "$model" --raw <latents1 >raw-limited
ok $? "under a limit of the address space"
cmp raw1 raw-limited
ok $? "the same frames"
done_testing
