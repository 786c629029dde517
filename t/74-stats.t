#!/bin/sh
# pair-stats: against scipy's numbers, and where there is too little to say something.
. "$(dirname "$0")/tap.sh"
S=$ROOT/fixtures/stats
cd "$TMP" || exit 1
stats() { pair-stats "$@" | tr -d '\r'; }
lines() { paste -s -d ' '; }

# ---- as scipy, statsmodels, and what the page describes ----

# column NAME FILE: its cells
column() {
    tr -d '\r' <"$2" | awk -F , -v name="$1" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }'
}
# compare WHAT WANTED COLUMN...: the greatest relative difference in these columns of `table` and of WANTED
compare() {
    what=$1 wanted=$2; shift 2
    for c; do
        column "$c" table >got.column
        column "$c" "$wanted" | paste -d , got.column -
    done >both
    rows=$(($(wc -l <"$wanted") - 1))
    most=$(awk -F , -v rows=$((rows * $#)) '{
        e = $2 != 0 ? $1 / $2 - 1 : $1; e = e < 0 ? -e : e; if (e > most) most = e
        empty += $1 == "" || $2 == ""; n++ }
        END { print (n == rows && !empty) ? most + 0 : "rows: " n ", empty: " empty }' both)
    awk "BEGIN { exit !($most <= 1e-10) }"
    ok $? "$what"
    comment "greatest relative difference $most"
}
names=$(column metric "$S/scipy.csv" | paste -s -d ,)
margins() { echo metric,n,low,high; tr -d '\r' <"$1" | awk -F , 'NR > 1 { printf "%s,20,%.17g,%.17g\n", $1, -$16 / 2, $16 / 2 }'; }
margins "$S/scipy.csv" >floor.csv
stats -c "$names" --floor floor.csv <"$S/pairs.csv" >table
ok $? "fifteen metrics at once"
is "$(column metric table | paste -s)" "$(column metric "$S/scipy.csv" | paste -s)" "in the order in which they are asked for"
compare "n, means and deviations" "$S/scipy.csv" n mean_a sd_a mean_b sd_b difference difference_sd
compare "intervals, as the page describes them" "$S/scipy.csv" low high
compare "statistic and p: ranks exact to 50 with ties and zeros, and McNemar's" "$S/scipy.csv" statistic p
compare "Holm's p, over all of them" "$S/scipy.csv" p_holm
compare "what is detectable, by the noncentral t" "$S/scipy.csv" detectable
compare "floors and equivalence" "$S/scipy.csv" floor p_equivalence
is "$(column method table | paste -s -d ' ')" \
    "exact permutation permutation permutation permutation permutation exact exact normal exact exact permutation normal permutation mcnemar" \
    "the methods"
is "$(head -n 1 table)" "metric,variant_a,variant_b,n,mean_a,sd_a,mean_b,sd_b,difference,difference_sd,low,high,statistic,p,method,clusters,p_holm,detectable,floor,within,p_equivalence,equivalent,note" \
    "the header line"
is "$(stats -c five <"$S/pairs.csv" | head -n 1)" "$(head -n 1 table | sed 's/,floor.*,note/,note/')" "and without a floor"
is "$(pair-stats -c five <"$S/pairs.csv" | od -An -c | grep -c '\\r  \\n')" 2 "lines end as in RFC 4180"
is "$(stats -c ties -f "$names" --floor floor.csv <"$S/pairs.csv" | tail -n 1)" "$(grep ^ties table)" \
    "a row does not depend on which others are printed"

# ---- clusters ----

names=$(column metric "$S/clusters-scipy.csv")
margins "$S/clusters-scipy.csv" >floor.csv
for m in $names; do
    stats -c "$m" --cluster "${m}_prompt" --floor floor.csv <"$S/clusters.csv"
done | awk 'NR == 1 || !/^metric/' >table
compare "clusters: differences" "$S/clusters-scipy.csv" n clusters mean_a difference difference_sd
compare "clusters: intervals with CR2 and its degrees of freedom" "$S/clusters-scipy.csv" low high
compare "clusters: all their signs, as scipy enumerates them" "$S/clusters-scipy.csv" statistic p
compare "clusters: what is detectable, equivalence" "$S/clusters-scipy.csv" detectable floor p_equivalence
is "$(column method table | sort -u)" clusters "the method, of verdicts too"
sed 's/,even_prompt/,prompt/' "$S/clusters.csv" >prompts
is "$(stats -c even --floor floor.csv <prompts | tail -n 1)" "$(grep ^even table)" "the column prompt is the clusters"
stats -c even <prompts >clustered
stats -c even --cluster '' <prompts >alone
is "$(column clusters alone),$(column method alone)" "40,exact" "--cluster '': none"
is "$(stats -c even --cluster even_b <"$S/clusters.csv" | tail -n 1)" "$(tail -n 1 alone)" "values of their own are none"
awk -F , 'NR == FNR { c = $12 - $11; next } FNR == 2 { exit !(c > 1.5 * ($12 - $11)) }' clustered alone
ok $? "eight prompts say less than 40"
sed 's/,p[0-9]*,/,the same,/' prompts >same
is "$(stats -c even <same | tail -n 1 | sed 's/one cluster: interval and test are about it alone//; s/,1,\([0-9.]*,[0-9.]*,\)$/,40,\1/')" \
    "$(tail -n 1 alone)" "one prompt: the interval is about its seeds, and the note says so"
like "$(stats -c even <same | tail -n 1)" "*,one cluster: interval and test are about it alone" "which says so"
sed 's/,p[0-9]*,/,,/' prompts >unknown
is "$(stats -c even <unknown | tail -n 1)" "$(tail -n 1 alone)" "rows without a prompt are alone"
like "$(stats -c five --cluster five_prompt <"$S/clusters.csv" | tail -n 1)" \
    "*,5 clusters differ: too few for p below 0.0625" "five clusters cannot say more"
printf 'variant_a,variant_b,prompt,x_a,x_b\np,q,1,0,1\np,q,1,1,0\np,q,2,0,2\np,q,2,2,0\n' >balanced
like "$(stats -c x <balanced | tail -n 1)" \
    "x,p,q,4,*,0,*,,,,2,,*,2 clusters are too few for a 95 % interval: it covers less; no cluster differs: nothing to test" \
    "what cancels within clusters"

# Of 45 clusters signs are drawn. Of 100 a draw has more bits than a random number.
awk 'BEGIN { print "variant_a,variant_b,prompt,x_a,x_b"
    for (i = 0; i < 90; i++) print "p,q,c" int(i / 2) ",0," (i * 7919 % 101 - 43) / 10 }' >many
stats -c x <many >drawn
is "$(column method drawn)" clusters-sampled "of more than 40 clusters signs are drawn"
[ "$(stats -c x -S 2 <many)" != "$(cat drawn)" ]
ok $? "another seed, others"
awk 'BEGIN { print "variant_a,variant_b,prompt,x_a,x_b"
    for (i = 0; i < 200; i++) print "p,q,c" int(i / 2) ",0," (i * 7919 % 101 - 47) / 10 }' >more
