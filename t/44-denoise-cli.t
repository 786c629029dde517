#!/bin/sh
# wan-denoise: the command line, and input that is not what it should be. (Bad models: 40-dit.t.)
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random
cd "$TMP" || exit 1
contexts="$GOLDEN:t5.prompt.context=context $GOLDEN:t5.negative.context=context_null"
tensor-pick $contexts > text
tensor-pick $contexts "$GOLDEN:noise" > text-noise
small="--size 16x16 --frames 1"

# ---- wrong usage ----
usage() { # PATTERN OPTIONS...
    _pattern=$1; shift
    fails 2 "*$_pattern*" "wrong usage: $*" wan-denoise "$@"
}
usage "-m DIR or -m FILE is needed"
usage "unwanted operand 'text'" -m "$model" text
usage "--steps is from 0 to 1000" -m "$model" -s -1
usage "--steps takes a whole number" -m "$model" -s 1.5
usage "--steps takes a number" -m "$model" -s many
usage "--shift is from" -m "$model" -F 0
usage "--solver is unipc, dpm++, euler, heun, dpm++-sde or lcm, not 'ddim'" -m "$model" --solver ddim
usage "--dtype is fp32, fp16 or bf16, not 'int8'" -m "$model" --dtype int8
for rng in cuda torch-cuda:132 torch-cuda:0,2048 torch-cuda:132,100 torch-cuda:132,2048x; do
    usage "--rng is torch-cuda, torch-cuda:SMS,THREADS" -m "$model" --rng $rng
done
for seed in -1 1,,2 1, x 1.5 9223372036854775808 ''; do
    usage "--seed takes whole numbers from 0" -m "$model" -S "$seed"
done
for size in 832 832x 832x480x2 x480 832,480; do
    usage "--size is WIDTHxHEIGHT, not '$size'" -m "$model" --size $size
done
usage "--forward excludes --trace and -s 0" -m "$model" --forward 5 --trace
usage "--forward is from 0 to 1000" -m "$model" --forward 1001

# ---- sizes that cannot be ----
for size in 830x480 832x481 0x480 -16x16; do
    fails 1 "*--size $size is not a multiple of 16 both ways" "--size $size" \
        wan-denoise -m "$model" --size $size
done
for frames in 0 -4; do
    fails 1 "*--frames is from 1 to 10000, not $frames" "--frames $frames" \
        wan-denoise -m "$model" --frames $frames
done

# ---- streams that are not what they should be ----
refused() { # PATTERN NAME FILE [OPTIONS...]: exit 1, one line, nothing on standard output
    _pattern=$1 _name=$2 _file=$3; shift 3
    wan-denoise -m "$model" -s 2 $small "$@" < "$_file" > refused.out 2> refused.err
    _rc=$? _err=$(cat refused.err)
    [ $_rc -eq 1 ] && [ "$(wc -l < refused.err)" -eq 1 ] && [ ! -s refused.out ]
    ok $? "$_name: exit 1, one line, no output"
    like "$_err" "wan-denoise: $_pattern" "$_name is said"
}
# raw NAME SHAPE BYTES OCTAL: a document of one F32 tensor, all of whose bytes are the same
raw() {
    _header="{\"$1\":{\"dtype\":\"F32\",\"shape\":$2,\"data_offsets\":[0,$3]}}"
    printf "\\$(printf %o ${#_header})\0\0\0\0\0\0\0%s" "$_header"
    head -c "$3" /dev/zero | tr '\0' "\\$4"
}
: > empty
refused "standard input has no document" "an empty stream" empty
tensor-pick "$GOLDEN:vae.frames=frames" > video
refused "*context*" "a video instead of text" video
tensor-pick "$GOLDEN:t5.prompt.context=context" > half
refused "*context_null*" "a document without context_null" half
raw context '[3,32]' 384 1 > narrow
tensor-pick narrow text:context_null > in
refused "*context*\[3, 32\]*\[*, 64\]*" "a context of the wrong width" in
raw context '[65,64]' 16640 1 > long
tensor-pick long text:context_null > in
refused "context of standard input has 65 tokens, but the model takes 64" "a context too long" in
tensor-pick -t F16 text > in
refused "*context*F16*F32*" "a context of the wrong type" in
raw context '[2,64]' 512 377 > nan
tensor-pick nan text:context_null > in
refused "context of standard input has 128 values that are not finite" "NaN in the context" in
raw noise '[16,1,4,4]' 1024 377 > nan
tensor-pick text nan > in
refused "noise of standard input has 256 values that are not finite" "NaN in the noise" in
raw noise '[15,1,4,4]' 960 1 > channels
tensor-pick text channels > in
refused "*noise*\[15, 1, 4, 4\]*16*" "noise of 15 channels" in
raw noise '[16,1,3,4]' 768 1 > uneven
tensor-pick text uneven > in
refused "noise of standard input is F32 \[16, 1, 3, 4\]: height and width must be even*" "odd noise" in
raw noise '[16,0,4,4]' 0 1 > nothing
tensor-pick text nothing > in
refused "noise of standard input is F32 \[16, 0, 4, 4\]: *nothing zero" "noise of no frames" in
head -c 9000 text > in
refused "*standard input*" "a document cut short" in
head -c 5 text > in
refused "*standard input*" "a header cut short" in
tensor-pick -k seed=lucky text > in
refused "the seed of standard input is 'lucky', not a whole number" "a seed that is none" in
refused "standard input has neither latents nor noise" "--forward without latents" text --forward 5
# every value 8.5e37: their squares are beyond F32
{
    header='{"latents":{"dtype":"F32","shape":[16,1,2,2],"data_offsets":[0,256]}}'
    printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
    head -c 256 /dev/zero | tr '\0' '\176'
} > huge
tensor-pick $contexts huge > huge-text
fails 1 "wan-denoise: --forward 5: * values of cond are not finite: try --dtype bf16" "a forward pass that overflows" \
    sh -c "wan-denoise -m '$model' --forward 5 < huge-text"
