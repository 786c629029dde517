#!/bin/sh
# pair-check: what makes two videos a strict pair, and what does not.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
tab=$(printf '\t')
tensor-pick "$GOLDEN:vae.frames=frames" >frames

denoise='"version":"0.1.0","context":"c0","size":"80x64","frames":9,"steps":50,"solver":"unipc","shift":5.0,"guidance":5.0,"rng":"torch-cuda:132,2048","device":"cpu"'
decode='wan-vae-decode={"version":"0.1.0","dtype":"fp32","weights":"v0"}'
# video FILE DTYPE,WEIGHTS [OPTIONS of tensor-pick]: the record of a video as our programs make it
video() {
    _file=$1 _dtype=${2%,*} _weights=${2#*,}
    shift 2
    tensor-pick -k 'prompt=a cat' -k seed=7 -k fps=16 -k "variant=${_file%/*}" -k "$decode" \
        -k "wan-denoise={$denoise,\"dtype\":\"$_dtype\",\"weights\":\"$_weights\"}" "$@" frames |
        tensor-info --json >"$_file"
}
# with KEY VALUE: wan-denoise's record with another value there
with() { echo "wan-denoise={$(echo "$denoise" | sed "s/\"$1\":[^,]*\(,[0-9][0-9]*\"\)\{0,1\}/\"$1\":$2/"),\"dtype\":\"fp16\",\"weights\":\"w1\"}"; }
# field N: of the table's only row
field() { sed -n 2p table | cut -f "$1"; }
mkdir a b

# ---- a pair ----

video a/1.json fp16,w0
video b/1.json fp16,w1
pair-check a b >table 2>err
is $? 0 "weights may differ"
is "$(cat err)" "" "nothing is said"
is "$(head -n 1 table)" "name${tab}pairing${tab}differs${tab}reason" "the header line"
is "$(sed -n 2p table)" "1${tab}provenance${tab}wan-denoise.weights${tab}" "its line"
video b/1.json bf16,w1
is "$(pair-check a b/ | sed -n 2p | cut -f 3)" "wan-denoise.dtype wan-denoise.weights" "and so may their type"

# ---- all else must agree ----

# differs NAME KEY VALUES OPTIONS: b/1.json with OPTIONS is no pair
differs() {
    video b/1.json fp16,w1 -k "$4"
    pair-check a b >table 2>err
    is "$?:$(field 2):$(field 4)" "1::differs in $2: $3" "$1"
}
differs "another prompt" prompt "a cat and a dog" "prompt=a dog"
differs "another seed" seed "7 and 8" seed=8
differs "more steps" wan-denoise.steps "50 and 20" "$(with steps 20)"
differs "another solver" wan-denoise.solver '"unipc" and "dpm++"' "$(with solver '"dpm++"')"
differs "another shift" wan-denoise.shift "5.0 and 8.0" "$(with shift 8.0)"
differs "more guidance" wan-denoise.guidance "5.0 and 6.0" "$(with guidance 6.0)"
differs "another card's random numbers" wan-denoise.rng '"torch-cuda:132,2048" and "torch-cuda:128,1536"' \
    "$(with rng '"torch-cuda:128,1536"')"
differs "another text" wan-denoise.context '"c0" and "c1"' "$(with context '"c1"')"
differs "another version" wan-denoise.version '"0.1.0" and "0.2.0"' "$(with version '"0.2.0"')"
differs "another device" wan-denoise.device '"cpu" and "cuda: X"' "$(with device '"cuda: X"')"
differs "another VAE" wan-vae-decode.weights '"v0" and "v1"' \
    'wan-vae-decode={"version":"0.1.0","dtype":"fp32","weights":"v1"}'
differs "a key that only one has" wan-denoise.extra 'nothing and 1' \
    "wan-denoise={$denoise,\"dtype\":\"fp16\",\"weights\":\"w1\",\"extra\":1}"
like "$(cat err)" "pair-check: 1 is no pair: differs in wan-denoise.extra: *pair-check: a and b have no pair in common" \
    "is said on standard error"
