#!/bin/bash
# make trace: the error of latents by step, of which latents it is, and what the report shows of it.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
printf 'a red circle moves right\na blue square stands still\n' >prompts
out=$TMP/out
run() { # MAKE-ARGUMENTS...
    make -s -C "$ROOT" DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL=fixtures/random PROMPTS="$TMP/prompts" \
        SIZE=64x48 FRAMES=5 STEPS=3 SEEDS='1 2' "$@" >"$TMP/said" 2>"$TMP/err"
}
lines() { paste -s -d ' '; }

# ---- the table ----

run trace
ok $? "make trace"
comment "$(grep -v '^wan-' err | tail -3)"
is "$(head -n 1 out/trace.csv)" "$(printf 'name,variant_a,variant_b,step,timestep,sigma,relative,greatest,cosine\r')" "its header"
is "$(sed 1d out/trace.csv | cut -d , -f 1-4 | lines)" \
    "$(for v in 01_seed1 01_seed2 02_seed1 02_seed2; do for s in 1 2 3; do echo $v,fp16,w8a16,$s; done; done | lines)" \
    "a row for each video and step"
is "$(for c in $(head -n 1 out/trace.csv | tr -d '\r' | tr , ' '); do grep -q "\b$c\b" "$ROOT/pipelines/wan-experiment.5" || echo "$c"; done)" \
    "" "its columns are in the manual page"
# By hand: the second video of the second prompt.
sample() {
    tensor-pick -k seed=2 out/text/02.safetensors | wan-denoise -q --trace -m "$1" --dtype fp16 --size 64x48 --frames 5 -s 3 -g 5 -F 5
}
sample "$ROOT/fixtures/random" >a
sample out/model/w8a16.safetensors >b
is "$(sed 1d out/trace.csv | grep ^02_seed2 | tr -d '\r' | cut -d , -f 5- | lines)" \
    "$(tensor-diff --per-document a b | sed 1d | cut -f 4,5,8-10 | tr '\t' , | lines)" "with what the tools say by hand"
is "$(sed 1d out/trace.csv | cut -d , -f 7 | awk '$1 > 0' | wc -l)" 12 "the two variants differ after every step"
tensor-pick -d 3 a:latents | tensor-diff -a 0 - out/fp16/02_seed2.latents.safetensors:latents >/dev/null
ok $? "and the last step's latents are those of the experiment"

# ---- of which latents it is ----

touch now
run trace
is "$?:$(find out -newer now -type f)" "0:" "a second make makes nothing"
printf 'a red circle moves right\na blue square stands still\na cat\n' >prompts
run trace
is "$?:$(grep trace said)" "0:fp16_vs_w8a16.trace: 03_seed1 03_seed2" "of a new prompt alone its videos are traced"
is "$(wc -l <out/trace.csv)" 19 "and added"
run trace STEPS=2
is "$?:$(wc -l <out/trace.csv):$(sed 1d out/trace.csv | cut -d , -f 4 | sort -u | lines)" "0:13:1 2" "other steps: other latents, other traces"
run verify
ok $? "verify has nothing against it"
sed -i 2s/fp16/bf16/ out/trace.csv
run verify
like "$?:$(cat err)" "2:*trace.csv is not as it was made*" "but against a number that was changed"
run trace
is "$?:$(wc -l <out/trace.csv)" 0:19 "and it comes back"
run -n trace
is "$?:$(tail -n 1 said)" "0:nothing to make" "make -n trace: what would be made before"
run trace VARIANTS=fp16
like "$?:$(cat err)" "2:*trace compares variants: VARIANTS='fp16' has no other*" "one variant has no trace"
run trace MODEL=
like "$?:$(cat err)" "2:*MODEL is needed*" "nor is there one without a model"
run trace DENOISE='env wan-denoise'
like "$?:$(cat err)" "2:*trace: DENOISE is not our wan-denoise, which alone can trace*" "another's sampler has no trace"
run trace VARIANTS='fp16 short' weights.short="$ROOT/fixtures/random" options.short='-s 2'
like "$?:$(cat err)" "2:*tensor-diff: */fp16, document 3 is of step 3, but of step 1 in */short*" "variants of other steps are not compared"
is "$(find out -name '*.trace.part' | wc -l):$(ls out/eval/fp16_vs_short/*.trace 2>/dev/null | wc -l)" "0:0" "and nothing of it is taken for a trace"
run trace VARIANTS='fp16 bf16'
is "$?:$(sed 1d out/fp16_vs_bf16/trace.csv | cut -d , -f 2,3 | sort -u)" "0:fp16,bf16" "another comparison has its own table"

# ---- the report ----

