#!/bin/sh
# Frames to mp4 and back: count, size, metadata and pictures; names; the same bytes every time.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
mkdir "$TMP/out"

# into FILE OPTIONS...: frames2mp4 with FILE as standard input
into() {
    _input=$1
    shift
    frames2mp4 "$@" <"$_input"
}

# key FILE NAME: the raw JSON text of a metadata value in the first header
key() {
    head -c $((8 + $(od -An -tu4 -N4 "$1"))) "$1" | tail -c +9 |
        sed -n 's/.*"'"$2"'": *"\(\([^"\\]\|\\.\)*\)".*/\1/p'
}

# 16 smooth pictures of 64 x 48, coded without loss
ffmpeg -v error -f lavfi -i 'gradients=s=64x48:r=8:d=2:seed=3:c0=red:c1=blue' -c:v libx264rgb -qp 0 \
    -metadata comment='no metadata of ours' "$TMP/source.mp4"
mp42frames "$TMP/source.mp4" >"$TMP/source"
ok $? "a video that is not ours"
info=$(tensor-info "$TMP/source")
like "$info" '*fps: 8*' "its rate"
like "$info" '*comment: no metadata of ours*' "its comment"
like "$info" '*frames*U8*\[16, 48, 64, 3\]*' "its frames"

# ---- there and back ----

long=$(head -c 90000 /dev/zero | tr '\0' 'x')
prompt='a "cat"; 猫 = 🐈 # \ no=1
second line	tab'
tensor-pick -k prompt="$prompt" -k seed=123 -k variant=w8a16 -k a="$long" -k b="$long" \
    "$TMP/source" >"$TMP/frames"
frames2mp4 -o "$TMP/out/%02n_seed%s_%v_%%.mp4" <"$TMP/frames"
ok $? "frames2mp4"
is "$(ls -A "$TMP/out")" "01_seed123_w8a16_%.mp4" "the name, and nothing beside it"
mp4=$TMP/out/01_seed123_w8a16_%.mp4
mp42frames "$mp4" >"$TMP/back"
ok $? "mp42frames"
like "$(tensor-info "$TMP/back")" '*frames*U8*\[16, 48, 64, 3\]*' "count and size"
tensor-diff --metadata --rel 1 "$TMP/frames" "$TMP/back" | grep '^metadata' | cut -f1 | sort >"$TMP/differ"
is "$(tr '\n' ' ' <"$TMP/differ")" "metadata file metadata frames2mp4 metadata mp42frames metadata recipe " \
    "all metadata are as they were, but for what the two programs add"
is "$(key "$TMP/back" prompt)" 'a \"cat\"; 猫 = 🐈 # \\ no=1\nsecond line\ttab' "the prompt, to the letter"
psnr() { tensor-diff "$1" "$2" | sed -n 's/.*psnr \([0-9.inf]*\).*/\1/p'; }
error=$(psnr "$TMP/frames" "$TMP/back")
awk "BEGIN { exit !($error > 40) }"
ok $? "PSNR over 40 dB at quality 8"
comment "psnr $error"
into "$TMP/frames" -Q 2 "$TMP/low.mp4"
mp42frames "$TMP/low.mp4" >"$TMP/low"
low=$(psnr "$TMP/frames" "$TMP/low")
awk "BEGIN { exit !($low < $error - 3) }"
ok $? "worse at quality 2"
comment "psnr $low"

# Colours: one grey, one red, one blue picture keep their values, so no matrix or range is mixed up.
for colour in 0x808080 0xc02020 0x2020c0; do
    ffmpeg -y -v error -f lavfi -i "color=$colour:s=64x48:r=8,format=rgb24" -frames:v 2 \
        -c:v libx264rgb -qp 0 "$TMP/colour.mkv"
    mp42frames "$TMP/colour.mkv" >"$TMP/colour"
    into "$TMP/colour" "$TMP/colour.mp4"
    mp42frames "$TMP/colour.mp4" >"$TMP/colour-back"
    close_to "colour $colour" --abs 3 "$TMP/colour-back:frames" "$TMP/colour:frames"
