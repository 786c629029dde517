#!/bin/bash
# The commands of README.md and of pipelines/GUIDE.md, block by block as they stand there, with the small model in
# place of the real one: MODEL, HIGH, LOW and CLIP are links to it, videos are small and of few steps. Files that the
# guide takes for granted are made here. A test's name says in brackets what stood in for what the block says; a block
# that is neither commands nor one of those named below fails.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$TMP" || exit 1
for name in MODEL HIGH LOW; do ln -s "$ROOT/fixtures/tiny" $name; done
ln -s "$ROOT/fixtures/tiny/clip" CLIP
ln -s "$ROOT/fixtures" "$ROOT/pipelines" .
ln -s "$ROOT/fixtures/taehv/tiny.safetensors" taew2_1.safetensors
ffmpeg -v error -f lavfi -i testsrc=size=128x80:rate=16 -frames:v 5 real.mp4 </dev/null
mkdir LPIPS # networks of random weights (fixtures/nets)
"$BUILD/t/tools/formula" <"$ROOT/fixtures/nets/alex.txt" >LPIPS/alexnet.safetensors
"$BUILD/t/tools/formula" <"$ROOT/fixtures/nets/alex-heads.txt" >LPIPS/alex.safetensors
"$BUILD/t/tools/formula" <"$ROOT/fixtures/nets/dino.txt" >DINO
head -2 MODEL/unseen.txt >calibration.txt
tail -1 MODEL/unseen.txt >prompts.txt
wan-encode-text -m MODEL <prompts.txt >text.safetensors
q=diffusion_model.blocks.0.self_attn.q # a LoRA of zeros, rank 4
header='{"'$q'.lora_A.weight":{"dtype":"F16","shape":[4,256],"data_offsets":[0,2048]},"'$q'.lora_B.weight":{"dtype":"F16","shape":[256,4],"data_offsets":[2048,4096]}}'
{
    printf "\\x$(printf %x $((${#header} % 256)))\\x$(printf %x $((${#header} / 256)))\\0\\0\\0\\0\\0\\0%s" "$header"
    head -c 4096 /dev/zero
} >style.safetensors

# What stands for what is not here: Slurm, the registry of models, the packages.
mkdir bin
cat >bin/srun <<'S'
#!/bin/sh
while case $1 in -*) true ;; *) false ;; esac; do shift; done
exec "$@"
S
printf '#!/bin/sh\nnumber=$(cat %s/jobs 2>/dev/null || echo 1)\necho $((number + 1)) >%s/jobs\necho $number\n' "$TMP" "$TMP" >bin/sbatch
printf '#!/bin/sh\n[ "$1 $2" = "download Wan-AI/Wan2.1-T2V-1.3B" ] && [ "$3" = --local-dir ]\n' >bin/hf
printf '#!/bin/sh\n' >bin/squeue
chmod +x bin/*
PATH=$TMP/bin:$TMP/installed/bin:$PATH

# The makes of a user in the checkout: paths are meant from here, and videos are small.
make=$(command -v make)
cat >bin/make <<S
#!/bin/bash
set -- "\${@/#PREFIX=DIR/PREFIX=$TMP/installed}"
case " \$* " in
*' deps '*) exec '$make' -n -C '$ROOT' DEVICE=cpu "\$@" >/dev/null ;;
*' install '*) exec '$make' -s -C '$ROOT' DEVICE='$DEVICE' O='${BUILD#"$ROOT"/}' "\$@" ;;
esac
out=dataset
for word; do case \$word in OUT=*) out=\${word#OUT=} ;; esac; done
exec '$make' -s -C '$ROOT' DEVICE='$DEVICE' O='${BUILD#"$ROOT"/}' "\$@" OUT="\$out" PROMPTS=prompts.txt SIZE=64x64 FRAMES=5 STEPS=3
S
chmod +x bin/make

# blocks FILE: its blocks, a file each, in their order: NN.commands are indented, NN.LANGUAGE fenced
blocks() {
    rm -f block.*
    awk '
        function begin(kind) { file = sprintf("block.%02d.%s", ++n, kind); printf "" > file }
        /^ *(```|~~~)/ { if (fence) fence = 0; else { fence = 1; sub(/^ *[`~]+ */, ""); begin($0 == "" ? "plain" : $1) }; on = 0; next }
        fence { print > file; next }
        /^(    |\t)/ { if (!on++) begin("commands"); sub(/^(    |\t)/, ""); print > file; next }
        { on = 0 }' "$1"
}
small='s/^wan-denoise /&--size 64x64 --frames 5 -s 3 /; s/| wan-denoise /&--size 64x64 --frames 5 -s 3 /; s/^wan-sensitivity /&--size 64x64 -s 3 /; s/tensor-diff /&-r 9 /; s/--frames 161//; s/^wan-experiment .*/& SIZE=64x64 FRAMES=5 STEPS=3/; s/--size 128x80 --frames 13 -s 20//'
# Steps that end at 10 or begin at 20; what goes on with a sampling has its size and steps.
# The small model is none of those that TeaCache has coefficients for.
small=$small'; s/--preview-every 10/--preview-every 2/; s/teacache:0.08 /teacache:0.08:1.3B /; s/--until 10 /--until 2 /; s/-s 50 --from 20/-s 3 --from 1/; s/--size 64x64 --frames 5 -s 3 \(-m LOW\|-m w8a16.safetensors < half\|-m MODEL -s 3 --from\)/\1/'

