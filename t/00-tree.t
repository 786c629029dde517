#!/bin/sh
# The rules of the tree: who may include whom, what a program must have, what the text may say.
. "$(dirname "$0")/tap.sh"
cd "$ROOT" || exit 1

nothing() { # NAME TEXT: passes when TEXT is empty
    [ -z "$2" ]
    ok $? "$1"
    [ -z "$2" ] || comment "$2"
}

nothing "common includes neither bin nor kernels" \
    "$(grep -nE '#include "[^"]*(bin|kernels)/' common/*.[ch] common/checkpoint/*.[ch])"
nothing "kernels take tensor.h, formats.h and die.h alone from common" \
    "$(grep -rnE '#include "[^"]*common/' kernels | grep -vE 'common/(tensor|formats|die|vectorised)\.h"')"
nothing "kernels do not include bin" "$(grep -rnE '#include "[^"]*bin/' kernels)"
nothing "CUDA's headers and launches are in kernels/cuda alone" \
    "$(grep -rlE 'cuda_runtime|cublas|<<<.*>>>' --include='*.[ch]' --include='*.cc' bin common kernels/cpu kernels/kernels.h)"
nothing "a program includes no other" "$(for d in bin/*/; do
    grep -nE '#include "\.\./(\.\./bin/)?[a-z0-9]+-?[a-z0-9-]*/' "$d"*.[ch] 2>/dev/null | grep -v '"\.\./\.\./'
done)"
nothing "no file of code is longer than 500 lines" \
    "$(wc -l bin/*.[ch] bin/*/*.[ch] bin/*/*.cc common/*.[ch] common/checkpoint/*.[ch] kernels/*.h kernels/*/*.[ch] kernels/cuda/*.cu* |
        awk '$2 != "total" && $1 > 500')"
nothing "no line of code is wider than 100 columns" \
    "$(awk 'length > 100 { print FILENAME ": " FNR }' bin/*/*.[ch] bin/*.[ch] common/*.[ch] common/checkpoint/*.[ch] kernels/kernels.h kernels/*/*.[ch])"
nothing "scripts can be run" \
    "$(find t findings -name "*.t" ! -perm -u+x)"
nothing "no file that is kept is empty" "$(git ls-files 2>/dev/null | while read -r file; do
    [ ! -f "$file" ] || [ -s "$file" ] || echo "$file"
done)"
nothing "nothing is marked unfinished" \
    "$(grep -rnE 'TODO|FIXME|XXX|HACK' bin common kernels pipelines README.md)"

for directory in bin/*/; do
    p=$(basename "$directory")
    page=$directory$p.1
    [ -s "$page" ]
    ok $? "$p has a man page"
    is "$("$BUILD/$p" -h | sed '/^options:/,$d')" \
        "$(sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/p' "$page" |
            sed '/^\./d; s/\\f[A-Z]//g; s/\\-/-/g; s/\\e/\\/g; s/\\&//g')" \
        "$p -h is the SYNOPSIS of its man page"
    like "$("$BUILD/$p" --version)" "$p [0-9]*" "$p --version"
    for option in help version quiet stats wait; do
        grep -q "\\\\-\\\\-$option" "$page"
        ok $? "$p: the man page has --$option"
    done
    fails 2 "$p: *" "$p: an unknown option is wrong usage" "$BUILD/$p" --no-such-option
    fails 2 "$p: unknown option or unwanted value: --help=3*" "$p: so is a value of an option that takes none" "$BUILD/$p" --help=3
    grep -q "$p" README.md
    ok $? "README.md names $p"
done

nothing "files that CONTRIBUTING.md names are there" "$(grep -oE '`[A-Za-z0-9./-]*[./][A-Za-z0-9./-]*`' CONTRIBUTING.md | tr -d '`' | sort -u |
    while read -r f; do [ -e "$f" ] || [ -e "bin/wan-quantize/$f" ] || [ "$f" = make.py ] || echo "$f"; done)"
nothing "files for users are there" "$(for f in LICENSE NOTICE CHANGELOG.md CONTRIBUTING.md CITATION.cff README.md pipelines/GUIDE.md; do [ -s $f ] || echo $f; done)"
is "$(sed -n 's/^version: //p' CITATION.cff)" "$(sed -n 's/.*PROGRAM_VERSION "\(.*\)"/\1/p' common/program.h)" "CITATION.cff has the programs' version"
nothing "what t/mutations changes stands in the sources, once, and its tests are there" "$(perl -e '
    open my $list, "<", "t/mutations" or die; my (%text, $at);
    while (<$list>) {
        $at++; next if /^#/; chomp; my ($file, $from, $to, $test, $why, @more) = split /\t/, $_, -1;
        $text{$file} //= do { local $/; open my $f, "<", $file or print "line $at: no $file\n"; <$f> // "" };
        my $n = () = $text{$file} =~ /\Q$from\E/g;
        print "line $at: $n times in $file: $from\n" if $n != 1;
        print "line $at: columns\n" if @more || $from eq $to || defined $why && $why eq "";
        print "line $at: no test $test\n" if !-e "t/$test" && !-e "t/$test.c";
    }')"

nothing "each finding states versions, behaviour, what was seen, why it matters, its source, and is in findings/README.md" \
    "$(for f in findings/*.sh; do
        for word in Versions Behaviour Seen 'Why it matters' Source 'Needs .*Exit 0'; do
            sed '1d; /^[^#]/,$d' "$f" | grep -q "^# $word.*:" || echo "$f lacks: $word"
        done
        grep -qF "| $(basename "$f") |" findings/README.md || echo "$f has no row"
    done)"

if have shellcheck; then
    nothing "the pipelines' scripts have nothing that shellcheck warns of" "$(cd pipelines/.. &&
        shellcheck -x -S info -f gcc $(find pipelines -type f -perm -u+x ! -name "*.py") 2>&1)"
else
    skip "there is no shellcheck" "the pipelines' scripts under shellcheck"
fi

done_testing
