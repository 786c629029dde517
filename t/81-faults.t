#!/bin/sh
# Faults: each program is killed, gets too little memory, and loses its input or its output. It must end with
# status 0 and the right output, or with a message and no file under its final name; and when it is run
# again it must make what an undisturbed run makes. FAULTS=20 (make check-faults) tries 20 moments
# and 20 limits of memory; the tests try 2. Limits so low that the loader ends the program before main are not tried.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
FAULTS=${FAULTS:-2}
fault=$BUILD/t/tools/fault model=$ROOT/fixtures/random

# ---- inputs ----

"$ROOT/fixtures/clip/unpack.sh" clip >/dev/null || exit 1
tensor-pick "$GOLDEN:vae.frames=frames" -k seed=1 >one
cat one one >frames
for net in alex alex-heads dino; do
    "$BUILD/t/tools/formula" <"$ROOT/fixtures/nets/$net.txt" >$net.safetensors
done
tensor-pick "$GOLDEN:vae.frames[0:4]=frames" >four
tensor-pick "$GOLDEN:vae.z=latents" >latents
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" >text
cat text text >texts
frames2mp4 a.mp4 <one
printf 'a red fox\nsnow\n' >prompts
: >nothing
for file in wan.safetensors lora-kohya.safetensors; do
    gzip -dc "$ROOT/fixtures/layouts/$file.gz" >$file
done
cp "$ROOT/fixtures/layouts/config.json" .
mkdir -p e/eval/a e/eval/b e/a e/b aside
for variant in a b; do
    tensor-pick -k "variant=$variant" one | tensor-info -j >"e/eval/$variant/01.json"
done
flowmag --recipe >record
cp one one02
flowmag --per-pair <one >motion
echo 02 >names
tensor-pick -k variant=a one | tensor-info -j | wan-recipe about --table one%j -a e/eval/a/%j.json --record record --names names >/dev/null
mkdir -p e/eval/a_vs_b
pair-check -q -d variant e/eval/a e/eval/b 01 >e/eval/a_vs_b/pairs.tsv
"$ROOT/t/sample-experiment" report 2 4 fp16 w8a16 </dev/null

# The limits do not apply to ffmpeg and ffprobe: ffprobe 5.1 waits for ever for threads that it could not
# start.
mkdir bin
for tool in ffmpeg ffprobe; do
    have $tool || continue
    printf '#!/bin/sh\nulimit -v unlimited\nexec %s "$@"\n' "$(command -v $tool)" >bin/$tool
    chmod +x bin/$tool
done
PATH=$TMP/bin:$PATH
mkdir stand-in # for an ffmpeg with libvmaf
printf '#!/bin/sh\nulimit -v unlimited\nexec %s "$@"\n' "$ROOT/t/tools/libvmaf.pl" >stand-in/ffmpeg
chmod +x stand-in/ffmpeg

# ---- what each program does ----

# run PROGRAM [WRAPPER...]: runs the program on a usual input, under the wrapper. It writes its files to files/, and
# files that make would move to their final place to aside/
run() {
    _p=$1
    shift
    case $_p in
    clipscore) "$@" clipscore -q -m clip -p cat <four ;;
    dinoscore) "$@" dinoscore -m dino.safetensors <four ;;
    lpips) "$@" lpips -m alex.safetensors --heads alex-heads.safetensors one one <nothing ;;
    vmafscore) PATH=$TMP/stand-in:$PATH "$@" vmafscore one one <nothing ;;
    flowmag) "$@" flowmag <four ;;
    tiny-look) "$@" tiny-look <four ;;
    framediff) "$@" framediff one one <nothing ;;
    framestats) "$@" framestats <four ;;
    evalreport) "$@" evalreport report <nothing ;;
    experiment-record) "$@" experiment-record -o aside e a b <nothing ;;
    frames2mp4) "$@" frames2mp4 files/1.mp4 files/2.mp4 <frames ;;
    mp42frames) "$@" mp42frames a.mp4 <nothing ;;
    pair-check) "$@" pair-check -q -d variant e/eval/a e/eval/b 01 <nothing ;;
    pair-tables) "$@" pair-tables -m mp4 -v a -v b -o aside e/eval 01 <nothing ;;
    pair-stats) "$@" pair-stats -c plain <"$ROOT/fixtures/stats/pairs.csv" ;;
    tensor-diff) "$@" tensor-diff one - <one ;;
    tensor-info) "$@" tensor-info -v <frames ;;
    tensor-pick) "$@" tensor-pick - <one ;;
    tensor-split) "$@" tensor-split --pass files/1 files/2 <frames ;;
    tensor-view) "$@" tensor-view -q -o files/view.png <one ;;
    wan-check) "$@" wan-check -m "$model" <nothing ;;
    wan-denoise) "$@" wan-denoise -q -m "$model" -s 1 --size 64x64 --frames 5 <texts ;;
    wan-encode-text) "$@" wan-encode-text -q -m "$model" -n bad <prompts ;;
    wan-merge) "$@" wan-merge -q -m wan.safetensors -l lora-kohya.safetensors:0.75 <nothing ;;
    wan-quantize) "$@" wan-quantize -q -t w8a16 -m "$model" <nothing ;;
    wan-sensitivity) "$@" wan-sensitivity -q -m "$model" -s 1 --size 64x64 --frames 5 --by all "$model" <texts ;;
    wan-recipe) "$@" wan-recipe measured --table 'aside/%j.motion.tsv' -a 'e/eval/a/%j.json' --record record --pairs --names names <motion ;;
    wan-vae-decode) "$@" wan-vae-decode -m "$model" <latents ;;
    wan-vae-encode) "$@" wan-vae-encode -m "$model" <one ;;
    *) return 77 ;;
    esac
}

