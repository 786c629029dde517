#!/bin/sh
# evalreport(1): all pairs and prompts are in the page, its drawings have the tables' numbers, what
# prompts say is text, and what is broken is refused by file and line.
. "$(dirname "$0")/tap.sh"

sample() { "$ROOT/t/sample-experiment" "$@"; }                # DIRECTORY SUBJECTS FRAMES VARIANT...
count() { grep -o -e "$1" "$2" | wc -l | tr -d ' '; }           # PATTERN FILE: how often
cell() { # FILE COLUMN CONDITION...: the field of the first row where other columns are so
    perl -MText::ParseWords -e '
        my ($file, $column, @where) = @ARGV;
        open my $f, "<", $file or die;
        my @head = split /,/, <$f> =~ s/\r\n//r;
        while (<$f>) {
            s/\r\n//;
            my %row; @row{@head} = parse_line(",", 0, $_);
            next if grep { my ($k, $v) = split /=/; $row{$k} ne $v } @where;
            print $row{$column}; exit;
        }' "$@"
}

# ---- twenty pairs ----

sample "$TMP/20" 20 81 fp16 w8a16 < "$ROOT/pipelines/prompts.txt"
page=$TMP/20/report.html
evalreport "$TMP/20" > "$page"
ok $? "a report of 20 pairs"
is "$("$ROOT/t/check-html" "$page")" "" "it is well-formed and loads nothing from elsewhere"
is "$(count 'https\{0,1\}:' "$page")" 0 "no address is in it"
is "$(count '<article' "$page") $(count '<video ' "$page")" "20 40" "20 prompts with two videos each"
missing=$(sed "s/'/\&#39;/g" "$ROOT/pipelines/prompts.txt" | while read -r prompt; do
    grep -qF "<bdi>$prompt</bdi></h3>" "$page" || echo "$prompt"
done)
is "$missing" "" "every prompt is there"
is "$(sed -n '/<caption><span>Every pair/,/<.table>/p' "$page" > "$TMP/rows"
    for i in 01 07 20; do count "<th scope=\"row\"><a href=\"#video-${i#0}\"><bdi>${i}_seed123</bdi>" "$TMP/rows"; done |
    xargs)" "1 1 1" "every pair has its row, which leads to its videos"
# worst TABLE EXPRESSION SIGN: the names of pairs, those first whose SIGN * EXPRESSION is least
worst() { tr -d '\r' < "$1" | perl -MText::ParseWords -e '
    my ($by, $sign) = @ARGV; my @head = split /,/, <STDIN> =~ s/\s+$//r;
    my %worst;
    while (<STDIN>) {
        chomp; my %r; @r{@head} = parse_line(",", 0, $_);
        my $x = $sign * eval $by =~ s/(\w+)/\$r{$1}/gr;
        $worst{$r{name}} = $x unless defined $worst{$r{name}} && $worst{$r{name}} <= $x;
    }
    print map { "$_\n" } sort { $worst{$a} <=> $worst{$b} || $a cmp $b } keys %worst' -- "$2" "$3"; }
worst "$TMP/20/pairs.csv" psnr 1 > "$TMP/order"
is "$(grep -o 'data:video/mp4;base64,[^"]*' "$page" | sed 's/.*,//' | perl -MMIME::Base64 -ne '
    print decode_base64($_)')" \
    "$(while read -r name; do cat "$TMP/20/fp16/$name.mp4" "$TMP/20/w8a16/$name.mp4"; done < "$TMP/order")" \
    "all videos are in it, all of each, those of the worst pair first"
cp "$page" "$TMP/once"
evalreport "$TMP/20" | cmp -s - "$TMP/once"
ok $? "the same tables make the same page"

# ---- numbers ----

