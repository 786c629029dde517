#!/bin/bash
# The examples in pipelines/examples: each runs with the small model, and leaves what it says.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$TMP" || exit 1
examples=$ROOT/pipelines/examples model=$ROOT/fixtures/tiny
PATH=$ROOT/pipelines:$PATH
small=(--size 64x64 --frames 5)
video=(BUILD="$BUILD" SIZE=64x64 FRAMES=5 STEPS=3 SEEDS='1 2')
printf 'a red circle moves right\na blue ring / stands still\n' >prompts.txt

"$examples/swap-solver.sh" "$model" 'a red circle' "${small[@]}" >said 2>err
ok $? "swap-solver.sh"
like "$(cat said)" "euler: *rel*dpm++: *rel*" "says how far each is"
"$examples/look-at-attention.sh" "$model" 'a red circle' "${small[@]}" -s 2 >said 2>err
ok $? "look-at-attention.sh"
like "$(cat said)" "*blocks.0.self_attn*" "says what is in it"
[ -s attention.png ]
ok $? "attention.png"
"$examples/compare-checkpoints.sh" "$model" "$model" "$model/clip" prompts.txt "${video[@]}" options.after='--dtype bf16' \
    differs.after=dtype >said 2>err
ok $? "compare-checkpoints.sh"
comment "$(tail -n 2 err)"
[ -s checkpoints/report.html ] && [ "$(wc -l <checkpoints/pairs.csv)" = 5 ]
ok $? "a report, and a row a pair"
wan-experiment trace MODEL="$model" PROMPTS=prompts.txt VARIANTS='fp16 w8a16' OUT=traced "${video[@]}" >said 2>err
if have python3; then
    python3 "$examples/error-by-step.py" traced/trace.csv error.svg >said 2>err
    ok $? "error-by-step.py"
    [ -s error.svg ] || [ "$(wc -l <said)" = 3 ]
    ok $? "a plot, or its numbers"
else
    skip "there is no python3" "error-by-step.py"
fi
"$examples/vbench-names.sh" checkpoints/before vbench
ok $? "vbench-names.sh"
is "$(ls vbench | paste -sd ,)" "a blue ring _ stands still-0.mp4,a blue ring _ stands still-1.mp4,a red circle moves right-0.mp4,a red circle moves right-1.mp4" \
    "VBench's names, an index a seed"
cmp checkpoints/before/01_seed2.mp4 'vbench/a red circle moves right-1.mp4'
ok $? "and the right videos"
is "$(for f in "$examples"/*; do [ "$(grep -c . "$f")" -le 30 ] || echo "$f"; done)" "" "each is a few lines"
done_testing
