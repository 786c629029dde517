#!/bin/sh
# wan-quantize's methods on the small trained model: what wan-denoise reads of them, what they gain on
# prompts that were not seen, what they say of themselves, and what is refused.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/tiny
cd "$TMP" || exit 1
size='--size 64x64 --frames 5'
head -n 6 "$model/unseen.txt" | wan-encode-text -m "$model" >calibration
tail -n 1 "$model/unseen.txt" | wan-encode-text -m "$model" >text
# shellcheck disable=SC2086 # words
wan-denoise -m "$model" $size -s 6 --seed 1 --stat 'blocks.*:gram' --bins 3 <calibration >stat
ok $? "statistics of six prompts, in those of three bins that have steps"
# shellcheck disable=SC2086
wan-denoise -m "$model" $size -s 0 --seed 7 <text >noise
cp noise in
forward() { wan-denoise -m "$1" --dtype fp32 --forward 600 <in; }
forward "$model" >reference
quantize() { wan-quantize -q -m "$model" "$@"; }
# error FILE: relative, of what a model makes of the conditional pass
error() { tensor-diff "$1:cond" reference:cond | sed -n 's/.*rel \([^	]*\).*/\1/p'; }
less() { awk -v a="$1" -v b="$2" -v by="$3" 'BEGIN { exit !(a + 0 > 0 && a <= by * b) }'; }

# ---- codes are read as what --fake says that they stand for ----

quantize -t int4-g128 >rtn && forward rtn >made
rtn=$(error made)
for options in '--method gptq --stat stat' '--method clip,gptq --act-order --stat stat' '--method awq --stat stat' \
    '--rotate h256' '--rank 16' '--rank 8 --rotate h256:blocks.*.ffn.* --method gptq,awq --stat stat'; do
    # shellcheck disable=SC2086
    quantize -t int4-g128 $options >codes && forward codes >made
    ok $? "$options: runs"
    # shellcheck disable=SC2086
    quantize -t int4-g128 $options --fake >fake && forward fake >faked
    close_to "$options: codes make what the fake does" -r 2e-3 made faked
    less "$(error made)" "$rtn" 1.15
    ok $? "$options: no further from the model than rounding to nearest"
    comment "$(error made), rounded to nearest $rtn"
done
is "$(tensor-info -n codes | sed -n 's/^blocks.0.ffn.0.weight/+/p' | sort | tr '\n' ' ')" \
    "+ +_hadamard +_low_rank_down +_low_rank_up +_scale +_zero " "what stands beside a rotated weight with a branch"
is "$(tensor-info -n codes | grep -c hadamard)" 8 "the pattern's layers are rotated, no others"

# ---- gains ----

quantize -t int4-g128 --method gptq --act-order --stat stat >gptq && forward gptq >made
less "$(error made)" "$rtn" 0.97
ok $? "GPTQ is nearer to the model on a prompt it has not seen"
comment "$(error made), rounded to nearest $rtn"
quantize -t int8 --method awq --stat stat >smooth && forward smooth >made
quantize -t int8 >plain && forward plain >rounded
less "$(error made)" "$(error rounded)" 1.3
ok $? "smoothing keeps the function"
comment "int8: $(error made) with it, $(error rounded) without"
tensor-diff "smooth:blocks.0.norm3.weight" "$model/diffusion_pytorch_model.safetensors:blocks.0.norm3.weight" >diff
is $? 1 "and norms have changed"
wan-quantize -m "$model" -t int8 --method awq --stat stat 2>said >/dev/null
like "$(cat said)" "*not smoothed, for its input is modulated by the time: blocks.0.self_attn.q.weight and 15 more*" \
    "layers that cannot be smoothed are named"

# ---- the same bytes ----

quantize -t int4-g128 --method awq,clip,gptq --rank 8 --rotate h256 --stat stat >one
OMP_NUM_THREADS=3 quantize -t int4-g128 --method gptq,clip,awq --rank 8 --rotate h256 --stat stat >three
cmp -s one three
ok $? "any number of threads and any order of the list make the same bytes"
tensor-split -q bin1 bin2 <stat
quantize -t int4-g128 --method gptq --stat bin1 --stat bin2 >apart
quantize -t int4-g128 --method gptq --stat stat >together
tensor-diff -s 1 apart together >diff
ok $? "bins in one file or in several"

# ---- what it says of itself ----

tensor-info one >said
digest=$(head -n 1 "$model/unseen.txt" | tr -d '\n' | wan-recipe digest)
like "$(cat said)" "*method: \"awq,clip,gptq\"*" "the metadata say the method"
like "$(cat said)" "*\"$digest\"*" "and the digests of the prompts of its statistics"
like "$(cat said)" "*rotate: \"h256\"*rank: 8*" "rotation and rank"
recipe() { tensor-info "$1" | sed -n 's/^  recipe: //p'; }
wan-quantize --recipe -t int4-g128 --method gptq --stat stat -m "$model" >dry
is "$(recipe dry)" "$(recipe together)" "its recipe is known before it is made"
[ "$(recipe apart)" != "$(recipe rtn)" ]
ok $? "and another than that of rounding to nearest"