for table in many more; do
stats -c x -B 1000000 <$table | awk -F , 'NR == FNR { d[$3] += $5; next }
    FNR == 2 { for (c in d) { s += d[c]; q += d[c] * d[c] } z = s / sqrt(q); z = z < 0 ? -z : z
        for (x = z; x < 9; x += 0.0001) p += 2 * 0.0001 * exp(-(x + 0.00005) ^ 2 / 2) / sqrt(8 * atan2(1, 1))
        print p, $14; exit !((p - $14) ^ 2 < 0.005 ^ 2 && p < 0.9) }' $table - >near
ok $? "$table: a million of them are near the normal distribution"
comment "$(cat near)"
done
is "$(awk -F , 'NR > 1 { $5 = 5 + NR % 3 } 1' OFS=, many | stats -c x -B 999 | column p /dev/stdin)" 0.001 \
    "what was seen is one of the draws: no p is 0"

# ---- families, floors ----

cat >family <<END
variant_a,variant_b,x_a,x_b,y_a,y_b,psnr
END
awk 'BEGIN { for (v = 0; v < 2; v++) for (i = 0; i < 8; i++)
    print "ref," (v ? "far" : "near") ",0," (v ? 1 + i / 8 : (i - 3) / 10) ",0," (i == 3 ? -1 : 1) * (i + 1) "," (v ? 20 + i / 4 : 40 + i) }' >>family
