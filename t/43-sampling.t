#!/bin/sh
# Whole sampling against the reference: both solvers, from a seed and from stored noise, with a trace.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random
cd "$TMP" || exit 1
contexts="$GOLDEN:t5.prompt.context=context $GOLDEN:t5.negative.context=context_null"
tensor-pick $contexts > text
tensor-pick $contexts "$GOLDEN:noise" > text-noise
tensor-pick "$GOLDEN:t5.prompt.context=context" > text-alone
small="--size 80x64 --frames 9"

# ---- the golden samplings ----
# The weights are F16: as such they are exact, so with F32 operands fp16 loses nothing.
loses() { [ "$1" = fp16 ] && operands fp16 || echo "$1"; }
golden() { # NAME TYPE FILE KEY: of its latents
    close_to "$1, $2" --rel "$(bound "$(loses "$2")" 1e-4 "$4")" "$3:latents" "$GOLDEN:$4"
}
for solver in unipc dpm++; do
    for type in fp32 fp16 bf16; do
        wan-denoise -m "$model" -s 8 --dtype $type --solver $solver --trace < text-noise > trace
        is "$(tensor-info --names trace | grep -c latents)" 8 "a trace has a document a step"
        for step in 0 1 2; do
            tensor-pick -d $((step + 1)) trace > state
            golden "$solver after step $((step + 1))" $type state $solver.latents.step$step
            like "$(tensor-info state)" "*
  step: $((step + 1))
*" "its metadata count the steps"
        done
        tensor-pick -d 8 trace > state
        golden "$solver from stored noise" $type state $solver.latents
    done
    wan-denoise -m "$model" -s 8 -S 123 $small --solver $solver < text > $solver-seed
    golden "$solver from a seed" fp16 $solver-seed $solver.latents
done

# ---- Euler, which the reference does not have: one step is the definition ----
wan-denoise -m "$model" -s 1 -g 1 --solver euler < text-noise > euler1
wan-denoise -m "$model" -s 1 -g 1 --solver dpm++ < text-noise > dpm1
close_to "one step of euler is one of dpm++" --rel 1e-5 euler1:latents dpm1:latents
for n in 32 64; do
    for solver in euler unipc; do
        wan-denoise -m "$model" -s $n -g 1 --solver $solver < text-noise > $solver$n
    done
done
distance() { tensor-diff --rel 0 "$1:latents" "$2:latents" | sed 's/.*rel \([^	]*\).*/\1/'; }
far=$(distance euler32 unipc64) near=$(distance euler64 unipc64)
comment "euler's distance from unipc: 32 steps $far, 64 steps $near"
awk -v n="$near" -v f="$far" 'BEGIN { exit !(n < 0.75 * f && n < 0.2) }'
ok $? "euler comes closer to unipc with more steps"

# ---- guidance 1 is the prompt's velocity alone ----
wan-denoise -m "$model" -s 2 -g 1 --dtype fp32 < text-noise > one
wan-denoise -m "$model" -s 2 -g 1.0000001 --dtype fp32 < text-noise > nearly
close_to "guidance 1 runs one pass, as if it were two" --rel 1e-5 one:latents nearly:latents
tensor-pick text-alone "$GOLDEN:noise" > alone
wan-denoise -m "$model" -s 2 -g 1 --dtype fp32 < alone > one-alone
close_to "and needs no context_null" --same 1 one-alone:latents one:latents

# ---- several documents and seeds ----
cat text text-noise text > three
wan-denoise -m "$model" -s 8 -S 123 $small --stats stats.json < three > out
is "$(tensor-info --names out | grep -c latents)" 3 "three documents"
for d in 1 2 3; do
    tensor-pick -d $d out > this
    golden "document $d" fp16 this unipc.latents
done
for count in '"documents": 3' '"weight_loads": 1' '"steps": 24' '"weight_bytes.F16"' \
    '"peak_device_bytes"' '"load"' '"text"'; do
    grep -q "$count" stats.json
    ok $? "--stats has $count"
done
wan-denoise -m "$model" -s 8 -S 5,123 $small < text > seeds
tensor-pick -d 2 seeds > second
close_to "a seed's result does not depend on the seeds before it" --same 1 second:latents \
    unipc-seed:latents

like "$(wan-denoise -m "$model" -s 1 $small < text 2> /dev/null | head -c 30 | tail -c 22)" '{"__metadata__":*' \
    "a stream begins with its metadata"

done_testing
