#!/bin/bash
# The commands of README.md and of pipelines/GUIDE.md, block by block as they stand there, with the small model in
# place of the real one: MODEL and CLIP are links to it, videos are small and of few steps. Files that the guide
# takes for granted are made here.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$TMP" || exit 1
ln -s "$ROOT/fixtures/tiny" MODEL
ln -s "$ROOT/fixtures/tiny/clip" CLIP
ln -s "$ROOT/fixtures" "$ROOT/pipelines" .
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
*' deps '*) exec '$make' -n -C '$ROOT' DEVICE=cpu deps >/dev/null ;;
*' install '*) exec '$make' -s -C '$ROOT' DEVICE='$DEVICE' O='${BUILD#"$ROOT"/}' "\$@" ;;
esac
out=dataset
for word; do case \$word in OUT=*) out=\${word#OUT=} ;; esac; done
exec '$make' -s -C '$ROOT' DEVICE='$DEVICE' O='${BUILD#"$ROOT"/}' "\$@" OUT="\$out" PROMPTS=prompts.txt SIZE=64x64 FRAMES=5 STEPS=3
S
chmod +x bin/make

# blocks FILE: its indented blocks, a file each; fenced ones become LANGUAGE.block
blocks() {
    rm -f block.* ./*.block
    awk '
        /^```/ { fence = fence ? "" : (substr($0, 4) ".block"); next }
        fence { print > fence; next }
        /^    / { if (!on++) n++; print substr($0, 5) > ("block." sprintf("%02d", n)); next }
        { on = 0 }' "$1"
}
small='s/^wan-denoise /&--size 64x64 --frames 5 -s 3 /; s/| wan-denoise /&--size 64x64 --frames 5 -s 3 /; s/^wan-sensitivity /&--size 64x64 -s 3 /; s/tensor-diff /&-r 9 /; s/--frames 161//; s/^wan-experiment .*/& SIZE=64x64 FRAMES=5 STEPS=3/; s/--size 128x80 --frames 13 -s 20//'

for page in README.md pipelines/GUIDE.md; do
    blocks "$ROOT/$page"
    [ ! -e make.block ] || cp make.block several.mk
    for block in block.*; do
        # A picture of the pipe, and lines without a command, are no commands.
        grep -qE '^(prompts >|[A-Z]+ *=)' "$block" && continue
        sed "$small" "$block" >run
        bash -e -o pipefail run >out.txt 2>said.txt
        ok $? "$page: $(grep -v '^#' "$block" | head -n 1 | cut -c 1-70)"
        [ $? -eq 0 ] && comment "$(tail -n 2 said.txt | cut -c 1-150)"
    done
    if [ -e python.block ]; then
        if have python3 && python3 -c 'import numpy' 2>/dev/null; then
            echo 'print(*(f"{k} {v.dtype} {v.shape} {float(v.astype(\"f8\").sum()):.3f}" for k, v in tensors.items()))' | tr -d '\\' >>python.block
            tensor-pick -t bf16 text.safetensors:context >b16
            is "$(python3 python.block <b16 2>&1 | cut -d ' ' -f 1,2)" "context float32" "$page: the reader in Python reads BF16"
            is "$(tensor-pick -t f32 b16:context | python3 python.block)" "$(python3 python.block <b16)" "the same numbers as F32"
        else
            skip "there is no numpy" "$page: the reader in Python reads BF16"
        fi
    fi
done
wan-encode-text -m MODEL <prompts.txt >text.safetensors

# ---- what they leave ----

for file in circle.mp4 cat.mp4 dataset/fp16/01_seed123.mp4 dataset/w8a16/01_seed123.mp4 dataset/report.html dataset/trace.csv \
    pairs/report.html several/report.html mixed.safetensors mixed.tsv statistics.safetensors gptq.safetensors w4a8.safetensors \
    layers.tsv out/01_seed1.mp4 out/01_seed3.mp4 styled-w8a16.safetensors; do
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
    [ -e "$ROOT/$f" ] || [ -e "$ROOT/pipelines/$f" ] || [ -e "$ROOT/kernels/$f" ] || [ -e "$ROOT/bin/$f" ] || case $f in several.mk | report.md) ;; *) echo "$f" ;; esac
done)" "" "files that they name are there"
done_testing