is "$(stats -c x <family | column p /dev/stdin | lines)" "0.65625 0.0078125" "two tests"
is "$(stats -c x <family | column p_holm /dev/stdin | lines)" "0.65625 0.015625" "two are adjusted for two"
is "$(stats -c x -f x,y,psnr <family | column p_holm /dev/stdin | lines)" "0.65625 0.03125" "with y's there are four: psnr has none"
is "$(stats -c x -f y <family)" "$(stats -c x -f x,y,psnr <family)" "what is asked for belongs to the family"
is "$(stats -c x,y <family | column p_holm /dev/stdin | lines)" "0.65625 0.03125 0.1640625 0.1640625" "none is below one before it"
cat >twins <<END
metric,variant_a,variant_b,n,low,high,note
x,ref,perturb,8,-0.15,0.15,
x,ref,dither,8,-0.1,0.1,
x,ref,one,1,,,n is too small
x,ref,few,4,-9,9,n is too small
psnr,ref,perturb,8,40,42,
psnr,ref,dither,8,50,60,
END
stats -c x --floor twins <family >within
is "$(column floor within | lines),$(column within within | lines),$(column equivalent within | lines)" "0.3 0.3,1 0,1 0" \
    "the floor is the farthest limit of all twins; one variant is within it, and shown to be"
awk -F , 'NR == 2 { exit !($21 > 0.0117 && $21 < 0.0118) }' within && awk -F , 'NR == 3 { exit !($21 > 0.999) }' within
ok $? "its p, here of the t test: 0.0117"
sed 's/dither,8,-0.1,0.1/dither,8,0.05,0.25/' twins >above
is "$(stats -c x --floor above <family | column floor /dev/stdin | lines)" "0.35 0.35" "the farthest limit may be the upper one"
sed 's/near,0,0/near,0,9/' family | stats -c x --floor twins >wide
is "$(column within wide | head -n 1),$(column equivalent wide | head -n 1)" "0,0" "one that varies more is not"
awk 'BEGIN { print "variant_a,variant_b,x_a,x_b"; for (i = 0; i < 8; i++) print "p,q,0," (i % 2 ? 2 : -1.9) }' | stats -c x --floor twins >vague
is "$(column within vague),$(column equivalent vague)" "1,0" "a small mean that is not known well is not shown to be small"
stats -c psnr --floor twins <family >within
is "$(head -n 1 within)" "metric,variant_a,variant_b,n,mean,sd,low,high,clusters,floor,within,p_equivalence,equivalent,note" \
    "of one measurement"
is "$(column floor within | lines),$(column within within | lines),$(column equivalent within | lines)" "39 39,1 0,1 0" \
    "where more is better the floor is the least limit"
like "$(stats -c y --floor twins <family | tail -n 1)" "y,ref,far,*,,,,,the table of the floor has no interval of it of 5 or more" "no floor of it"
sed 's/psnr/else/' family | stats -c else --floor twins >unknown
like "$(tail -n 1 unknown)" "else,*,,,,,no floor: it is not known whether more is better" "nor of what nobody knows"
stats -c x --floor within <family >again
is "$?:$(column floor again | lines)" "0: " "a summary can be a floor"
awk 'BEGIN { print "variant_a,variant_b,x_a,x_b"; for (i = 0; i < 8; i++) print "p,q,7,7" }' | stats -c x --floor twins >equal
is "$(column within equal),$(column p_equivalence equal),$(column equivalent equal)" "1,0,1" "equal values are equivalent"

# ---- beside twins: is it farther than they are? ----