done
probed=$(ffprobe -v error -show_entries stream=color_space,color_range,pix_fmt,codec_name -of csv "$mp4")
is "$probed" "stream,h264,yuv420p,tv,smpte170m" "the file says how its colours are coded"

# ---- rate ----

is "$(key "$TMP/back" fps)" 8 "the rate of the stream"
for rate in 24 23.976 0.5; do
    into "$TMP/frames" -r $rate "$TMP/rate.mp4"
    is "$(mp42frames "$TMP/rate.mp4" >"$TMP/rate"; key "$TMP/rate" fps)" $rate "-r $rate"
done
tensor-pick "$GOLDEN:vae.frames=frames" >"$TMP/plain"
into "$TMP/plain" "$TMP/plain.mp4"
mp42frames "$TMP/plain.mp4" >"$TMP/plain-back"
is "$(key "$TMP/plain-back" fps)" 16 "16 where the stream has no rate"
tensor-pick -k fps=fast "$TMP/plain" >"$TMP/bad"
fails 1 "frames2mp4: fps of document 1 is 'fast'*" "fps that is no number" \
    into "$TMP/bad" "$TMP/no.mp4"
fails 1 "frames2mp4: standard input has no document" "--recipe of nothing" sh -c "frames2mp4 --recipe </dev/null"
frames2mp4 --recipe --dither 9007199254740992 <"$TMP/plain" >/dev/null
ok $? "--dither 2^53"
fails 2 "frames2mp4: --dither takes a whole number, not '9007199254740993'*" "and one more, which no double is" \
    sh -c "frames2mp4 --recipe --dither 9007199254740993 <'$TMP/plain'"

# ---- the same bytes ----

into "$TMP/frames" "$TMP/one.mp4"
into "$TMP/frames" "$TMP/two.mp4"
cmp "$TMP/one.mp4" "$TMP/two.mp4"
ok $? "the same frames give the same bytes"
if command -v taskset >/dev/null; then
    taskset -c "$(taskset -pc $$ | sed 's/.*: *\([0-9]*\).*/\1/')" frames2mp4 "$TMP/three.mp4" <"$TMP/frames"
    cmp "$TMP/one.mp4" "$TMP/three.mp4"
    ok $? "on one processor, too"
fi

# ---- several documents, names ----

cat "$TMP/frames" "$TMP/plain" "$TMP/frames" >"$TMP/many"
into "$TMP/many" -o "$TMP/out/%n.mp4"
mp42frames "$TMP/out/1.mp4" "$TMP/out/2.mp4" "$TMP/out/3.mp4" >"$TMP/back3"
is "$(tensor-info "$TMP/back3" | sed -n 's/^frames *U8 *\(\[.*\]\).*/\1/p' | tr '\n' ' ')" \
    "[16, 48, 64, 3] [9, 64, 80, 3] [16, 48, 64, 3] " "three documents there and back"
into "$TMP/many" "$TMP/a.mp4" "$TMP/b.mp4" "$TMP/c.mp4"
cmp "$TMP/a.mp4" "$TMP/out/1.mp4" && cmp "$TMP/b.mp4" "$TMP/out/2.mp4"
ok $? "files named one by one"
fails 1 "frames2mp4: document 3 has no file: 2 named" "fewer names than documents" \
    into "$TMP/many" "$TMP/a.mp4" "$TMP/b.mp4"
fails 1 "frames2mp4: 4 files are named but there are only 3 documents: d.mp4 is not written" \
    "more names than documents" into "$TMP/many" "$TMP/a.mp4" "$TMP/b.mp4" "$TMP/c.mp4" d.mp4
fails 1 "frames2mp4: document 2 would replace */same.mp4, which is document 1: -o needs %n" \
    "a name that comes twice" into "$TMP/many" -o "$TMP/same.mp4"
