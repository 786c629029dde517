# shellcheck shell=sh
# TAP for shell tests: `. "$(dirname "$0")/tap.sh"` at the top, `done_testing` at the end. $BUILD is
# where the programs are (build/cpu unless set), $ROOT the repository, $TMP a directory that goes
# with the test, $GOLDEN the reference's outputs. Programs are on PATH.
set -u
ROOT=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${BUILD:-$ROOT/build/cpu}
DEVICE=${DEVICE:-cpu}
GOLDEN=$ROOT/fixtures/random/golden.safetensors
PATH=$BUILD:$PATH
export PATH LC_ALL=C.UTF-8
# A make that a test runs is a user's own, not one below the make that runs the tests.
unset MAKELEVEL MAKEFLAGS MFLAGS MAKEOVERRIDES
# Threads that spin while they wait slow each other down twentyfold where tests share the cores.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
# Experiments of tests are of mp4 files, unless the test says otherwise (69-decode-once.t: what is measured by default).
export MEASURE=mp4
TMP=$(mktemp -d "${TMPDIR:-/tmp}/tap.XXXXXX")
# Digests that a test computes are kept for it alone.
export WAN_CACHE=$TMP/cache
trap 'rm -rf "$TMP"' EXIT
trap 'exit 1' INT TERM
tests=0 failures=0

# ok STATUS NAME: passes when STATUS is 0
ok() {
    tests=$((tests + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $tests - $2"
    else
        failures=$((failures + 1))
        echo "not ok $tests - $2"
    fi
}

comment() { echo "$*" | sed 's/^/# /'; }

# is GOT WANTED NAME
is() {
    [ "$1" = "$2" ]
    ok $? "$3"
    [ "$1" = "$2" ] || comment "got '$1', wanted '$2'"
}

# like TEXT PATTERN NAME: PATTERN is a case pattern
like() {
    case $1 in $2) ok 0 "$3" ;; *) ok 1 "$3"; comment "got '$1', wanted something like '$2'" ;; esac
}

# close_to NAME OPTIONS...: runs tensor-diff OPTIONS, passes when it does, and shows the measured
# error and the bound
close_to() {
    _name=$1; shift
    _out=$(tensor-diff "$@" 2>&1); _rc=$?
    ok $_rc "$_name"
    case $1 in -*) _out="$_out	(allowed: ${1#--} $2)" ;; esac
    comment "$_out"
}

# bound TYPE FLOOR KEY: the relative error allowed in what was computed with operands of TYPE: FLOOR
# for fp32; for fp16 and bf16 that and twice PyTorch's own error at that precision, which
# fixtures/errors.tsv has for the golden tensor KEY
bound() {
    [ "$1" = fp32 ] && echo "$2" && return
    awk -F '\t' -v type="$1" -v least="$2" -v key="$3" '
        NR == 1 { for (i = 2; i <= NF; i++) column[$i] = i }
        $1 == key && $(column[type]) { print least + 2 * $(column[type]) }' "$ROOT/fixtures/errors.tsv"
}

# operands STORED: the type of the operands of a product with weights that --dtype stores as STORED:
# on the CPU F32
operands() { [ "$DEVICE" = cpu ] && echo fp32 || echo "$1"; }

# fails STATUS PATTERN NAME COMMAND...: exits with STATUS, says one line (or, with exit 2, two) like
# PATTERN on stderr
fails() {
    _status=$1 _pattern=$2 _name=$3; shift 3
    "$@" >"$TMP/.out" 2>"$TMP/.err" </dev/null; _rc=$?
    _err=$(cat "$TMP/.err")
    _lines=$(wc -l <"$TMP/.err")
    if [ $_rc -ne "$_status" ]; then ok 1 "$_name"; comment "exit $_rc, not $_status: $_err"; return; fi
    if [ "$_lines" -gt "$_status" ]; then ok 1 "$_name"; comment "$_lines lines: $_err"; return; fi
    like "$_err" "$_pattern" "$_name"
}

# within KB COMMAND...: runs it with so many kilobytes of addresses; under a sanitizer, which takes
# terabytes of them for itself, with as many as it wants
within() (
    [ "${SANITIZE:-}" ] || ulimit -v "$1"
    shift
    "$@"
)

# figure STATUS NAME: ok of a bound in seconds or bytes, which no program keeps under a sanitizer
figure() {
    [ -z "${SANITIZE:-}" ] || set -- 0 "$2 # SKIP under a sanitizer"
    ok "$1" "$2"
}

# skip REASON NAME: counts a test that cannot be run here
skip() {
    tests=$((tests + 1))
    echo "ok $tests - $2 # SKIP $1"
}

# interrupted SECONDS COMMAND...: what Ctrl-C does to it after that time: SIGINT for it and all that it
# started. Its status: 130 if that ended it. (A script's commands behind & ignore SIGINT.)
interrupted() {
    _after=$1; shift
    setsid env --default-signal=INT "$@" >/dev/null 2>&1 &
    sleep "$_after"
    kill -s INT -- "-$!" 2>/dev/null
    wait $! 2>/dev/null
}

have() { command -v "$1" >/dev/null; }

# reshaped NAME SHAPE: standard input, safetensors, whose tensor NAME has the same values in another shape
reshaped() {
    perl -e '
        my ($name, $shape) = @ARGV;
        local $/;
        my $all = <STDIN>;
        my $n = unpack "Q<", $all;
        my $header = substr $all, 8, $n;
        $header =~ s/("\Q$name\E": ?\{[^}]*"shape": ?)\[[^]]*\]/$1$shape/ or die "there is no $name";
        print pack("Q<", length $header), $header, substr($all, 8 + $n);
    ' "$@"
}

skip_all() { echo "1..0 # SKIP $*"; exit 0; }

done_testing() {
    echo "1..$tests"
    [ $failures -eq 0 ]
}