tail -n 2 "$model/unseen.txt" >evaluated
wan-recipe apart one <evaluated
ok $? "an experiment with other prompts than those of the calibration is fine"
sed -n 2,3p "$model/unseen.txt" >>evaluated
from() { local input=$1; shift; "$@" <"$input"; }
fails 1 "wan-recipe: one was calibrated with 2 of the prompts that are evaluated: $(sed -n 2p "$model/unseen.txt")" \
    "one with some of them is refused" from evaluated wan-recipe apart one
wan-recipe apart rtn <evaluated
ok $? "not if nothing was calibrated"

# ---- refused ----

m="-m $model"
# shellcheck disable=SC2086
{
    fails 2 "*--method is rtn, or some of awq, clip and gptq*" "an unknown method" wan-quantize $m -t int8 --method gpt
    fails 2 "*stands there twice*" "a method twice" wan-quantize $m -t int8 --method gptq,gptq --stat stat
    fails 2 "*--method gptq needs --stat*" "GPTQ without statistics" wan-quantize $m -t int8 --method gptq
    fails 2 "*--act-order goes with --method gptq*" "--act-order alone" wan-quantize $m -t int8 --act-order
    fails 2 "*--stat goes with*" "statistics for nothing" wan-quantize $m -t int8 --stat stat
    fails 2 "*go with a rule*" "a method without a rule" wan-quantize $m -t fp16 --rotate h256
    fails 2 "*--rotate is h256*" "another rotation" wan-quantize $m -t int8 --rotate h128
    fails 2 "*rounding to nearest alone*" "--divide with a method" wan-quantize $m -t int8 --divide --rank 8
    fails 1 "*scales lie inside the blocks*" "GPTQ of ggml's blocks" wan-quantize $m -t q4_k --method gptq --stat stat
    fails 1 "*no 264 singular vectors*" "a rank above the weight's" wan-quantize $m -t int8 --rank 264
    fails 2 "*multiple of 8*" "a rank that is not run" wan-quantize $m -t int8 --rank 12
    fails 1 "*is no statistics*" "a file that is none" wan-quantize $m -t int8 --method clip --stat rtn
    fails 1 "*another model*digest is*that of*" "statistics of another model" \
        wan-quantize -m "$ROOT/fixtures/random" -t int8 --method clip --stat stat
    fails 1 "*whole 256s*h256:PATTERN*" "rows that are no whole 256s" \
        wan-quantize -m "$ROOT/fixtures/random" -t int8 --rotate h256
    fails 1 "*--rotate h256:*.fnn.*: *has no layer of such a name that gets a rule" "a rotation that turns nothing" \
        wan-quantize $m -t int8 --rotate 'h256:*.fnn.*'
    fails 1 "*has no layer of such a name that gets a rule" "a rotation of layers that stay" \
        wan-quantize $m -t int8 --layer '*.ffn.*=keep' --rotate 'h256:*.ffn.*'
    fails 1 "*can be smoothed; *ffn.0*modulated by the time*" "AWQ for layers that cannot be smoothed" \
        wan-quantize $m --layer '*ffn*=int8' --method awq --stat stat
}
# shellcheck disable=SC2086
wan-denoise -m "$model" $size -s 1 --seed 1 --stat 'blocks.*.ffn.*' <calibration >part
# shellcheck disable=SC2086
{
    fails 1 "*has nothing of blocks.0.self_attn.q,*--stat 'blocks.0.self_attn.q'*" "a layer without statistics" \
        wan-quantize $m -t int8 --method clip --stat part
    fails 1 "*no gram of blocks.0.ffn.0*:gram*" "GPTQ without grams" \
        wan-quantize $m --layer '*ffn*=int8' --method gptq --stat part
}
head -c 100000 stat >cut
# shellcheck disable=SC2086
fails 1 "*cut, document 1 is cut off: *" "statistics that are cut off" wan-quantize $m -t int8 --method clip --stat cut
of=blocks.0.ffn.0
forged() { # NEW NAME: statistics of one layer, of which a tensor stands in another's place
    tensor-pick bin1:$of.count "bin1:$of.$1" "$2" >forged
    fails 1 "*--stat: the sums of $of are not those of any inputs (forged, document 1)" "$3" \
        wan-quantize -m "$model" --layer $of=int4-g64 --method clip --stat forged
}
forged "sum=$of.squares" "bin1:$of.absmax" "squares below zero"
forged squares "bin1:blocks.1.ffn.0.gram=$of.gram" "a gram of other inputs"
# shellcheck disable=SC2086
wan-quantize -q $m --layer '*ffn*=int4-g64' --method clip --stat part >clipped
ok $? "clipping without grams"
for type in int8 fp32; do
    fails 1 "*is part of blocks.*wan-denoise and wan-sensitivity apply it*" "what was made so is not made $type" wan-quantize -m codes -t $type
done

done_testing
