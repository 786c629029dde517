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
if [ "$DEVICE" = cpu ]; then
    denoise -s 5 -S 5 $small -G 2 < text > one
    denoise -s 5 -S 5 $small -G 2 --until 3 < text | denoise -G 2 > halves
    close_to "with -G 2" --same 1 halves:latents one:latents
else
    skip "it needs two cards" "with -G 2"
fi

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
said() { tensor-info "$1" | sed -n "s/^ *$2: //p" | tr -d ' []"'; } # FILE MEMBER
is "$(said half until)" 3 "the record says where it stops"
denoise < half > end
is "$(said end went_on)" 3 "and that of the result from where it went on"
is "$(tensor-info end | grep -c 'sampling:')$(tensor-info --names end)" "0latents" \
    "which is latents alone, and no sampling"
like "$(tensor-info end)" '*before: *"seed": *5*' "the record of the first half is in it"
recipe() { tensor-info "$1" | sed -n 's/^  recipe: //p'; }
is "$(said end input | head -1)" "$(recipe half)" "its input is the first half's recipe"
denoise -s 8 -S 5 $small --until 3 --recipe < text > half.recipe
is "$(recipe half.recipe)" "$(recipe half)" "--recipe knows that of the first half"
denoise --recipe < half.recipe > end.recipe
is "$(recipe end.recipe)" "$(recipe end)" "and of the second"
denoise -s 8 -S 6 $small --until 3 < text | denoise > other
[ "$(recipe other)" != "$(recipe end)" ]
ok $? "another first half is another recipe"
for extra in "-g 3" "--until 4" "--skip 6" "--guidance-steps 1-2" "--cfg-zero 0" "--skip-layers 0"; do
    # shellcheck disable=SC2086
    [ "$(denoise --recipe $extra < half.recipe | tensor-info | sed -n 's/^  recipe: //p')" != \
        "$(recipe end)" ]
    ok $? "so is a second half with $extra"
done
for extra in "--schedule diffusers" "--from 2" "--timesteps 900,500" "--sigmas 0.9,0.5"; do
    # shellcheck disable=SC2086
    [ "$(denoise $small --recipe $extra < text | tensor-info | sed -n 's/^  recipe: //p')" != \
        "$(denoise $small --recipe < text | tensor-info | sed -n 's/^  recipe: //p')" ]
    ok $? "and a whole one with $extra"
done
denoise -s 8 -S 5 $small --trace --until 3 < text > trace
is "$(tensor-info --names trace | grep -c latents)" 3 "a trace until step 3 has three documents"
denoise --trace < half > trace
is "$(tensor-info trace | sed -n 's/^  step: //p' | tr '\n' ' ')" "4 5 6 7 8 " "and one that goes on the rest"
tensor-pick -d 3 trace > state
denoise -s 8 -S 5 $small --trace < text > all
tensor-pick -d 6 all > sixth
close_to "with the same states" --same 1 state:latents sixth:latents
denoise -s 8 -S 5 $small --tap blocks.0.ffn --until 2 < text > taps
is "$(tensor-info --names taps | grep -c blocks.0.ffn)" 2 "--tap until step 2 has two evaluations"

# ---- statistics of a part ----
stat() { denoise -s 8 --stat blocks.0.ffn.0 --bins 2 "$@" | tensor-info | sed -n 's/^ *timesteps: //p'; }
is "$(stat < half)" "[416]
[892, 833, 749, 624]" "--stat of what goes on is of the steps that are left"
is "$(stat $small --until 3 < text)" "[999, 972, 937]" "and until a step of those before"
refused_stat=$(denoise --stat blocks.0.ffn.0 < half 2>&1)
like "$refused_stat" "*goes on with others" "of other levels it is refused"

# ---- where a level stops ----
stops() { denoise "$@" | tensor-info | sed -n 's/^  step: //p'; } # at which step
is "$(denoise $small -s 40 -F 12 --until 0.875 --recipe < text | tensor-info | sed -n 's/^  step: //p')" 26 \
    "0.875 at 40 steps and shift 12 is after 26 steps"
