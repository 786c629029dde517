#!/bin/sh
# wan-denoise --skip: which steps are answered, with what, and what is said of it; against loops in
# Python (fixtures/sampling/make.py).
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random G=$ROOT/fixtures/sampling/golden.safetensors
cd "$TMP" || exit 1
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" > text
sample() { # OPTIONS...: as the fixtures were sampled
    wan-denoise -m "$model" --dtype fp32 --rng torch-cpu -S 123 --size 32x32 --frames 1 "$@" < text
}
# floats FILE:NAME: its F32 values, with commas
floats() {
    tensor-pick "$1=x" > floats
    tail -c +$((9 + $(od -An -tu8 -N8 floats))) floats | od -An -v -tf4 | tr -s ' \n' ',,' |
        sed 's/^,*//; s/,*$//'
}
# said FILE MEMBER: of its record
said() { tensor-info "$1" | sed -n "s/^ *$2: //p" | tr -d ' []'; }

# ---- three rules and a list, against their sources' loops ----
tensor-pick "$G:ratios=residual.ratio" > ratios
check() { # CASE RULE
    sample -s 20 --skip "$2" --stats stats > out
    close_to "$1" --rel 1e-5 out:latents "$G:$1.latents"
    taken=$(floats "$G:$1.taken")
    is "$(said out skipped)" "$taken" "$1: the record has the steps that were answered"
    n=$(echo "$taken" | tr ',' '\n' | wc -l)
    is "$(sed -n 's/.*"calls_saved": \([0-9]*\).*/\1/p' stats)" $((2 * n)) "$1: --stats counts both passes"
}
check teacache teacache:2:2,0.5,0.01
check teacache-ret teacache:3:2,0.5,0.01:ret
check teacache-list 4,6-7,15
check magcache magcache:0.15,4,0.2:ratios
check easycache easycache:0.8,3

# ---- the ratios of MagCache ----
sample -s 20 --stat residual > measured
like "$(tensor-info measured)" "*residual.ratio *F32 *[[]20, 2[]]*" "--stat residual measures the ratios of 20 steps"
floats measured:residual.ratio | tr ',' '\n' | awk 'NR < 3 { if ($1 != 1) bad = 1 }
    NR >= 3 { if ($1 < 0.5 || $1 > 2) bad = 1 } END { exit bad || NR != 40 }'
ok $? "1 in the first step, and of order 1"
comment "$(floats measured:residual.ratio)"
sample -s 10 --skip magcache:10,1,0.2:measured > out
is "$(said out skipped)" "3,5,7,9" "half as many steps take the nearest; at most one in a row"
sample -s 20 --skip magcache:0,2,0.2:measured > out
sample -s 20 > all
is "$(said out skipped)" "" "with a threshold of 0 all is computed"
close_to "as without a rule" --rel 1e-6 out:latents all:latents

# ---- where it stands: in a trace, in a recipe, after a stop ----
sample -s 6 --skip 2,5 --trace > trace
is "$(tensor-info trace | sed -n 's/^ *skipped: //p' | tr -d ' \n')" "[][2][2][2][2,5][2,5]" \
    "a trace's records have those so far"
tensor-pick -d 6 trace > last
sample -s 6 --skip 2,5 > out
close_to "whose last is the result" --same 1 last:latents out:latents
recipe() { tensor-info "$1" | sed -n 's/^  recipe: //p'; }
sample -s 6 --skip 2,5 --recipe > known
is "$(recipe known)" "$(recipe out)" "the recipe is known before"
sample -s 6 --skip 2,4 --recipe > other
[ "$(recipe other)" != "$(recipe out)" ]
ok $? "and another for another rule"
sample -s 20 --skip magcache:0.15,2,0.2:ratios --recipe > one
sample -s 20 --skip magcache:0.15,2,0.2:measured --recipe > other
[ "$(recipe other)" != "$(recipe one)" ]
ok $? "and for other ratios"
sample -s 6 --until 3 > half
wan-denoise -m "$model" --dtype fp32 --skip 4-5 < half > out
is "$(said out skipped | head -1)" "5" "what goes on computes its first step, whatever the rule says"

# ---- with other options ----
sample -s 8 --skip 3,5 --guidance-steps 4-6 > out
is "$(said out skipped)" "3,5" "steps of one pass can be answered, and of two from two"
sample -s 8 --skip 4,5 --guidance-steps 4-6 > out
is "$(said out skipped)" "5" "but not of two from one"
if [ "$DEVICE" = cpu ]; then
    for options in "--skip 3,5" "--skip easycache:0.8,3" "--skip-layers 0" "--skip-layers 1:2-5" \
        "--guidance-steps 2-4" "--cfg-zero 1" "--solver heun" "--solver dpm++-sde" \
        "--skip teacache:1:1,0 --skip-layers 1"; do
        # shellcheck disable=SC2086
        sample -s 8 $options > one
        # shellcheck disable=SC2086
        sample -s 8 $options -G 2 > two
        close_to "-G 2 $options" --rel 2e-6 two:latents one:latents
    done
fi
for solver in unipc dpm++ euler heun dpm++-sde lcm; do
    sample --solver $solver --sigmas 1,0.9,0.6,0.2 > out
    ok $? "$solver from level 1, given"
    is "$(sample --solver $solver --timesteps 999.5 | tensor-info --names)" latents "$solver: one step"
done
sample -S 1,2 -s 3 --solver lcm > two
wan-denoise -s 0 --rng torch-cpu -S 1 --size 32x32 --frames 1 < text > noise
wan-denoise -m "$model" --dtype fp32 --rng torch-cpu -S 1,2 -s 3 --solver lcm < noise > stored
tensor-pick -d 1 two > a
tensor-pick -d 1 stored > b
close_to "lcm: stored noise and a seed are as if the noise were drawn" --same 1 b:latents a:latents
tensor-pick -d 2 stored > c
[ "$(cmp -s b c; echo $?)" != 0 ]
ok $? "and another seed's steps draw others"

done_testing
