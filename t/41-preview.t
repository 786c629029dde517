#!/bin/sh
# wan-denoise --preview: what the model takes for the finished latents after each step, as a stream
# beside the result, which stays as it is.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random
TINY=$ROOT/fixtures/taehv/tiny.safetensors
cd "$TMP" || exit 1
contexts="$GOLDEN:t5.prompt.context=context $GOLDEN:t5.negative.context=context_null"
tensor-pick -k prompt="a cat" $contexts > text
small="--size 80x64 --frames 9"
denoise() { wan-denoise -m "$model" "$@"; }
said() { tensor-info "$1" | sed -n "s/^  $2: //p" | tr '\n' ' ' | sed 's/ $//'; } # FILE KEY
same() { cmp -s "$1" "$2"; ok $? "$3"; }
equal() { # NAME STREAM N RESULT [M]: the N-th document of a stream, and the M-th of the results
    tensor-pick -d "$3" "$2" > .a
    tensor-pick -d "${5:-1}" "$4" > .b
    close_to "$1" --rel 1e-6 .a:latents .b:latents
}

# ---- each solver: the result is as it was, the last preview is the result ----
for solver in unipc dpm++ euler heun dpm++-sde lcm; do
    denoise -s 4 --solver $solver -S 5 $small < text > plain
    denoise -s 4 --solver $solver -S 5 $small --preview look < text > with
    same plain with "$solver: the result has the same bytes"
    is "$(said look step)" "1 2 3 4" "$solver: a document a step"
    equal "$solver: the last is the result" look 4 with
done

# ---- the estimate ----
for solver in unipc dpm++ dpm++-sde; do
    denoise -s 6 --solver $solver -S 5 $small --until 3 --preview look < text > half
    tensor-pick -d 3 look > third
    close_to "$solver: a stopped sampling's last prediction" --rel 1e-6 half:solver.m0 third:latents
