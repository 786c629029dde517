#!/bin/sh
# frames2mp4 and mp42frames when something is wrong: with ffmpeg, with the input, with the output.
# One line each, exit 1, and nothing under a final name.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
mkdir "$TMP/out" "$TMP/none" "$TMP/fake"

# into FILE OPTIONS...: frames2mp4 with FILE as standard input
into() {
    _input=$1
    shift
    "$BUILD/frames2mp4" "$@" <"$_input"
}

# document HEADER N: a document of this header, N zeros of data
document() {
    printf "\\$(printf %03o ${#1})\\000\\000\\000\\000\\000\\000\\000%s" "$1"
    head -c "$2" /dev/zero
}

# frames N H W: black ones
frames() {
    _n=$((3 * $1 * $2 * $3))
    document "{\"frames\":{\"dtype\":\"U8\",\"shape\":[$1,$2,$3,3],\"data_offsets\":[0,$_n]}}" $_n
}

# left: what is in the output directory
left() { (cd "$TMP/out" && ls -A | tr '\n' ' '); }

tensor-pick -k fps=16 "$GOLDEN:vae.frames=frames" >"$TMP/frames"
into "$TMP/frames" "$TMP/good.mp4"
ok $? "a good file to begin with"
cp "$TMP/good.mp4" "$TMP/out/kept.mp4"

# ---- ffmpeg ----

# fake TEXT: an ffmpeg and ffprobe of this script
fake() {
    printf '#!/bin/sh\n%s\n' "$1" >"$TMP/fake/ffmpeg"
    chmod +x "$TMP/fake/ffmpeg"
    cp "$TMP/fake/ffmpeg" "$TMP/fake/ffprobe"
}
# with PATH COMMAND...
with() (
    PATH=$1
    shift
    "$@"
)
fails 1 "frames2mp4: ffmpeg not found: *" "no ffmpeg" \
    with "$TMP/none" into "$TMP/frames" "$TMP/out/a.mp4"
fails 1 "mp42frames: ffprobe not found: *" "no ffprobe" \
    with "$TMP/none" "$BUILD/mp42frames" "$TMP/good.mp4"
fake 'head -c 20000 >/dev/null; printf "\n[vost#0:0 @ 0x2249] [enc @ 0x1f] disk [on @ fire]\nError opening output files\n" >&2; exit 3'
fails 1 "frames2mp4: ffmpeg: disk \[on @ fire\]" "ffmpeg dies half way: the first thing that it said" \
    with "$TMP/fake:$PATH" into "$TMP/frames" "$TMP/out/a.mp4"
fake 'head -c 20000 >/dev/null; echo "disk on fire" >&2; exit 3'
fails 1 "mp42frames: ffprobe: disk on fire" "ffprobe fails: its own message" \
    with "$TMP/fake:$PATH" "$BUILD/mp42frames" "$TMP/good.mp4"
fake 'head -c 20000 >/dev/null; kill -SEGV $$'
fails 1 "frames2mp4: ffmpeg: ended by signal 11*" "ffmpeg crashes" \
    with "$TMP/fake:$PATH" into "$TMP/frames" "$TMP/out/a.mp4"
fake 'cat >/dev/null; exit 4'
fails 1 "frames2mp4: ffmpeg: ended with status 4 and no message" "ffmpeg fails in silence" \
    with "$TMP/fake:$PATH" into "$TMP/frames" "$TMP/out/a.mp4"
fake 'exit 0'
fails 1 "frames2mp4: ffmpeg: ended before it had read all" "ffmpeg does not read" \
    with "$TMP/fake:$PATH" into "$TMP/frames" "$TMP/out/a.mp4"
fake 'cat >/dev/null'
fails 1 "frames2mp4: ffmpeg wrote nothing to */a.mp4.part" "ffmpeg does not write" \
    with "$TMP/fake:$PATH" into "$TMP/frames" "$TMP/out/a.mp4"
rm "$TMP/fake/ffprobe"
for script in 'head -c 30720 /dev/zero; echo "lost it" >&2; exit 1' 'head -c 30721 /dev/zero' 'exit 0'; do
    printf '#!/bin/sh\n%s\n' "$script" >"$TMP/fake/ffmpeg"
    fails 1 "mp42frames: *" "mp42frames: an ffmpeg that does: $script" \
        with "$TMP/fake:$PATH" "$BUILD/mp42frames" "$TMP/good.mp4"
    is "$(wc -c <"$TMP/.out")" 0 "nothing was written"
