#!/bin/sh
# wan-denoise --until and --from: a sampling that stops, as a document, and what goes on from it.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random
cd "$TMP" || exit 1
contexts="$GOLDEN:t5.prompt.context=context $GOLDEN:t5.negative.context=context_null"
tensor-pick $contexts > text
tensor-pick $contexts "$GOLDEN:noise" > text-noise
denoise() { wan-denoise -m "$model" "$@"; }
small="--size 80x64 --frames 9"

# ---- two halves have the bits of one run ----
for solver in unipc dpm++ euler heun dpm++-sde lcm; do
    denoise -s 8 --solver $solver -S 5 $small < text > $solver.whole
    for until in 0 1 2 5 7; do
        denoise -s 8 --solver $solver -S 5 $small --until $until < text > half
        denoise < half > whole
        close_to "$solver, through a file, after $until of 8" --same 1 whole:latents \
            $solver.whole:latents
    done
done
for solver in unipc dpm++-sde; do
    denoise -s 8 --solver $solver -S 5 $small --until 2 < text | denoise --until 4 |
        denoise --until 5 | denoise > whole
    close_to "$solver in four parts, through pipes" --same 1 whole:latents $solver.whole:latents
done
cat text text-noise text > three
denoise -s 6 -S 5 $small < three > one
denoise -s 6 -S 5 $small --until 4 < three | denoise > halves
for d in 1 2 3; do
    tensor-pick -d $d one > a
    tensor-pick -d $d halves > b
    close_to "document $d of a stream" --same 1 b:latents a:latents
done
denoise -s 6 -S 5,6 $small < text > one
denoise -s 6 -S 5,6 $small --until 4 < text | denoise > halves
tensor-pick -d 2 one > a
tensor-pick -d 2 halves > b
close_to "the second of two seeds" --same 1 b:latents a:latents
denoise -s 5 -S 5 $small -G 2 < text > one
denoise -s 5 -S 5 $small -G 2 --until 3 < text | denoise -G 2 > halves
close_to "with -G 2" --same 1 halves:latents one:latents

# ---- where it stands ----
denoise -s 8 -S 5 $small --until 3 < text > half
info=$(tensor-info half)
for name in latents solver.m0 solver.m1 solver.last context context_null; do
    case $info in *"$name"*) ok 0 "the document has $name" ;; *) ok 1 "the document has $name" ;; esac
done
like "$info" '*step: 3*' "and its step"
tensor-pick half:latents half:context half:context_null > look
denoise -s 8 -S 5 $small --trace < text > trace
tensor-pick -d 3 trace > third
close_to "its latents are those of a trace" --same 1 half:latents third:latents
meta() { # KEY MEMBER FILE: of a record in the metadata
    tensor-info --json "$3" | jq -r ".metadata[\"$1\"] | if type == \"string\" then fromjson else . end | $2"
}
tensor-info --json half | head -c 300 | comment "$(cat)"

done_testing