fails 1 "*would replace*" "a name given twice" into "$TMP/many" "$TMP/a.mp4" "$TMP/a.mp4" "$TMP/c.mp4"
fails 1 "frames2mp4: %s in the name: document 1 has no seed" "no seed for %s" \
    into "$TMP/plain" -o "$TMP/%s.mp4"
fails 1 "frames2mp4: %v in the name: document 1 has no variant" "no variant for %v" \
    into "$TMP/plain" -o "$TMP/%v.mp4"
tensor-pick -k seed=../../x "$TMP/plain" >"$TMP/bad"
fails 1 "frames2mp4: %s in the name: the seed of document 1, '../../x', cannot be part of one" \
    "a seed that leads elsewhere" into "$TMP/bad" -o "$TMP/%s.mp4"
for dots in '' . ..; do
    tensor-pick -k variant="$dots" "$TMP/plain" >"$TMP/bad"
    fails 1 "frames2mp4: %v in the name: the variant of document 1 is '$dots', which names nothing" \
        "a variant of '$dots'" into "$TMP/bad" -o "$TMP/out/%v/x.mp4"
done
tensor-pick -k wan-denoise='{"dtype":"bf16"}' "$TMP/plain" >"$TMP/dtype"
into "$TMP/dtype" -o "$TMP/out/%v.mp4"
[ -s "$TMP/out/bf16.mp4" ]
ok $? "%v is the dtype of wan-denoise where there is no variant"
for odd in '%x.mp4' '%' '%5s.mp4' '%99n.mp4' ''; do
    fails 2 "frames2mp4: -o: *" "pattern '$odd'" into "$TMP/plain" -o "$odd"
done
fails 2 "frames2mp4: -o PATTERN or FILE... is needed*" "no name" into "$TMP/plain"
fails 2 "frames2mp4: either -o PATTERN or FILE...*" "both" into "$TMP/plain" -o x.mp4 y.mp4
fails 2 "frames2mp4: --quality is from 0 to 10*" "-Q 11" into "$TMP/plain" -Q 11 -o x.mp4
fails 2 "frames2mp4: --fps is from*" "-r 0" into "$TMP/plain" -r 0 -o x.mp4
fails 2 "mp42frames: FILE... is needed*" "mp42frames without a file" mp42frames

# Names that look like options, protocols or patterns.
(
    cd "$TMP/out" || exit 1
    into "$TMP/plain" 'pipe:%d "x".mp4' && into "$TMP/plain" -- -i &&
        mp42frames -- -i 'pipe:%d "x".mp4' | tensor-info | grep -c '\[9, 64, 80, 3\]' | grep -qx 2
)
ok $? "names that look like options, protocols or patterns"

# ---- OpenCV's frames: fixtures/opencv/make.py ----

# seen CONVERSION FILE: the digest of its frames
seen() {
    mp42frames -q --conversion "$1" "$2" >"$TMP/seen" &&
        tail -c +$((9 + $(od -An -tu4 -N4 "$TMP/seen"))) "$TMP/seen" | sha256sum | cut -c1-64
}
said() { awk -v version="$1" -v name="$2" '$1 == version && $2 == name { print $3 }' fixtures/opencv/frames.tsv; }
film() { if [ "$1" = cat.mp4 ]; then echo fixtures/cat.mp4; else echo "fixtures/opencv/$1"; fi; }
if [ "$(uname -m)" = x86_64 ]; then
    for name in $(cut -f2 fixtures/opencv/frames.tsv | sort -u); do
        case $name in
        hdr.mp4 | fields.mp4) ;;
        *)
            now=$(seen opencv "$(film "$name")")
            is "$now $now $now" "$(said 4.13.0 "$name") $(said 4.14.0 "$name") $(said 5.0.0 "$name")" \
                "$name: the frames of OpenCV 4.13 to 5.0"
            ;;
        esac
        case $name in
        crop10.mp4 | odd422.mp4) ;;
        turned.mp4) is "$(seen opencv-4.12 "$(film "$name")")" "$(said 4.12.0 "$name")" "$name: of 4.12" ;;
        *)
            now=$(seen opencv-4.12 "$(film "$name")")
            is "$now $now" "$(said 4.6.0 "$name") $(said 4.12.0 "$name")" "$name: of 4.6 and 4.12"
            ;;
        esac
    done
