#!/bin/bash
# What goes wrong for a newcomer, and what is said: one line that names the file, line or variable, before a
# model is loaded or a file written.
. "$(dirname "$0")/tap.sh"
cd "$ROOT" || exit 1
make=(make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}")
printf 'a red circle moves right\n' >"$TMP/p.txt"
small=(MODEL=fixtures/tiny PROMPTS="$TMP/p.txt" SIZE=64x64 FRAMES=5 STEPS=2 SEEDS=1 OUT="$TMP/out")

# said PATTERN NAME MAKE-ARGUMENTS...: make refuses it in one line like PATTERN, and OUT stays as it is
said() {
    local pattern=$1 name=$2
    shift 2
    fails 2 "*\*\*\* $pattern  Stop." "$name" "${make[@]}" "${small[@]}" fp16 w8a16 "$@"
    [ ! -e "$TMP/out" ] || { ok 1 "$name: nothing is made" && rm -r "$TMP/out"; }
}

# ---- the variables of an experiment ----

said "MODEL=/nowhere: there is no such directory." "MODEL that is not there" MODEL=/nowhere
said "MODEL=~/x: there is no such directory (make leaves ~ as it is: write \$HOME)." "MODEL with ~" 'MODEL=~/x'
said "MODEL is needed*" "no MODEL" MODEL=
said "MODEL=$TMP/p.txt is not a directory." "MODEL that is a file" MODEL="$TMP/p.txt"
mkdir "$TMP/empty"
said "MODEL='$TMP/empty': wan-encode-text: cannot find models_t5_umt5-xxl-enc-bf16.pth*" "MODEL that lacks the text encoder" MODEL="$TMP/empty"
cp -r fixtures/tiny "$TMP/half" && rm "$TMP/half/Wan2.1_VAE.pth"
said "MODEL='$TMP/half': wan-vae-decode: * not Wan's video VAE." "MODEL that lacks the VAE" MODEL="$TMP/half"
said "PROMPTS=$TMP/none: there is no such file." "PROMPTS that is not there" PROMPTS="$TMP/none"
said "PROMPTS is empty: it is a file." "PROMPTS of nothing" PROMPTS=
printf 'a\n\n\nb \377\n' >"$TMP/bad.txt"
said "PROMPTS=$TMP/bad.txt: line 4 is not UTF-8." "PROMPTS that is no text" PROMPTS="$TMP/bad.txt"
printf '\n\n' >"$TMP/blank.txt"
said "PROMPTS=$TMP/blank.txt: it has no prompt." "PROMPTS without one" PROMPTS="$TMP/blank.txt"
said "NEGATIVE='$TMP/bad.txt': wan-encode-text: $TMP/bad.txt is not UTF-8." "NEGATIVE that is no text" NEGATIVE="$TMP/bad.txt"
said "SIZE='60x60': wan-denoise: --size 60x60 is not a multiple of 16*" "a SIZE that no model takes" SIZE=60x60
said "SIZE='100000x64': wan-denoise: --size 100000x64 is over 16384." "a SIZE too large" SIZE=100000x64
said "SIZE='64' is not WIDTHxHEIGHT." "a SIZE of one side" SIZE=64
said "STEPS='2000': wan-denoise: --steps is from 0 to 1000, not 2000." "STEPS too many" STEPS=2000
said "STEPS='x' is not a number of steps." "STEPS that are no number" STEPS=x
said "FRAMES='20000': wan-denoise: --frames is from 1 to 10000, not 20000." "FRAMES too many" FRAMES=20000
said "FRAMES='0' is not a number of frames." "no FRAMES" FRAMES=0
said "SHIFT='-1': wan-denoise: --shift is from *" "a SHIFT that cannot be" SHIFT=-1
said "FPS='0': frames2mp4: --fps is from *" "an FPS that cannot be" FPS=0
said "options.fp16='--solver x': wan-denoise: --solver is *" "an option of a variant" options.fp16='--solver x'
said "options.fp16='--size 9x9': wan-denoise: --size 9x9 *" "an option of a variant that is a variable's, too" options.fp16='--size 9x9'
said "quantize.w8a16='-t int9': wan-quantize: -t is *" "a rule that is none" quantize.w8a16='-t int9'
said "weights.fp16=/nowhere: there is no such file or directory." "weights that are not there" weights.fp16=/nowhere
said "weights.fp16='$TMP/empty': wan-denoise: cannot find *" "weights that are none" weights.fp16="$TMP/empty"
said "DENOISE: there is no program 'nosuch'." "a stage that is not there" DENOISE='nosuch -x'
said "DENOISE=*: its quotes do not end." "a stage whose quotes do not end" DENOISE="x 'y"
said "no variant fp17: weights.fp17=DIR makes one. There are fp16 *" "a variant that is none" videos VARIANTS='fp16 fp17'
said "OUT='a b' has a space, which make cannot carry." "OUT with a space" OUT='a b'
said "OUT=/proc/x cannot be made: nothing can be written in /proc." "OUT where nothing can be" OUT=/proc/x
said "OUT=$TMP/p.txt is not a directory." "OUT that is a file" OUT="$TMP/p.txt"
said "CLIP=/nowhere: there is no such directory." "CLIP that is not there" CLIP=/nowhere
said "CLIP=fixtures/random: clipscore: cannot *" "CLIP that is none, before videos are made" experiment CLIP=fixtures/random
said "JUDGE: there is no program 'nosuch'." "a judge that is not there" experiment JUDGE=nosuch
said "BY_NAME=$TMP/p.txt: line 1 is not a name, a tab and a prompt." "BY_NAME that is no list" BY_NAME="$TMP/p.txt"
said "nothing reads STEP: did you mean STEPS?." "a variable that nobody reads" STEP=3
said "EXPERIMENT=/nowhere: there is no such file." "EXPERIMENT that is not there" EXPERIMENT=/nowhere