F=$S/farther.csv T=$S/farther-twins.csv
stats -c psnr,ssim,mad,lpips_alex --twins "$T" <"$F" >table
compare "farther than the farthest twin: one-sided signed ranks, and Holm" "$S/farther-scipy.csv" n farther p p_holm
is "$(head -n 1 table)" "metric,variant_a,variant_b,n,mean,sd,low,high,clusters,farther,p,method,p_holm,note" "four columns more"
is "$(stats -c psnr <"$F" | tail -n 1)" "$(sed -n 2p table | cut -d , -f 1-9,14)" "the others are as they were"
stats -c psnr,ssim,mad,lpips_alex --cluster seeds_of --twins "$T" <"$F" >table
sed '1s/.*/metric,n,farther,p_alone,p,p_holm_alone,p_holm/' "$S/farther-scipy.csv" >other
compare "of prompts: the signs of their sums, to one side" other farther p p_holm
is "$(column method table | sort -u)" clusters "the method"
sed 's/ref,far/ref,one/' "$F" | stats -c psnr --twins "$T" | sed 's/,one,/,far,/' >same
is "$(tail -n 1 same)" "$(stats -c psnr --twins "$T" <"$F" | tail -n 1)" "who it is does not matter"
sed -n '1p;/,one,/p' "$T" | stats -c psnr,mad --twins "$T" >twin
is "$(awk -F , 'NR > 1 && ($10 > 0 || $11 < 0.9)' twin)" "" "a twin is no farther than the twins"
# With others of the table in one family: of three, psnr is the first, ssim the last.
tr -d '\r' <"$F" >plain
awk -F , -v OFS=, 'NR == 1 { print $0, "x_a", "x_b"; next } { print $0, 0, NR * 7 % 5 - 1.5 }' plain >both
x=$(stats -c x <both | column p /dev/stdin)
is "$(stats -c x -f psnr,ssim --twins "$T" <both | column p_holm /dev/stdin)" "$(awk "BEGIN { printf \"%.16g\", 2 * $x }")" \
    "tests beside twins are of the family"
comment "x alone: $x"
is "$(stats -c x -f psnr,ssim <both | column p_holm /dev/stdin)" "$x" "without twins they are none"
is "$(stats -c psnr -f x,ssim --twins "$T" <both | column p_holm /dev/stdin | cut -c 1-12)" "$(awk 'BEGIN { printf "%.17g", 3 * 4.708766937255859e-06 }' | cut -c 1-12)" "nor the other way round"
# Of many: half of the two-sided p, where they are farther; the rest of it, where nearer.
for sign in 1 -1; do
    awk -v s=$sign 'BEGIN { print "name,variant_a,variant_b,prompt,psnr,x_a,x_b"
        for (i = 0; i < 90; i++) { d = s * ((i * 7919 % 101 - 45) / 10); print i ",ref,far,c" int(i / 2) "," 40 - d ",0," d } }' >many
    awk 'BEGIN { print "name,variant_a,psnr"; for (i = 0; i < 90; i++) print i ",ref,40" }' >constant
    for cluster in '' prompt; do
        echo "$sign $(stats -c x --cluster "$cluster" <many | column p /dev/stdin) $(stats -c psnr --cluster "$cluster" --twins constant <many | column p /dev/stdin) $(
            stats -c psnr --cluster "$cluster" --twins constant <many | column method /dev/stdin)"
    done
done >sides
is "$(awk '{ want = $1 > 0 ? $2 / 2 : 1 - $2 / 2; d = $3 / want - 1; print $4, d * d < ($4 == "normal" ? 1e-20 : 1e-3) }' sides | lines)" \
    "normal 1 clusters-sampled 1 normal 1 clusters-sampled 1" "of more than 50 pairs, or 40 prompts, too"