is "$(stops $small -s 8 --until 1.0 < text)" 0 "1.0 is at the begin"
is "$(stops $small -s 8 --until 0.9 < text | wc -l)" 1 "0.9 is on the way"
is "$(denoise $small -s 8 --until 0.0001 < text | tensor-info --names)" latents "below the last it is the end"
is "$(denoise --until 0.99 < half | tensor-info | sed -n 's/^  step: //p')" 3 "a level that was passed stops at once"
denoise --until 0.99 < half > same
close_to "with the same state" --same 1 half same
is "$(denoise $small -s 8 --until 8 < text | tensor-info --names)" latents "after all steps it is the end"

# ---- what -s 0 draws ----
wan-denoise -s 0 -S 5 $small < text > drawn
is "$(tensor-info --names drawn | tr '\n' ' ')" "noise context context_null " "noise, and the contexts"
denoise -s 4 < drawn > of-noise
denoise -s 4 -S 5 $small < text > of-seed
close_to "its result is the seed's" --same 1 of-noise:latents of-seed:latents

# ---- what cannot be gone on from ----
refused() { # PATTERN NAME FILE [OPTIONS...]: exit 1, one line, nothing on standard output
    _pattern=$1 _name=$2 _file=$3; shift 3
    denoise "$@" < "$_file" > refused.out 2> refused.err
    _rc=$? _err=$(cat refused.err)
    [ $_rc -eq 1 ] && [ "$(wc -l < refused.err)" -eq 1 ] && [ ! -s refused.out ]
    ok $? "$_name: exit 1, one line, no output"
    like "$_err" "wan-denoise: $_pattern" "$_name is said"
}
refused "*goes on with unipc, not with --solver euler" "another solver" half --solver euler
refused "*is a sampling of 8 steps, not of 9" "other steps" half -s 9
refused "*with shift 5, not 3" "another shift" half -F 3
refused "*with --schedule official, not diffusers" "another schedule" half --schedule diffusers
refused "*of other levels than the given ones" "other levels" half --sigmas 0.9,0.5
refused "*is a sampling of 80x64, not 96x64" "another size" half --size 96x64
refused "*of 9 frames, not 13" "other frames" half --frames 13
refused "*seed of its own*" "a seed" half -S 5
refused "*with --rng torch-cuda:132,2048" "another rng" half --rng torch-cpu
refused "*--until 2: 3 steps are done" "a step that is behind" half --until 2
refused "*--until 9: there are 8 steps" "more steps than there are" half --until 9
refused "*--from is for given latents*" "--from with a sampling" half --from 2
refused "*--until 60: there are 50 steps" "--until beyond the end" text --until 60
refused "*--from begins with latents*" "--from without latents" text --from 2
refused "*leaves no step*" "--from the end" text -s 8 --from 8
refused "*--skip names step 60 of 50" "a step that is none" text --skip 60
refused "*--guidance-steps 3-9: there are 8 steps" "guidance in steps that are none" half --guidance-steps 3-9
refused "*--skip-layers 3-9: there are 8 steps" "blocks left out in steps that are none" half --skip-layers 0:3-9
refused "*--cfg-zero 9: there are 8 steps" "too many steps that stand still" half --cfg-zero 9
refused "*block 2, but the model has 2" "a block that is none" text --skip-layers 2
refused "*no coefficients are published for a model 256 wide*" "TeaCache's of this width" text --skip teacache:0.1
refused "*cannot open nowhere*" "no ratios" text --skip magcache:0.1:nowhere
refused "*text*residual.ratio*" "a file of something else" text --skip magcache:0.1:text
denoise -s 8 -S 5 $small --until 3 --solver euler < text > euler.half
denoise -s 8 -S 5 --size 96x64 --frames 9 --until 3 < text > wide
without() { # NAME FILE: but that tensor
    tensor-pick $(tensor-info --names "$2" | grep -vx "$1" | sed "s|^|$2:|")
}
without solver.m1 half > in
refused "*with unipc after step 3, but has no solver.m1" "a state without its history" in
tensor-pick half:latents half:solver.m1 half:solver.last half:context half:context_null wide:solver.m0 > in
refused "solver.m0 of standard input is *, but the sampling is of *" "tensors of two sizes" in
tensor-pick wide:latents half:solver.m0 half:solver.m1 half:solver.last half:context half:context_null > in
refused "*" "latents of another size than the state" in
tensor-pick half:latents half:solver.m0 half:solver.m1 half:solver.last > in
refused "*context*" "a state without contexts" in
printf '{"context":{"dtype":"F32","shape":[3,32],"data_offsets":[0,384]}}' > header
{ printf "\\$(printf %o $(wc -c < header))\0\0\0\0\0\0\0"; cat header; head -c 384 /dev/zero; } > narrow
tensor-pick half:latents half:solver.m0 half:solver.m1 half:solver.last half:context_null narrow:context > in
refused "*context*\[3, 32\]*" "another model's width of text" in
for broken in '1' '{"version":2}' '{"version":1}' \
    '{"version":1,"solver":"ddim","schedule":"official","sigmas":[1],"timesteps":[1]}'; do
    tensor-pick -k sampling="$broken" half > in
    refused "sampling of standard input *" "metadata that say $broken" in