# Every place of a mark is where its number belongs, by the values at the drawing's ends.
places=$(perl -e '
    local $/; open my $f, "<", $ARGV[0]; my ($seen, $worst) = (0, 0);
    for my $svg (split /<svg /, <$f>) {
        while ($svg =~ m{<g data-low="(\S+)" data-high="(\S+)">(.*?)</g>\n(?=<g data|</svg>)}gs) {
            my ($low, $high, $g) = ($1, $2, $3);
            while ($g =~ m{cy="(\S+)"><title>[^:<]*: ([-0-9.e]+)}g) {
                my $y = 228 + ($2 - $low) / ($high - $low) * (12 - 228);
                $worst = abs($y - $1) if abs($y - $1) > $worst; $seen++;
            }
        }
    }
    printf "%d %s", $seen, $worst < 0.01 ? "right" : $worst' "$page")
is "$places" "120 right" "60 marks of the reference and 60 differences are where they belong"
for m in clip temporal motion; do
    a=$(cell "$TMP/20/pairs.csv" ${m}_a name=07_seed123)
    b=$(cell "$TMP/20/pairs.csv" ${m}_b name=07_seed123)
    grep -qF "<title>07_seed123: $(printf '%.9g, %.9g' "$a" "$b")</title>" "$page"
    ok $? "$m: the mark of a pair has its two numbers"
done
is "$(count 'class="slope"' "$page")" 60 "a line for each pair and metric"
low=$(cell "$TMP/20/motion_summary.csv" low) high=$(cell "$TMP/20/motion_summary.csv" high)
grep -qF "$(printf '<bdi>[%.4f, %.4f]</bdi>' "$low" "$high" | sed 's/-/−/g')" "$page"
ok $? "the interval is in the table"
is "$(perl -e '
    local $/; open my $f, "<", $ARGV[0]; my $page = <$f>; my ($low, $high) = @ARGV[1, 2];
    my ($svg) = $page =~ m{Motion of each pair(.*?)</svg>}s;
    my (undef, $second) = split /<g data-low=/, $svg =~ s/.*?(?=<g data-low=)//sr =~ s/^<g.*?(?=<g data-low=)//sr;
    my ($bottom, $top) = $second =~ m{^"(\S+)" data-high="(\S+)"};
    my ($y0, $y1) = $second =~ m{class="interval" d="M\S+ (\S+?)V(\S+?)M};
    my $where = sub { 228 - 216 * ($_[0] - $bottom) / ($top - $bottom) };
    print abs($where->($low) - $y0) < 0.01 && abs($where->($high) - $y1) < 0.01 ? "there" : "$y0 $y1"
    ' "$page" "$low" "$high")" there "and where it belongs in the drawing"
is "$(perl -e '
    local $/; open my $f, "<", $ARGV[0]; my $page = <$f>;
    my ($low, $high, $d) = $page =~ m{CLIP score by frame, 01_seed123.*?data-low="(\S+)" data-high="(\S+)".*?class="curve v1" d="(.*?)"}s;
    my @y = $d =~ m{[ML]\S+ ([0-9.]+)}g;
    printf "%d %.4f", scalar @y, $low + (158 - $y[40]) / 132 * ($high - $low)' "$page")" \
    "81 $(printf %.4f "$(cell "$TMP/20/clip_per_frame.csv" clip variant=w8a16 name=01_seed123 frame=40)")" \
    "a curve has a point a frame, each where it belongs"
is "$(perl -e '
    local $/; open my $f, "<", $ARGV[0]; my $page = <$f>;
    my ($svg) = $page =~ m{<title[^>]*>Device memory</title>(.*?)</svg>}s;
    my @w = $svg =~ m{width="([0-9.]+)"}g; printf "%.3f", $w[1] / $w[0]' "$page")" \
    "$(awk "BEGIN { printf \"%.3f\", $(cell "$TMP/20/paper_table.csv" peak_device_bytes variant=w8a16) / \
        $(cell "$TMP/20/paper_table.csv" peak_device_bytes variant=fp16) }")" "bars are as long as what they stand for"
# beyond PAGE: what is written in drawings and begins left of them, by the page's letters: 6.4 wide, 11 high
beyond() { perl -CS -e '
    local $/; open my $f, "<:utf8", $ARGV[0]; my $page = <$f>;
    while ($page =~ m{<text ([^>]*)>([^<]*)<}g) {
        my ($at, $text) = ($1, $2 =~ s/&[#\w]+;/x/gr);
        my ($x) = $at =~ m{(?:\bx="|translate\()([-0-9.]+)};
        $x -= $at =~ /rotate/ ? 11 : $at =~ /"end"/ ? 6.4 * length $text : $at =~ /"middle"/ ? 3.2 * length $text : 0;
        print "$x: $text\n" if $x < 0;
    }' "$1"; }
cp -R "$TMP/20" "$TMP/long"
for file in motion_per_frame motion_per_video; do
    perl -pi -e 's{,([-0-9.e]+)\r$}{sprintf ",%.6f\r", 1234567 + $1 / 100}e' "$TMP/long/$file.csv"
done
evalreport "$TMP/long" > "$TMP/long.html"
grep -q '>1234567\.00[0-9]<' "$TMP/long.html"
is "$?:$(beyond "$TMP/long.html")" 0: "numbers of ten letters have room beside an axis, and its name too"
for format in html tex md; do
    evalreport -f $format "$TMP/20" > "$TMP/report"
    grep -q "20.*0\.2[0-9][0-9][0-9] (0\.0[0-9]*)" "$TMP/report"
    ok $? "$format: mean and deviation are in the table"
    grep -q '20\\\{0,1\}_seed123.*20\\\{0,1\}_seed123\|20\\\{0,1\}_seed123.*0\.2.*0\.2' "$TMP/report"
    ok $? "$format: the last pair is there"
done

# ---- text is text ----

cat > "$TMP/prompts" <<'END'
</script><script>alert(1)</script> & "it's"
100% of $5_b^2 ~ \input{/etc/passwd} #1 @you | `x` [l](http://h.org) <!-- -- ?` www.h.org :a:
[x] 猫 naïve – × *y*
END
sample "$TMP/text" 3 3 fp16 w8a16 < "$TMP/prompts"
evalreport "$TMP/text" > "$TMP/text.html"
is "$("$ROOT/t/check-html" "$TMP/text.html")" "" "a page of prompts that are markup is well-formed"
grep -qF '<bdi>&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;it&#39;s&quot;</bdi></h3>' \
    "$TMP/text.html"
ok $? "HTML is escaped"
is "$(count '<script' "$TMP/text.html")" 1 "the page's script is the only one"
evalreport -f tex "$TMP/text" > "$TMP/text.tex"
is "$(sed -n 's/^02.*& 123 & \(100.*\) \\\\$/\1/p' "$TMP/text.tex")" \
    '100\% of \$5\_b\textasciicircum{}2 \textasciitilde{} \textbackslash{}input\{/etc/passwd\} \#1 @you | `x` {[}l{]}(http://h.org) <!-{}- -{}- ?{}` www.h.org :a:' \
    "LaTeX is escaped"
is "$(sed -n 's/^03.*& 123 & \(.*\) \\\\$/\1/p' "$TMP/text.tex")" \
    '{[}x{]} \otherletter{猫}{732B} naïve -- $\times$ {*}y{*}' "letters that LaTeX may not have have a name"
evalreport -f md "$TMP/text" > "$TMP/text.md"
is "$(sed -n 's/^| 02_seed123 | 123 | \(.*\) |$/\1/p; s/^| 02\\_seed123 | 123 | \(.*\) |$/\1/p' "$TMP/text.md")" \
    '100% of \$5\_b\^2 \~ \\input\{/etc/passwd\} \#1 \@you \| \`x\` \[l\](http\://h.org) \<\!-- -- ?\` www\.h.org \:a:' \
    "Markdown is escaped"
perl -pi -e 's/"100%[^"]*"/"two\nlines, a ""quote"""/' "$TMP/text/"clip_temporal_per_video.csv
evalreport -f md "$TMP/text" | grep -qF '| 123 | two lines, a "quote" |'
ok $? "a line break within a field is a blank"
if command -v pdflatex >/dev/null; then
    (cd "$TMP" && pdflatex -interaction=nonstopmode -halt-on-error text.tex >tex.out 2>&1)
    ok $? "pdflatex takes it"
else
    ok 0 "pdflatex takes it # SKIP there is none"
fi

# ---- few pairs, many variants, single frames ----

sample "$TMP/1" 1 9 fp16 w8a16
evalreport "$TMP/1" > "$TMP/1.html"
is "$("$ROOT/t/check-html" "$TMP/1.html")" "" "one pair"
like "$(cat "$TMP/1.html")" "*One pair only: it shows an example, and no spread.*" "said in words"
sample "$TMP/4" 4 9 fp16 w8a16
like "$(evalreport "$TMP/4")" "*4 pairs only: too few*smallest possible p is 0.125*" "so are four"

sample "$TMP/one-frame" 2 1 fp16 w8a16
evalreport "$TMP/one-frame" > "$TMP/one-frame.html"
is "$("$ROOT/t/check-html" "$TMP/one-frame.html")" "" "videos of one frame"
is "$(count 'nan' "$TMP/one-frame.html")" 0 "no NaN"
like "$(grep -A8 '<caption><span>Metrics of 01' "$TMP/one-frame.html" | tr '\n' ' ')" \
    "*fp16</bdi></th><td class=\"n\"><bdi>0.2*</bdi></td><td class=\"n\"><bdi>–</bdi></td><td class=\"n\"><bdi>–</bdi>*" \
    "consistency and motion are en dashes"
like "$(cat "$TMP/one-frame.html")" "*no pair has it*" "a drawing of nothing says so"
for format in tex md; do
    evalreport -f $format "$TMP/one-frame" >"$TMP/report"
    is "$? $(count 'nan' "$TMP/report")" "0 0" "$format: no NaN"
done

sample "$TMP/none" 2 9 fp16
evalreport "$TMP/none" > "$TMP/none.html"
is "$("$ROOT/t/check-html" "$TMP/none.html")" "" "one variant alone"
like "$(cat "$TMP/none.html")" "*There are no pairs.*" "it has no pairs"
sample "$TMP/apart" 2 9 fp16 w8a16
for t in pairs pairs_per_frame; do
    perl -i -ne 'print if $. == 1' "$TMP/apart/$t.csv"
done
printf '01_seed123,fp16,w8a16,"differs in wan-denoise.steps: 50 and 20"\r\n' >> "$TMP/apart/pairs_refused.csv"
evalreport "$TMP/apart" > "$TMP/apart.html"
is "$("$ROOT/t/check-html" "$TMP/apart.html")" "" "two variants without pairs"
like "$(cat "$TMP/apart.html")" "*No pairs: nothing can be compared.*differs in wan-denoise.steps: 50 and 20*" \
    "and the reasons why"

sample "$TMP/3" 6 9 fp16 w8a16 'b<16'
evalreport "$TMP/3" > "$TMP/3.html"
is "$("$ROOT/t/check-html" "$TMP/3.html")" "" "three variants"
is "$(count '<video ' "$TMP/3.html")" 18 "three videos each"
is "$(grep -c '^<h3>.* against .*</h3>' "$TMP/3.html")" 2 "each is compared with the first"
rm "$TMP/3/fp16/02_seed123.mp4"
perl -ni -e 'print unless /^fp16,02_/' "$TMP/3/clip_temporal_per_video.csv"
evalreport "$TMP/3" > "$TMP/3.html"
like "$(cat "$TMP/3.html")" "*fp16: there is no video.*" "a missing partner is said"

# ---- videos beside the page ----

evalreport --link "$TMP/3" > "$TMP/3.html"
is "$("$ROOT/t/check-html" "$TMP/3.html")" "" "--link"
is "$(count 'data:video' "$TMP/3.html") $(count 'src="b%3C16/05_seed123.mp4"' "$TMP/3.html")" "0 1" \
    "names the files"

# ---- what is refused ----

refused() { # NAME FILE PATTERN COMMAND...: COMMAND changes FILE of a sample; evalreport says PATTERN
    _name=$1 _file=$TMP/bad/$2 _pattern=$3; shift 3
    rm -rf "$TMP/bad"; cp -r "$TMP/4" "$TMP/bad"
    "$@" "$_file"
    fails 1 "evalreport: $_file$_pattern" "$_name" evalreport "$TMP/bad"
}
for f in "$TMP/4"/*.csv "$TMP/4/experiment.json"; do
    rm -rf "$TMP/bad"; cp -r "$TMP/4" "$TMP/bad"; rm "$TMP/bad/${f##*/}"
    fails 1 "evalreport: cannot read $TMP/bad/${f##*/}: No such file or directory" \
        "${f##*/} is missing" evalreport "$TMP/bad"
done
rm -rf "$TMP/bad"; cp -r "$TMP/4" "$TMP/bad"; rm "$TMP/bad/w8a16/03_seed123.mp4"
fails 1 "evalreport: cannot read $TMP/bad/w8a16/03_seed123.mp4: *" "a video is missing" evalreport "$TMP/bad"
fails 1 "evalreport: cannot read $TMP/bad/w8a16/03_seed123.mp4: *" "for --link too" evalreport --link "$TMP/bad"
refused "an empty file" pairs.csv " is empty" truncate -s 0
refused "a missing column" pairs.csv ":1: no column 'motion_b'" sed -i 1s/motion_b/motion_c/
refused "a column twice" pairs.csv ":1: two columns are named 'motion_a'" sed -i 1s/motion_b/motion_a/
refused "a field too few" paper_table.csv ":3: 17 fields, not 18" sed -i '3s/,0\r//'
refused "a quote that nothing closes" pairs.csv ":3: a quote opens here that nothing closes" \
    sed -i '3s/"prompt 2"/"prompt 2/; 4,$d'
refused "text behind a quote" pairs.csv ":2: text behind a closing quote" sed -i '2s/"prompt 1"/"prompt 1"x/'
refused "a quote within a field" pairs.csv ":2: a quote within a field*" sed -i '2s/provenance/pro"venance/'
refused "a carriage return alone" pairs.csv ":2: a carriage return without a line feed" \
    perl -pi -e 's/provenance/pro\rvenance/ if $. == 2'
refused "a zero byte" pairs.csv " has a zero byte: it is no text" perl -pi -e 's/provenance/\0/ if $. == 2'
refused "what is no number" pairs.csv ":3: motion_a is 'x', not a number" \
    perl -pi -e 's/(([^,]*,){18})[^,]*/$1x/ if $. == 3'
refused "NaN" motion_per_frame.csv ":4: motion is 'nan', not a number" sed -i '4s/,[^,]*$/,nan\r/'
refused "frames out of order" clip_per_frame.csv ":4: frame 3 follows 1" sed -i '4s/,2,/,3,/'
refused "a frame that is none" clip_per_frame.csv ":4: frame is '1.5', not its number" sed -i '4s/,2,/,1.5,/'
refused "what is not UTF-8" pairs.csv ":2: prompt is not UTF-8" perl -pi -e 's/prompt 1/\xff/ if $. == 2'
refused "no videos" clip_temporal_per_video.csv " has no video" sed -i 2,99d
refused "a broken record" experiment.json ":2: *" sed -i '2s/"variants"/variants/'
refused "a record that is no object" experiment.json " is no object" sed -i '1s/.*/[]/; 2,$d'
fails 2 "*one directory is needed, not 0*" "no directory" evalreport
fails 2 "*--format is html, tex or md, not 'pdf'*" "another format" evalreport -f pdf "$TMP/4"

# ---- make report ----

run() { # OUT MAKE-ARGUMENTS...
    _out=$1; shift
    make -s -C "$ROOT" DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$_out" MODEL=none "$@" >"$TMP/out" 2>"$TMP/err"
}
film() { # FRAMES FILE: a video that another program made
    mkdir -p "${2%/*}"
    ffmpeg -nostdin -v error -f lavfi -i testsrc=s=64x48:r=8 -frames:v "$1" -pix_fmt yuv420p -y "$2"
}
if have ffmpeg; then
    out=$TMP/made
    for v in x y; do
        film 3 "$out/$v/one.mp4"
        film 1 "$out/$v/still.mp4"
    done
    run "$out" report VARIANTS='x y'
    is "$? $(ls "$out"/report.* | wc -l)" "0 3" "make report"
    comment "$(cat "$TMP/err")"
    is "$("$ROOT/t/check-html" "$out/report.html")" "" "its page is well-formed"
    like "$(cat "$out/report.html")" "*2 pairs are paired by file name alone*" "it says that no record was compared"
    touch "$TMP/now"
    run "$out" report VARIANTS='x y'
    is "$? $(find "$out" -newer "$TMP/now" -type f)" "0 " "a second make makes nothing"
    film 3 "$out/y/one.mp4"
    run "$out" report VARIANTS='x y'
    is "$(find "$out" -name 'report.*' -newer "$TMP/now" | wc -l)" 0 "the same video made again, the same report"
    film 4 "$out/y/one.mp4"
    film 4 "$out/x/one.mp4"
    run "$out" report VARIANTS='x y'
    is "$(find "$out" -name 'report.*' -newer "$TMP/now" | wc -l)" 3 "another video, another report"
    cp "$out/report.html" "$TMP/before"
    touch "$out/pairs.csv"
    run "$out" report VARIANTS='x y' REPORT='echo half; false'
    is "$? $(cmp "$out/report.html" "$TMP/before")" "2 " "a report that fails leaves the one before"
    rm "$out/y/still.mp4"
    run "$out" report VARIANTS='x y'
    is $? 2 "a missing partner stops make"
    run "$out" -k report VARIANTS='x y'
    is $? 2 "and with -k too"
    like "$(cat "$out/report.html")" "*y: there is no video.*" "but then there is a report, which says it"
else
    skip "there is no ffmpeg" "make report"
fi

# ---- in a browser ----

# Pictures and what they show are kept in $BUILD/log.
log=$BUILD/log
browser() { # PAGE OPTIONS...: chromium, on a page in $log
    _page=$1; shift
    timeout 120 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --mute-audio \
        --user-data-dir="$TMP/profile" "$@" "file://$log/$_page" 2>"$TMP/chromium.err"
}
if command -v chromium >/dev/null; then
    head -n 2 "$ROOT/pipelines/demo.txt" | sample "$TMP/film" 2 33 fp16 w8a16
    for v in fp16 w8a16; do for i in 01 02; do
        cp "$ROOT/fixtures/cat.mp4" "$TMP/film/$v/${i}_seed123.mp4"
    done; done
    mkdir -p "$log"
    evalreport "$TMP/film" > "$log/report.html"
    browser report.html --virtual-time-budget=3000 --dump-dom --window-size=1400,6000 > "$TMP/dom"
    is "$(count 'class="player"' "$TMP/dom") $(count 'frame 0 of 0–32' "$TMP/dom")" "2 2" \
        "the script gives every prompt a player"
    is "$(count '<canvas[^>]*aria-label="difference of fp16 and w8a16, amplified"[^>]* width="832"' "$TMP/dom")" 2 \
        "and a difference, drawn from the videos"
    browser report.html --virtual-time-budget=3000 --screenshot="$log/report-1400.png" --window-size=1400,4200
    # its windows are not narrower than 500 pixels, but frames are
    echo '<body style="margin: 0"><iframe src="report.html" width="400" height="4200" frameborder="0">' \
        > "$log/narrow.html"
    browser narrow.html --virtual-time-budget=3000 --screenshot="$log/report-400.png" --window-size=500,4200
    browser report.html --virtual-time-budget=3000 --no-pdf-header-footer --print-to-pdf="$log/report.pdf"
    [ -s "$log/report-1400.png" ] && [ -s "$log/report-400.png" ] && [ -s "$log/report.pdf" ]
    ok $? "pictures and print are in $log"
else
    ok 0 "in a browser # SKIP there is no chromium"
fi

is "$(grep -c '<td class="t"><bdi>n is too small' "$page")" "$(grep -c '<bdi>n is too small' "$page")" "notes are in columns that are wide enough to be read on a telephone"
done_testing
