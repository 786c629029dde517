#!/bin/sh
# wan-denoise -G, wan-vae-decode -G: several ranks make what one makes; one that fails or is killed
# ends them all.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random
cd "$TMP" || exit 1
most=8 # ranks, or gpus
if [ "$DEVICE" = cuda ]; then
    most=$(nvidia-smi -L 2> /dev/null | wc -l)
    [ "$most" -ge 2 ] || skip_all "there are no two gpus"
    grep -q "need NCCL, which this" "$BUILD/wan-denoise" && skip_all "it was built without NCCL"
fi
n4=$((most < 4 ? 2 : 4))
fp32="--dtype fp32" # so that what differs is the order of sums alone
contexts="$GOLDEN:t5.prompt.context=context $GOLDEN:t5.negative.context=context_null"
tensor-pick $contexts > text
tensor-pick $contexts "$GOLDEN:noise" > text-noise
small="--size 80x64 --frames 9"

# ---- the same latents: 2 is a pass on each, 4 halves the tokens (60) of each as well ----
wan-denoise -m "$model" $fp32 -s 3 $small < text > one
for n in 2 $n4; do
    wan-denoise -m "$model" $fp32 -s 3 $small -G $n --stats stats < text > many
    close_to "-G $n" --rel 1e-5 many:latents one:latents
done
close_to "-G $n4, the official solver's golden" --rel 1e-3 "$GOLDEN:unipc.latents" \
    "$(wan-denoise -m "$model" $fp32 -s 8 -S 123 $small -G $n4 < text > golden; echo golden:latents)"
for count in '"documents": 1' '"steps": 3' '"weight_loads": 1' '"peak_device_bytes"'; do
    grep -q "$count" stats
    ok $? "--stats has $count: the run's, not the ranks' together"
done
like "$(tensor-info many)" "*gpus: $n4*" "the metadata have the number"
wan-denoise -m "$model" $fp32 -s 3 -g 1 $small < text > one
wan-denoise -m "$model" $fp32 -s 3 -g 1 $small -G 2 < text > many
close_to "-G 2 without guidance" --rel 1e-5 many:latents one:latents
wan-denoise -m "$model" $fp32 -s 2 -g 1 --size 80x80 --frames 1 < text > one
wan-denoise -m "$model" $fp32 -s 2 -g 1 --size 80x80 --frames 1 -G 2 < text > many
close_to "25 tokens on two" --rel 1e-5 many:latents one:latents
wan-denoise -m "$model" $fp32 -s 2 -g 1 --size 32x16 --frames 1 < text > one
wan-denoise -m "$model" $fp32 -s 2 -g 1 --size 32x16 --frames 1 -G 2 < text > many
close_to "a token on each" --rel 1e-5 many:latents one:latents

wan-denoise -m "$model" $fp32 -s 2 $small < text-noise > noise.one
wan-denoise -m "$model" $fp32 -s 2 -S 7,8 $small < text > one
wan-denoise -m "$model" $fp32 -s 2 -S 7,8 $small -G $n4 < text > many
for d in 1 2; do
    for f in one many; do tensor-pick -d $d $f > $f.$d; done
    close_to "seed $d of two" --rel 1e-5 many.$d:latents one.$d:latents
done
{ cat text; sleep 0.3; cat text-noise text; } | wan-denoise -m "$model" $fp32 -s 2 $small -G 2 --wait > many
tensor-pick -d 2 many > many.2
close_to "the second document of three, read in pieces" --rel 1e-5 many.2:latents noise.one:latents
is "$(tensor-info --names many | grep -c latents)" 3 "three documents"
wan-denoise -m "$model" $fp32 -s 2 $small --trace -G 2 < text > many
is "$(tensor-info --names many | grep -c latents)" 2 "--trace has a document a step"

# ---- more heads: three parts, six parts, tokens that they do not divide ----
"$BUILD/t/bench/random-model" six small
raw() { # NAME SHAPE BYTES OCTAL: a document of one F32 tensor, all of whose bytes are the same
    _header="{\"$1\":{\"dtype\":\"F32\",\"shape\":$2,\"data_offsets\":[0,$3]}}"
    printf "\\$(printf %o ${#_header})\0\0\0\0\0\0\0%s" "$_header"
    head -c "$3" /dev/zero | tr '\0' "\\$4"
}
raw context '[3,4096]' 49152 74 > context
raw context_null '[2,4096]' 32768 274 > null
tensor-pick context null > text6
six() { wan-denoise -m six $fp32 -s 2 --size 80x80 --frames 5 "$@" < text6; } # 50 tokens
six > one
six -g 1 > alone
for n in 3 6; do
    [ $n -le $most ] || continue
    six -G $n > many
    close_to "-G $n with 6 heads" --rel 1e-5 many:latents one:latents
    six -g 1 -G $n > many
    close_to "-G $n with 6 heads and no guidance" --rel 1e-5 many:latents alone:latents