done
# What each member may not be. Steps of `half` are numbers from 0 to 6.
state() { # MEMBER JSON: what half says of its sampling, with another value
    tensor-info -j half | perl -MJSON::PP -e 'my ($k, $v) = @ARGV; my $all = decode_json(<STDIN>);
        my $said = decode_json($all->{metadata}{sampling}); $said->{$k} = JSON::PP->new->allow_nonref->decode($v);
        print JSON::PP->new->allow_nonref->canonical->encode($said)' "$@"
}
for broken in 'shift 0' 'shift -3' 'shift "3"' 'step 9999' 'step -1' 'step 1.5' 'step "1"' 'first 9999' 'first null' \
    'shape [16,3,8]' 'shape [16,3,9,10]' 'shape [3,3,8,10]' 'shape [16,0,8,10]' 'seed -1' 'seed "5"' 'rng "dice"' \
    'rng 1' 'solver 1' 'schedule "karras"' 'schedule 1'; do
    tensor-pick -k sampling="$(state "${broken%% *}" "${broken#* }")" half > in
    refused "sampling of standard input has no usable ${broken%% *}" "a sampling whose ${broken%% *} is ${broken#* }" in
done

# ---- wrong usage ----
usage() { # PATTERN OPTIONS...
    _pattern=$1; shift
    fails 2 "*$_pattern*" "wrong usage: $*" wan-denoise -m "$model" "$@"
}
for place in -1 x 1.5 0.5.5 1e2 '' 1001; do
    usage "--until is a number of steps, or a level" --until "$place"
done
usage "--from is a number of steps" --from 2.0
for list in '' 0 1,,2 5,x 1001 900,nan; do
    usage "--timesteps takes numbers above 0 and up to 1000" --timesteps "$list"
done
usage "--sigmas takes numbers above 0 and up to 1" --sigmas 1.5
usage "--sigmas must be above 0" --sigmas 1e-320
usage "must descend" --timesteps 500,900
usage "must descend" --sigmas 0.5,0.5
usage "--timesteps has 2 numbers, --sigmas 1" --timesteps 900,500 --sigmas 0.5
usage "the given levels are 2 steps, -s says 3" --timesteps 900,500 -s 3
usage "--schedule trained is for --timesteps" --schedule trained
usage "--schedule is official, diffusers" --schedule karras
for rule in 0 4,x 5-3 tea:1 teacache teacache: teacache:x teacache:0.1:1,2,3,4,5,6 teacache:-1 magcache:0.1 \
    magcache:0.1,2,3:x easycache:0.1,0 easycache:0.1,2,3 ''; do
    usage "--skip takes STEP,.. or teacache" --skip "$rule"
done
usage "step 1 has nothing before it" --skip 1
usage "--skip is not for --solver heun" --skip 2 --solver heun
usage "--skip excludes --tap" --skip 2 --tap head
usage "--guidance-steps takes steps as FROM-TO" --guidance-steps 3
usage "--skip-layers takes numbers of blocks" --skip-layers x
usage "which -g 1 is without" --cfg-zero 1 -g 1
usage "is for what is sampled" --until 3 -s 0
usage "is for what is sampled" --skip 3 --forward 500
usage "--stat residual is of whole samplings" --stat residual --until 3

done_testing