# Programs that are not built yet check it when they are, still before anything is made.
mkdir "$TMP/rules" && cp -r pipelines/. "$TMP/rules"
"${make[@]}" "${small[@]}" fp16 SIZE=60x60 BUILD="$TMP/nothing" >"$TMP/said" 2>&1
grep -q . "$TMP/said"
ok $? "without programs it fails"

# ---- lines are those of the user's file ----

{
    printf 'a red circle moves right\n\n\n'
    yes 'a red circle' | head -n 400 | paste -sd ' '
} >"$TMP/long.txt"
"${make[@]}" "${small[@]}" text PROMPTS="$TMP/long.txt" >"$TMP/said" 2>&1
like "$(grep tokens "$TMP/said")" "wan-encode-text: warning: line 4 of $TMP/long.txt has * tokens, cut to 64" "a prompt that is too long, by its line"
rm "$TMP/out/text/02.safetensors"
"${make[@]}" "${small[@]}" text PROMPTS="$TMP/long.txt" >"$TMP/said" 2>&1
like "$(grep tokens "$TMP/said")" "*: line 4 of $TMP/long.txt has *" "also when it is the only one that is missing"
rm -r "$TMP/out"

# ---- names of files ----

if have ffmpeg; then
    cp fixtures/cat.mp4 "$TMP/my cat.mp4"
    like "$(mp42frames "$TMP/my cat.mp4" | clipscore -m fixtures/tiny/clip 2>&1 >"$TMP/score")" \
        "clipscore: warning: document 1 (my cat.mp4) has no prompt*" "clipscore names the video without a prompt"
    mkdir -p "$TMP/made/a" && cp fixtures/cat.mp4 "$TMP/made/a/one	tab.mp4"
    like "$("${make[@]}" eval OUT="$TMP/made" VARIANTS=a 2>&1 | head -n 1)" "*made/a/one?tab.mp4 has a line break or a tab (?) in its name*" \
        "a name that cannot be is named"
fi

# ---- the system ----

mkdir "$TMP/bin"
for p in make sh bash awk sed grep tr env id mktemp rm dirname cat head sort find nproc uname pkg-config paste printf; do
    [ ! -e "$(command -v $p)" ] || ln -s "$(command -v $p)" "$TMP/bin/$p"
done
fails 2 "deps: there is no sudo: as root, apt-get install *libjansson-dev*" "make deps without sudo gives the list" \
    env PATH="$TMP/bin" make -s DEVICE=cpu deps SUDO=sudo
fails 2 "deps: there is no apt-get: these packages are needed*ffmpeg*" "and without apt-get" env PATH="$TMP/bin" make -s DEVICE=cpu deps SUDO=

printf '#!/bin/sh\necho "MaxArraySize            = 3"\n' >"$TMP/bin/scontrol"
printf '#!/bin/sh\necho submitted >>%s\n' "$TMP/submitted" >"$TMP/bin/sbatch"
printf '#!/bin/sh\n' >"$TMP/bin/squeue"
chmod +x "$TMP"/bin/s{control,batch,queue}
for i in 1 2 3 4 5 6 7; do echo "a red circle moves right $i"; done >"$TMP/seven.txt"
PATH=$TMP/bin:$PATH "${make[@]}" "${small[@]}" sweep VARIANTS=fp16 PROMPTS="$TMP/seven.txt" CHUNK=1 >"$TMP/said" 2>&1
like "$(cat "$TMP/said")" "sweep: CHUNK=1 makes 7 tasks of fp16, but this Slurm's MaxArraySize 3 takes 2: CHUNK=4 or more*" \
    "an array that Slurm would not take names CHUNK"
[ ! -e "$TMP/submitted" ]
ok $? "before anything is submitted"
rm -rf "$TMP/out"
PATH=$TMP/bin:$PATH "${make[@]}" "${small[@]}" sweep VARIANTS=fp16 PROMPTS="$TMP/seven.txt" CHUNK=4 >"$TMP/said" 2>&1
is "$(wc -l <"$TMP/submitted")" 3 "with what it names all is submitted"
comment "$(cat "$TMP/said")"
done_testing