done

# ---- the decoder: bands of rows, 8 of latents; 1 to 8 bands ----
tensor-pick "$GOLDEN:vae.z=latents" > z
tensor-pick z one:latents=other > z.other
wan-vae-decode -m "$model" --raw < z > one.raw
for n in 2 3 8; do
    [ $n -le $most ] || continue
    wan-vae-decode -m "$model" --raw -G $n --stats stats < z > many.raw
    close_to "wan-vae-decode -G $n" --rel 1e-5 many.raw:video one.raw:video
done
close_to "wan-vae-decode -G, the official decoder's golden" --rel 1e-4 many.raw:video "$GOLDEN:vae.raw"
wan-vae-decode -m "$model" < z > one.frames
cat z z.other | wan-vae-decode -m "$model" -G 2 > many
for d in 1 2; do
    tensor-pick -d $d many > many.frames
    close_to "wan-vae-decode: document $d of two" --abs 1 --same 0.999 many.frames:frames one.frames:frames
done
wan-vae-decode -m "$model" --dtype bf16 --raw < z > one.raw
wan-vae-decode -m "$model" --dtype bf16 --raw -G 2 < z > many.raw
close_to "wan-vae-decode -G 2, bf16" --rel $([ "$DEVICE" = cpu ] && echo 1e-5 || echo 2e-2) many.raw:video one.raw:video
if [ "$DEVICE" = cpu ]; then
    fails 1 "wan-vae-decode: 8 rows of latents cannot be shared by 9 gpus" "9 bands of 8 rows" \
        sh -c "wan-vae-decode -m '$model' -G 9 < z"
    [ ! -s .out ]
    ok $? "9 bands of 8 rows: no output"
fi
size=$(wc -c < z)
{ head -c $((size - 4)) z; printf '\000\000\300\177'; } > z.nan # the last latent frame's
fails 1 "wan-vae-decode: latent frame 2 of document 1 decodes to * not finite*" "wan-vae-decode: NaN" \
    sh -c "wan-vae-decode -m '$model' -G 2 < z.nan"

# ---- what cannot be: one line, exit 1 ----
refused() { # PATTERN NAME OPTIONS...
    _pattern=$1 _name=$2; shift 2
    fails 1 "$_pattern" "$_name" sh -c 'wan-denoise "$@" < text' - -m "$model" -s 2 $small "$@"
    [ ! -s .out ]
    ok $? "$_name: no output"
}
if [ "$DEVICE" = cpu ]; then
    refused "*has 2 attention heads: they cannot be shared by 3 gpus" "-G 3 with 2 heads" -G 3
    refused "*has 2 attention heads: they cannot be shared by 4 gpus" "-G 8 with 2 heads" -G 8
else
    refused "wan-denoise: $((most + 1)) gpus are needed*there are $most" "too few gpus" -G $((most + 1))
fi
refused "wan-denoise: 1 tokens cannot be shared by 2 gpus" "fewer tokens than gpus" -g 1 -G 2 \
    --size 16x16 --frames 1
fails 2 "*--gpus is from 1 to 64, not 0*" "-G 0" wan-denoise -m "$model" -G 0
fails 2 "*--forward is for one gpu*" "--forward" wan-denoise -m "$model" --forward 5 -G 2
wan-denoise -s 0 -G 2 $small < text > noise2
wan-denoise -s 0 $small < text > noise1
close_to "-s 0 needs no gpus" --same 1 noise2:noise noise1:noise

: > empty
fails 1 "wan-denoise: standard input has no document" "no input" \
    sh -c "wan-denoise -m '$model' -G 2 < empty"
head -c 5000 text > short
fails 1 "wan-denoise: standard input, document 1: 'context_null' ends short*" "input cut short" \
    sh -c "wan-denoise -m '$model' -G 2 < short"
fails 1 "wan-denoise: cannot open none: *" "no model" sh -c "wan-denoise -m none -G 2 < text"
fails 1 "wan-denoise: cannot write standard output: No space left on device" "a full disk" \
    sh -c "wan-denoise -m '$model' -s 1 $small -G 2 < text > /dev/full"
