#!/bin/sh
# pair-stats: against scipy's numbers, and where there is too little to say something.
. "$(dirname "$0")/tap.sh"
S=$ROOT/fixtures/stats
cd "$TMP" || exit 1
stats() { pair-stats "$@" | tr -d '\r'; }

# ---- as scipy ----

names=$(tail -n +2 "$S/scipy.csv" | cut -d , -f 1 | paste -s -d ,)
stats -c "$names" <"$S/pairs.csv" >table
ok $? "eleven metrics at once"
# compare WHAT COLUMNS: the greatest relative difference in these columns of ours and of scipy.csv
compare() {
    tr -d '\r' <"$S/scipy.csv" | cut -d , -f "$3" >wanted
    cut -d , -f "$2" table >got
    most=$(paste -d , got wanted | awk -F , 'NR > 1 {
        for (i = 1; i <= NF / 2; i++) {
            w = $(i + NF / 2); e = w ? $i / w - 1 : $i; e = e < 0 ? -e : e; if (e > most) most = e }
        n++ } END { print n == 11 ? most + 0 : "rows: " n }')
    awk "BEGIN { exit !($most <= 1e-12) }"
    ok $? "$1"
    comment "greatest relative difference $most"
}
is "$(cut -d , -f 1,4 table | paste -s)" "$(cut -d , -f 1,2 "$S/scipy.csv" | tr -d '\r' | paste -s)" "n"
compare "means and deviations" 5-8 3-6
compare "differences" 9,10 7,8
compare "bootstrap intervals, as the page describes them" 11,12 9,10
compare "statistic and p of the signed ranks" 13,14 11,12
is "$(tail -n +2 table | cut -d , -f 15 | paste -s -d ' ')" \
    "exact normal normal permutation permutation normal exact exact normal exact exact" "the methods"
is "$(head -n 1 table)" "metric,variant_a,variant_b,n,mean_a,sd_a,mean_b,sd_b,difference,difference_sd,low,high,statistic,p,method,note" \
    "the header line"
is "$(pair-stats -c five <"$S/pairs.csv" | od -An -c | grep -c '\\r  \\n')" 2 "lines end as in RFC 4180"

# ---- the bootstrap's seed ----

is "$(stats -c ties <"$S/pairs.csv" | tail -n 1)" "$(grep ^ties table)" "a row does not depend on the others"
[ "$(stats -c ties -S 2 <"$S/pairs.csv")" != "$(stats -c ties <"$S/pairs.csv")" ]
ok $? "another seed, another interval"
stats -c ties -B 1000000 <"$S/pairs.csv" >many
awk -F , 'NR == 2 { low = $11; high = $12 } END { exit !((low + 0.1125) ^ 2 < 0.0004 && (high - 0.875) ^ 2 < 0.0004) }' many
ok $? "a million resamples stay near 10000"
comment "$(tail -n 1 many | cut -d , -f 11,12)"

# ---- too few ----

printf 'variant_a,variant_b,x_a,x_b,y\n1,2,5,7,3\n' >one
is "$(stats -c x <one | tail -n 1)" "x,1,2,1,5,,7,,2,,,,0,1,exact,n is too small for a deviation and an interval; n is too small for p below 1" \
    "one pair"
is "$(stats -c y <one | tail -n 1)" "y,1,2,1,3,,,,n is too small for a deviation and an interval" "one measurement"
printf 'variant_a,variant_b,x_a,x_b\n1,2,5,\n1,2,,7\n' >none
is "$(stats -c x <none | tail -n 1)" "x,1,2,0,,,,,,,,,,,,n is too small for a deviation and an interval" "no pair that has both"
printf 'variant_a,variant_b,x_a,x_b\n' >empty
is "$(stats -c x <empty | wc -l)" 1 "no pair at all"
awk 'BEGIN { print "variant_a,variant_b,x_a,x_b"; for (i = 0; i < 12; i++) print "1,2," i "," i }' >same
is "$(stats -c x <same | tail -n 1 | cut -d , -f 9-)" "0,0,0,0,,,,no pair differs: nothing to test" "no difference"

