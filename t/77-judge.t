#!/bin/bash
# A judge's columns as metrics: tiny-look on clips that show, or do not show, what their captions say; a script of
# the user's; which columns are numbers; the tables, the test of verdicts, the report.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
TAB=$(printf '\t')
M=$ROOT/fixtures/tiny
gzip -dc "$M/drawn.safetensors.gz" >drawn

# cells FILE COLUMN...: of every row, with commas between, a line a row
cells() {
    local file=$1
    shift
    tr -d '\r' <"$file" | awk -F , -v names="$*" 'NR == 1 { n = split(names, name, " ")
        for (i = 1; i <= NF; i++) for (j = 1; j <= n; j++) if ($i == name[j]) at[j] = i; next }
        { for (j = 1; j <= n; j++) printf "%s%s", $at[j], j < n ? "," : "\n" }'
}
lines() { paste -s -d ' '; }

# ---- tiny-look ----

tensor-pick -d 1 drawn:frames >one
is "$(tiny-look <one | tail -n 1 | cut -f 16)" 1 "a clip as it was drawn: all is right"
tensor-pick -d 1 drawn:frames -k 'prompt=a red circle' >other
like "$(tiny-look <other | tail -n 1 | cut -f 10-)" "[01]${TAB}[01]$TAB$TAB$TAB$TAB${TAB}0*" \
    "what a caption leaves open is not judged"
tensor-pick -d 1 drawn:frames -k 'prompt=two cats' >other
is "$(tiny-look <other | tail -n 1 | cut -f 10-)" "$TAB$TAB$TAB$TAB$TAB$TAB" "nor one of another grammar"
is "$(tiny-look --recipe)" '{"numerics":1,"program":"tiny-look","version":"0.1.0"}' "--recipe"
tensor-pick 'drawn:frames[0:1]=x' -d 1 >other
from() { local input=$1; shift; "$@" <"$input"; }
fails 1 "tiny-look: *frames*" "a stream without frames" from other tiny-look
fails 1 "tiny-look: standard input has no document" "nothing" from /dev/null tiny-look

# ---- which columns are metrics ----

mkdir -p e/a e/b e/a_vs_b o
for v in a b; do
    for i in 1 2; do tensor-pick -d 1 'drawn:frames[0:2]=frames' -k "prompt=p" -k "seed=$i" | tensor-info --json >e/$v/$i.json; done