done
fake 'printf "ffmpeg version 9 Copyright\n  built with gcc\n  libavutil 57\n[h264 @ 0x1] lost it\n" >&2; exit 1'
rm "$TMP/fake/ffprobe"
fails 1 "mp42frames: ffmpeg: lost it" "what it is made of is no error" \
    with "$TMP/fake:$PATH" "$BUILD/mp42frames" "$TMP/good.mp4"
real=$(command -v ffmpeg)
fake "exec $real \"\$@\" >/dev/full"
rm "$TMP/fake/ffprobe"
fails 1 "mp42frames: cannot write the temporary file for the frames of $TMP/good.mp4: No space left on device" \
    "no room for the frames" with "$TMP/fake:$PATH" "$BUILD/mp42frames" "$TMP/good.mp4"
is "$(left)" "kept.mp4 " "nothing was left under any name"
with "$TMP/fake:$PATH" into "$TMP/frames" "$TMP/out/kept.mp4" 2>/dev/null
cmp "$TMP/good.mp4" "$TMP/out/kept.mp4"
ok $? "a file that was there stays as it was"

# decoder: the ffmpeg that decoded good.mp4 with the stand-in before PATH, as the document says
decoder() {
    : >"$TMP/runs"
    with "$TMP/fake:$PATH" "$BUILD/mp42frames" "$TMP/good.mp4" | tensor-info --json |
        grep -o 'mp42frames":".*' | sed 's/[^}]*"ffmpeg[\\]*":[\\]*"\([^"\\]*\).*/\1/'
}
version=$(ffmpeg -version | sed -n '1s/^ffmpeg version \([^ ]*\).*/\1/p')
fake "echo \"\$1\" >>$TMP/runs; exec $real \"\$@\""
rm "$TMP/fake/ffprobe"
is "$(decoder) $(wc -l <"$TMP/runs")" "$version 1" "which ffmpeg it is, is what the one that decodes says"
fake "$real \"\$@\" 2>$TMP/said; status=\$?; sed 's/^ffmpeg version [^ ]*/ffmpeg version 99.1/' $TMP/said >&2; exit \$status"
rm "$TMP/fake/ffprobe"
is "$(decoder)" 99.1 "not what ffprobe or another ffmpeg is"
fake "echo \"\$1\" >>$TMP/runs; exec $real \"\$@\" 2>/dev/null"
rm "$TMP/fake/ffprobe"
is "$(decoder) $(paste -s -d ' ' "$TMP/runs")" "$version -v -version" "one that does not say is asked"

# ---- frames2mp4: input ----

: >"$TMP/nothing"
fails 1 "frames2mp4: standard input has no document" "no document" into "$TMP/nothing" "$TMP/out/a.mp4"
for n in 4 90 20000 138000; do
    head -c $n "$TMP/frames" >"$TMP/cut"
    fails 1 "frames2mp4: standard input*" "a stream cut after $n bytes" into "$TMP/cut" "$TMP/out/a.mp4"
done
tensor-pick "$GOLDEN:vae.frames=other" >"$TMP/bad"
fails 1 "frames2mp4: *standard input*no tensor 'frames'" "no frames" into "$TMP/bad" "$TMP/out/a.mp4"
tensor-pick "$GOLDEN:vae.raw=frames" >"$TMP/bad"
fails 1 "frames2mp4: *frames*F32*U8*" "frames of another type" into "$TMP/bad" "$TMP/out/a.mp4"
frames 1 17 32 >"$TMP/bad"
fails 1 "frames2mp4: the frames of document 1 are 32x17: an mp4 needs even sides" "an odd side" \
    into "$TMP/bad" "$TMP/out/a.mp4"
frames 0 16 32 >"$TMP/bad"
fails 1 "frames2mp4: the frames of document 1 are empty: *" "no frames at all" \
    into "$TMP/bad" "$TMP/out/a.mp4"
document '{"frames":{"dtype":"U8","shape":[1,2,2000000,3],"data_offsets":[0,12000000]}}' 100 >"$TMP/bad"
fails 1 "frames2mp4: the frames of document 1 are 2000000x2: a side is at most *" "a lying size" \
    sh -c "cat '$TMP/bad' | frames2mp4 '$TMP/out/a.mp4'"
is "$(left)" "kept.mp4 " "nothing was left under any name"
cat "$TMP/frames" "$TMP/cut" >"$TMP/bad"
fails 1 "frames2mp4: standard input, document 2*" "the second of two documents is cut" \
    into "$TMP/bad" "$TMP/out/a.mp4" "$TMP/out/b.mp4"
