#!/bin/bash
# evalreport(1) of many variants: ranking, fronts, the floor in words, prompts, worst pairs first, another reference;
# the same numbers in all three languages; time in proportion to the pairs.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1

sample() { "$ROOT/t/sample-experiment" "$@"; }
count() { grep -o -e "$1" "$2" | wc -l | tr -d ' '; } # PATTERN FILE: how often
# Perl with what reads a table: rows(FILE), each a hash of its columns.
table() {
    perl -MText::ParseWords -e 'sub rows { open my $f, "<", $_[0] or die "$_[0]: $!"; my @l = map { s/\r?\n//r } <$f>;
            my @h = split /,/, shift @l; map { my %r; @r{@h} = parse_line(",", 0, $_); \%r } @l }
        sub slurp { local $/; open my $f, "<", $_[0] or die "$_[0]: $!"; <$f> }
        sub plain { $_[0] =~ s/\x{e2}\x{88}\x{92}/-/gr =~ s/\\//gr } '"$*"
}

sample -f d 12 9 fp16 w8a16 'b<16' int4 < "$ROOT/pipelines/prompts.txt"
for f in html tex md; do
    evalreport -f $f d > report.$f
    ok $? "$f: four variants with a floor"
done
is "$("$ROOT/t/check-html" report.html)" "" "the page is well-formed"

# ---- ranking and words ----

is "$(sed -n '/^\*\*Variants against fp16, ranked by PSNR/,/^\*\*[^V]/s/^| \([^ ]*\) | [–0-9].*/\1/p' report.md | paste -s -d ' ')" \
    "fp16 $(tr -d '\r' < d/pairs_summary.csv | grep ^psnr | sort -t , -k 5,5gr | cut -d , -f 3 | sed 's/</\\</' | paste -s -d ' ')" \
    "the variants stand in the order of PSNR, the reference above them"