refused "--tap head,heads: there is no intermediate heads" "a tap that is none" text-noise \
    --forward 5 --tap head,heads
cat text video > in
wan-denoise -m "$model" -s 1 $small < in > out 2> err
is $? 1 "a wrong second document is an error"
like "$(cat err)" "*context*" "and said"
is "$(tensor-info --names out 2> err)" latents "the first one's result is whole"

# ---- a text as long as the model takes has no padding; a text of nothing has only that ----
raw context '[64,64]' 16384 1 > long
raw context '[63,64]' 16128 1 > shorter
raw context '[0,64]' 0 1 > none
for f in long shorter none; do
    tensor-pick $f text:context_null > in
    wan-denoise -m "$model" -s 1 $small < in > $f.out
    ok $? "a context of $f runs"
done

# ---- numbers that overflow ----
raw noise '[16,1,4,4]' 1024 177 > huge # 3.4e38
tensor-pick text huge > in
wan-denoise -m "$model" -s 2 $small < in > out 2> err
is $? 1 "a step that is not finite ends the run"
like "$(cat err)" "*step 1 of 2: * values of the velocity are not finite: try --dtype bf16" "and says where"
tensor-info out > /dev/null 2>&1
is $? 1 "its document stays short"
wan-denoise -m "$model" -s 2 $small --dtype bf16 < in 2> err > out
like "$(cat err)" "*are not finite" "bf16 is not advised to who has it"
raw context_null '[1,64]' 256 177 > huge
tensor-pick text:context huge > in
fails 1 "wan-denoise: step 1 of 2: * values of the velocity without the prompt are not finite*" "of the two velocities the one that is not" \
    sh -c "wan-denoise -m '$model' -s 2 $small < in"

# ---- output that cannot be written ----
wan-denoise -m "$model" -s 1 $small < text 2> err > /dev/full
is $? 1 "a full disk"
is "$(cat err)" "wan-denoise: cannot write standard output: No space left on device" "is said"
{ sleep 1; wan-denoise -m "$model" -s 1 $small < text 2> err; echo $? > status; } | true
is "$(cat status)" 1 "a closed pipe"
is "$(cat err)" "wan-denoise: cannot write standard output: Broken pipe" "is said"
fails 1 "*cannot write */stats.json*" "--stats that cannot be written" \
    sh -c "wan-denoise -m '$model' -s 1 $small --stats none/stats.json < text"

# ---- what all filters have ----
wan-denoise -m "$model" -s 1 $small < text > plain
(cat text; sleep 1) | wan-denoise -m "$model" -s 1 $small --wait > waited
cmp -s plain waited
ok $? "--wait changes nothing"
wan-denoise -m "$model" -s 4 $small --progress < text 2> err > out
like "$(cat err)" "*step 4/4" "--progress counts steps"
tensor-info plain > info
for line in 'steps: 1' 'guidance: 5.0' 'solver: "unipc"' 'dtype: "fp16"' 'device: ' 'weights: ' 'fps: 16'; do
    grep -q "$line" info
    ok $? "the metadata have $line"
done
grep -q "$model" plain
is $? 1 "and no path of this machine"

# ---- the text's digest, and the memory that stays ----
context() { wan-denoise -s 0 $small < "$1" 2>/dev/null | tensor-info | sed -n 's/^ *context: "\([0-9a-f]\{32\}\)"$/\1/p'; }
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.prompt.context=context_null" > text-other
is "$(context text)" "$(context text-noise)" "the same text has the same digest"
[ -n "$(context text)" ] && [ "$(context text)" != "$(context text-other)" ]
ok $? "another negative prompt has another"
wan-denoise -m "$model" -s 1 $small --stats stats.json < text > /dev/null
peak=$(sed -n 's/.*"peak_device_bytes": \([0-9]*\).*/\1/p' stats.json)
steady=$(sed -n 's/.*"steady_device_bytes": \([0-9]*\).*/\1/p' stats.json)
[ "$steady" -gt 0 ] && [ "$steady" -lt "$peak" ]
ok $? "what is held between steps is less than the peak"
comment "peak $peak, steady $steady bytes"

# CFG-Zero* without a step that stands still: the guidance is projected all the same.
wan-denoise -m "$model" -s 2 -S 1 $small < text > plain
wan-denoise -m "$model" -s 2 -S 1 $small --cfg-zero 0 < text > projected
like "$(tensor-info projected)" "*cfg_zero: 0*" "--cfg-zero 0 is said"
tensor-diff --rel 1e-4 plain:latents projected:latents > /dev/null
is $? 1 "and counts"

done_testing