video b/1.json fp16,w1 -k seed=8 -k "$(with steps 20)"
is "$(pair-check a b 2>/dev/null | cut -f 4 | tail -n 1)" "differs in seed: 7 and 8; wan-denoise.steps: 50 and 20" "all keys are named"
video b/1.json fp16,w1 -k zzz=1
is "$(pair-check a b 2>/dev/null | cut -f 4 | tail -n 1)" "differs in zzz: nothing and 1" "the last key of the second alone"
video a/1.json fp16,w0 -k zzz=1
video b/1.json fp16,w1
is "$(pair-check a b 2>/dev/null | cut -f 4 | tail -n 1)" "differs in zzz: 1 and nothing" "or of the first"
video a/1.json fp16,w0
# If any one of these is missing the pair cannot be checked, and counts as one by its name.
for key in version context size frames steps solver shift guidance rng; do
    _all=$denoise
    denoise=$(echo "$denoise" | sed "s/\"$key\":\(\"[^\"]*\"\|[^,]*\),*//; s/,\$//")
    video a/1.json fp16,w0
    video b/1.json fp16,w1
    denoise=$_all
    pair-check a b >table 2>/dev/null
    is "$?:$(field 2)" 0:name "videos without wan-denoise.$key are a pair by name"
done
for said in wan-vae-decode=x prompt= seed=; do
    for v in a b; do
        video $v/1.json fp16,w0 -k "$said"
        case $said in *=) sed -i "s/\"${said%=}\":\"[^\"]*\",*//" $v/1.json ;; esac
    done
    pair-check a b >table 2>/dev/null
    is "$?:$(field 2)" 0:name "so are videos without ${said%=*}"
done
video a/1.json fp16,w0
video b/1.json fp16,w1
long=$(printf 'eine Katze, die %0100d' 0)
video b/1.json fp16,w1 -k "prompt=$long"
like "$(pair-check a b 2>/dev/null | tail -n 1)" "*prompt: a cat and eine Katze*00..." "long values are cut"

# ---- keys that follow from others are not compared ----

video a/1.json fp16,w0 -k 'frames2mp4={"version":"0.1.0","numerics":1,"encoder":"x264 - core 164","input":"1"}'
video b/1.json fp16,w1 -k 'frames2mp4={"version":"0.1.0","numerics":1,"encoder":"x264 - core 165","input":"2"}'
pair-check a b >table 2>/dev/null
is "$?:$(field 4)" '1:differs in frames2mp4.encoder: "x264 - core 164" and "x264 - core 165"' "mp4 of two encoders"
video b/1.json fp16,w1 -k recipe=0123 -k 'frames2mp4={"version":"0.2.0","numerics":1,"encoder":"x264 - core 164","input":"2"}'
pair-check a b >table 2>/dev/null
is "$?:$(field 2)" 0:provenance "frames2mp4's input and the recipe follow from other keys; its version counts by its numerics alone"
video b/1.json fp16,w1 -k 'frames2mp4={"version":"0.1.0","numerics":2,"encoder":"x264 - core 164","input":"2"}'
pair-check a b >table 2>/dev/null
is "$?:$(field 4)" '1:differs in frames2mp4.numerics: 1 and 2' "numerics that differ"
video a/1.json fp16,w0
video b/1.json fp16,w1 -k 'mp42frames={"version":"0.1.0","sealed":false}'
pair-check a b >table 2>/dev/null
like "$?:$(field 4)" '1:differs in mp42frames.version*' "frames before and after an mp4 are no pair"
video a/1.json fp16,w0 -k 'mp42frames={"version":"0.1.0","sealed":true}'
pair-check a b >table 2>/dev/null
is "$?:$(field 2)" 0:name "an mp4 without its box (sealed: false) proves nothing"
video a/1.json fp16,w0 -k 'DENOISE={"version":"?","command":["x"],"weights":"1","options":"a"}'
video b/1.json fp16,w1 -k 'DENOISE={"version":"?","command":["x"],"weights":"2","options":"b"}'
pair-check a b >table 2>/dev/null
is "$?:$(field 3)" "0:DENOISE.weights wan-denoise.weights" "another sampler (DENOISE) that passes wan-denoise's record on"
video a/1.json fp16,w0