done
printf 'name\tpairing\tdiffers\treason\n1\tname\t\t\n2\tname\t\t\n' >e/a_vs_b/pairs.tsv
judge() { printf "document\tseed\tgood\tseen\tscore\tnote\n1\t$3\n" >"e/$1/$2.judge.tsv"; }
tables() { rm -f o/*; pair-tables -o o -v a -v b e 1 2; }
tables
is "$?:$(ls o | grep -c judge):$(head -n 1 o/pairs.csv | grep -o 'file_b.*' | tr -d '\r')" 0:0:file_b "no judge: no table of one"
judge a 1 '1\t1\tcat\t0.5\t'
judge a 2 '2\t0\t7\t\t'
judge b 1 '1\t1\t7\t-2e3\t'
tables
is "$?:$(head -n 1 o/judge_per_video.csv | tr -d '\r')" "0:variant,name,seed,prompt,measured,frames,good,score,seen,note" \
    "columns of numbers come first: one word makes a column of words"
is "$(cells o/judge_per_video.csv variant name good score seen note | lines)" \
    "a,1,1,0.5,cat, a,2,0,,7, b,1,1,-2000,7, b,2,,,," "what was not judged has empty cells"
is "$(cells o/pairs.csv name good_a good_b score_a score_b | lines)" "1,1,1,0.5,-2000 2,0,,," "metrics are in pairs.csv"
judge b 1 '1\tnan\t7\t-2e3\t'
tables
is "$(head -n 1 o/pairs.csv | grep -o 'file_b.*' | tr -d '\r')" "file_b,score_a,score_b" "nan is a word"
printf 'document\tclip\n1\t1\n' >e/b/1.judge.tsv
fails 1 "pair-tables: e/b/1.judge.tsv:1: a judge's column is named 'clip', which is another metric's name" \
    "a metric's name that is taken" tables
printf 'document\tclipped\n1\t1\n' >e/b/1.judge.tsv
tables
is "$?:$(head -n 1 o/pairs.csv | grep -o 'clipped_a')" 0:clipped_a "one that only begins like it is not"
printf 'document\ta b\n1\t1\n' >e/b/1.judge.tsv
fails 1 "pair-tables: e/b/1.judge.tsv:1: a judge's column is named 'a b': letters*" "a name that is none" tables
printf 'document\tgood\n1\t1\n1\t1\n' >e/b/1.judge.tsv
fails 1 "pair-tables: e/b/1.judge.tsv has 2 rows, but 1 are expected: remove it" "two rows of one video" tables

have ffmpeg || { skip "there is no ffmpeg" "make eval JUDGE="; done_testing; exit; }

# ---- eight pairs: a as its captions say; b another clip for the first six ----

prompt() { tensor-info -j drawn | sed -n "$1s/.*\"prompt\":\"\([^\"]*\)\".*/\1/p"; }
mkdir -p d/a d/b
for i in $(seq 8); do tensor-pick -d "$i" drawn:frames; done | frames2mp4 -q -r 8 -o d/a/%n.mp4
for i in $(seq 8); do
    j=$i
    [ "$i" -gt 6 ] || j=$((i % 6 + 1))
    tensor-pick -d $j drawn:frames -k "prompt=$(prompt "$i")"
done | frames2mp4 -q -r 8 -o d/b/%n.mp4
is "$(ls d/b | wc -l)" 8 "eight pairs"
run() { # MAKE-ARGUMENTS...: JUDGE may be among them
    make -s -C "$ROOT" DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$TMP/d" VARIANTS='a b' MODEL= "$@" >"$TMP/out" 2>"$TMP/err"
}
run eval
is "$?:$(ls d | grep -c judge)" 0:0 "without JUDGE nothing is judged"
run -n eval JUDGE="$BUILD/tiny-look"
like "$?:$(cat out)" "0:*a: 8 of 8 videos to measure*b: 8 of 8 videos to measure*" "a dry run counts what would be"
run eval JUDGE="$BUILD/tiny-look"
ok $? "make eval JUDGE=tiny-look"
comment "$(cat err)"
is "$(cells d/judge_per_video.csv variant right | sort -u | grep -c ^a)" 1 "all of a is right"
is "$(cells d/judge_summary.csv metric | lines)" \
    "right_colour right_shape right_direction right_speed right_background right_kind right" "seven metrics"
wrong=$(cells d/pairs.csv right_colour_a right_colour_b | grep -cx 1,0)
is "$(cells d/judge_summary.csv metric n mean_a statistic p method | head -n 1)" \
    "right_colour,8,1,0,$(awk "BEGIN { print 2 / 2 ^ $wrong }"),mcnemar" "of $wrong pairs a alone has the right colour: p is 2 / 2^$wrong"
[ "$wrong" -ge 5 ]
ok $? "the clips are far enough apart to be told"
like "$(cells d/judge_summary.csv metric method | tail -n 1)" "right,[epn]*" "the share that is right is no verdict: ranks"
is "$(for c in $(head -n 1 d/judge_summary.csv | tr -d '\r' | tr , ' '); do grep -q "\b$c\b" "$ROOT/pipelines/wan-experiment.5" || echo "$c"; done)" \
    "" "the columns are in the manual page"
is "$(grep -o '"judge": "[^"]*"' d/experiment.json)" '"judge": "tiny-look"' "experiment.json names the judge, without its directory"
touch now
run eval JUDGE="$BUILD/tiny-look"
is "$?:$(find d -newer now -type f)" "0:" "nothing is judged twice"
cp d/judge_summary.csv before
run eval
is "$?:$(cmp d/judge_summary.csv before)" "0:" "and what was judged stays without JUDGE"
rm d/eval/b/2.judge.tsv
run eval JUDGE="$BUILD/tiny-look"
is "$(cat out):$(cmp d/judge_summary.csv before)" "b.judge: 2:" "what is missing alone is judged"
run verify
ok $? "verify has nothing against it"
sed -i '$s/\tred\t/\tblue\t/; $s/1$/0/' d/eval/a/1.judge.tsv
run verify
like "$?:$(cat err)" "2:*eval/a/1.judge.tsv is not as it was made*" "but against what was changed by hand"

# ---- the report ----

run report JUDGE="$BUILD/tiny-look"
ok $? "make report"
like "$(grep '^| right colour ' d/report.md)" "| right colour | 8 | 1.000 (0.000) | 0.* | −0.* | \\\\\[*\\\\\] | 0.0* | mcnemar |*" \
    "the metrics have their rows"
like "$(sed -n '/Every pair as it was judged: a, b/,/^| 8 /p' d/report.md)" "*| video | right colour | right shape *| 1 | 1, 0 |*| 8 | 1, 1 |*" \
    "every pair has what was judged"
is "$("$ROOT/t/check-html" d/report.html)" "" "the page is well-formed"
is "$(grep -c '^right direction & 8 & \|^1 & 1, 0 & ' d/report.tex)" 2 "the tables for a paper have it"
is "$(grep -o '<th scope="col" class="n">right background</th>' d/report.html | wc -l)" 9 "so has every video"
rm d/judge_per_video.csv
fails 1 "evalreport: cannot read d/judge_per_video.csv: No such file or directory" "one table of two" evalreport d

# ---- judges of the user's ----

cat >script <<'END'
#!/bin/sh
# How many frames, and the prompt's length: by name and shape alone.
tensor-info --json | awk 'BEGIN { print "document\tframes\tlong" }
    { match($0, /"prompt":"[^"]*"/); print NR "\t13\t" RLENGTH - 11 }'
END
chmod +x script
run eval JUDGE="$TMP/script"
is "$?:$(grep -c judge out):$(cells d/judge_summary.csv metric | lines)" "0:2:long" "another judge: all is judged anew, by its columns"
is "$(cells d/judge_per_video.csv name long | head -n 1)" "1,$(prompt 1 | tr -d '\n' | wc -c)" "which are what it printed"
echo '# another' >>script
run eval JUDGE="$TMP/script"
is "$?:$(grep -c judge out)" 0:2 "an edited judge is another"
run eval JUDGE="$TMP/script" VARIANTS=a
is "$?:$(cells d/a/judge_summary.csv metric variant_a variant_b n)" "0:long,a,,8" "one variant alone"
printf '#!/bin/sh\ncat >/dev/null\nprintf "document\\tx\\n1\\t1\\n"\n' >few
printf '#!/bin/sh\ncat >/dev/null\necho it broke >&2\nexit 3\n' >broken
chmod +x few broken
run eval JUDGE="$TMP/few"
like "$?:$(cat err)" "2:*nothing was measured of *" "a judge that says nothing of a video"
run eval JUDGE="$TMP/broken"
like "$?:$(cat err)" "2:*it broke*" "a judge that fails"

done_testing