count() { grep -o -e "$1" "$2" | wc -l | tr -d ' '; } # PATTERN FILE: how often
"$ROOT/t/sample-experiment" s 6 5 fp16 w8a16 int4 </dev/null
evalreport s >before.html
is "$(count 'id="steps"' before.html) $(count '#steps' before.html)" "0 0" "without a trace the report has no section of it"
# Ten steps of four of the six videos, int4 farther away; the fourth lacks a step.
awk 'BEGIN {
    printf "name,variant_a,variant_b,step,timestep,sigma,relative,greatest,cosine\r\n"
    for (v = 1; v <= 2; v++) for (i = 1; i <= 4; i++) for (k = 1; k <= 10; k++)
        if (i < 4 || k < 10) printf "%02d_seed123,fp16,%s,%d,%.1f,%.3f,%.5f,1,%.4f\r\n", i, v == 1 ? "w8a16" : "int4", k,
            1000 - 90.5 * k, 1 - 0.09 * k, 0.01 * k * i * v, 1 - 0.001 * k }' >s/trace.csv
for format in html tex md; do
    evalreport -f $format s >report.$format
    ok $? "$format: a report with a trace"
done
is "$("$ROOT/t/check-html" report.html)" "" "its page is well-formed"
is "$(count 'id="steps"' report.html) $(count 'href="#steps"' report.html) $(count '<g class="traces"' report.html)" "1 1 2" \
    "a section, and a drawing for each variant but the reference"
is "$(sed -n '/^\*\*int4 against fp16: relative error/,/^| 10 /p' report.md | sed -n '5p;$p')" \
    "$(printf '| 1 | 909.5 | 0.9100 | 4 | 0.0500 | 0.0258 | 0.0800 | 0.999000 |\n| 10 | 95 | 0.1000 | 3 | 0.400 | 0.200 | 0.600 | 0.990000 |')" \
    "the table: step, timestep, sigma, how many, mean, deviation, greatest, cosine"
grep -q '^10 & 95 & 0.1000 & 3 & 0.200 & 0.1000* & 0.300 & 0.990000' report.tex
ok $? "so in LaTeX"
# Points are where their numbers are, by the ends of the axes.
is "$(perl -e 'local $/; $_ = <>; my @out;
    for my $svg (/<g class="traces"(.*?)<\/svg>/sg) {
        my ($first, $last, $high) = $svg =~ m{^ data-first="(\S+)" data-last="(\S+)" data-high="(\S+)"};
        my (%lines) = reverse $svg =~ m{<path class="trace[^"]*" d="([^"]*)"><title>([^<]*)</title>}g;
        my $value = sub { my @y = $lines{$_[0]} =~ m{[ML]\S+ ([0-9.]+)}g; sprintf "%d:%.3f", scalar @y, (178 - $y[$_[1]]) / 166 * $high };
        my ($bold) = $svg =~ m{<path class="trace mean" d="([^"]*)"}; my @x = $bold =~ m{[ML]([0-9.]+) }g;
        push @out, "$first-$last", scalar(keys %lines), $value->("03_seed123", 9), $value->("04_seed123", 8), $value->("mean", 4), "$x[0] $x[-1]";
    }
    print "@out"' report.html)" \
    "1-10 5 10:0.300 9:0.360 10:0.125 62.00 378.00 1-10 5 10:0.600 9:0.720 10:0.250 62.00 378.00" \
    "a line a video and a mean, each point where it belongs"
is "$(perl -e 'local $/; $_ = <>; my ($svg) = /<g class="traces"(.*?)<\/svg>/s;
    my %at; for ($svg =~ m{<text (x="[0-9.]+" y="(?:192|205)\.0" text-anchor="middle">[^<]*)<}g) {
        my ($x, $y, $t) = m{x="([0-9.]+)" y="([0-9.]+)"[^>]*>(.*)}; $at{$x}{$y} = $t }
    print join " ", map { "$at{$_}{\"192.0\"}:$at{$_}{\"205.0\"}" } sort { $a <=> $b } keys %at' report.html)" \
    "2:0.820 4:0.640 6:0.460 8:0.280 10:0.100" "under each step stands its sigma"
# All variants in one: a line each, told by more than its colour, on a logarithmic axis.
is "$(perl -e 'local $/; $_ = <>; my ($svg) = /<g class="all-traces"(.*?)<\/svg>/s; my @out;
    my ($low, $high, $top, $bottom) = $svg =~ m{^[^>]*data-low="(\S+)" data-high="(\S+)" data-top="(\S+)" data-bottom="(\S+)"};
    for ($svg =~ m{<path class="curve v\d" d="(M[^"]*L[^"]*)"}g) {
        my @y = m{[ML]\S+ ([0-9.]+)}g;
        push @out, scalar @y, map { sprintf "%.4f", 10 ** ($low + ($bottom - $_) / ($bottom - $top) * ($high - $low)) } @y[0, -1] }
    push @out, join ",", $svg =~ m{<text [^>]*text-anchor="end">([^<]*)<}g; print "@out"' report.html)" \
    "10 0.0250 0.2000 10 0.0500 0.4000 0.02,0.05,0.1,0.2,0.5" "one drawing of all variants: the mean of each, where the logarithm says"
