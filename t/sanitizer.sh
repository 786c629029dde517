#!/bin/sh
# sanitizer.sh: compute-sanitizer over the kernels' tests and the programs (make check-sanitizer). TAP.
#
# $BUILD/sanitizer has them with a scratch.cu that gives every tensor memory of its own, so that its
# end and whether it was written can be seen. planted.cu has mistakes that must be found. With
# WAN_CAPABILITY=80 a newer card takes the ways of an older one. poison is no tool but a run whose memory
# begins as NaN.
#
# TOOLS names some of them. All GPUs are used.
#
# racecheck reports cuBLASLt's own kernels (nvjet_*, whose tiles the copy engine writes): those are not
# ours and are counted, not failed.
. "$(dirname "$0")/tap.sh"
PATH=$PATH:/usr/local/cuda/bin
run=$BUILD/sanitizer model=$ROOT/fixtures/random
nvidia-smi -L >/dev/null 2>&1 || skip_all "nvidia-smi finds no GPU"
have compute-sanitizer || skip_all "there is no compute-sanitizer"
export CK_FORK=no CK_VERBOSITY=silent CK_TAP_LOG_FILE_NAME=-
cd "$ROOT" || exit 1

contexts="$GOLDEN:t5.prompt.context=context $GOLDEN:t5.negative.context=context_null"
tensor-pick $contexts "$GOLDEN:dit.x=latents" >"$TMP/forward"
tensor-pick $contexts "$GOLDEN:noise" >"$TMP/text"
tensor-pick "$GOLDEN:vae.z=latents" >"$TMP/latents"
tensor-pick -k prompt='a cat' "$ROOT/fixtures/clip/golden.safetensors:frames" >"$TMP/frames"
tensor-pick "$GOLDEN:vae.frames=frames" >"$TMP/pictures"
wan-quantize -q -t w8a16 -m "$model" >"$TMP/w8a16.safetensors"
"$ROOT/fixtures/clip/unpack.sh" "$TMP/clip"
echo "5 17 99 4 1" >"$TMP/ids"

# One line a run: tool, name, what must be found (errors or nothing), input, environment (or -),
# command. Long ones first. initcheck sees nothing of what the copy engine writes (planted engine), and on
# Hopper that writes the products of 16 bits, ours and cuBLASLt's: it gets the runs that have none. Those
# that have some are poisoned.
TOOLS=${TOOLS:-racecheck initcheck memcheck synccheck poison}
runs() {
    for tool in $TOOLS; do
        [ $tool = initcheck ] || sixteen $tool
        echo "$tool pictures nothing /dev/null - $run/pictures"
        echo "$tool pictures-sm80 nothing /dev/null WAN_CAPABILITY=80 $run/pictures"
        echo "$tool nets nothing /dev/null - $run/nets"
        echo "$tool rows nothing /dev/null - $run/rows"
        echo "$tool solvers nothing /dev/null - $run/solvers"
        lines $tool fp32
    done
    echo "memcheck outside errors /dev/null - $run/planted outside"
    echo "initcheck uninitialised errors /dev/null - $run/planted uninitialised"
    echo "racecheck race errors /dev/null - $run/planted race"
    echo "poison unwritten errors /dev/null - $run/planted uninitialised"
    echo "initcheck engine errors /dev/null - $run/planted engine"
}
sixteen() { # TOOL: what has products of 16 bits
    echo "$1 kernels nothing /dev/null CK_RUN_CASE=products $run/kernels"
    echo "$1 kernels-sm80 nothing /dev/null CK_RUN_CASE=products,WAN_CAPABILITY=80 $run/kernels"
    echo "$1 attention nothing /dev/null - $run/attention"
    eight $1 attention8 CK_FORK=no
    echo "$1 activations nothing /dev/null - $run/activations"
    echo "$1 attention-sm80 nothing /dev/null WAN_CAPABILITY=80 $run/attention"
    eight $1 attention8-sm80 WAN_CAPABILITY=80
    echo "$1 threads nothing /dev/null - $run/threads"
    echo "$1 encode nothing $TMP/ids - $run/wan-encode-text -m $model --token-ids -n 1"
    echo "$1 forward-w8a16 nothing $TMP/forward - $run/wan-denoise -m $TMP/w8a16.safetensors --forward 500"
    echo "$1 forward-sm80 nothing $TMP/forward WAN_CAPABILITY=80 $run/wan-denoise -m $model --forward 500"
    echo "$1 decode-sm80 nothing $TMP/latents WAN_CAPABILITY=80 $run/wan-vae-decode -m $model --dtype fp16"
    echo "$1 vae-encode-sm80 nothing $TMP/pictures WAN_CAPABILITY=80 $run/wan-vae-encode -q -m $model --dtype fp16"
    lines $1 fp16
    lines $1 bf16
}
# Racecheck would take ten minutes for not_finite's 243 calls of what the others call.
eight() { # TOOL NAME VARIABLE
    for test in logits_in_int8 all_in_8_bits all_in_int8 tops_rise own_key every_code $([ $1 = racecheck ] || echo not_finite); do
        echo "$1 $2-$test nothing /dev/null $3,CK_RUN_CASE=$test $run/attention8"
    done
}
lines() { # TOOL TYPE
    echo "$1 forward-$2 nothing $TMP/forward - $run/wan-denoise -m $model --forward 500 --dtype $2"
    echo "$1 denoise-$2 nothing $TMP/text - $run/wan-denoise -m $model -s 2 --dtype $2"
    echo "$1 decode-$2 nothing $TMP/latents - $run/wan-vae-decode -m $model --dtype $2"
    echo "$1 vae-encode-$2 nothing $TMP/pictures - $run/wan-vae-encode -q -m $model --dtype $2"
    echo "$1 score-$2 nothing $TMP/frames - $run/clipscore -m $TMP/clip --dtype $2"
}

