#!/bin/bash
# How an experiment of eight videos shows how far it is: in a log, and on a terminal, with two jobs at one time.
# t/progress/log has what a log should be like, terminal what the screen should; UPDATE=1 writes them.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
experiment=(make -s -j2 DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" MODEL=fixtures/tiny CLIP=fixtures/tiny/clip
    PROMPTS=pipelines/demo.txt SIZE=64x64 FRAMES=5 STEPS=10 SEEDS=1 experiment)

# Times, sizes and places differ from run to run, and jobs beside each other in their order.
alike() { sed -E "s|$TMP/[a-z]*|OUT|g; s/, [0-9.]+ (s|min|h) left//; s/[0-9.]+ (GB|MB|kB) (are free|of disk)/N \2/g; s/how long .* step|about [0-9.]+ (s|min|h)/TIME/" | LC_ALL=C sort; }
expected() { # FILE NAME: standard input is like the fixture
    alike >"$TMP/alike"
    [ ! "${UPDATE-}" ] || cp "$TMP/alike" "t/progress/$1"
    diff "t/progress/$1" "$TMP/alike" >"$TMP/differs"
    ok $? "$2"
    comment "$(head -n 10 "$TMP/differs")"
}

# ---- a log ----

"${experiment[@]}" OUT="$TMP/logged" >"$TMP/log" 2>&1
ok $? "make -j2 experiment"
grep -v '^wan-quantize: ' "$TMP/log" >"$TMP/said"
expected log "its log is as it should be" <"$TMP/said"
for job in fp16.latents w8a16.latents fp16.film w8a16.film; do
    lines=$(grep -c "^$job: 0[1-4]_seed1 ([1-4] of 4): [a-z]* [0-9]*/[0-9]*" "$TMP/log")
    [ "$lines" -ge 5 ] && [ "$lines" -le 11 ]
    ok $? "$job: at most a line each tenth, each names the video"
done
for job in 'clip: w8a16/04_seed1 (8 of 8)' 'motion: w8a16/04_seed1 (8 of 8)' 'diff: w8a16/04_seed1 (4 of 4)'; do
    grep -q "^$job: frames 5/5" "$TMP/log"
    ok $? "${job%%:*}: shows how far it is"
done
is "$(grep -c $'\r' "$TMP/log")" 0 "nothing in it is for a terminal"
at() { grep -n "$1" "$TMP/log" | head -n 1 | cut -d : -f 1; }
[ "$(at '^in all 8 to sample, 8 to film, 4 texts: ')" -lt "$(at '^text')" ]
ok $? "how much there is to do is said before it is begun"
rm -f "$TMP"/logged/*/*.mp4
like "$("${experiment[@]}" OUT="$TMP/logged" 2>&1 | grep '^in all')" "in all 0 to sample, 8 to film, 0 texts: about *s, * of disk (* are free)" \
    "how long it will take, by the runs that were"

# ---- a terminal ----

{ have script && script -qec true /dev/null >/dev/null 2>&1 </dev/null; } || {
    skip "there is no script, or no terminal to be had" "a terminal"
    done_testing
    exit
}
TERM=xterm script -qec "stty rows 40 cols 120; ${experiment[*]} OUT=$TMP/shown" "$TMP/typescript" >/dev/null 2>&1 </dev/null
ok $? "make -j2 experiment on a terminal"
# What is seen: ESC [nA goes up, ESC [J clears what is below. A frame is the screen before it is cleared.
sed '1d; $d' "$TMP/typescript" | tr -d '\r' | awk -v frames="$TMP/frames" '
{
    line = $0
    while (match(line, /^\033\[[0-9]*[AJ]/)) {
        code = substr(line, 1, RLENGTH)
        line = substr(line, RLENGTH + 1)
        if (code ~ /A$/) { n = substr(code, 3) + 0; jobs = 0; for (i = rows - n + 1; i <= rows; i++) { print screen[i] > frames; jobs++ }; rows -= n; if (jobs > most) most = jobs }
    }
    if (line != "" || $0 !~ /\033/) screen[++rows] = line
}
END { for (i = 1; i <= rows; i++) print screen[i]; print most > (frames ".most") }' >"$TMP/screen"
grep -v '^wan-quantize: ' "$TMP/screen" >"$TMP/said"
expected terminal "what stays on the screen is as it should be" <"$TMP/said"
is "$(grep -vE '^[a-z0-9_]+(\.[a-z]+)?(\.[0-9])?: ((fp16\/|w8a16\/)?0[1-4]_seed1 \([1-8] of [48]\): )?[a-z]+ [0-9]+/[0-9]+(, [0-9.]+ (s|min) left)?$' "$TMP/frames" | grep -v '^report' | head -n 3)" \
    "" "every line of a job that was ever seen is whole, and of one job"
grep -qE '^fp16.latents: 03_seed1 \(3 of 4\): step [0-9]+/10' "$TMP/frames"
ok $? "the video is named while it is made"
is "$(cat "$TMP/frames.most")" 4 "jobs at one time, two and at the end four that measure, are a line each"
is "$(cat "$TMP"/shown/*/01_seed1.mp4 | cksum)" "$(cat "$TMP"/logged/*/01_seed1.mp4 | cksum)" "the videos are the same"
done_testing
