#!/bin/bash
# Whole experiments, their videos and then their evaluation, under kill -9, a full disk, a dead
# ffmpeg, and a second make in the same directory: what has its final name is right, and make then
# finishes with the same bytes as an undisturbed run. FAULTS=20 (make check-faults) kills at 20
# moments, the tests at 2.
. "$(dirname "$0")/tap.sh"
cd "$ROOT" || exit 1
command -v ffmpeg >/dev/null || skip_all "no ffmpeg"
FAULTS=${FAULTS:-2}
export TMP ROOT BUILD DEVICE # make reads BUILD: it is the same in all that follows
export GIT_DIR=$TMP/none # the commit is part of the record, and the tree may change while this runs
printf 'a red circle\na blue square\n' >"$TMP/prompts.txt"

# made OUT MAKE-ARGUMENTS...: in a session of its own, so that all of it can be killed. $TMP/session has
# the session's id, which is make's own.
made() {
    local out=$1
    shift
    setsid --wait sh -c 'echo $$ >"$TMP/session"; exec make "$@"' sh \
        -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL=fixtures/random \
        PROMPTS="$TMP/prompts.txt" SIZE=32x32 FRAMES=5 STEPS=2 SEEDS='1 2' "$@" >"$TMP/make.out" 2>"$TMP/make.err"
}
# What an experiment is: all but when it ran, and what waits for whom.
results() { (cd "$1" 2>/dev/null && find . -type f ! -path '*/runs/*' ! -name .lock | sort); }
# wrong OUT [OR]: files under final names that differ from the right ones, and from those of OR
wrong() {
    results "$1" | grep -v '\.part' | while read -r f; do
        cmp -s "$1/$f" "$TMP/right/$f" || cmp -s "$1/$f" "${2-$TMP/right}/$f" || echo "$f"
    done
}
same() { [ "$(results "$1")" = "$(results "$TMP/right")" ] && [ -z "$(wrong "$1")" ]; }

# undisturbed GOAL...: $TMP/right is what it makes, $ms how long it takes. All of the others have the
# first name of $TMP/right: it is in their options.
undisturbed() {
    local began
    began=$(date +%s%N)
    made "$TMP/out" "$@"
    ok $? "an undisturbed run of make $1"
    comment "$(tail -3 "$TMP/make.err")"
    ms=$((($(date +%s%N) - began) / 1000000))
    mv "$TMP/out" "$TMP/right"
    comment "$ms ms, $(results "$TMP/right" | wc -l) files"
}

# afresh: $TMP/out as it is before
afresh() {
    rm -rf "$TMP/out"
    [ ! -d "$TMP/before" ] || cp -a "$TMP/before" "$TMP/out"
}

# ---- kill -9 ----

# killed GOAL...: a make that has ended before its moment is not killed: the moment comes sooner then.
killed() {
    local bad='' n=1 kills=0 late=0 after waiting
    while [ $n -le "$FAULTS" ] && [ $late -lt 8 ]; do
        afresh
        rm -f "$TMP/session"
        { made "$TMP/out" "$@"; } 2>/dev/null &
        waiting=$!
        after=$((ms * n / (FAULTS + 1)))
        sleep "$((after / 1000)).$(printf %03d $((after % 1000)))"
        kill -9 -- "-$(cat "$TMP/session")" 2>/dev/null
        wait $waiting 2>/dev/null
        if [ $? -ne 137 ]; then
            late=$((late + 1)) ms=$((ms * 2 / 3))
            continue
        fi
        kills=$((kills + 1))
        bad="$bad$(wrong "$TMP/out" "$TMP/before")" # what it had not come to yet is what it was
        made "$TMP/out" "$@" || bad="$bad make failed: $(tail -1 "$TMP/make.err")"
        same "$TMP/out" || bad="$bad after moment $n: $(wrong "$TMP/out") $(diff <(results "$TMP/right") \
            <(results "$TMP/out") | grep '[<>]');"
        n=$((n + 1))
    done
    is $kills "$FAULTS" "make $1 is killed at $FAULTS moments, while it works"
    comment "$late runs had ended before their moment"
    is "$bad" "" "and goes on to the same files and cleans up"
}
undisturbed videos
killed videos

# ---- two at once ----

two_at_once() { # GOAL...
    local bad='' n=0 first
    while [ $n -lt "$FAULTS" ]; do
        afresh
        { made "$TMP/out" "$@"; } 2>/dev/null &
        first=$!
        sleep "0.$n"
        made "$TMP/out" "$@" || bad="$bad the second failed: $(tail -1 "$TMP/make.err");"
        wait $first || bad="$bad the first failed: $(tail -1 "$TMP/make.err");"
        same "$TMP/out" || bad="$bad other files;"
        n=$((n + 1))
    done
    is "$bad" "" "two of make $1 at once make the same files"
}
two_at_once videos

# ---- ffmpeg killed ----

mkdir "$TMP/bin"
printf '#!/bin/sh\nhead -c 1000 >/dev/null\nkill -9 $$\n' >"$TMP/bin/ffmpeg"
chmod +x "$TMP/bin/ffmpeg"
rm -rf "$TMP/out"
PATH=$TMP/bin:$PATH made "$TMP/out" videos
is $? 2 "ffmpeg is killed: make fails"
like "$(cat "$TMP/make.err")" "*frames2mp4: ffmpeg: ended by signal 9*" "and says why"
is "$(wrong "$TMP/out")$(find "$TMP/out" -name '*.mp4*')" "" "no mp4 is there, whole or half"
made "$TMP/out" videos && same "$TMP/out"
ok $? "with ffmpeg, make goes on"

# ---- a disk that fills ----

# In a world of its own: make with $TMP/out on a disk of KB, and then on one with room.
on_a_small_disk() { # KB
    mount -t tmpfs -o "size=$1k" tmpfs "$TMP/out" || return
    made "$TMP/out" videos && echo "make did not fail"
    grep -qE 'No space left on device|I/O error' "$TMP/make.err" || cat "$TMP/make.err"
    wrong "$TMP/out"
    find "$TMP/out" -name '*.part*'
    mount -o remount,size=100m "$TMP/out"
    made "$TMP/out" videos && same "$TMP/out" || echo "make did not finish: $(tail -1 "$TMP/make.err")"
}
if ! unshare -rm true 2>/dev/null; then
    ok 0 "a disk that fills # SKIP no right to mount one"
else
    need=$(du -sk "$TMP/right" | cut -f 1) bad='' n=1
    while [ $n -le "$FAULTS" ]; do
        rm -rf "$TMP/out" && mkdir "$TMP/out"
        kb=$((need * n / (FAULTS + 1) + 16))
        said=$(unshare -rm bash -c "$(declare -f made results wrong same on_a_small_disk); on_a_small_disk $kb" 2>&1)
        [ -z "$said" ] || bad="$bad $kb kB: $said;"
        n=$((n + 1))
    done
    is "$bad" "" "disks of $FAULTS sizes that are too small: nothing wrong is left, and what is whole stays"
    comment "it takes $need kB"
fi

# ---- the evaluation of videos that are there ----

# Of half of the videos, that it is quick; SEEDS here comes behind made's.
mv "$TMP/right" "$TMP/before"
afresh
undisturbed experiment SEEDS=1
killed experiment SEEDS=1
two_at_once experiment SEEDS=1
done_testing