comment "$(lines <sides)"
# Identical videos have an infinite PSNR: as a twin, as a variant, as both.
sed '/^0[1-3],/d' "$T" >fewer
sed -n '1p;/^0[1-3],/p' "$F" | sed 's/,p0,[0-9.]*,/,p0,inf,/' >equal
sed '1d;/^0[1-3],/d' "$F" | cat equal - >partly
p_of() { stats -c psnr --twins "$1" <"$2" | column p /dev/stdin; }
awk -F , -v OFS=, 'NR > 1 { $5 = "inf" } 1' "$T" >perfect
is "$(p_of perfect "$F")" "$(awk 'BEGIN { printf "%.17g", 2 ^ -24 }')" "beside twins that are equal to the reference any other is farther"
is "$(p_of perfect equal)" "" "but not one that is equal too"
like "$(stats -c psnr --twins perfect <equal | tail -n 1)" "*no pair is farther or nearer than its twins: nothing to test*" "which is said"
comment "$(p_of "$T" "$F") and $(p_of "$T" partly)"
awk "BEGIN { exit !($(p_of "$T" partly) > 2 * $(p_of "$T" "$F") && $(p_of "$T" partly) < 0.05) }"
ok $? "three equal videos are three that are nearer than their twins"
is "$(stats -c psnr --twins fewer <"$F" | column p /dev/stdin)" "$(sed '/^0[1-3],/d' "$F" | stats -c psnr --twins "$T" | column p /dev/stdin)" \
    "videos without a twin are not tested"
sed 's/,ref,/,another,/' "$T" >others
like "$(stats -c psnr --twins others <"$F" | tail -n 1)" "psnr,ref,far,24,*,,,,,no twin of the reference has it" "nor beside another's twins"
sed 1s/psnr/else/ "$F" >unknown
is "$(stats -c else --twins "$T" <unknown | tail -n 1 | cut -d , -f 10-)" ",,,," "nor what nobody knows the direction of"
sed -n 1,4p "$F" | stats -c psnr --twins "$T" >three
like "$(tail -n 1 three)" "*beside twins n is too small for p below 0.125*" "three cannot say it"

# ---- what the numbers depend on ----

is "$(pair-stats --recipe | grep -o '"numerics":[0-9]*')" '"numerics":2' "the recipe"
[ "$(pair-stats --recipe)" != "$(pair-stats --recipe --floor twins)" ]
ok $? "names the content of the floor"
[ "$(pair-stats --recipe --floor twins)" != "$(pair-stats --recipe --floor twins --twins twins)" ]
ok $? "and of the table of twins"
cp twins copied
is "$(pair-stats --recipe --floor twins)" "$(pair-stats --recipe --floor copied)" "not its path"
[ "$(pair-stats --recipe)" != "$(pair-stats --recipe --cluster '')" ]
ok $? "and options"

# ---- simulated experiments: what the page says of interval and tests ----

for d in 5x1 10x1 5x8 20x2 8,7,6,5,4,3,2,2,2,1; do
    "$BUILD/t/tools/coverage" 2000 "$d"
done | awk 'NR == 1 || !/^design/' >simulated
# simulated COLUMN LOW HIGH NAME [SHAPES]: all rows (of these shapes) have it within the bounds
simulated() {
    awk -F '\t' -v name="$1" -v low="$2" -v high="$3" -v shapes="${5:-normal skewed heavy ties}" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
        index(" " shapes " ", " " $2 " ") { n++; if ($at < least || n == 1) least = $at; if ($at > most) most = $at }
        END { print "from " least " to " most " in " n " rows"; exit !(n && least >= low && most <= high) }' simulated >said
    ok $? "$4"
    comment "$(cat said)"
}
is "$(grep -c . simulated)" 56 "55 kinds of experiments, 2000 of each"
simulated coverage 0.93 0.975 "intervals cover 0.93 to 0.97"
simulated coverage 0.885 0.965 "and of very skewed values no less than the page says" lognormal
# Of 2000 experiments a rate of 0.05 is known to 0.005.
simulated type_1 0 0.065 "where nothing differs p is at most 0.05 in 5 %" "normal skewed lognormal heavy ties"
simulated equivalence 0 0.065 "what is at the margin is called equivalent in 5 %" "normal heavy ties"
awk -F '\t' '$1 == "5x8" && $2 == "normal" && $3 == 0.5 { exit !($10 < 0.66 && $11 > 0.3) }' simulated
ok $? "seeds taken for prompts: 0.63 covered, 0.36 falsely significant"

# ---- too few ----