done
numbers() { # FILE D NAME: of its D-th document's tensor, one a line
    tensor-pick -d "$2" "$1" > .t
    tensor-pick ".t:$3" > .u
    tail -c $((16 * 3 * 8 * 10 * 4)) .u | od -An -v -w4 -tf4
}
alike() { # NAME FORMULA FILE..: columns of numbers; |FORMULA - column 1| is little beside column 1
    _name=$1 _formula=$2; shift 2
    _error=$(paste "$@" | awk -v s="$s" -v r="$r" "{ e = $_formula - \$1; a += e * e; b += \$1 * \$1 }
        END { print NR ? sqrt(a / b) : 1 }")
    awk -v e="$_error" 'BEGIN { exit !(e < 1e-5) }'
    ok $? "$_name"
    comment "$_error"
}
# Euler's states are x' = x + (r - s) v, and so x - s v is x - s (x' - x) / (r - s).
for options in "" "-g 1" "--guidance-steps 1-1"; do
    denoise -s 4 -S 5 $small --solver euler $options --preview look --trace < text > trace
    tensor-pick -d 1 trace > one
    s=$(said one sigma)
    tensor-pick -d 2 trace > two
    r=$(said two sigma)
    is "$(said look sigma)" "$(said trace sigma)" "euler $options: sigma is a trace's"
    numbers look 2 latents > 1
    numbers trace 1 latents > 2
    numbers trace 2 latents > 3
    alike "euler $options: x - sigma v" "\$2 - s * (\$3 - \$2) / (r - s)" 1 2 3
done
# Heun's try is Euler's state e, and x' = x + (r - s) (v + w) / 2, of which w belongs to e.
denoise -s 4 -S 5 $small --solver euler --until 1 < text > euler
denoise -s 4 -S 5 $small --solver heun --until 1 --preview look < text > heun
wan-denoise -s 0 -S 5 $small < text > noise
s=1 r=$(said heun sigma)
numbers look 1 latents > 1
numbers noise 1 noise > 2
numbers euler 1 latents > 3
numbers heun 1 latents > 4
alike "heun: of its second call" "\$3 - r * (2 * \$4 - \$2 - \$3) / (r - s)" 1 2 3 4
denoise -s 4 -S 5 $small --cfg-zero 2 --preview look < text > with
numbers look 1 latents > 1
numbers noise 1 noise > 2
alike "a step that stands still: its state" "\$2" 1 2

# ---- which steps, of what ----
steps() { denoise -S 5 $small --preview look "$@" < "${in:-text}" > with; said look step; }
is "$(steps -s 6 --preview-every 2)" "2 4 6" "every second"
is "$(steps -s 5 --preview-every 3)" "3 5" "every third, and the last"
is "$(steps -s 4 --preview-every 9)" "4" "the last"
is "$(steps -s 6 --until 2)" "1 2" "--until: those that are made"
denoise -s 6 --preview more < with > whole
is "$(said more step)" "3 4 5 6" "and what goes on the rest"
is "$(tensor-info more | grep -c '^  sampling:')" 0 "no preview can be gone on from"
cat look more > halves
steps -s 6 > /dev/null
close_to "of the same bits as those of one run" --same 1 look halves
denoise -s 6 -S 5 $small --until 0 --preview look < text > none.done
[ -f look ] && [ ! -s look ]
ok $? "no step, no preview"
tensor-pick plain:latents $contexts > given
is "$(in=given steps -s 6 --from 2)" "3 4 5 6" "--from: those that are made"
equal "and the last is the result" look 4 with
denoise -s 3 -S 5 $small --stat blocks.0.ffn.0 < text > plain.stat
denoise -s 3 -S 5 $small --stat blocks.0.ffn.0 --preview look < text > with
same plain.stat with "--stat: the statistics"
is "$(said look step)" "1 2 3" "and previews"
is "$(steps -s 6 --skip 3,5)" "1 2 3 4 5 6" "steps that --skip answers too"
equal "and the last is the result" look 6 with
like "$(tensor-pick -d 4 look | tensor-info)" '*skipped: *3*' "the record has those skipped so far"
denoise -s 3 -S 5,6 $small --trace --preview look < text > trace
is "$(said look step)" "1 2 3 1 2 3" "two seeds, one after another"
is "$(said look seed)" "5 5 5 6 6 6" "each says its own"
is "$(said look prompt)" "a cat a cat a cat a cat a cat a cat" "and the prompt"
equal "the second's last" look 6 trace 6
cat text text > two
is "$(in=two steps -s 2)" "1 2 1 2" "two documents"
equal "the first's last" look 2 with 1
denoise -s 2 -S 5 $small --tap blocks.0.ffn --preview look < text > with
is "$(said look step)" "1 2" "beside --tap"
denoise -s 2 -S 5 $small --stats stats --preview look < text > with
grep -q '"previews": 2' stats
ok $? "--stats counts them"

# ---- records and recipes ----
is "$(said with recipe)" "$(denoise -s 2 -S 5 $small --recipe --preview none < text | tensor-info | sed -n 's/^  recipe: //p')" \
    "the recipe knows nothing of it"
[ ! -e none ]
ok $? "and --recipe writes none"
is "$(tensor-info with | grep -c preview)" 0 "nor does the record of the result"
is "$(said look recipe | tr ' ' '\n' | sort -u | wc -l)" 2 "each preview has a recipe of its own"
case " $(said look recipe) " in *" $(said with recipe) "*) ok 1 "none the result's" ;; *) ok 0 "none the result's" ;; esac
like "$(tensor-info look)" "*preview: true*" "and says what it is"

