#!/bin/sh
# wan-encode-text: a prompt's text cleaned as the reference does (ftfy 6.3.1, html.unescape twice,
# white space). fixtures/clean/out.txt is what those made of in.txt.
. "$(dirname "$0")/tap.sh"
IN=$ROOT/fixtures/clean/in.txt OUT=$ROOT/fixtures/clean/out.txt

wan-encode-text --print-text <"$IN" >"$TMP/out"
ok $? "--print-text needs no model"
i=0
while IFS= read -r wanted <&3 && IFS= read -r got <&4; do
    i=$((i + 1))
    is "$got" "$wanted" "line $i: $(sed -n "${i}p" "$IN" | tr -d '\000-\037\177' | sed 's/#/%/g')"
done 3<"$OUT" 4<"$TMP/out"
is "$(wc -l <"$TMP/out")" "$(wc -l <"$OUT")" "as many lines as wanted"

clean() { printf '%b' "$1" | wan-encode-text --print-text; }
is "$(clean 'a\r\nb\r\n')" "a
b" "line ends may be CR LF"
is "$(clean 'a\n \n\tb' 2>/dev/null)" "a
b" "blank lines are skipped"
like "$(clean 'a\n \nb' 2>&1 >/dev/null)" "*line 2 is blank: skipped" "with a warning on standard error"
is "$(clean 'a\n \nb' 2>&1 >/dev/null | wc -l)" 1 "of one line"
is "$(printf 'a\n\nb\n' | wan-encode-text -q --print-text 2>&1 | wc -l)" 2 "-q: without the warning"
is "$(clean 'no end of line')" "no end of line" "the last line's end may be missing"
bad() { printf '%b' "$1" | wan-encode-text --print-text; }
fails 1 "wan-encode-text: line 2 is not UTF-8" "not UTF-8" bad 'a\nb\0377\nc\n'
fails 1 "wan-encode-text: line 1 is not UTF-8" "a truncated sequence" bad 'caf\0303'
fails 1 "wan-encode-text: line 1 is not UTF-8" "a surrogate" bad '\0355\0240\0200'
fails 1 "wan-encode-text: line 1 is not UTF-8" "an overlong form" bad '\0300\0257'
fails 1 "wan-encode-text: line 1 is not text: it has a NUL" "NUL" bad 'a\0000b'
fails 1 "wan-encode-text: standard input has no prompt" "no input" bad ''
done_testing
