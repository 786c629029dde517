#!/bin/sh
# The error of skipped steps with the small checkpoint: the table of `make skipping`, with few captions and rules.
. "$(dirname "$0")/tap.sh"
tab=$(printf '\t')
cd "$TMP" || exit 1
CAPTIONS=2 BUILD=$BUILD RULES="none 5,9,13,17 teacache:0.1:1,0 magcache:0.1,3,0.2:ratios easycache:0.03,3" \
    "$ROOT/pipelines/skipping" made > table 2> said
ok $? "the table is made"
comment "$(cat said)"
comment "$(cut -f 1-6,8,10-13 table)"
is "$(wc -l < table)" 6 "a line for each rule"
value() { # RULE COLUMN
    awk -F "$tab" -v rule="$1" -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i }
        $1 == rule { print $c }' table
}
is "$(value none saved) $(value none rel)" "0 0" "all calls are saved nothing, and no error"
is "$(value 5,9,13,17 skipped)" 4 "a list answers what it says"
is "$(value 5,9,13,17 saved)" 16 "of two captions and two passes"
for rule in 5,9,13,17 teacache:0.1:1,0 magcache:0.1,3,0.2 easycache:0.03,3; do
    awk -v s="$(value "$rule" skipped)" -v r="$(value "$rule" rel)" 'BEGIN { exit !(s >= 2 && r > 0 && r < 0.8) }'
    ok $? "$rule: steps are answered, with an error"
    awk -v p="$(value "$rule" psnr)" 'BEGIN { exit !(p > 20) }'
    ok $? "$rule: the frames are those of all calls to 20 dB"
    is "$(value "$rule" direction)" 1 "$rule: what moves moves as the caption says"
done

done_testing