# ---- where it goes ----
denoise -s 3 -S 5 $small < text > plain
denoise -s 3 -S 5 $small --preview look < text > with
wan-vae-decode -m "$TINY" < look > frames
mkfifo fifo
wan-vae-decode -m "$TINY" < fifo > frames.fifo &
denoise -s 3 -S 5 $small --preview fifo < text > with
wait
same frames frames.fifo "a FIFO, decoded as they come"
is "$(tensor-info --names frames | grep -c frames)" 3 "three pictures"
denoise -s 3 -S 5 $small --preview /dev/fd/9 9>&1 < text > with 2> err | wan-vae-decode -m "$TINY" > frames.pipe
same frames frames.pipe "a pipe that the shell names"
same plain with "the result beside it"
if have ffmpeg; then
    mkdir seeds
    frames2mp4 -q -o 'step%n.mp4' < frames
    is "$(ls step*.mp4 | tr '\n' ' ')" "step1.mp4 step2.mp4 step3.mp4 " "a video a step"
    denoise -s 3 -S 5,6 $small --preview look < text > with
    wan-vae-decode -m "$TINY" < look | frames2mp4 -q -o 'seeds/%n_%s.mp4'
    is "$(ls seeds | wc -l)" 6 "and of each seed"
fi
(head -c 100 < fifo > /dev/null) &
denoise -s 3 -S 5 $small --preview fifo < text > with 2> err
ok $? "a reader that goes away: exit 0"
wait
is "$(cat err)" "wan-denoise: warning: cannot write fifo: Broken pipe: no more of it" "one warning"
same plain with "and the result has the same bytes"
if [ -e /dev/full ]; then
    denoise -s 3 -S 5 $small --preview /dev/full < text > with 2> err
    ok $? "a full disk: exit 0"
    is "$(wc -l < err)" 1 "one warning"
    same plain with "and the result"
fi
echo "longer than nothing, and gone" > look
head -c 100000 /dev/zero >> look
denoise -s 1 -S 5 $small --preview look < text > with
is "$(said look step)" 1 "a file that is there is emptied"
if [ "$DEVICE" = cpu ]; then
    denoise -s 3 -S 5 $small -G 2 < text > ranks
    denoise -s 3 -S 5 $small -G 2 --preview look < text > with
    same ranks with "-G 2: the result"
    is "$(said look step)" "1 2 3" "-G 2: one of the ranks writes"
    wan-vae-decode -m "$TINY" < fifo > frames.fifo &
    denoise -s 3 -S 5 $small -G 2 --preview fifo < text > with
    wait
    is "$(tensor-info --names frames.fifo | grep -c frames)" 3 "-G 2: to a FIFO"
    fails 1 "wan-denoise: --preview: cannot write 'no/where'*" "-G 2: none that can be written" \
        denoise -G 2 --preview no/where
else
    skip "it needs two cards" "-G 2"
fi

# ---- what cannot be ----
fails 1 "wan-denoise: --preview: cannot write 'no/where': No such*" "a place that is none" denoise --preview no/where
fails 1 "wan-denoise: --preview: cannot write '': *" "no name" denoise --preview ""
fails 1 "wan-denoise: --preview: cannot write '.': *" "a directory" denoise --preview .
refused() { # PATTERN NAME
    is "$_rc" 1 "$2: exit 1"
    like "$(cat err)" "wan-denoise: $1" "$2"
    is "$(wc -l < err)" 1 "$2: one line"
}
cp text before
denoise --preview both $small < text > both 2> err; _rc=$?
refused "--preview both is standard output" "the result's file"
denoise --preview /dev/stdout $small < text 2> err | cat > out
is "$(cat err)" "wan-denoise: --preview /dev/stdout is standard output" "the result's pipe"
for n in 1 2; do
    [ $n = 1 ] || [ "$DEVICE" = cpu ] || continue
    denoise --preview text -G $n $small < text > out 2> err; _rc=$?
    refused "--preview text is standard input" "the text"
    same before text "which is as it was"
done
cp "$TINY" weights
wan-denoise -m weights --preview weights < text > out 2> err; _rc=$?
refused "--preview weights is the model" "the model"
same "$TINY" weights "which is as it was"
fails 2 "*--preview - would be standard output*" "-" denoise --preview -
fails 2 "*--preview-every is for --preview*" "every without it" denoise --preview-every 2
fails 2 "*--preview-every is from 1 to 1000*" "every 0" denoise --preview look --preview-every 0
fails 2 "*--preview is for what is sampled*" "with -s 0" wan-denoise -s 0 --preview look
fails 2 "*--preview is for what is sampled*" "with --forward" denoise --forward 500 --preview look

done_testing
