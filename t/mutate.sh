#!/bin/bash
# mutate.sh [PATTERN]: does a test notice when the code is wrong? (make mutate)
#
# Each line of t/mutations (or of LIST) names a file, words in it, other words in their place, and the test that must
# then fail: four columns with tabs between; the words occur once in the file. A fifth column says why no test can:
# that the code then does the same. Works in copies of the tree under TMPDIR, JOBS of them (2), builds there
# only what the test runs, and stops a test where it first fails. With PATTERN only lines that have it. A test that
# fails where nothing was changed shows nothing: each is run so once, before the first change that it is to notice.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
jobs=${JOBS:-2} seconds=${SECONDS_EACH:-300}
work=$(mktemp -d "${TMPDIR:-/tmp}/mutate.XXXXXX")
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
unset MAKELEVEL MAKEFLAGS MFLAGS MAKEOVERRIDES BUILD
export CK_FORK=no CK_VERBOSITY=silent OMP_WAIT_POLICY=passive

grep -v '^#' "${LIST:-$root/t/mutations}" | grep -F -- "${1-}" > "$work/list"
total=$(wc -l < "$work/list")
[ "$total" -gt 0 ] || { echo "1..0 # SKIP no mutation has '$1'"; exit 0; }
units=$(cut -f 4 "$work/list" | grep -v '\.t$' | sort -u | sed 's|^|build/cpu/t/|')
tools=$(cd "$root" && printf '%s\n' t/tools/*.c t/bench/random-model.c | sed 's|^|build/cpu/|; s|\.c$||')
# shellcheck disable=SC2086 # words
make -s -C "$root" DEVICE=cpu all $units $tools || exit 1

copy() { # DIRECTORY: the tree and what is built of it, as old as they are
    mkdir -p "$1/build/cpu"
    (cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - 2> /dev/null) | tar -xf - -C "$1"
    (cd "$root/build/cpu" && tar --exclude=findings -cf - .) | tar -xf - -C "$1/build/cpu"
}

# replaced FILE: with $from, which occurs once, as $to; fails where it does not
replaced() {
    FROM=$from TO=$to perl -0777 -e 'local $/; open F, "<", $ARGV[0] or exit 1; $_ = <F>; my $n = () = /\Q$ENV{FROM}\E/g;
        exit 1 if $n != 1; s/\Q$ENV{FROM}\E/$ENV{TO}/; open F, ">", $ARGV[0]; print F $_' "$1"
}

# targets: what make builds for $test
targets() {
    case $test in
    *.t) for p in bin/*/; do
            p=$(basename "$p")
            if grep -qwF -e "$p" -e make "t/$test" || grep -qwF -- "$p" t/tap.sh; then echo "build/cpu/$p"; fi
        done ;;
    *) echo "build/cpu/t/$test" ;;
    esac
}

# fails: does $test? `how` says if it had to be stopped.
fails() {
    how=
    case $test in
    *.t)
        BUILD=$PWD/build/cpu timeout "$seconds" "t/$test" 2> /dev/null | awk '
            /^not ok/ { failed = 1; exit } /^1\.\.[0-9]/ { whole = 1 } END { exit !(failed || !whole) }'
        local status=("${PIPESTATUS[@]}")
        [ "${status[0]}" -ne 124 ] || how=" after $seconds s"
        return "${status[1]}" ;;
    *)
        timeout "$seconds" "build/cpu/t/$test" > /dev/null 2>&1
        local is=$?
        [ $is -ne 124 ] || how=" after $seconds s"
        [ $is -ne 0 ] ;;
    esac
}

# passes: does $test where nothing is changed? Found out once.
passes() {
    local known=../passes.$test says=yes
    if [ ! -e "$known" ]; then
        if fails; then says=no; fi
        rm -rf tmp/*
        echo "$says" > "$known.$BASHPID"
        mv "$known.$BASHPID" "$known"
    fi
    [ "$(cat "$known")" = yes ]
}

one() { # a line: what came of it
    local file from to test reason how=
    IFS=$'\t' read -r file from to test reason <<< "$1"
    if [ "$reason" ]; then echo "equivalent	$file: $from: $reason"; return; fi
    if ! passes; then echo "unchanged	$file: $from ($test fails without it$how)"; return; fi
    touch stamp
    if ! replaced "$file"; then echo "stale	$file: '$from' is not there once"; return; fi
    # shellcheck disable=SC2046 # words
    if ! make -s DEVICE=cpu $(targets) > log 2>&1; then echo "broken	$file: $from -> $to: $(grep -m 1 error log)"
    elif fails; then echo "killed	$file: $from -> $to ($test$how)"
    else echo "survived	$file: $from -> $to ($test)"
    fi
    cp -p "$work/whole/$file" "$file"
    find build -newer stamp -type f | while read -r made; do
        cp -p "$work/whole/$made" "$made" 2> /dev/null || rm -f "$made"
    done
}

worker() { # NUMBER
    copy "$work/$1"
    cd "$work/$1" || exit 1
    mkdir tmp
    export TMPDIR=$PWD/tmp
    local n=0
    while IFS= read -r line; do
        n=$((n + 1))
        [ $((n % jobs)) -eq "$1" ] || continue
        one "$line" > "../part.$n" < /dev/null
        mv "../part.$n" "../result.$n"
        rm -rf tmp/*
        [ -z "${PROGRESS-}" ] || sed "s/^/$n	/" "../result.$n" >&2
    done < ../list
}

copy "$work/whole"
for k in $(seq 0 $((jobs - 1))); do worker "$k" & done
wait
failed=0
for n in $(seq "$total"); do
    IFS=$'\t' read -r what line < "$work/result.$n"
    case $what in
    killed) echo "ok $n - $line" ;;
    equivalent) echo "ok $n - $line # SKIP equivalent" ;;
    *) echo "not ok $n - $line # $what"; failed=$((failed + 1)) ;;
    esac
done
echo "1..$total"
echo "# $(cat "$work"/result.* | cut -f 1 | sort | uniq -c | tr -s ' \n' ' ')of $total"
[ $failed -eq 0 ]
