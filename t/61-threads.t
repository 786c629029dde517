#!/bin/sh
# What the programs write does not depend on the number of threads, nor on the run: not a byte; nor,
# on the CPU, on which of its vector instructions make the products. Memory is taken as it is needed.
. "$(dirname "$0")/tap.sh"
unset WAN_INSTRUCTIONS # they are compared below
model=$ROOT/fixtures/random
cd "$TMP" || exit 1
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" >text
tensor-pick "$GOLDEN:vae.frames=frames" >frames
tensor-pick "$GOLDEN:vae.frames[1:9]=frames" >later
"$ROOT/fixtures/clip/unpack.sh" clip >/dev/null || exit 1
others="clip flow diff codes$(command -v ffmpeg >/dev/null && echo ' mp4')"

# On a GPU the threads are the card's, and n merely counts the runs.
for n in 1 2 3; do
    export OMP_NUM_THREADS=$n
    echo "4 8 15 16 23 42" | wan-encode-text -m "$model" --token-ids -n "1" >context$n
    wan-denoise -m "$model" -s 3 --size 160x128 --frames 9 <text >latents$n
    wan-denoise -m "$model" -s 3 --size 160x128 --frames 9 --dtype bf16 <text >latents-bf16-$n
    wan-vae-decode -m "$model" --raw <latents1 >raw$n
    ok $? "with $n threads"
    wan-vae-decode -m "$model" --raw --dtype fp16 --stats stats <latents1 >raw-fp16-$n
    ok $? "with $n threads, fp16"
    wan-vae-encode -m "$model" <frames >encoded$n
    wan-vae-encode -m "$model" --dtype fp16 <frames >encoded-fp16-$n
    ok $? "encodes frames with $n threads"
    clipscore -q -m clip --embeds -p 'a red fox' <frames >clip$n
    flowmag --flow <frames >flow$n
    tensor-pick "$GOLDEN:vae.frames[0:8]=frames" | framediff --per-frame later - >diff$n
    wan-quantize -q -t w8a16 -m "$model" >codes$n
    ! command -v ffmpeg >/dev/null || frames2mp4 "mp4$n" <frames
done
for n in 2 3; do
    for result in context latents latents-bf16- raw raw-fp16- encoded encoded-fp16- $others; do
        [ -s "$result$n" ] && cmp "${result}1" "$result$n"
        ok $? "${result%-} with $n threads and with one"
    done
done

# ---- instructions ----

# run SET: what the three models make with it
run() {
    echo "4 8 15 16 23 42" | WAN_INSTRUCTIONS=$1 wan-encode-text -m "$model" --token-ids -n "1" >"context-$1" &&
        WAN_INSTRUCTIONS=$1 wan-denoise -m "$model" -s 3 --size 160x128 --frames 9 --stats "stats-$1" <text >"latents-$1" &&
        WAN_INSTRUCTIONS=$1 wan-vae-decode -m "$model" --raw <latents1 >"raw-$1"
}
backend() { tensor-info --metadata "$1" | grep -o 'backend[^,]*cpu-[a-z]*' | sed 's/.*cpu/cpu/'; }

if [ "$DEVICE" = cpu ]; then
    fails 1 "wan-denoise: WAN_INSTRUCTIONS=mmx is none of this processor's: *" "a set that is not there" \
        sh -c "WAN_INSTRUCTIONS=mmx wan-denoise -m '$model' <text"
    # Loops for other processors must round as ours do: products and sums are fused in product.c alone.
    if command -v objdump >/dev/null && grep -qw avx2 /proc/cpuinfo && [ -z "${SANITIZE:-}" ]; then
        is "$(objdump -d --no-show-raw-insn "$BUILD/wan-denoise" | awk '/^[0-9a-f]+ </ { f = $2 }
            /vfn?m(add|sub)/ { print f }' | sort -u | tr '\n' ' ')" "<rows_avx2>: <rows_avx512>: " \
            "what is fused"
    fi
    for set in avx512 avx2 sse2; do
        flag=$([ $set = avx512 ] && echo avx512f || echo $set)
        if ! grep -qw $flag /proc/cpuinfo; then
            skip "this processor has no $set" "with $set"
            continue
        fi
        run $set
        ok $? "with $set"
        grep -q "\"device\": \"cpu: $set\"" "stats-$set"
        ok $? "--stats names $set"
        for result in context latents raw; do
            if [ $set = sse2 ]; then # products and sums are rounded apart
                name=$(tensor-info --names "$result-$set" | head -1)
                close_to "$result with $set" --rel 1e-5 "$result-$set:$name" "${result}1:$name"
            else
                cmp "${result}1" "$result-$set"
                ok $? "$result with $set: the same bytes"
            fi
        done
    done
fi

# ---- nothing is reserved ahead ----

if [ "$DEVICE" = cpu ]; then # 400 MB of addresses are enough for small work
    OMP_NUM_THREADS=2 \
        within 400000 wan-vae-decode -m "$model" --raw <latents1 >raw-limited
    ok $? "under a limit of the address space"
    cmp raw1 raw-limited
    ok $? "the same frames"
else # CUDA maps addresses by the hundred GB; the card's memory is what counts
    peak=$(sed -n 's/.*"peak_device_bytes": \([0-9]*\).*/\1/p' stats)
    [ "$peak" -lt 100000000 ]
    ok $? "small work takes less than 100 MB of the card"
    comment "$peak bytes"
fi
done_testing