# ---- what is compared may differ ----

video b/1.json fp16,w1 -k "$(with solver '"euler"')"
pair-check -d solver a b >table 2>/dev/null
is "$?:$(field 3)" "0:wan-denoise.solver wan-denoise.weights" "-d solver"
pair-check -d steps,wan-denoise.solver a b >table 2>/dev/null
is $? 0 "in full, in a list"
pair-check -d steps -d solver a b >table 2>/dev/null
is $? 0 "several times"
pair-check -d solve a b >table 2>/dev/null
is $? 1 "but not half a name"

# ---- without a record ----

tensor-info --json frames >b/1.json
pair-check a b >table 2>err
is "$?:$(field 2)" 0:name "a video that says nothing is paired by its name"
like "$(cat err)" "pair-check: warning: 1 of 1 pairs are taken for pairs by their names alone*" "with a warning"
video b/1.json fp16,w1 -k "wan-denoise={\"version\":\"0.1.0\",\"dtype\":\"fp16\",\"weights\":\"w1\",\"steps\":20}"
pair-check a b >table 2>/dev/null
like "$?:$(field 4)" "1:differs in *wan-denoise.steps: 50 and 20*" "a video that has some of the keys must agree in these"

# ---- sizes ----

tensor-pick "frames:frames[0:8]" | tensor-info --json >b/1.json
pair-check a b >table 2>/dev/null
is "$?:$(field 4)" "1:a has 9 frames of 80x64, b 8 of 80x64" "another number of frames"
tensor-info --json frames | sed 's/\[9,64,80,3\]/[9,32,80,3]/' >b/1.json
is "$(pair-check a b 2>/dev/null | tail -n 1 | cut -f 4)" "a has 9 frames of 80x64, b 9 of 80x32" "another size"

# ---- several: what is missing or broken, and the rest ----

video b/1.json fp16,w1
video a/2.json fp16,w0 -k seed=8
echo 'mp42frames: ffmpeg: moov atom not found' >b/3.fault
video a/3.json fp16,w0 -k seed=9
pair-check a b >table 2>err
is $? 1 "not all are pairs"
is "$(cut -f 1,2,4 table | tail -n +2 | tr "$tab\n" '|/')" \
    "1|provenance|/2||b/2 is missing/3||b/3: mp42frames: ffmpeg: moov atom not found/" "each with its reason, in order"
is "$(wc -l <err),$(tail -n 1 err)" "3,pair-check: 2 of 3 are no pairs" "each on standard error"
pair-check -q a b 2>&1 >/dev/null | wc -l >lines
is "$(cat lines)" 1 "-q: only that there are some"
pair-check a b 1 >table
is "$?:$(tail -n +2 table | wc -l)" 0:1 "only those that are named"
pair-check a b 1 4 >table 2>/dev/null
is "$(tail -n 1 table)" "4$tab$tab${tab}a/4 is missing; b/4 is missing" "one that is in neither"
cp a/1.json a/5.json
cp b/1.json b/5.json
like "$(pair-check a b 1 5 2>&1 >/dev/null)" "*warning: 1 and 5 have the same prompt and seed: they count as two" \
    "the same video twice"

# ---- bad input ----

mkdir c d
fails 1 "pair-check: c and d have no pair in common" "nothing" pair-check c d
fails 1 "pair-check: cannot read none: No such file*" "no such directory" pair-check none d
echo '{' >c/1.json
fails 1 "pair-check: cannot read c/1.json: line *" "broken JSON" pair-check c d
echo '{"metadata":{},"tensors":[]}' >c/1.json
fails 1 "*c/1.json is not what tensor-info --json says of a video*" "a stream without frames" pair-check c d
fails 2 "pair-check: two directories are needed, not 1*" "one directory" pair-check a
full() { pair-check a b 1 >/dev/full; }
fails 1 "pair-check: cannot write standard output: *" "a full disk" full

done_testing
