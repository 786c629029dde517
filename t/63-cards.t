#!/bin/bash
# Experiments of several processes: each gets a card of its own by a lock that ends with it; RUN puts a
# launcher before each; only what failed is made once more; how names are dealt to processes; the record
# names node and card.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
export WAN_CARDS=$TMP/cards
unset CUDA_VISIBLE_DEVICES
lines() { paste -s -d ' '; }
wait_for() { for _ in $(seq 200); do eval "$1" && return; sleep 0.05; done; return 1; }

# ---- a card to itself ----

# Each process holds a directory named after its card while it runs: two on one card would collide.
cat >"$TMP/hold" <<'END'
#!/bin/sh
card=$CUDA_VISIBLE_DEVICES
ls "$TMP/held" >>"$TMP/seen"
mkdir "$TMP/held/$card" || echo "two on card $card" >>"$TMP/twice"
echo "$card" >>"$TMP/used"
sleep 0.3
rmdir "$TMP/held/$card"
END
chmod +x "$TMP/hold"
mkdir "$TMP/held"
export TMP
for _ in 1 2 3 4 5 6 7; do pipelines/on-card 0,2,5 "$TMP/hold" & done
wait
is "$(cat "$TMP/twice" 2>/dev/null)" "" "seven processes on three cards: one a card at any moment"
is "$(sort -u "$TMP/used" | lines)" "0 2 5" "all cards are used"
is "$(wc -l <"$TMP/used")" 7 "and all seven had one"

pipelines/on-card 7 sh -c 'echo $$ >"$TMP/pid"; sleep 60 & echo $! >"$TMP/child"; wait' &
wait_for '[ -s "$TMP/child" ]'
flock -n "$TMP/cards/7" true
is $? 1 "a card that is held is locked"
kill -KILL "$(cat "$TMP/pid")"
{ wait $!; } 2>/dev/null
flock -n "$TMP/cards/7" true
is $? 1 "a child that outlives its killed holder still has it"
kill -KILL "$(cat "$TMP/child")"
wait_for 'flock -n "$TMP/cards/7" true'
ok $? "and when the child is killed, the card is free"
pipelines/on-card 3 sh -c 'exit 7'
is "$?:$(flock -n "$TMP/cards/3" echo free)" 7:free "on-card exits with the command's status, and the card is free"

# ---- deals ----

deals() { seq "$3" | pipelines/deal "$TMP/deal" "$1" "$2" | lines; for f in "$TMP"/deal/[0-9]*; do lines <"$f"; done; }
is "$(deals 3 10 7 | tr '\n' ';')" "1 2 3;1 4 7;2 5;3 6;" "seven names to three processes"
is "$(deals 3 2 7 | tr '\n' ';')" "1 2 3 4;1 5;2 6;3 7;4;" "at most two each: four processes"
is "$(deals 3 10 2 | tr '\n' ';')" "1 2;1;2;" "two names: two processes"
is "$(: | pipelines/deal "$TMP/deal" 3 10)" "" "no names: none"

# ---- make, on cards ----

printf 'a ring\na square\na star\n' >"$TMP/prompts.txt"
# run OUT MAKE-ARGUMENTS...
run() {
    local out=$1
    shift
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL=fixtures/random PROMPTS="$TMP/prompts.txt" SIZE=64x48 \
        FRAMES=5 STEPS=2 SEEDS='1 2' "$@" >"$TMP/out" 2>"$TMP/err"
}
column() {
    tr -d '\r' <"$1" | awk -F , -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }'
}
export SLURMD_NODENAME=here
run "$TMP/cards.out" -j2 GPUS=0,1 experiment VARIANTS=fp16
ok $? "make -j2 GPUS=0,1 experiment"
comment "$(tail -3 "$TMP/err")"
is "$(grep -h '^device' "$TMP/cards.out"/fp16/runs/latents.*/run | sort | lines)" "device	0 device	1" "one sampling process on each card"
is "$(grep -o '"documents": [0-9]*' "$TMP/cards.out"/fp16/runs/*/wan-denoise.json | sed 's/.* //' | lines)" "3 3" \
    "three videos each, of six"
is "$(grep -o '"weight_loads": [0-9]*' "$TMP/cards.out"/fp16/runs/*/wan-denoise.json | sed 's/.* //' | lines)" "1 1" \
    "each loads its model once"