else
    skip "libswscale's conversion is that of another processor" "OpenCV's frames"
fi
mp42frames --conversion opencv fixtures/opencv/turned.mp4 >"$TMP/turned"
like "$(tensor-info "$TMP/turned")" '*frames*U8*\[3, 160, 96, 3\]*' "a rotation changes the sides"
fails 1 "mp42frames: OpenCV's frames of */hdr.mp4 cannot be made here: its gamut (color_primaries) is bt2020; *" \
    "primaries that OpenCV maps" mp42frames --conversion opencv fixtures/opencv/hdr.mp4
fails 1 "mp42frames: OpenCV's frames of */fields.mp4 cannot be made here: its order of fields (field_order) is t*; *" \
    "fields" mp42frames --conversion opencv fixtures/opencv/fields.mp4
fails 1 "mp42frames: OpenCV's frames of */crop10.mp4, yuv420p10le of 160x90, depend on what is coded beyond *" \
    "what OpenCV reads beyond the edges" mp42frames --conversion opencv-4.12 fixtures/opencv/crop10.mp4
fails 2 "mp42frames: --conversion is exact, opencv or opencv-4.12, not 'cv2'*" "another conversion" \
    mp42frames --conversion cv2 fixtures/cat.mp4
is "$(for c in exact opencv opencv-4.12; do mp42frames --conversion $c --recipe; done | sort -u | wc -l)" 3 \
    "the recipe says which conversion"
is "$(mp42frames --recipe)" "$(mp42frames --conversion exact --recipe)" "exact is the default"

# ---- other versions of ffmpeg: OTHER_FFMPEG='DIR DIR', directories with an ffmpeg each ----

mp42frames "$ROOT/fixtures/cat.mp4" >"$TMP/cat"
frames2mp4 "$TMP/cat.mp4" <"$TMP/cat"
mp42frames "$TMP/cat.mp4" >"$TMP/cat-back"
is "$(tensor-info "$TMP/cat-back" | grep -cE '^    (ffmpeg: "[0-9nN]|encoder: "x264 - core [0-9])')" 3 \
    "the records name ffmpeg, which coded and decoded, and its encoder"
if [ -z "${OTHER_FFMPEG-}" ]; then
    skip "OTHER_FFMPEG names no other ffmpeg" "the same frames under every ffmpeg"
fi
for directory in ${OTHER_FFMPEG-}; do
    version=$("$directory/ffmpeg" -version | awk 'NR == 1 { print $3 }')
    (PATH=$directory:$PATH frames2mp4 "$TMP/other.mp4") <"$TMP/cat"
    mp42frames "$TMP/other.mp4" >"$TMP/other-back"
    close_to "coded by ffmpeg $version: the same frames" --same 1 "$TMP/other-back:frames" "$TMP/cat-back:frames"
    (PATH=$directory:$PATH mp42frames "$TMP/cat.mp4") >"$TMP/other-back"
    close_to "decoded by it: the same frames" --same 1 "$TMP/other-back:frames" "$TMP/cat-back:frames"
    for name in 709.mp4 odd.avi odd.mpg 10bit-full.mp4 jpeg.avi turned.mp4; do
        is "$(PATH=$directory:$PATH seen opencv "fixtures/opencv/$name")" "$(said 5.0.0 $name)" "OpenCV's frames of $name"
        is "$(PATH=$directory:$PATH seen opencv-4.12 "fixtures/opencv/$name")" "$(said 4.12.0 $name)" "those of 4.12"
    done
    like "$(tensor-info "$TMP/other-back")" "*ffmpeg: \"$version\"*" "and its record says so"
done

done_testing
