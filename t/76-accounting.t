#!/bin/sh
# What weights are, format, bits, bytes, how they are stored: from the record of a video to the tables and
# the report; and a fake's memory and seconds are marked wherever they stand.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
tensor-pick "$GOLDEN:vae.frames=frames" >frames

# video VARIANT NAME MEMBERS: the record of a video whose wan-denoise says MEMBERS besides
video() {
    mkdir -p "exp/eval/$1"
    tensor-pick frames:frames -k "prompt=a cat" -k "seed=1" -k "variant=$1" -k "wan-vae-decode={\"version\":\"0.1.0\"}" \
        -k "wan-denoise={\"version\":\"0.1.0\",\"context\":\"c\",\"size\":\"80x64\",\"frames\":9,\"steps\":2,\"solver\":\"unipc\",\"shift\":5,\"guidance\":5,\"rng\":\"torch-cpu\",\"weights\":\"$1\"$3}" |
        tensor-info --json >"exp/eval/$1/$2.json"
}
# cells FILE COLUMN...: of every row, with commas between; rows with blanks
cells() {
    _file=$1; shift
    tr -d '\r' <"$_file" | awk -F , -v names="$*" 'NR == 1 { n = split(names, name, " ")
        for (i = 1; i <= NF; i++) for (j = 1; j <= n; j++) if ($i == name[j]) at[j] = i; next }
        { for (j = 1; j <= n; j++) printf "%s%s", $at[j], j < n ? "," : "\n" }' | paste -s -d ';'
}
for i in 1 2; do
    video old $i ''
    video fp16 $i ',"format":"fp16","bits":16.0,"weight_bytes":2838000000,"stored":"floats"'
    video int4 $i ',"format":"int4-g128","bits":4.1562500001,"weight_bytes":737000000,"stored":"codes"'
    video fake $i ',"format":"int4-g128","bits":4.15625,"weight_bytes":737000000,"stored":"fake"'
done
video mixed 1 ',"format":"mixed","bits":5.2500000000000009,"weight_bytes":900000000,"stored":"codes"'
video mixed 2 ',"format":"mixed","bits":6,"weight_bytes":900000000,"stored":"fake"'

# ---- pairs, tables, record ----

for v in int4 fake old; do
    pair-check exp/eval/fp16 exp/eval/$v >table 2>err
    is "$?:$(cut -f 2,3 table | tail -n 1 | tr '\t' ,)" "0:provenance,wan-denoise.weights" \
        "fp16 and $v are strict pairs: what follows from the weights is not compared"
done
experiment-record exp old fp16 int4 fake mixed
ok $? "experiment-record"
is "$(cells paper_table.csv variant format bits format_bytes stored note)" \
    "old,,,,,;fp16,fp16,16,2838000000,floats,;int4,int4-g128,4.1562500001,737000000,codes,;fake,int4-g128,4.15625,737000000,fake,fake: F16 in memory;mixed,mixed,5.250000000000001 6,900000000,codes fake,fake: F16 in memory" \
    "paper_table.csv: format, bits, bytes, stored; a note of a fake; nothing of what says nothing"
weights() { tr -d ' \n' <experiment.json | grep -o "\"$1\":{\"videos\":2,\"weights\":{[^}]*}" | sed 's/.*"weights"://'; }
is "$(weights fake)" \
    '{"format":"int4-g128","bits":4.15625,"weight_bytes":737000000,"stored":"fake","note":"fake:F16inmemory"}' \
    "experiment.json: what the weights are"
is "$(weights old)" '{"format":null,"bits":null,"weight_bytes":null,"stored":null}' "null where no video says it"
is "$(weights mixed)" '{"format":"mixed","bits":null,"weight_bytes":900000000,"stored":null,"note":"fake:F16inmemory"}' \
    "or not all the same"
# Videos of versions that said no format: what their runs held on the device says it.
for v in codes floats; do
    video $v 1 ',"dtype":"fp16"'
    mkdir -p exp/$v/runs/latents.1
    printf 'stage\tlatents\nclock\t1\nseconds\t1\nreturn_code\t0\n' >exp/$v/runs/latents.1/run
done
printf '{"program":"wan-denoise","counts":{"weight_bytes.F16":100,"weight_bytes.I8":900}}' >exp/codes/runs/latents.1/wan-denoise.json
printf '{"program":"wan-denoise","counts":{"weight_bytes.F16":1800}}' >exp/floats/runs/latents.1/wan-denoise.json
mkdir other
experiment-record -o other exp codes floats
is "$(cells other/paper_table.csv variant precision weight_bytes)" "codes,w8a16,1000;floats,fp16,1800" "without a format the bytes of codes on the device say w8a16"