# ---- checks after a fault ----

# same: has run made the same as the undisturbed run?
same() { cmp -s out right.out && diff -r files right.files && diff -r aside right.aside; } >/dev/null

# Did a library end the program, because it could not start its threads?
in_library() { grep -qE '^libgomp: |^OMP: Error ' err; }

# tried PROGRAM WHAT WRAPPER...: tries one fault; adds a word to `wrong` if the program did not survive it
tried() {
    _program=$1 _what=$2
    shift 2
    rm -rf files aside && mkdir files aside
    run "$_program" timeout -s KILL 30 "$@" >out 2>err
    _status=$?
    tries=$((tries + 1))
    case $_status:$_what in 137:kill*) kills=$((kills + 1)) ;; esac
    case $_status:$(wc -l <err):$_what in
    1:1:* | 2:2:* | 137:*:kill*) ;;
    0:*:closed-stdout) [ ! -s right.out ] || wrong="$wrong $_what: exit 0;" ;;
    0:*) same || wrong="$wrong $_what: exit 0, but the output is another;" ;;
    *) in_library || wrong="$wrong $_what: exit $_status, $(wc -l <err) lines: $(head -c 200 err);" ;;
    esac
    for file in files/*; do
        case $file:$_what in
        'files/*:'* | *.part:kill*) ;;
        *.part:*) wrong="$wrong $_what: $file is left;" ;;
        *) cmp -s "$file" "right.$file" || wrong="$wrong $_what: $file is wrong;" ;;
        esac
    done
}

# ---- all programs ----

kills=0
for directory in "$ROOT"/bin/*/; do
    program=$(basename "$directory") wrong='' tries=0
    case $program in frames2mp4 | mp42frames | tensor-view)
        have ffmpeg || { skip "there is no ffmpeg" "$program"; continue; } ;;
    esac
    rm -rf files right.files aside right.aside && mkdir files aside
    began=$(date +%s%N)
    run "$program" >right.out 2>err
    status=$?
    ms=$((($(date +%s%N) - began) / 1000000))
    if [ $status -eq 77 ]; then
        ok 0 "$program # SKIP not covered: t/81-faults.t does not know what it does"
        continue
    fi
    is "$status $(cat err)" "0 " "$program, undisturbed"
    mv files right.files
    mv aside right.aside
    # a text that is cut off is a valid text of fewer lines
    case $program in wan-encode-text | pair-stats) cuts= ;; *) cuts='cut' ;; esac
    for what in closed-stdin closed-stdout read-error broken-pipe full ${cuts:+"cut 5" "cut 4000"}; do
        tried "$program" "$what" "$fault" $what
    done
    n=1
    while [ $n -le "$FAULTS" ]; do
        tried "$program" "kill $n" "$fault" kill $((ms * n / (FAULTS + 1)))
        kb=$((4000 + n * n * 800000 / FAULTS / FAULTS))
        [ "${SANITIZE:-}" ] || ! timeout -s KILL 3 "$fault" memory $kb "$program" -h >/dev/null 2>&1 ||
            tried "$program" "$kb kB" "$fault" memory $kb
        n=$((n + 1))
    done
    is "$wrong" "" "$program survives $tries faults"
    rm -rf files aside && mkdir files aside
    run "$program" >out 2>err && same
    ok $? "$program: and then does what it did"
done
[ $kills -gt 0 ]
ok $? "programs are killed while they work"
comment "$kills times"

# ---- threads that die at one moment ----

wrong=''
for n in 1 2 3 4 5 6 7 8 9 10; do
    "$BUILD/t/tools/die-together" >out 2>err
    [ "$?:$(wc -l <err)" = 1:1 ] || wrong="$wrong $n: $(cat err)"
done
is "$wrong" "" "of threads that die together one says why"
done_testing
