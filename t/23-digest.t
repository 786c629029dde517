#!/bin/sh
# The digest of a checkpoint: every byte counts, files and their dates do not; what the cache keeps.
. "$(dirname "$0")/tap.sh"
weights=$ROOT/fixtures/random/diffusion_pytorch_model.safetensors
cd "$TMP" || exit 1
unset XDG_CACHE_HOME
cache=$TMP/cache/digests

# digest FILE: as wan-quantize records it
digest() { wan-quantize -q -t fp32 -m "$1" | tensor-info | sed -n 's/^ *weights: "\([0-9a-f]\{32\}\)"$/\1/p'; }
# poke FILE AT: one bit of one byte
poke() {
    old=$(od -An -tu1 -j "$2" -N 1 "$1")
    printf "$(printf '\\%03o' $((old ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
old() { touch -d '1 hour ago' "$@"; sleep 4; } # as old as it must be to be remembered

cp "$weights" x.st
first=$(digest x.st)
like "$first" "????????????????????????????????" "a checkpoint has a digest"
is "$(cat "$cache" 2>/dev/null)" "" "of a file that is new nothing is kept"
bytes=$(wc -c <x.st)
same=0 tries=0
for at in $((bytes / 7)) $((bytes / 3)) $((bytes / 2)) $((bytes - 1)); do
    cp x.st y.st
    poke y.st "$at"
    tries=$((tries + 1))
    [ "$(digest y.st)" = "$first" ] && same=$((same + 1))
done
is "$tries,$same" 4,0 "one bit anywhere makes another"

# ---- what is kept ----
old x.st
is "$(digest x.st)" "$first" "an old file has the same"
is "$(wc -l <"$cache")" 1 "which is kept"
sed 's/ .*/ 00000000000000000000000000000000/' "$cache" >changed && cp changed "$cache"
is "$(digest x.st)" 00000000000000000000000000000000 "and believed as long as the file is what it was"
cat changed changed | sed '2s/ .*/ 11111111111111111111111111111111/' >"$cache"
is "$(digest x.st)" 11111111111111111111111111111111 "of two lines about one file the later counts"
cp changed "$cache"
touch -r x.st date
cp y.st z.st && touch -r date z.st && mv z.st x.st
[ "$(digest x.st)" != 00000000000000000000000000000000 ]
ok $? "another file of the same name, size and date is read"
is "$(digest x.st)" "$(digest y.st)" "and has its own"
printf 'no line of a cache\n%070d\n' 1 >"$cache"
is "$(digest x.st)" "$(digest y.st)" "lines that are none are passed over"
old x.st
digest x.st >/dev/null
is "$(digest x.st)" "$(digest y.st)" "and a line behind them is found or not, with one result"
rm -r "$TMP/cache"
is "$(digest x.st)" "$(digest y.st)" "a cache may be deleted"
is "$(WAN_CACHE=/dev/null/none digest x.st)" "$(digest y.st)" "or impossible"
is "$(unset WAN_CACHE; HOME=$TMP/home digest x.st)$(wc -l <"$TMP/home/.cache/wan/digests")" "$(digest y.st)1" "without WAN_CACHE it is in ~/.cache/wan"
is "$(unset WAN_CACHE; XDG_CACHE_HOME=$TMP/xdg digest x.st)$(wc -l <"$TMP/xdg/wan/digests")" "$(digest y.st)1" "or in XDG_CACHE_HOME"
is "$(cat x.st | wan-quantize -q -t fp32 | tensor-info | grep -c "weights: .$(digest y.st)")" 1 "a pipe has the same"

done_testing