# stand_ins BLOCK: what ran instead of what it says
stand_ins() {
    cmp -s "$1" run || printf ' smaller,'
    for word in $(cd bin && ls); do grep -qE "(^|[ '=|])$word( |\$)" run && printf ' %s,' "$word"; done
}

# commands BLOCK: runs it
commands() {
    sed "$small" "$1" >run
    bash -e -o pipefail run >out.txt 2>said.txt
    status=$? names=$(stand_ins "$1")
    ok $status "$page: $(grep -v '^#' "$1" | head -n 1 | cut -c 1-70)${names:+ [${names%,} ]}"
    [ $status -eq 0 ] || comment "$(tail -n 2 said.txt | cut -c 1-150)"
}

# python BLOCK: a reader of streams, which leaves `tensors`
python() {
    if ! have python3 || ! python3 -c 'import numpy' 2>/dev/null; then
        skip "there is no numpy" "$page: the reader in Python reads BF16"
        return
    fi
    cp "$1" reader.py
    echo 'print(*(f"{k} {v.dtype} {v.shape} {float(v.astype("f8").sum()):.3f}" for k, v in tensors.items()))' | sed "s/\"f8\"/'f8'/" >>reader.py
    tensor-pick -t BF16 text.safetensors:context >b16
    is "$(python3 reader.py <b16 2>&1 | cut -d ' ' -f 1,2)" "context float32" "$page: the reader in Python reads BF16"
    is "$(tensor-pick -t F32 b16:context | python3 reader.py)" "$(python3 reader.py <b16)" "the same numbers as F32"
}

comment "make: with deps all is shown (make -n), not done; videos are of 64x64, 5 frames and 3 steps; srun runs at once;"
comment "hf, sbatch and squeue take their arguments and do nothing; smaller: sizes, frames, steps and bounds are others"
for page in README.md pipelines/GUIDE.md; do
    blocks "$ROOT/$page"
    pictures=0
    for block in block.*; do
        case $block:$(head -n 1 "$block") in
        *.commands:'prompts > wan-encode-text > context > wan-denoise >'*) pictures=$((pictures + 1)) ;;
        *.commands:*) commands "$block" ;;
        *.make:*) cp "$block" several.mk ;; # a command below reads it
        *.python:*) python "$block" ;;
        *) ok 1 "$page: a block that nobody knows how to run, of '${block##*.}': $(head -n 1 "$block")" ;;
        esac
    done
    # How many blocks there are by another count: runs of indented lines, and pairs of fences.
    counted=$(perl -0777 -ne '$n = s/^ *(```|~~~).*?^ *\1$//msg; print $n + (() = /(?:^(?:    |\t).*\n)+/mg)' "$ROOT/$page")
    is "$(ls block.* | wc -l)" "$counted" "$page: $counted blocks, $pictures of them a picture"
done
wan-encode-text -m MODEL <prompts.txt >text.safetensors

# ---- what they leave ----

for file in circle.mp4 cat.mp4 dataset/fp16/01_seed123.mp4 dataset/w8a16/01_seed123.mp4 dataset/report.html dataset/trace.csv \
    pairs/report.html several/report.html mixed.safetensors mixed.tsv statistics.safetensors gptq.safetensors w4a8.safetensors \
    layers.tsv out/01_seed1.mp4 out/01_seed3.mp4 styled-w8a16.safetensors \
    preview1.mp4 step1.mp4 like-real.safetensors; do
    [ -s "$file" ]
    ok $? "$file"
done
formats() { tensor-info "$1" | awk '$NF ~ /^(int|nvfp|fp8|mxfp|q[0-9])/ { print $NF }' | sort | uniq -c | tr -s ' \n' ' '; }
is "$(formats mixed.safetensors)" " 24 int4-g128 6 nvfp4 " "rules by layer"
like "$(tensor-info gptq.safetensors)" '*method: "clip,gptq"*rotate: "h256"*' "clipped, GPTQ, rotated"
like "$(tensor-info w4a8.safetensors)" '*format: "int4-g128"*act: "int8"*' "codes that run, of rounded inputs"
is "$(sed 1,2d layers.tsv | wc -l)" 40 "every linear of the blocks is judged"
[ "$(wc -l <"$ROOT/README.md")" -lt 200 ]
ok $? "README.md has less than 200 lines"
is "$(for f in $(grep -ohE '`[A-Za-z./-]+\.(md|mk|t|c|h|5|cff|txt)`' "$ROOT/README.md" "$ROOT/pipelines/GUIDE.md" | tr -d '`' | sort -u); do
    [ -e "$ROOT/$f" ] || [ -e "$ROOT/pipelines/$f" ] || [ -e "$ROOT/kernels/$f" ] || [ -e "$ROOT/bin/$f" ] || case $f in several.mk | report.md | *NAME*) ;; *) echo "$f" ;; esac
done)" "" "files that they name are there"
done_testing