printf 'variant_a,variant_b,x_a,x_b,y\n1,2,5,7,3\n' >one
is "$(stats -c x <one | tail -n 1)" "x,1,2,1,5,,7,,2,,,,0,1,exact,1,1,,n is too small for a deviation and an interval; n is too small for p below 1" \
    "one pair"
is "$(stats -c y <one | tail -n 1)" "y,1,2,1,3,,,,1,n is too small for a deviation and an interval" "one measurement"
printf 'variant_a,variant_b,x_a,x_b\n1,2,5,\n1,2,,7\n' >none
is "$(stats -c x <none | tail -n 1)" "x,1,2,0,,,,,,,,,,,,0,,,n is too small for a deviation and an interval" "no pair that has both"
printf 'variant_a,variant_b,x_a,x_b\n' >empty
is "$(stats -c x <empty | wc -l)" 1 "no pair at all"
awk 'BEGIN { print "variant_a,variant_b,x_a,x_b"; for (i = 0; i < 12; i++) print "1,2," i "," i }' >same
is "$(stats -c x <same | tail -n 1 | cut -d , -f 9-)" "0,0,0,0,,,,12,,,no pair differs: nothing to test" "no difference"

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
printf 'variant_a,variant_b,x_a,x_b\np,q,1e308,-1e308\np,q,1,2\n' >far
is "$(stats -c x <far | column n /dev/stdin),$(stats -c x <far | column difference /dev/stdin)" "1,1" "and a difference beyond all numbers"
is "$(stats -c x <mixed | tail -n 1 | cut -d , -f 10)" 3 "their differences"
printf 'variant,x\na,1\nb,7\na,3\n' >videos
is "$(stats -c x <videos | tail -n 2 | paste -s -d ' ')" \
    "x,a,,2,2,1.4142135623730951,,,,,,,,,,2,,,n is too small for a 95 % interval: it covers less x,b,,1,7,,,,,,,,,,,1,,,n is too small for a deviation and an interval" \
    "videos of variants, without pairs"
is "$(stats -c x <videos | awk -F , '{ print NF }' | sort -u)" 19 "in the same columns"

# ---- verdicts: McNemar's exact test ----

# verdicts BOTH B-ALONE A-ALONE NEITHER: so many pairs of each kind
verdicts() {
    awk -v n="$*" 'BEGIN { split(n, k, " "); print "variant_a,variant_b,x_a,x_b"
        for (i = 0; i < k[1]; i++) print "p,q,1,1"
        for (i = 0; i < k[2]; i++) print "p,q,0,1"
        for (i = 0; i < k[3]; i++) print "p,q,1,0"
        for (i = 0; i < k[4]; i++) print "p,q,0,0" }' >verdicts
    stats -c x <verdicts | tail -n 1 | cut -d , -f 4,5,7,9,13-15,19
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
fails 1 "pair-stats: standard input:1: no column 'prompt'" "no such clusters" from mixed -c x --cluster prompt
fails 1 "pair-stats: standard input:1: psnr and x need summaries of their own: *" "two kinds of metrics" from mixed -c psnr,x
fails 1 "pair-stats: standard input:1: no column 'z_a'" "an unknown metric of the family" from mixed -c x -f z
fails 1 "pair-stats: *none.csv*" "no floor" from mixed -c x --floor none.csv
fails 1 "pair-stats: videos:1: no column 'metric'" "a floor that is no summary" from mixed -c x --floor videos
fails 1 "pair-stats: *none.csv*" "no twins" from mixed -c psnr --twins none.csv
fails 1 "pair-stats: standard input:1: no column 'name'" "twins of a table without names" from mixed -c psnr --twins "$T"
fails 1 "pair-stats: *farther-scipy.csv:1: no column 'name'" "twins that are no pairs" from "$F" -c psnr --twins "$S/farther-scipy.csv"
fails 1 "pair-stats: *" "nothing" from /dev/null -c x
fails 2 "pair-stats: -c METRIC,.. is needed*" "no metric" from mixed
fails 2 "*unwanted operand*" "an operand" from mixed -c x file
full() { pair-stats -c x <mixed >/dev/full; }
fails 1 "pair-stats: cannot write standard output: *" "a full disk" full

done_testing