is "$(perl -e 'local $/; $_ = <>; my ($svg) = /<g class="all-traces"(.*?)<\/svg>/s;
    print join " ", $svg =~ m{<(rect|path|circle) class="mark v(\d)"[^>]*><title>(\w+), step 10: ([0-9.]+)}g, $svg =~ m{">(w8a16|int4)</text>}g' report.html)" \
    "rect 1 w8a16 0.2 path 2 int4 0.4 w8a16 int4" "with marks of their own, and a key"
for v in 1 2 3 4 6 7 8; do grep "^\.curve\.v$v {" "$ROOT/bin/evalreport/report.css"; done | sed 's/.*array//' | sort -u | wc -l >dashes
is "$(cat dashes)" 7 "and dashes"
is "$(sed -n '/^\*\*All variants against fp16: relative error/,/^| 10 /p' report.md | sed -n '3p;5p;$p')" \
    "$(printf '| step | timestep | sigma | w8a16 | int4 |\n| 1 | 909.5 | 0.9100 | 0.0250 | 0.0500 |\n| 10 | 95 | 0.1000 | 0.200 | 0.400 |')" \
    "and one table"
grep -q '^10 & 95 & 0.1000 & 0.200 & 0.400' report.tex
ok $? "in LaTeX too"
is "$(grep -c 'class="trace mean"' report.html)" 2 "the mean is drawn bold"
grep -q '\.trace\.mean {[^}]*stroke-width: 3' report.html
ok $? "by the page's style"
is "$(grep -ci '[^a-z]nan[^a-z]' report.html)" 0 "no NaN"
tr -d '\r' <s/trace.csv | awk -F , -v OFS=, '{ if (NR > 1) $5 = $6 = ""; print }' >s/bare && mv s/bare s/trace.csv
like "$(evalreport -f md s)" "*| 1 | – | – | 4 | 0.0250 |*" "without timestep and sigma there are dashes"
evalreport s >bare.html
is "$? $("$ROOT/t/check-html" bare.html) $(grep -ci '[^a-z]nan[^a-z]' bare.html)" "0  0" "and the page is whole"
# Of one variant alone there is no drawing of all; of many videos not a line for each.
cp s/trace.csv whole
grep -v int4 whole >s/trace.csv
evalreport s >one.html
is "$(count '<g class="all-traces"' one.html) $(count '<g class="traces"' one.html) $(evalreport -f md s | grep -c '^\*\*All variants against')" "0 1 0" \
    "one other variant has its own drawing alone"
"$ROOT/t/sample-experiment" many 300 1 fp16 w8a16 int4 </dev/null
awk 'BEGIN {
    printf "name,variant_a,variant_b,step,timestep,sigma,relative,greatest,cosine\r\n"
    for (v = 1; v <= 2; v++) for (i = 1; i <= 300; i++) for (k = 1; k <= 4; k++)
        printf "%02d_seed123,fp16,%s,%d,%d,%.3f,%.9g,1,0.9\r\n", i, v == 1 ? "w8a16" : "int4", k, 900 - k, 0.9, i * k * (v == 1 ? 1e-5 : 1) / 1200 }' >many/trace.csv
evalreport --link many >many.html
is "$("$ROOT/t/check-html" many.html) $(count 'class="trace"' many.html) $(count 'class="traced"' many.html)" " 0 4" "of 300 videos from the nearest to the farthest, and the middle half"
is "$(perl -e 'local $/; $_ = <>; my ($svg) = /<g class="traces"(.*?)<\/svg>/s; my ($high) = $svg =~ /data-high="(\S+)"/; my @out;
    for ($svg =~ m{class="traced" d="([^"]*)"}g) { my @y = m{[ML]\S+ ([0-9.]+)}g; push @out, map { sprintf "%.3f", (178 - $_) / 166 * $high * 1e5 } @y[3, 4] }
    print "@out"' many.html)" "0.003 1.000 0.253 0.750" "where they are"
is "$(perl -e 'local $/; $_ = <>; my ($svg) = /<g class="all-traces"(.*?)<\/svg>/s;
    print join ",", $svg =~ m{<text [^>]*text-anchor="end">([^<]*)<}g' many.html)" "1e−6,1e−5,0.0001,0.001,0.01,0.1,1" \
    "of many decades the powers of ten"
refused() { # NAME PATTERN SED
    sed "$3" whole >s/trace.csv
    fails 1 "evalreport: s/trace.csv$2" "$1" evalreport s
}
refused "a step that is none" ":3: step is '1.5', not its number" '3s/,2,/,1.5,/'
refused "a step beyond all" ":3: step is '1001', not its number" '3s/,2,/,1001,/'
refused "an error that is none" ":3: relative is 'x', not a number" '3s/0\.02000/x/'
refused "a missing column" ":1: no column 'relative'" 1s/relative/error/

done_testing