# ---- groups, one measurement, variants ----

cat >mixed <<END
variant_a,variant_b,psnr,x_a,x_b
p,q,30,1,2
p,"r,s",inf,1,4
p,q,32,2,4
p,"r,s",20,2,5
END
is "$(stats -c psnr <mixed | cut -d , -f 1-6 | paste -s -d ' ')" \
    'metric,variant_a,variant_b,n,mean,sd psnr,p,q,2,31,1.4142135623730951 psnr,p,"r,s",1,20' "a row a pair of variants"
like "$(stats -c psnr <mixed | tail -n 1)" '*,"1 infinite, left out;*' "infinite PSNR is left out, and said"
is "$(stats -c x <mixed | tail -n 1 | cut -d , -f 10)" 3 "their differences"
printf 'variant,x\na,1\nb,7\na,3\n' >videos
is "$(stats -c x <videos | tail -n 2 | paste -s -d ' ')" \
    "x,a,,2,2,1.4142135623730951,,,,,,,,,,n is too small for a 95 % interval: it covers less x,b,,1,7,,,,,,,,,,,n is too small for a deviation and an interval" \
    "videos of variants, without pairs"
is "$(stats -c x <videos | awk -F , '{ print NF }' | sort -u)" 16 "in the same columns"

# ---- verdicts: McNemar's exact test ----

# verdicts BOTH B-ALONE A-ALONE NEITHER: so many pairs of each kind
verdicts() {
    awk -v n="$*" 'BEGIN { split(n, k, " "); print "variant_a,variant_b,x_a,x_b"
        for (i = 0; i < k[1]; i++) print "p,q,1,1"
        for (i = 0; i < k[2]; i++) print "p,q,0,1"
        for (i = 0; i < k[3]; i++) print "p,q,1,0"
        for (i = 0; i < k[4]; i++) print "p,q,0,0" }' >verdicts
    stats -c x <verdicts | tail -n 1 | cut -d , -f 4,5,7,9,13-
}
# twice the sum of binomials over 2^n: 2 (1 + 10) / 2^10, and so on; of 1000 by Python's fractions
is "$(verdicts 20 1 9 2)" "32,0.90625,0.65625,-0.25,1,0.021484375,mcnemar," "1 of 10 that differ: p is 22 / 2^10"
is "$(verdicts 5 3 3 5)" "16,0.5,0.5,0,3,1,mcnemar," "as many either way: 1, not more"
like "$(verdicts 9 0 5 9)" "23,*,0,0.0625,mcnemar,n is too small for p below 0.0625" "five that differ cannot say more"
is "$(verdicts 9 0 0 3)" "12,0.75,0.75,0,,,,no pair differs: nothing to test" "none differs"
verdicts 0 520 480 500 | awk -F , '{ e = $6 / 0.21744829320414094 - 1; exit !(e * e < 1e-16 && $7 == "mcnemar") }'
ok $? "480 of 1000: 2^-1000 is no obstacle"
comment "$(verdicts 0 520 480 500)"
sed 's/^p,q,1,0$/p,q,1,0.5/' verdicts >shares
is "$(stats -c x <shares | tail -n 1 | cut -d , -f 15)" normal "one share among them: ranks, as ever"

# ---- bad input ----

from() { _input=$1; shift; pair-stats "$@" <"$_input"; }
fails 1 "pair-stats: standard input:1: no column 'z_a'" "an unknown metric" from mixed -c z
fails 1 "pair-stats: standard input:1: no column 'variant'" "no variants" from "$ROOT/pipelines/demo.txt" -c x
printf 'variant,x\na,nan\n' >nan
fails 1 "pair-stats: standard input:2: x is 'nan', not a number" "nan" from nan -c x
fails 1 "pair-stats: *" "nothing" from /dev/null -c x
fails 2 "pair-stats: -c METRIC,.. is needed*" "no metric" from mixed
fails 2 "*unwanted operand*" "an operand" from mixed -c x file
full() { pair-stats -c x <mixed >/dev/full; }
fails 1 "pair-stats: cannot write standard output: *" "a full disk" full

done_testing