is "$(left)" "a.mp4 kept.mp4 " "the first file is there, the second is not"
cmp "$TMP/good.mp4" "$TMP/out/a.mp4"
ok $? "and it is whole"
rm "$TMP/out/a.mp4"

# ---- frames2mp4: output ----

fails 1 "frames2mp4: cannot create */missing/a.mp4.part: No such file or directory" \
    "no such directory" into "$TMP/frames" "$TMP/missing/a.mp4"
fails 1 "frames2mp4: $TMP/out is there and is not a regular file" "a directory" \
    into "$TMP/frames" "$TMP/out"
fails 1 "frames2mp4: /dev/full is there and is not a regular file" "a device" \
    into "$TMP/frames" /dev/full
[ -c /dev/full ]
ok $? "which is still there"
fails 1 "frames2mp4: ffmpeg: *" "a file that may not grow" \
    sh -c "ulimit -f 8; exec frames2mp4 '$TMP/out/a.mp4' <'$TMP/frames'"
is "$(left)" "kept.mp4 " "nothing was left under any name"

# Interrupted while it waits for the second half of the frames.
mkfifo "$TMP/fifo"
frames2mp4 "$TMP/out/a.mp4" <"$TMP/fifo" 2>/dev/null &
pid=$!
exec 3>"$TMP/fifo"
head -c 70000 "$TMP/frames" >&3
i=0
while [ ! -e "$TMP/out/a.mp4.part" ] && [ $i -lt 100 ]; do
    sleep 0.1
    i=$((i + 1))
done
is "$(left)" "a.mp4.part kept.mp4 " "a file in the making has another name"
kill -TERM $pid
wait $pid
is $? 143 "SIGTERM ends it"
exec 3>&-
is "$(left)" "kept.mp4 " "and what was in the making is gone"

# ---- mp42frames ----

fails 1 "mp42frames: cannot read $TMP/nothing.mp4: No such file or directory" "no such file" \
    mp42frames "$TMP/nothing.mp4"
fails 1 "mp42frames: $TMP is a directory: a video is read from a file, more than once" "a directory" mp42frames "$TMP"
fails 1 "mp42frames: ffprobe: *$TMP/frames: Invalid data*" "no video at all" mp42frames "$TMP/frames"
ffmpeg -v error -f lavfi -i sine=duration=0.1 "$TMP/sound.wav"
fails 1 "mp42frames: */sound.wav has no video" "sound" mp42frames "$TMP/sound.wav"
head -c 20000 "$TMP/good.mp4" >"$TMP/short.mp4"
fails 1 "mp42frames: ffprobe: *" "a file cut short" mp42frames "$TMP/short.mp4"
ffmpeg -v error -i "$TMP/good.mp4" -c copy -movflags +faststart "$TMP/fast.mp4"
head -c 30000 "$TMP/fast.mp4" >"$TMP/short.mp4"
fails 1 "mp42frames: ffmpeg: *" "a file cut short whose index comes first" mp42frames "$TMP/short.mp4"
is "$(wc -c <"$TMP/.out")" 0 "nothing was written"
fails 1 "mp42frames: ff*" "nor is it said to have the frames that it has packets of" mp42frames --about "$TMP/short.mp4"
cp "$TMP/good.mp4" "$TMP/broken.mp4"
head -c 9000 /dev/zero | tr '\0' '\377' | dd of="$TMP/broken.mp4" bs=1 seek=15000 conv=notrunc 2>/dev/null
fails 1 "mp42frames: $TMP/broken.mp4 is not as it was made: its digest is *" "a file that is broken in the middle" \
    mp42frames "$TMP/broken.mp4"
truncate -s -20 "$TMP/broken.mp4"
fails 1 "mp42frames: ffmpeg: *" "one that says no digest" mp42frames "$TMP/broken.mp4"
is "$(wc -c <"$TMP/.out")" 0 "nothing was written"
fails 1 "mp42frames: *standard output*No space left*" "a full disk" \
    sh -c "mp42frames '$TMP/good.mp4' >/dev/full"
fails 1 "mp42frames: *standard output*Broken pipe" "a closed pipe" \
    sh -c "{ mp42frames '$TMP/good.mp4' || echo \$? >'$TMP/rc'; } | :; exit \$(cat '$TMP/rc')"

done_testing
