#!/bin/bash
# Prompts and file names are data: none reaches a shell, none is taken for an option, and what make
# or a program cannot carry is refused in a line.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg, to which most of the names and texts go"
cd "$ROOT" || exit 1
model=fixtures/random

make_in() { # OUT MAKE-ARGUMENTS...
    local out=$1
    shift
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" SEEDS=1 SIZE=32x32 FRAMES=1 STEPS=1 "$@" \
        >"$TMP/make.out" 2>"$TMP/make.err"
}
key() { tensor-info "$1" | sed -n "s/^  $2: //p"; } # FILE KEY

# ---- prompts, all the way to the mp4 and back ----

trap="$TMP/trap"
long=$(head -c 10240 /dev/zero | tr '\0' 'a')
cat >"$TMP/prompts.txt" <<END
a "quoted" 'prompt' \`touch $trap\` \$(touch $trap)
--model /nonexistent -q
; touch $trap & | > $trap && \$HOME \${PATH} %s %n %d *
back\\slash \\n \\0 # = ; [x] {a,b} ~ !
	tab and  blanks, 猫, é, 🐈
<&lt;&amp;script&gt; @rsp \$(shell touch $trap) \$@
$long
END
make_in "$TMP/out" fp16 MODEL=$model PROMPTS="$TMP/prompts.txt"
ok $? "make, of seven prompts that mean harm"
comment "$(tail -3 "$TMP/make.err")"
n=0 wrong=
while IFS= read -r prompt; do
    n=$((n + 1))
    mp42frames -q "$TMP/out/fp16/0${n}_seed1.mp4" >"$TMP/video" 2>/dev/null
    [ "$(tensor-info -j "$TMP/video" | perl -MJSON::PP -ne 'binmode STDOUT, ":utf8"; print decode_json($_)->{metadata}{prompt}')" = "$prompt" ] ||
        wrong="$wrong $n"
done <"$TMP/prompts.txt"
is "$wrong" "" "each is in its mp4 to the letter"
is "$n" 7 "all of them"
[ ! -e "$trap" ]
ok $? "nothing was executed"
printf 'x\n%s\n' "$(head -c 2000000 /dev/zero | tr '\0' 'a')" >"$TMP/huge.txt"
encode() { set -o pipefail; wan-encode-text -q -m $model -n b <"$1" | cat; }
fails 1 "wan-encode-text: line 2 has 2000000 bytes: a prompt has at most 65536" \
    "a prompt of 2 MB is too long" encode "$TMP/huge.txt"

# ---- a stream's metadata, which a stranger wrote ----

tensor-pick "$GOLDEN:vae.frames=frames" -k seed="\$(touch $trap)" -k variant="-y;\`touch $trap\`" \
    -k prompt="$(printf '\033]0;title\007\033[2J')" >"$TMP/frames"
fails 1 "frames2mp4: %s in the name: the seed of document 1, * cannot be part of one" \
    "a seed that is a command" sh -c 'frames2mp4 -o "$0/%s.mp4" <"$1"' "$TMP" "$TMP/frames"
fails 1 "frames2mp4: %v in the name: * cannot be part of one" "a variant that is an option" \
    sh -c 'frames2mp4 -o "$0/%v.mp4" <"$1"' "$TMP" "$TMP/frames"
frames2mp4 "$TMP/x.mp4" <"$TMP/frames"
ok $? "as metadata they are harmless"
is "$(mp42frames "$TMP/x.mp4" | tensor-info | tr -d '\n' | tr -dc '\000-\037')" "" \
    "and cannot steer the terminal"
[ ! -e "$trap" ]
ok $? "nothing was executed"

# ---- names ----

for name in "a b" "quote's" 'double"quote' '$(touch trap)' '-i' '%d%s' 'http:x' 'file:x' 'new
line'; do
    (cd "$TMP" && frames2mp4 -- "$name.mp4" <frames && mp42frames -q -- "$name.mp4" | tensor-info -n >names)
    is "$? $(cat "$TMP/names")" "0 frames" "an mp4 named $(echo "$name" | tr '\n' '?' | sed 's/#/%/g')"
done
[ ! -e "$TMP/trap" ]
ok $? "nothing was executed"

# ---- make ----

cp -r $model "$TMP/a \"model\" \`touch trap\`; (b) & [c]*"
make_in "$TMP/spaces" fp16 w8a16 MODEL="$TMP/a \"model\" \`touch trap\`; (b) & [c]*" PROMPTS=pipelines/demo.txt
ok $? "MODEL with blanks, double quotes, backticks and brackets"
comment "$(tail -3 "$TMP/make.err")"
cp -r $model "$TMP/it's"
make_in "$TMP/quote" fp16 w8a16 MODEL="$TMP/it's" PROMPTS=pipelines/demo.txt
ok $? "MODEL with a quote"
make_in "$TMP/a b" fp16 MODEL=$model
like "$?$(cat "$TMP/make.err")" "2*has a space*" "OUT with a space is refused"
for out in "$TMP/a'b" "$TMP/a;b" "$TMP/a\$\$(touch $trap)" "$TMP/a&b" "$TMP/a*b" "$TMP/a:b" "$TMP/a#b" "$TMP/a%b"; do
    make_in "$out" fp16 MODEL=$model PROMPTS=pipelines/demo.txt
    like "$?$(cat "$TMP/make.err")" "2*OUT=*" "OUT=${out##*/} is refused"
done
cp pipelines/demo.txt "$TMP/pro mpts.txt"
make_in "$TMP/p" fp16 MODEL=$model PROMPTS="$TMP/pro mpts.txt"
ok $? "PROMPTS may have a space"
cp pipelines/demo.txt "$TMP/pro'mpts \$(touch trap).txt"
make_in "$TMP/q" fp16 MODEL=$model PROMPTS="$TMP/pro'mpts \$\$(touch trap).txt" NEGATIVE="$TMP/pro'mpts \$\$(touch trap).txt"
ok $? "PROMPTS and NEGATIVE with a quote and a dollar"
[ ! -e "$trap" ] && [ ! -e trap ] && [ ! -e "$TMP/trap" ]
ok $? "nothing was executed"
done_testing