# What the tool says of one line: a file TOOL.NAME, whose last line is the exit status. A poisoned run
# must write what the program writes otherwise.
cat >"$TMP/one" <<'END'
export CUDA_VISIBLE_DEVICES=$1
tool=$2 name=$3 wanted=$4 input=$5 environment=$(echo "$6" | tr , ' ')
log=$TMP/$2.$3 since=$(date +%s)
shift 6
[ "$environment" = - ] || export $environment
if [ $tool = poison ]; then
    POISON=1 "$@" <"$input" >"$log.out" 2>"$log.err"
    status=$? found=$((status != 0))
    case $wanted,$1 in
    nothing,*/sanitizer/wan-* | nothing,*/sanitizer/clipscore)
        plain=$BUILD/${1##*/}
        shift
        "$plain" "$@" <"$input" 2>/dev/null | cmp - "$log.out" >>"$log.err" 2>&1 || found=1 ;;
    esac
    printf 'ERROR SUMMARY: %s errors\nstatus %s\n' $found $status >"$log"
else
    # By itself synccheck has too little room where several threads make mbarriers (four in attention_int8_pv.cu).
    room=
    [ $tool = synccheck ] && room="--num-cuda-barriers 1024"
    compute-sanitizer --tool $tool $room --log-file "$log" "$@" <"$input" >/dev/null 2>"$log.err"
    echo "status $?" >>"$log"
fi
echo "# $tool $name: $(($(date +%s) - since)) s $(grep -a -m 1 -o 'SUMMARY: .*' "$log")" >&2
END
export TMP BUILD
runs | while read -r tool rest; do
    case " $TOOLS " in *" $tool "*) echo "$tool $rest" ;; esac
done >"$TMP/runs"
gpus=$(nvidia-smi -L | wc -l)
awk -v gpus="$gpus" '{ print NR % gpus, $0 }' "$TMP/runs" | xargs -P "$(nproc)" -L 1 sh "$TMP/one"

theirs=0
while read -r tool name wanted rest; do
    log=$TMP/$tool.$name
    if [ $tool = racecheck ]; then
        grep -q "RACECHECK SUMMARY" "$log" || echo "no summary" >>"$log"
        found=$(grep -c -e "Race reported.* at [^ ]*" -e "no summary" "$log")
        nvjet=$(grep -c "Race reported.* at nvjet_" "$log")
        theirs=$((theirs + nvjet)) found=$((found - nvjet))
    else
        found=$(sed -n 's/.*ERROR SUMMARY: \([0-9]*\) error.*/\1/p' "$log" | head -n 1)
    fi
    if [ $wanted = errors ]; then
        [ "${found:-0}" -gt 0 ]
        ok $? "$tool finds what was planted: $name"
    else
        is "${found:-no summary}, $(sed -n 's/^status/status/p' "$log")" "0, status 0" "$tool: $name"
    fi
    [ $wanted = errors ] || [ "$found" = 0 ] || comment "$(grep -v Host "$log" | head -n 20; head -n 3 "$log.err")"
done <"$TMP/runs"
comment "$theirs races reported in cuBLASLt's kernels"
done_testing
