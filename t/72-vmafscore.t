#!/bin/sh
# vmafscore: what libvmaf is given and what becomes of its log, with a stand-in (tools/libvmaf.pl); against ffmpeg's own
# scores where it has libvmaf; `make eval VMAF=..`; refusals.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
tensor-pick "$GOLDEN:vae.frames[0:5]=frames" -k seed=7 -k prompt=fox -k variant=fp16 >a
tensor-pick "$GOLDEN:vae.frames[4:9]=frames" -k variant=w4 >b
cat a b >ab
cat b a >ba
real=
case $(ffmpeg -v quiet -h filter=libvmaf 2>/dev/null) in *log_path*) real=$PATH ;; esac
mkdir stand-in
ln -s "$ROOT/t/tools/libvmaf.pl" stand-in/ffmpeg
REAL_FFMPEG=$(command -v ffmpeg)
export REAL_FFMPEG
old=$PATH PATH=$TMP/stand-in:$PATH
scores() { vmafscore --per-frame "$1" "$2" | sed 1d | cut -f 7; }

# ---- both halves of each frame, in order ----

# The stand-in's score is 100 less framediff's third number, and half more where the reference's first value is greater.
framediff --per-frame a b | sed 1d | awk -F '\t' '{ print 100 - $9 }' >wanted
scores a b >got
paste wanted got | awk '{ e = $2 - $1; e -= e > 0.25 ? 0.5 : 0; if (e > 1e-4 || e < -1e-4) bad++ } END { exit bad || NR != 5 }'
ok $? "each frame is scored beside its own"
scores b a | paste got - | awk '{ e = ($1 - $2) ^ 2; if (e < 0.2499 || e > 0.2501) bad++ } END { exit bad || NR != 5 }'
ok $? "the first operand is the reference"
is "$(vmafscore a b | head -n 1)" "document	seed	variant_a	variant_b	prompt	frames	vmaf" "the table"
is "$(vmafscore a b | sed 1d | cut -f 1-6)" "1	7	fp16	w4	fox	5" "a video's line"
is "$(vmafscore a b | sed 1d | cut -f 7 | awk '{ printf "%.6f", $1 }')" "$(awk '{ s += $1 } END { printf "%.6f", s / NR }' got)" \
    "a video's score is the mean"
is "$(vmafscore - ba <ab | sed 1d | cut -f 1,6 | tr '\n' ' ')" "1	5 2	5 " "documents in order, one stream on standard input"

# ---- what the numbers depend on ----

is "$(vmafscore --recipe | tr ',' '\n' | grep -c '"libvmaf":"0.0.0"\|"model":"vmaf_v0.6.1"\|"ffmpeg":"')" 3 "the recipe"
cp "$ROOT/t/tap.sh" 'm:o,d[e]l.json'
like "$(vmafscore -m ./m:o,d\[e\]l.json --recipe 2>&1)" "vmafscore: ffmpeg: other filters" "a file is passed on as a descriptor"

# ---- against ffmpeg itself ----

if [ "$real" ]; then
    PATH=$real
    for f in a b; do tail -c $((5 * 64 * 80 * 3)) $f >$f.raw; done
    yuv='scale=out_color_matrix=bt601:out_range=tv:flags=bicubic+accurate_rnd+bitexact,format=yuv444p'
    raw='-f rawvideo -pix_fmt rgb24 -s 80x64'
    # shellcheck disable=SC2086
    ffmpeg -v error $raw -i b.raw $raw -i a.raw -lavfi "[0]${yuv}[x];[1]${yuv}[y];[x][y]libvmaf=log_fmt=json:log_path=log" -f null -
    is "$(scores a b | awk '{ printf "%.6f ", $1 }')" "$(sed -n 's/.*"vmaf": \([0-9.]*\).*/\1/p' log | head -n 5 | awk '{ printf "%.6f ", $1 }')" \
        "libvmaf's own scores of these frames"
    like "$(vmafscore a a | sed 1d | cut -f 7)" "9[5-9]*" "equal videos"
    fails 1 "vmafscore: ffmpeg: could not load libvmaf model*" "a model that libvmaf does not know" vmafscore -m vmaf_none a b
    PATH=$TMP/stand-in:$PATH
fi

# ---- an experiment ----

mkdir -p e/a e/b
PATH=$old
frames2mp4 e/a/1.mp4 <a
frames2mp4 e/b/1.mp4 <b
PATH=$TMP/stand-in:$PATH
evaluate() { make -s -C "$ROOT" DEVICE=cpu BUILD="$BUILD" eval OUT="$TMP/e" VARIANTS='a b' "$@" >log 2>&1; }
evaluate METRICS=vmaf VMAF=vmaf_v0.6.1
ok $? "make eval VMAF=vmaf_v0.6.1"
comment "$(cat log)"
like "$(grep ^vmaf e/pairs_summary.csv)" "vmaf,a,b,1,[0-9]*" "has a summary"
grep -q '"libvmaf": *"0.0.0"' e/eval/experiment.json 2>/dev/null || grep -q '"libvmaf":"0.0.0"' e/eval/vmaf.record
ok $? "and libvmaf's version in the record"

cp "$ROOT/t/tap.sh" own.json
make -s -C "$ROOT" DEVICE=cpu BUILD="$BUILD" eval OUT=e VARIANTS='a b' METRICS=vmaf VMAF=own.json >log 2>&1
like "$(cat log)" "*vmafscore: ffmpeg: other filters*" "a file of the directory that make was asked from"

# ---- refusals ----

fails 2 "*is neither a model's name*" "a name that would be a filter" vmafscore -m 'a:b' a b
fails 2 "*two operands are needed, not 1*" "one operand" vmafscore a
fails 1 "vmafscore: cannot read nothere.json: *" "no such file" vmafscore -m nothere.json a b
fails 1 "vmafscore: ffmpeg: could not load libvmaf model with version: other" "a model that is not known" vmafscore -m other a b
LIBVMAF_DROPS=1
export LIBVMAF_DROPS
fails 1 "vmafscore: libvmaf has scored 4 frames of 5" "a frame without a score" vmafscore a b
unset LIBVMAF_DROPS
header='{"frames":{"dtype":"U8","shape":[1,16,80,3],"data_offsets":[0,3840]}}'
{ printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"; head -c 3840 /dev/zero; } >low
fails 1 "vmafscore: document 1 of low is 80x16: VMAF needs 17 pixels a side" "a low frame" vmafscore low low
tensor-pick "$GOLDEN:vae.frames[0:4]=frames" >short
fails 1 "*" "another length" vmafscore a short
mkdir none
printf '#!/bin/sh\necho "Unknown filter libvmaf."\n' >none/ffmpeg
chmod +x none/ffmpeg
PATH=$TMP/none:$PATH
fails 1 "vmafscore: ffmpeg unknown has no filter libvmaf: another*" "an ffmpeg without libvmaf" vmafscore a b
done_testing