is "$(column "$TMP/cards.out/paper_table.csv" node | tr ' ' '\n' | sort | lines)" "here:0 here:1" "paper_table.csv names node and cards"
is "$(column "$TMP/cards.out/paper_table.csv" return_code):$(column "$TMP/cards.out/paper_table.csv" runs)" "0:2" "two runs, all made"
run "$TMP/one.out" fp16
same=0
for f in "$TMP"/one.out/fp16/*.latents.safetensors; do cmp -s "$f" "$TMP/cards.out/fp16/$(basename "$f")" && same=$((same + 1)); done
is $same 6 "the same bytes as by one process"
touch "$TMP/now"
run "$TMP/cards.out" -j2 GPUS=0,1 experiment VARIANTS=fp16
is "$(find "$TMP/cards.out" -newer "$TMP/now" -type f):$(cat "$TMP/out")" ":" "a second make makes nothing"

# ---- behind RUN ----

fixtures/clip/unpack.sh "$TMP/clip" >/dev/null

# A stand-in for srun: says where it was, and fails on the second call.
cat >"$TMP/far" <<'END'
#!/bin/bash
exec 9>"$TMP/turn"
flock 9
echo "$*" >>"$TMP/calls"
n=$(wc -l <"$TMP/calls")
exec 9>&-
[ "$n" = "${FAIL_AT:-}" ] && exit 9
SLURMD_NODENAME=node$n exec "$@"
END
chmod +x "$TMP/far"
run "$TMP/far.out" -j2 RUN="$TMP/far" CHUNK=3 experiment VARIANTS=fp16 CLIP="$TMP/clip"
ok $? "make RUN=... experiment"
comment "$(tail -3 "$TMP/err")"
is "$(wc -l <"$TMP/calls")" 6 "RUN starts all that uses a device: text; sampling and decoding, two processes of three videos each; CLIP"
is "$(column "$TMP/far.out/paper_table.csv" node | tr ' ' '\n' | sort | lines)" "node2 node3 node4 node5" "on these nodes"
run "$TMP/far.out" -j2 RUN="$TMP/far" CHUNK=3 experiment VARIANTS=fp16 CLIP="$TMP/clip"
is "$(wc -l <"$TMP/calls")" 6 "a second make starts nothing"

rm "$TMP/calls"
export FAIL_AT=2
run "$TMP/again.out" RUN="$TMP/far" CHUNK=2 fp16
ok $? "one process of three fails: it is run once more"
is "$(grep -c 'once more' "$TMP/err")" 1 "which is said"
is "$(grep -c . "$TMP/calls"),$(ls -d "$TMP"/again.out/fp16/runs/latents.* | wc -l)" "8,3" "and nothing else is made again"
rm -r "$TMP/calls" "$TMP/again.out"
cat >"$TMP/breaks" <<'END'
#!/bin/sh
exit 7
END
chmod +x "$TMP/breaks"
FAIL_AT=
run "$TMP/again.out" RUN="$TMP/far" CHUNK=2 fp16 DENOISE="$TMP/breaks"
is "$?:$(ls -d "$TMP"/again.out/fp16/runs/latents.* | wc -l)" "2:6" "what always fails is run twice"
run "$TMP/again.out" DENOISE="$TMP/breaks" fp16
is "$?:$(grep -c 'once more' "$TMP/err")" "2:0" "without RUN once only"

# A part that failed shows in the record although another part ended later; once made again, it does not.
runs=$TMP/record/fp16/runs
for r in "1 1 7 2" "2 2 0 3"; do
    read -r n part code clock <<<"$r"
    mkdir -p "$runs/latents.$n"
    printf 'stage\tlatents\ndealt\t2026-01-01\npart\t%s\nclock\t%s\nseconds\t1\nreturn_code\t%s\n' "$part" "$clock" "$code" \
        >"$runs/latents.$n/run"
done
mkdir "$TMP/tables"
experiment-record -o "$TMP/tables" "$TMP/record" fp16
is "$(column "$TMP/tables/paper_table.csv" return_code)" 7 "a part that failed shows in return_code"
cp -r "$runs/latents.2" "$runs/latents.3"
sed -i 's/^part.*/part\t1/; s/^clock.*/clock\t9/' "$runs/latents.3/run"
experiment-record -o "$TMP/tables" "$TMP/record" fp16
is "$(column "$TMP/tables/paper_table.csv" return_code)" 0 "and no more when it was made again"

# A record is named after the stage and its part, and numbered if there was one of that name; records none
# of whose files is wanted any more are cleared.
part=$TMP/record/fp16/sweep.parts/7
mkdir -p "${part%/*}"
date >"${part%/*}/dealt"
is "$(for i in 1 2 3; do pipelines/run begin "$TMP/begun" latents "$part"; done | sed 's/.*begun.//' | lines)" \
    "latents.7 latents.7.2 latents.7.3" "a part's runs"
is "$(WAN_MACHINE='node	elsewhere' pipelines/run begin "$TMP/begun" film "$part"; sed -n 's/^node.//p' "$TMP/begun/film.7/run")" \
    "$TMP/begun/film.7
elsewhere" "WAN_MACHINE has the lines of the machine already"
: >"$TMP/file"
pipelines/run begin "$TMP/file/runs" latents "$part" >"$TMP/out" 2>"$TMP/err"
is "$?:$(cat "$TMP/out")" "1:" "a record that cannot be made"
printf 'a\tx\nb\ty\n' >"$TMP/begun/latents.7/files"
printf 'c\tx\n' >"$TMP/begun/latents.7.2/files"
printf 'b\tx.mp4\n' >"$TMP/begun/film.7/files"
printf 'b\ty\nb\tx.mp4\nd\tx\n' >"$TMP/wanted"
pipelines/run clear "$TMP/begun" "$TMP/wanted"
is "$(ls "$TMP/begun" | lines)" "film.7 latents.7" "records none of whose files is wanted any more are removed"
fails 2 "run: there is no verb 'start'" "run with another verb" pipelines/run start

# ---- what is wrong ----

run "$TMP/x" fp16 GPUS='0 1'
like "$(cat "$TMP/err")" "*GPUS='0 1' has a space*" "cards with blanks between are refused"
run "$TMP/x" fp16 CHUNK=0
like "$(cat "$TMP/err")" "*CHUNK='0' is no number*" "0 videos for each process are refused"

done_testing