fails 1 "wan-denoise: cannot write standard output: Bad file descriptor" "no standard output" \
    sh -c "wan-denoise -m '$model' -s 1 $small -G 2 < text >&-"
wan-denoise -m "$model" -s 1 $small $fp32 -G 2 < text 2>&- > quiet
wan-denoise -m "$model" -s 1 $small $fp32 < text > one
close_to "no standard error" --rel 1e-5 quiet:latents one:latents
{ sleep 1; wan-denoise -m "$model" -s 1 $small -G 2 < text 2> err; echo $? > status; } | true
is "$(cat status) $(cat err)" "1 wan-denoise: cannot write standard output: Broken pipe" "a closed pipe"
[ "$DEVICE" != cpu ] || [ "${SANITIZE:-}" ] ||
    fails 1 "wan-denoise: out of memory: *" "too large for all: one says it" \
    sh -c "ulimit -v 400000; wan-denoise -m '$model' --size 4096x4096 -G 2 < text"

# ---- one that is killed, or fails alone, in the midst of it ----
ranks_of() { # PID: its children that live
    for _s in /proc/[0-9]*/stat; do
        sed -n 's/^\([0-9]*\) (.*) \([A-Z]\) \([0-9]*\) .*/\1 \2 \3/p' "$_s" 2> /dev/null
    done | awk -v p="$1" '$2 != "Z" && $3 == p { print $1 }' | sort -n
}
begin() { # OPTIONS...: in the background, as $pid; $ranks when they run
    OMP_NUM_THREADS=4 \
        wan-denoise -m "$model" -s 1000 --size 160x128 --frames 33 "$@" < fifo > out 2> err &
    pid=$!
    exec 3> fifo
    ranks=$(ranks_of $pid)
    while [ "$(echo "$ranks" | wc -l)" -lt $n4 ] && kill -0 $pid; do
        sleep 0.05
        ranks=$(ranks_of $pid)
    done
}
alive() { # the states of those of $ranks that have not ended
    for _r in $ranks; do
        sed -n 's/^.*) \([A-Z]\) .*/\1/p' "/proc/$_r/stat" 2> /dev/null
    done | tr -d 'ZX\n'
}
ended() { # PATTERN NAME: they end by themselves, in time, with one line
    since=$(date +%s)
    wait $pid
    rc=$? took=$(($(date +%s) - since))
    exec 3>&-
    is $rc 1 "$2: exit 1"
    like "$(cat err)" "wan-denoise: $1" "$2 is said"
    is "$(wc -l < err)" 1 "$2: in one line"
    [ $took -le 10 ]
    ok $? "$2: all within 10 s"
    is "$(alive)" "" "$2: none is left"
    tensor-info out > /dev/null 2>&1
    is $? 1 "$2: what was written does not pass as whole"
}
running() { # until steps are being made, or it has ended
    until [ -s out ] || ! kill -0 $pid 2> /dev/null; do sleep 0.05; done
    sleep 0.2
}
mkfifo fifo
for r in 0 1 3; do
    [ $r -lt $n4 ] || continue
    begin -G $n4
    cat text >&3
    running
    kill -KILL "$(echo "$ranks" | sed -n $((r + 1))p)"
    ended "rank $r of $n4: ended by signal 9 (Killed)" "rank $r killed"
done
if [ "$DEVICE" = cpu ] && [ -z "${SANITIZE:-}" ] && command -v prlimit > /dev/null; then
    for r in 0 2; do
        begin -G 4 --size 1280x1280
        this=$(echo "$ranks" | sed -n $((r + 1))p)
        now=$(sed -n 's/^VmSize: *\([0-9]*\) kB/\1/p' /proc/$this/status)
        prlimit --pid $this --as=$(((now + 250000) * 1024)) # the program fits, the activations do not
        cat text >&3
        [ $r -eq 0 ] && said='' || said='rank 2 of 4: '
        ended "${said}out of memory: *" "rank $r out of memory"
    done
else
    comment "memory that is short for one rank is not tried: it needs prlimit, the CPU, no sanitizer"
fi
for signal in KILL TERM; do
    begin -G $n4
    cat text >&3
    running
    kill -$signal $pid
    wait $pid 2> /dev/null
    exec 3>&-
    tries=0
    while [ -n "$(alive)" ] && [ $tries -lt 40 ]; do
        sleep 0.25
        tries=$((tries + 1))
    done
    is "$(alive)" "" "SIG$signal to the first process ends all"
done

done_testing
