#!/bin/bash
# make install: into a prefix with blanks, moved afterwards, and experiments from another directory; and
# `make -C` from there.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
built=(make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}")
small=(SIZE=64x64 FRAMES=5 STEPS=2 SEEDS=1)

"${built[@]}" install DESTDIR="$TMP/stage dir" PREFIX="/opt/my wan" >"$TMP/out" 2>&1
ok $? "make install after make, with another PREFIX and blanks in PREFIX and DESTDIR"
comment "$(cat "$TMP/out")"
is "$(cd "$TMP/stage dir" && find . -name 'wan*' -type f | grep -c '^\./opt/my wan/')" \
    "$(find "$TMP" -path "$TMP/stage dir/*" -name 'wan*' -type f | wc -l)" "all lies in PREFIX"
is "$(for d in bin/*/; do p=$(basename "$d"); [ -x "$TMP/stage dir/opt/my wan/bin/$p" ] && [ -s "$TMP/stage dir/opt/my wan/share/man/man1/$p.1" ] || echo "$p"; done)" \
    "" "each program is there, and its man page"
mv "$TMP/stage dir/opt/my wan" "$TMP/moved here"
rm -r "$TMP/stage dir"
is "$(grep -rlF -e "$TMP" -e '/opt/my wan' "$TMP/moved here")" "" "no file says where it was installed"

# ---- from another directory ----

mkdir "$TMP/films" "$TMP/empty"
cp -r fixtures/tiny "$TMP/films/model"
printf 'a red circle moves right\n' >"$TMP/films/p.txt"
wan=$TMP/moved\ here/bin/wan-experiment
cd "$TMP/films" || exit 1
PATH=/usr/bin:/bin "$wan" experiment MODEL=model CLIP=model/clip PROMPTS=p.txt OUT=pairs "${small[@]}" >"$TMP/out" 2>&1
ok $? "wan-experiment in another directory, nothing of it in PATH"
comment "$(tail -n 3 "$TMP/out")"
is "$(ls pairs/*/*.mp4 pairs/report.html pairs/pairs.csv 2>&1 | paste -sd ' ')" \
    "pairs/fp16/01_seed1.mp4 pairs/pairs.csv pairs/report.html pairs/w8a16/01_seed1.mp4" "videos, tables and report, in that directory"
"$wan" -q experiment MODEL=model CLIP=model/clip PROMPTS=p.txt OUT=pairs "${small[@]}" >"$TMP/out" 2>&1
is "$?,$(cat "$TMP/out")" "0," "a second time there is nothing to do"
printf "%s\n" 'MODEL = model' 'PROMPTS = p.txt' 'VARIANTS = fp16 few' 'weights.few = model' 'options.few = -s 1' \
    'differs.few = steps' >e.mk
"$wan" plan EXPERIMENT=e.mk OUT=other "${small[@]}" >"$TMP/out" 2>&1
like "$(cat "$TMP/out")" "*few: 1 of 1 videos to make*" "a file of variables, with relative paths"
[ ! -e other ]
ok $? "a plan makes nothing"
sed -i '/^PROMPTS/d' e.mk
like "$("$wan" plan EXPERIMENT=e.mk "${small[@]}" 2>&1)" "*fp16: 20 of 20 videos*" "the prompts that came with it are the default"
like "$(printf 'x\n' | "$TMP/moved here/bin/wan-encode-text" -m model 2>&1 | tensor-info)" "*negative_prompt: *" "the negative prompt is found beside the program"
is "$("$wan" help | head -n 1)" "targets of an experiment" "wan-experiment help"
is "$("$wan" --version)" "$("$BUILD/wan-recipe" --version)" "wan-experiment --version"
fails 2 "*did you mean STEPS?*" "a slip is told" "$wan" videos STEP=3
ln -s "$wan" "$TMP/link"
is "$("$TMP/link" help | wc -l)" "$("$wan" help | wc -l)" "through a link"

# ---- make -C ----

cd "$TMP/films" || exit 1
"${built[@]}" -C "$ROOT" videos MODEL=model PROMPTS=p.txt OUT=there "${small[@]}" >"$TMP/out" 2>&1
ok $? "make -C: paths are meant from where it was asked"
comment "$(tail -n 3 "$TMP/out")"
is "$(ls there/*/*.mp4 2>&1 | paste -sd ' ')" "there/fp16/01_seed1.mp4 there/w8a16/01_seed1.mp4" "and that is where the videos are"
cmp there/fp16/01_seed1.mp4 pairs/fp16/01_seed1.mp4
ok $? "the same as by wan-experiment"
like "$("${built[@]}" -C "$ROOT" plan MODEL=fixtures/tiny PROMPTS=p.txt OUT=none "${small[@]}" 2>&1)" "*1 of 1 videos to make*" \
    "an input that is not there may be the checkout's"
like "$("${built[@]}" -C "$ROOT" plan MODEL=nowhere PROMPTS=p.txt OUT=none 2>&1)" "*MODEL=$TMP/films/nowhere: there is no such directory*" \
    "what is nowhere is named as it was meant"
done_testing