# Every verdict of every metric's table, and every number of it, by what the summaries say.
is "$(table 'my %s; for my $f (qw(clip_temporal motion pairs metrics)) { $s{"$_->{metric} $_->{variant_b}"} = $_ for rows("d/${f}_summary.csv") }
    my $md = plain(slurp("report.md")); my %name = ("CLIP score" => "clip", "Temporal consistency" => "temporal",
        "Motion" => "motion", "Warping error" => "warp", "PSNR" => "psnr", "SSIM" => "ssim",
        "Mean absolute difference" => "mad", "LPIPS (AlexNet)" => "lpips_alex");
    my ($seen, %said) = 0;
    while ($md =~ /^\*\*([^\n]+) \([^()]*\): variants against fp16, the (?:best|nearest) first\*\*\n\n(.*?)\n\n/msg) {
        my ($metric, $rows) = ($name{$1}, $2); my @head = split / ?\| ?/, (split /\n/, $rows)[0]; my $last;
        for (grep { !/^\| (variant|:)/ } split /\n/, $rows) {
            my %c; @c{@head} = split / ?\| ?/, $_; my $r = $s{"$metric $c{variant}"}; $seen++;
            my $p = $r->{p_holm} // ""; my $far = $p eq "" ? "beyond the floor" : $p < 0.05 ? "different, beyond the floor" : "beyond the floor, not significant";
            my $want = !$r->{within} ? $far : $r->{equivalent} ? "within the floor, equivalent" : $p ne "" && $p < 0.05 ? "within the floor, though p < 0.05" : "within the floor";
            print "$metric $c{variant}: $c{q(in words)}, not $want\n" if $c{"in words"} ne $want; $said{$want}++;
            my ($x, $got) = exists $c{difference} ? ($r->{difference}, $c{difference}) : ($r->{mean}, $c{"mean (sd)"} =~ s/ .*//r);
            my ($d) = $got =~ /\.(\d+)/; print "$metric $c{variant}: $got for $x\n" if sprintf("%.*f", length $d, $x) != $got;
            my ($e) = $c{floor} =~ /\.(\d+)/; print "$metric: floor $c{floor}\n" if sprintf("%.*f", length $e, $r->{floor}) ne $c{floor};
            my $order = $metric eq "motion" ? -abs $x : $metric =~ /warp|mad|lpips/ ? -$x : $x;
            print "$metric $c{variant}: out of order\n" if defined $last && $order > $last; $last = $order;
        }
    }
    printf "%d rows, %d verdicts", $seen, scalar keys %said')" "24 rows, 5 verdicts" "what is said of each is what the tables say, the best first"
grep -q '^w8a16 against fp16\. 12 pairs of 6 prompts\. .*[wW]ithin the floor.*: CLIP score .*(floor 0\.00400)' report.md
ok $? "and in sentences"
like "$(cat report.md)" "*The floor is how far fp16 is from twins*two one-sided tests with the floor as margin*" "the floor is explained"
like "$(cat report.md)" "*| CLIP score (cosine) | perturb | 12 | 0.00080 |*| the initial noise changed in its last bit |*" "each twin has its row"
like "$(cat report.md)" "*| PSNR (dB) | reencode | 12 | 32.50 | \\\\\[32.20, 32.80\\\\\] |*" "also of a metric of pairs"
like "$(sed -n '/effect beside floor/,$p' report.md)" "*| Warping error (levels of 255) |*| PSNR (dB) |*" "effect beside floor, of new metrics also"
is "$(count 'Warping error by frame' report.html)" 0 "what is known of no frame has no curves"

cp -r d f
sed -i 's/^\(clip\|temporal\),fp16,\([^,]*\),.*/\1,fp16,\2,0,,,,,,,,,,,,0,,,,,,,\r/' f/clip_temporal_summary.csv
like "$(evalreport -f md f)" "*w8a16 against fp16. 12 pairs of 6 prompts.*" "a metric that nothing was measured by takes no prompt away"

# ---- fronts ----

is "$(table 'my (%cost, %q); $cost{$_->{variant}} = [$_->{format_bytes}, $_->{step_seconds}] for rows("d/paper_table.csv");
    for my $f (qw(clip_temporal pairs metrics)) { for (rows("d/${f}_summary.csv")) {
        $q{$_->{metric}}{$_->{variant_b}} = ($_->{metric} =~ /warp|lpips/ ? -1 : 1) * ($_->{difference} // $_->{mean}) } }
    $q{$_}{fp16} = $_ =~ /psnr|ssim|lpips/ ? 1e9 : 0 for keys %q;
    my ($rows) = plain(slurp("report.md")) =~ /^\*\*The fronts.*?\n\n.*?\n.*?\n(.*?)\n\n/ms; my $n = 0;
    my %name = ("CLIP score (cosine)" => "clip", "Temporal consistency (cosine)" => "temporal", "Warping error (levels of 255)" => "warp",
        "PSNR (dB)" => "psnr", "SSIM (1 is equal)" => "ssim", "LPIPS (AlexNet) (0 is equal)" => "lpips_alex");
    for (split /\n/, $rows) {
        my (undef, $m, @said) = split / ?\| ?/; my $q = $q{$name{$m}};
        for my $k (0, 1) {
            my @front = grep { my $v = $_; !grep { $cost{$_}[$k] <= $cost{$v}[$k] && $q->{$_} >= $q->{$v} &&
                ($cost{$_}[$k] < $cost{$v}[$k] || $q->{$_} > $q->{$v}) } keys %cost } qw(fp16 w8a16 b<16 int4);
            print "$m: $said[$k], not @front\n" if $said[$k] ne join ", ", @front; $n++;
        }
    }
    print $n' 2>&1)" 12 "on each front stand those that none is as cheap and as good as"
is "$(table 'my %at; for my $f (qw(clip_temporal)) { $at{"$_->{metric} $_->{variant_b}"} = $_->{difference} for rows("d/${f}_summary.csv") }
    my %bytes; $bytes{$_->{variant}} = $_->{format_bytes} / 1e6 for rows("d/paper_table.csv"); my ($n, $worst) = (0, 0);
    for my $svg (split /<svg /, slurp("report.html")) {
        my ($m) = $svg =~ m{<title[^>]*>(CLIP score|Temporal consistency) against weights} or next;
        my ($l, $r, $low, $high) = $svg =~ m{class="pareto" data-left="(\S+)" data-right="(\S+)" data-low="(\S+)" data-high="(\S+)"};
        my ($x, $y) = $svg =~ m{<rect class="mark v1" width="5.8" height="5.8" x="(\S+)" y="(\S+)"><title>w8a16: } or next;
        my ($top) = $svg =~ m{<rect class="band"[^>]* y="(\S+)"}; my $bottom = 188 + ($svg =~ m{viewBox="0 0 400 (\d+)"})[0] - 226;
        my $want = $at{($m =~ /CLIP/ ? "clip" : "temporal") . " w8a16"};
        for ([$x + 2.9, 70 + 318 * ($bytes{w8a16} - $l) / ($r - $l)], [$y + 2.9, $bottom - 162 * ($want - $low) / ($high - $low)]) {
            my $d = abs $_->[0] - $_->[1]; $worst = $d if $d > $worst; $n++ }
    }
    print "$n ", $worst < 0.02 ? "right" : $worst')" "4 right" "the marks stand where bytes and difference say"
is "$(count 'class="pareto"' report.html) $(count '<path class="front"' report.html)" "12 12" "a drawing for each cost and metric that has a better"
# Numbers on an axis are 1, 2 or 5 times a power of ten apart, as many as fit that are at most five steps.
is "$(table 'my ($n, %step) = (0);
    for my $svg (split /<svg /, slurp("report.html")) {
        my ($left, $right, $low, $high) = $svg =~ m{class="pareto" data-left="(\S+)" data-right="(\S+)" data-low="(\S+)" data-high="(\S+)"} or next;
        my ($y, $x) = $svg =~ m{<g class="axis">(.*?)</g>}gs;
        for (["end", $y, $high - $low], ["middle", $x, $right - $left]) {
            my ($anchor, $axis, $range) = @$_; $n++;
            my @at = map { plain($_) } $axis =~ m{<text x="\S+" y="\S+" text-anchor="$anchor">([^<]*)<}g;
            my $step = $at[1] - $at[0]; $step{sprintf("%.0e", $step) =~ s/e.*//r}++;
            print "@at for $range\n" if $range / $step > 5 + 1e-9 || $range / $step <= 2;
        }
    }
    print "$n axes, steps ", join " ", sort keys %step')" "24 axes, steps 1 2 5" "numbers on axes are 1, 2 or 5 apart, at most five steps"

# ---- prompts, worst pairs, videos ----

is "$(table 'my ($n, $worst) = (0, 0); my %v; for (rows("d/pairs.csv")) { $v{"$_->{variant_b}, $_->{name}"} = $_->{motion_b} - $_->{motion_a} }
    my ($svg) = slurp("report.html") =~ m{<title[^>]*>Motion by prompt</title>(.*?)</svg>}s;
    while ($svg =~ m{<g data-low="(\S+)" data-high="(\S+)"><rect class="panel" x="\S+" y="(\S+)" width="\S+" height="(\S+)"/>(.*?)</g>\n}gs) {
        my ($low, $high, $top, $tall, $g) = ($1, $2, $3, $4, $5);
        while ($g =~ m{ y="(\S+)"><title>(w8a16, \w+): ([-0-9.e]+)}g) {
            my $d = abs $1 + 2.9 - ($top + $tall * ($high - $v{$2}) / ($high - $low)); $worst = $d if $d > $worst; $n++ }
    }
    print "$n ", $worst < 0.1 ? "right" : $worst')" "12 right" "every pair has its mark in its panel, where it belongs"
is "$(sed -n '/^\*\*All variants: their weights/,/^\*\*Var/s/^| \([^ ]*\) | [a-z].*/\1/p' report.md | grep -v variant | paste -s -d ' ')" "fp16 w8a16 b\\<16 int4" \
    "the table of all has each"
cp -r d far
perl -MText::ParseWords -i -pe 's/\r?\n//; $. == 1 and @h = split /,/ or do {
    my @c = parse_line(",", 1, $_); for (0 .. $#h) { $c[$_] += 50 if $h[$_] eq "motion_b" } $_ = join ",", @c }; $_ .= "\r\n"' far/pairs.csv
cp far/pairs.csv kept
evalreport far > far.html
svg() { perl -0777 -ne 'print $1 if m{<title[^>]*>Motion by prompt</title>(.*?)</svg>}s' "$1"; }
svg far.html > panels
sed -n '2s/mp4,/mp4,/p' far/pairs.csv | perl -MText::ParseWords -ne 's/\r?\n//; my @c = parse_line(",", 1, $_); $c[19] += 7; print join(",", @c), "\r\n"' >> far/pairs.csv
evalreport far > twice.html
is "$(tail -n 1 far/pairs.csv | cut -c 1-20):$(svg twice.html | cmp - panels)" "$(sed -n 2p far/pairs.csv | cut -c 1-20):" "of two rows about one pair the first counts"
mv kept far/pairs.csv
is "$(table 'my ($svg) = slurp("far.html") =~ m{<title[^>]*>Motion by prompt</title>(.*?)</svg>}s; my ($n, $without) = (0, 0);
    while ($svg =~ m{<g data-low="(\S+)" data-high="(\S+)"><rect class="panel"}g) { $n++; $without += $1 > 0 || $2 < 50 }
    print "$n $without"')" "6 0" "zero is in the panels of differences, also where all are far from it"
sed -i 's/^\(fp16,[^,]*,[^,]*\),"[^"]*",/\1,,/' far/clip_temporal_per_video.csv
sed -i '2s/,mp4,/,frames,/' far/clip_temporal_per_video.csv
evalreport -n 1 far > far.html
is "$(count 'Metrics of 1 videos are of the frames that the model made, of 47 they are of the mp4 files' far.html)" 1 "one video of frames among others is said"
is "$(count '<bdi>A red kite climbs[^<]*</bdi></h3>' far.html)" 1 "the prompt is another variant's where the first says none"
is "$(count 'class="panel"' report.html)" 42 "a panel for each of six prompts and seven metrics"
is "$(grep -o '<article id="[^"]*">' report.html | head -n 1) $(grep -A5 'The worst pairs by PSNR' report.md | sed -n 's/^| \([0-9]*\\_seed[0-9]*\) .*/\1/p' | head -n 1)" \
    "$(tr -d '\r' < d/pairs.csv | sed 1d | perl -MText::ParseWords -ne '@c = parse_line(",", 0, $_); print "$c[11] $c[0]\n"' | sort -g | head -n 1 |
        sed 's/.* \([0-9]*\)_seed\(.*\)/\1 \2/' | { read -r i s; i=${i#0}; echo "<article id=\"video-$((2 * i - 124 + s))\"> 0$i\\_seed$s"; })" \
    "the worst pair comes first"
evalreport --rank motion d > by.html
like "$(cat by.html)" "*ranked by Motion*The worst pairs come first, by Motion.*" "--rank: by another metric"
evalreport -n 3 d > few.html
is "$(count '<article' few.html) $(count '<video ' few.html) $("$ROOT/t/check-html" few.html)" "3 12 " "--most: so many prompts have videos"
like "$(cat few.html)" "*Shown are 3 of 12; the tables have all.*" "and it is said"
is "$(count 'href="#video-' few.html)" 12 "only to these leads a link: of three tables of pairs, and that of the worst"
evalreport -n 0 d > none.html
is "$(count '<article' none.html) $("$ROOT/t/check-html" none.html)" "0 " "or none"

# ---- the same in all languages ----

# All numbers of the page but those in drawings and their captions, in the keys' help and beside the videos.
is "$(table 'binmode STDOUT, ":utf8"; my $page = plain(slurp("report.html"));
    $page =~ s{<(head|script|style|svg|figcaption|nav|article)[ >].*?</\1>}{}gs; $page =~ s{<p class="keys">.*?</p>}{}gs; $page =~ s/<[^>]*>/ /g;
    my %in; for my $f ("report.md", "report.tex") {
        my $t = plain(slurp($f)) =~ s/\$-\$/-/gr =~ s/\{\}//gr; $in{$f}{$_}++ for $t =~ /-?\d+(?:\.\d+)?/g }
    my %of; $of{$_}++ for $page =~ /-?\d+(?:\.\d+)?/g;
    my @lacks = grep { !$in{"report.md"}{$_} || !$in{"report.tex"}{$_} } sort keys %of;
    print scalar keys %of > 300 ? "many" : "few", " @lacks"')" "many " "every number of the page is in LaTeX and in Markdown"
is "$(for f in md tex; do for words in 'within the floor, equivalent' 'Metrics are of the mp4 files' 'exact conversion to RGB' 'clip-vit-base-patch32'; do
    grep -q "$words" report.$f || echo "$f: $words"; done; done)" "" "and what it says"
if command -v pdflatex >/dev/null; then
    pdflatex -interaction=nonstopmode -halt-on-error report.tex >tex.out 2>&1
    is "$? $(grep -c Overfull tex.out)" "0 0" "pdflatex takes it, and nothing is wider than the page"
else
    skip "there is no pdflatex" "pdflatex takes it"
fi

# ---- how it was measured ----

sed 's/"measured": "mp4"/"measured": "mp4", "conversion": "opencv"/' d/experiment.json > x && cp -r d e && mv x e/experiment.json
like "$(evalreport -f md e)" "*decoded as OpenCV’s VideoCapture*SHA-256 of its weights 89abcdef*" "another conversion is said"
sed -i 's/,mp4,/,frames,/' e/clip_temporal_per_video.csv
evalreport -f md e > measured
is "$(grep -c 'no decoder has a part in them' measured) $(grep -c 'OpenCV' measured)" "1 0" "of frames there was no decoding"

# ---- without a floor, without new columns ----

sample old 12 9 fp16 w8a16 int4
evalreport -f md old > old.md
is "$? $(grep -c 'No floor was measured' old.md) $(grep -c 'p (Holm)\|effect beside' old.md)" "0 1 0" "tables of versions before: it says that there is no floor"

# Where the floor is known of a metric of pairs, but its summary has no such column, it is the twin's interval's end.
rm -r e; cp -r d e
tr -d '\r' < d/pairs_summary.csv | cut -d , -f 1-8,14 > e/pairs_summary.csv
evalreport -f md e > bare.md
of() { grep -A 7 "^\*\*$1: variants" "$2" | grep '^| w8a16'; }
is "$(of 'PSNR (dB)' bare.md) $(of 'SSIM (1 is equal)' bare.md | cut -d '|' -f 3,7)" "$(of 'PSNR (dB)' report.md)  – | – " \
    "a summary of pairs without a floor has floor.csv's"
cp d/floor.csv whole.csv
awk -F , -v OFS=, '$1 == "psnr" { $4 = 4 } { print }' whole.csv > e/floor.csv
evalreport -f md e > bare.md
is "$(of 'PSNR (dB)' bare.md | cut -d '|' -f 7)" " – " "but not of twins of four videos"

# ---- beside twins: metrics of pairs have a test ----

rm -r e; cp -r d e
tr -d '\r' < d/pairs_summary.csv | awk -F , -v OFS=, '{ note = $NF; NF--
    if (NR == 1) { print $0, "farther", "p", "method", "p_holm", note; next }
    split($3 == "int4" ? "2.5,0.0001,exact,0.0004" : $3 == "w8a16" && $1 == "ssim" ? "0.1,0.01,exact,0.03" : "-1,0.7,exact,1", x, ",")
    print $0, x[1], x[2], x[3], x[4], note }' > e/pairs_summary.csv
for f in html tex md; do evalreport --link -f $f e > twins.$f; done
is "$("$ROOT/t/check-html" twins.html)" "" "with tests beside twins the page is well-formed"
like "$(plainly() { sed 's/−/-/g; s/\\//g'; }; plainly < twins.md)" \
    "*int4 against fp16. 12 pairs of 6 prompts. Different: farther from fp16 than its twins by PSNR (p < 0.001 by Holm), SSIM (p < 0.001 by Holm), Mean absolute difference (p < 0.001 by Holm), *" \
    "a variant that is farther is called different, with p"
like "$(cat twins.md)" "*w8a16 against fp16. 12 pairs of 6 prompts. Different: farther from fp16 than its twins by SSIM (p = 0.030 by Holm). *" "by what it is"
like "$(sed 's/\\//g' twins.md)" "*b<16 against fp16. 12 pairs of 6 prompts. Not shown to be farther from fp16 than its twins: no metric of pairs has a p below 1.000 by Holm.*" "and not by what it is not"
like "$(cat twins.md)" "*Of metrics of pairs p is one-sided: *" "what p is then is said"
is "$(grep -c 'is one-sided: that a video is farther' report.md)" 0 "and only then"
is "$(sed -n '/^\*\*w8a16 against fp16: how far/,/^| Mean/p' twins.md | grep '^| SSIM' | cut -d '|' -f 6-8)" " 0.1000 | 0.010 | exact " "how much farther stands with the distances"
is "$(sed -n '/^\*\*PSNR (dB): variants against/,/^\*\*S/p' twins.md | grep -c 'different, beyond the floor\|p (Holm)')" \
    "$(awk -F , 'NR > 1 && $1 == "psnr" && $3 == "int4" { print 1 + ($11 == 0) }' e/pairs_summary.csv)" "and in the table of the metric"
is "$(for f in tex html; do grep -c 'farther from fp16 than its twins by' twins.$f; done | paste -s -d ' ')" "2 2" "in LaTeX and on the page too"

# ---- one evaluation beside another ----

# edit DIRECTORY METRIC VARIANT DIFFERENCE P: what its summary says
edit() {
    for f in "$1"/*_summary.csv; do
        tr -d '\r' < "$f" | awk -F , -v OFS=, -v m="$2" -v v="$3" -v d="$4" -v p="$5" '
            NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
            $1 == m && $3 == v && "p_holm" in at { if (d != "") $at["difference"] = d; $at["p_holm"] = p } { print }' > x && mv x "$f"
    done
}
rm -rf one two; cp -r d one; cp -r d two
sed -i 's/,mp4,/,frames,/' one/clip_temporal_per_video.csv
for v in w8a16 int4 'b<16'; do for m in clip temporal motion warp; do edit one $m "$v" 0.001 0.7; edit two $m "$v" 0.001 0.7; done; done
evalreport -f md --beside two one > same.md
like "$(cat same.md)" "*By frames and by mp4 the conclusions are the same: no effect changes its significance, nor a significant one its sign.*" \
    "--beside: where both say the same, that is said"
edit one clip w8a16 0.002 0.01; edit two clip w8a16 -0.003 0.02
edit one temporal w8a16 0.001 0.01
edit two motion int4 0.5 0.01
for f in html md tex; do evalreport --link -f $f --beside two one > beside.$f; done
is "$("$ROOT/t/check-html" beside.html)" "" "the page is well-formed"
like "$(sed 's/−/-/g' beside.md)" "*What is concluded depends on what is measured. CLIP score of w8a16 changes its sign: by frames 0.00200 (p = 0.010), by mp4 -0.00300 (p = 0.020).\
 Temporal consistency of w8a16 changes its significance: *" "a sign that changes, and a significance"
is "$(sed -n '/^\*\*By frames and by mp4: effects/,/^\*\*[^B]/p' beside.md | sed -n 's/^| \([^ ]*\) | \([A-Za-z]*\) .* | \([^|]*[^ |]\) |$/\1 \2: \3/p' | grep -v 'the same\|–\|^variant')" \
    "$(printf 'w8a16 CLIP: opposite signs\nw8a16 Temporal: significant by frames alone\nint4 Motion: significant by mp4 alone')" "the table has all, with what follows"
is "$(for f in tex html; do grep -c 'What is concluded depends' beside.$f; done | paste -s -d ' ')" "1 1" "in LaTeX and on the page too"
is "$(grep -c 'What is concluded\|By frames and by mp4' report.md)" 0 "and nothing of it where there is one"
evalreport -f md --beside e one > some.md
is "$? $(sed -n '/^\*\*By frames and by mp4: effects/,/^\*\*[^B]/p' some.md | grep -c '| int4 | \(PSNR\|SSIM\).*| – |.*< 0.001 |.*| – |$')" "0 2" "where one of them has no test, nothing follows"
sample else 12 9 bf16 w8a16 < "$ROOT/pipelines/prompts.txt"
fails 1 "evalreport: one compares with fp16, else with bf16" "another reference" evalreport --beside else one
sample others 12 9 fp16 int3 < "$ROOT/pipelines/prompts.txt"
fails 1 "evalreport: one and others compare no variant that both have" "no variant in common" evalreport --beside others one
fails 1 "evalreport: *nowhere/clip_temporal_per_video.csv*" "none there" evalreport --beside nowhere one

# ---- another reference ----

evalreport --against int4 d > against.html
is "$? $("$ROOT/t/check-html" against.html)" "0 " "--against: another reference"
evalreport -f md --against int4 d > against.md
is "$(head -n 1 against.md)" '# int4, fp16, w8a16 and b\<16' "it stands first"
like "$(cat against.md)" "*The tables compare with fp16; this report compares with int4.*there are means alone*" "what it lacks is said"
is "$(table 'my (%x, $n); for (rows("d/pairs.csv")) { $x{$_->{name}}{$_->{variant_b}} = $_->{motion_b} }
    my $sum = 0; for (values %x) { $sum += $_->{w8a16} - $_->{int4}; $n++ } my $mean = $sum / $n;
    my ($got) = plain(slurp("against.md")) =~ /^\| Motion \(pixels a frame\) \| 12 \| \S+ \(\S+\) \| \S+ \(\S+\) \| (\S+) \| – \| – \| none \|$/m
        ? $1 : (plain(slurp("against.md")) =~ /w8a16 against int4: metrics.*?\n\| Motion [^|]*\|[^|]*\|[^|]*\|[^|]*\| ([^ ]+) /s)[0];
    my ($d) = $got =~ /\.(\d+)/; print sprintf("%.*f", length $d, $mean) == $got ? "right" : "$got for $mean"')" right "differences are those of the pairs"
row() { sed -n "/^\*\*$1: metrics of the videos/,/^\*\*/s/^| CLIP score (cosine) | //p" "$2" | plainly; }
plainly() { sed 's/−/-/g; s/\\//g'; }
is "$(row 'fp16 against int4' against.md)" \
    "$(row 'int4 against fp16' report.md | awk -F ' [|] ' '{ gsub(/[][]/, "", $5); split($5, i, ", ")
        turn($4); d = t; turn(i[2]); l = t; turn(i[1]); printf "%s | %s | %s | %s | [%s, %s] | %s | %s\n", $1, $3, $2, d, l, t, $6, $7 }
        function turn(x) { t = x ~ /^-/ ? substr(x, 2) : "-" x }')" "against the tables' own reference the signs are turned, and p stays"
is "$(sed -n '/w8a16 against int4: how far/p' against.md)" "" "how far two others are apart no table has"
fails 1 "evalreport: d has no variant 'int8': its first is 'fp16'" "a variant that is none" evalreport --against int8 d
fails 1 "evalreport: d has no metric 'fvd'" "a metric that is none" evalreport --rank fvd d
fails 2 "*--most*" "fewer than none" evalreport -n -1 d

# ---- time and size ----

user() { local TIMEFORMAT=%U; { time "$@" > page; } 2>&1; }
for n in 500 2000; do sample n$n $n 2 fp16 w8a16; done
small=$(user evalreport --link n500) bytes=$(wc -c < page)
large=$(user evalreport --link n2000) more=$(wc -c < page)
awk "BEGIN { exit !($large <= 7 * $small + 0.1) }"
ok $? "four times as many pairs take about four times as long"
comment "500 pairs: $small s, $bytes bytes; 2000: $large s, $more"
awk "BEGIN { exit !($more <= 5 * $bytes && $more < 3e6) }"
ok $? "and the page grows no faster"
is "$("$ROOT/t/check-html" page) $(count '<article' page)" " 100" "it has the videos of the 100 worst"

# ---- at 400 pixels ----

if command -v chromium >/dev/null; then
    note='n is too small for a 95 % interval: it covers less; n is too small for p below 0.5; the table of the floor has no interval of it'
    for f in d/*_summary.csv; do sed -i "s/,\r$/,$note\r/" "$f"; done
    evalreport --link -n 1 d > d/page.html
    {
        sed '/^<\/body>/d; /^<\/html>/d' d/page.html
        echo '<script>onload = () => parent.postMessage("tallest " + Math.max(...[...document.querySelectorAll("tbody tr")]
            .map(r => r.offsetHeight)) + " wide " + document.documentElement.scrollWidth, "*")</script></body></html>'
    } > d/narrow.html
    echo '<body><iframe src="d/narrow.html" width="400" height="9000" frameborder="0"></iframe>
        <script>onmessage = m => { document.body.dataset.said = m.data }</script></body>' > frame.html
    timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$TMP/profile" --virtual-time-budget=5000 \
        --dump-dom "file://$TMP/frame.html" 2>chromium.err | grep -o 'data-said="[^"]*"' > said
    comment "$(cat said)"
    is "$(perl -ne 'print /tallest (\d+) wide (\d+)/ && $1 < 150 && $2 <= 400 ? "low" : "tall: $_"' said)" low \
        "no row of a table is a tower, and the page does not scroll sideways"
else
    skip "there is no chromium" "at 400 pixels"
fi
done_testing