# ---- the report ----

"$ROOT/t/sample-experiment" sample 6 5 old fp16 int4 fake </dev/null
evalreport -f md sample >before.md
is "$(grep -c '^| format | – | – | – | – |$' before.md),$(grep -c fake: before.md)" 1,0 \
    "a table of a version before has dashes, and nothing is a fake"
mv sample/paper_table.csv plain.csv
tr -d '\r' <paper_table.csv | cut -d , -f 20- | head -n 5 | paste -d , plain.csv - |
    awk '{ gsub(/\r/, ""); printf "%s\r\n", $0 }' >sample/paper_table.csv
for format in html tex md; do
    evalreport -f $format sample >report.$format
    ok $? "$format: a report"
done
row() { sed -n "s/^| $1 | //p" report.md; }
is "$(row format)" "– | fp16 | int4-g128 | int4-g128 |" "format"
is "$(row 'bits a weight')" "– | 16 | 4.15625 | 4.15625 |" "bits a weight"
is "$(row 'weight bytes')" "– | 2838000000 | 737000000 | 737000000 |" "weight bytes"
is "$(row stored)" "– | floats | codes | fake: F16 in memory |" "stored"
is "$(row 'peak device memory (GiB)')" "8.66 | 7.36 | 6.05 | 4.75 fake |" "memory of a fake is marked"
for what in 'steady device memory (GiB)' 'transformer weights on the device (GiB)' 'load weights (s)' 'denoise (s)' \
    'one step (s)' 'in all (s)'; do
    like "$(row "$what")" "[!f]*[0-9] | [!f]*[0-9] | [!f]*[0-9] | *[0-9] fake |" "so are: $what"
done
for what in 'encode prompts (s)' 'decode and compress (s)'; do
    like "$(row "$what")" "*[0-9] |" "but not what the weights have no part in: $what"
done
is "$(grep -c '^| fake | latents .* fake | 0 |$' report.md),$(grep -c '^| int4 | latents .* fake | 0 |$' report.md)" 1,0 \
    "nor is the time of each run left unmarked"
note="fake: F16 in memory, so bytes and seconds are those of F16, not of the format"
is "$(grep -c "$note" report.md) $(grep -c "$note" report.tex) $(grep -o "$note" report.html | wc -l)" "2 2 5" \
    "what that means is said at every table and drawing of costs"
is "$("$ROOT/t/check-html" report.html)" "" "the page is well-formed"
is "$(perl -e 'local $/; $_ = <>; my $n = 0;
    for my $svg (/<title[^>]*>(?:Device memory|Seconds of each stage|Seconds of one step)<\/title>(.*?)<\/svg>/sg) {
        $n += () = $svg =~ m{>[^<>]+ fake</text>}g }
    print $n' report.html)" 7 "seven bars of the fake are marked: memory, load, denoise, in all, a step"

# ---- many runs: twice as many take twice as long, not four times ----

# runs DIR N: an experiment of N runs of one variant, each of a part and on a node of its own
runs() {
    mkdir -p "$1/eval/many" && seq "$2" | sed "s|^|$1/many/runs/latents.|" | xargs mkdir -p
    seq "$2" | awk -v d="$1/many/runs/latents." '{
        f = d $1 "/run"
        printf "stage\tlatents\ndealt\t7\npart\t%d\nclock\t%d.5\nnode\tn%d\nseconds\t2.5\nreturn_code\t%d\n", $1, $1, $1, $1 == 3 > f
        close(f)
        f = d $1 "/wan-denoise.json"
        printf "{\"seconds\":{\"steps\":2.5},\"counts\":{\"steps\":4,\"peak_device_bytes\":%d}}\n", $1 > f
        close(f)
    }'
}
# spent COMMAND...: its seconds of processor
spent() { bash -c 'TIMEFORMAT="%U %S"; { time "$@" >/dev/null 2>&1; } 2>&1' - "$@" | awk '{ print $1 + $2 }'; }
runs few 1000
runs many 8000
mkdir more && few=$(spent experiment-record -o more few many) && many=$(spent experiment-record -o more many many)
awk "BEGIN { exit !($many <= 20 * ($few + 0.01)) }"
ok $? "eight times the runs take eight times as long, or so"
comment "1000 runs $few s, 8000 $many s"
is "$(cells more/paper_table.csv runs return_code peak_device_bytes | cut -d ';' -f 1)" "8000,1,8000" "and all of them count"
is "$(cells more/paper_table.csv node | tr ' ' '\n' | wc -l)" 8000 "each node is named once"

done_testing
