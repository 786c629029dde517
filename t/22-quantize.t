#!/bin/sh
# wan-quantize: TorchAO's codes bit for bit, what it leaves alone, and what it refuses.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random
weights=$model/diffusion_pytorch_model.safetensors
cd "$TMP" || exit 1

same() { # NAME A B: many tensors, no list of them
    tensor-diff -s 1 "$2" "$3" >same 2>&1
    ok $? "$1"
    comment "$(grep -v '	ok	' same)" | sed '/^# $/d'
}

# ---- TorchAO's own codes: a zero row, a row of tiny weights and an outlier are among them ----
golden() { tensor-pick "$GOLDEN:torchao.$1.weight=blocks.0.ffn.0.weight"; }
golden fp32 >m32
wan-quantize -q -t w8a16 <m32 >q32
ok $? "F32 weights of TorchAO's golden are quantized"
close_to "codes equal TorchAO's, all bits" -s 1 q32:blocks.0.ffn.0.weight "$GOLDEN:torchao.fp32.qdata"
close_to "scales equal TorchAO's, all bits" -s 1 -a 0 --reshape \
    q32:blocks.0.ffn.0.weight_scale "$GOLDEN:torchao.fp32.scale"
is "$(tensor-info -n q32 | tr '\n' ' ')" "blocks.0.ffn.0.weight_scale blocks.0.ffn.0.weight " \
    "scales stand before codes"
like "$(tensor-info q32)" "*blocks.0.ffn.0.weight_scale*F32*[[]384[]]*blocks.0.ffn.0.weight*I8*[[]384, 256[]]*" \
    "types and shapes"

# F16 and BF16 weights give the codes of the same numbers in F32.
for type in fp16 bf16; do
    golden $type >m16
    wan-quantize -q -t fp32 <m16 >wide
    wan-quantize -q -t w8a16 <m16 >q16
    wan-quantize -q -t w8a16 <wide >qwide
    close_to "$type weights: the codes of the widened ones" -s 1 q16 qwide
    comment "TorchAO's own $type codes, with scales rounded to $type:" \
        "$(tensor-diff q16:blocks.0.ffn.0.weight "$GOLDEN:torchao.$type.qdata")"
done

# With --scale-type weight they are TorchAO's own: those of its CUDA golden, and with --divide those
# that it makes on a CPU (fixtures/layouts).
for type in fp32 fp16 bf16; do
    golden $type >m16
    wan-quantize -q -t w8a16 --scale-type weight <m16 >q16
    close_to "$type: TorchAO's codes on CUDA" -s 1 q16:blocks.0.ffn.0.weight "$GOLDEN:torchao.$type.qdata"
    tensor-pick -t F32 "$GOLDEN:torchao.$type.scale" >scale
    close_to "$type: and its scales" -s 1 --reshape q16:blocks.0.ffn.0.weight_scale "scale:torchao.$type.scale"
done
gzip -dc "$ROOT/fixtures/layouts/torchao-cpu.safetensors.gz" >cpu
for type in float32 float16 bfloat16; do
    tensor-pick "cpu:$type.weight=blocks.0.ffn.0.weight" >m16
    wan-quantize -q -t w8a16 --scale-type weight --divide <m16 >q16
    close_to "$type: TorchAO's codes on a CPU" -s 1 q16:blocks.0.ffn.0.weight "cpu:$type.qdata"
    tensor-pick -t F32 "cpu:$type.scale" >scale
    close_to "$type: and its scales" -s 1 --reshape q16:blocks.0.ffn.0.weight_scale "scale:$type.scale"
done
tensor-pick cpu:float32.weight=blocks.0.ffn.0.weight >m16
wan-quantize -q -t w8a16 <m16 >q16
tensor-diff -s 1 q16:blocks.0.ffn.0.weight cpu:float32.qdata >diff
is $? 1 "without --divide some differ on a CPU"
like "$(wan-quantize -q -t w8a16 --scale-type weight --divide <m16 | tensor-info)" \
    "*absmax/127.5, divided, rounded to the weights' type*" "the rule is in the metadata"

# By hand: 127.5 steps, a tie, become 127 (clamped) and -128; where the product with the reciprocal
# falls a bit short of 127.5, as with 1, both become 127.
printf '%s' '{"blocks.0.a.weight":{"dtype":"F32","shape":[2,4],"data_offsets":[0,32]}}   ' >head
is "$(wc -c <head)" 76 "a header by hand"
# rows 1 -1 0.5 0 and 127.5 -127.5 0.5 1.5 (steps of 1: ties go to even)
{
    printf '\114\0\0\0\0\0\0\0'
    cat head
    printf '\0\0\200\077\0\0\200\277\0\0\0\077\0\0\0\0'
    printf '\0\0\377\102\0\0\377\302\0\0\0\077\0\0\300\077'
} >hand
wan-quantize -q -t w8a16 <hand >qhand
is "$(tail -c 8 qhand | od -An -td1 | tr -s ' ')" " 127 -127 64 0 127 -128 0 2" \
    "ties go to even, codes to 127 and -128 at most"

# ---- a whole model ----
wan-quantize -t w8a16 -m "$model" >q 2>table
ok $? "a directory is quantized"
is "$(tensor-info -n q | grep -c '_scale$')" 20 "two blocks: 20 linears"
like "$(cat table)" "*all  *20 *2883584 *1463296 *" "the table has tensors, bytes before and after"
like "$(cat table)" "*the greatest error is in blocks.?.*49 other tensors, 1209472 bytes, are as they were*" \
    "the table names the worst tensor, and what is left alone"
comment "$(grep -e quantized -e ' all ' table)"
is "$(tensor-info -n q | grep -v _scale | sort)" "$(tensor-info -n "$weights" | sort)" \
    "no tensor is lost or renamed"
for name in patch_embedding.weight blocks.1.modulation blocks.0.norm3.weight text_embedding.0.weight \
    head.head.weight blocks.0.self_attn.norm_q.weight; do
    close_to "$name is as it was" -s 1 "q:$name" "$weights:$name"
done
wan-quantize -q -t w8a16 <"$weights" >q1
wan-quantize -q -t w8a16 -m "$weights" >q2
cat "$weights" | wan-quantize -q -t w8a16 >q3
ok $? "a pipe will do"
cmp -s q q2
ok $? "a directory and its file give the same"
cmp -s q1 q3
ok $? "a file and a pipe give the same"
same "standard input gives the same tensors" q q1
meta=$(tensor-info q)
like "$meta" '*quantization*torchao int8 weight-only*absmax/127.5*' "the rule is in the metadata"
like "$meta" '*config*ffn_dim*' "config.json is in the metadata"
like "$meta" '*wan-quantize*weights*' "provenance is in the metadata"
tensor-pick -k 'config={"dim": 9}' "$weights" >own
cp "$model/config.json" config.json
wan-quantize -q -t w8a16 -m own >q4
like "$(tensor-info q4)" '*config:*dim: 9*' "a checkpoint keeps its own config"
case $(tensor-info q4) in *ffn_dim*) false ;; esac
ok $? "and gets no other"
tensor-pick -k seed=9 "$weights" | wan-quantize -q -t w8a16 >q4
like "$(tensor-info q4)" '*seed*9*' "metadata pass through"
wan-quantize -t w8a16 -q -m "$model" 2>&1 >q5 | cmp -s - /dev/null
ok $? "-q prints nothing"

wan-quantize -t w8a16 --all-linears -m "$model" >qall 2>table
is "$(sed -n 's/^wan-quantize:   \([^ ]*\.[0-9*]*\.weight\) *\([0-9]*\) .*/\1 \2/p' table | tr '\n' ' ')" "blocks.*.ffn.0.weight 2 \
blocks.*.ffn.2.weight 2 text_embedding.0.weight 1 text_embedding.2.weight 1 time_embedding.0.weight 1 time_embedding.2.weight 1 \
time_projection.1.weight 1 " "the table has a line for layers that differ in the block's number alone"
is "$(tensor-info -n qall | grep '_scale$' | grep -v ^blocks | sort | tr '\n' ' ')" \
    "head.head.weight_scale text_embedding.0.weight_scale text_embedding.2.weight_scale \
time_embedding.0.weight_scale time_embedding.2.weight_scale time_projection.1.weight_scale " \
    "--all-linears takes embeddings and head, and no convolution"

names() { tensor-info -n "$1" | grep '_scale$' | grep -v ^blocks | sort | tr '\n' ' '; }
for layers in blocks all diffusers; do
    wan-quantize -q -t w8a16 --layers $layers -m "$model" >q.$layers
done
is "$(names q.blocks)" "" "--layers blocks: those alone"
is "$(names q.all)" "$(names qall)" "--layers all is --all-linears"
is "$(names q.diffusers)" "head.head.weight_scale text_embedding.0.weight_scale text_embedding.2.weight_scale time_projection.1.weight_scale " \
    "--layers diffusers: all but the time embedding, which diffusers keeps in F32"

# ---- other types ----
wan-quantize -q -t bf16 -m "$model" >b
is "$(tensor-info b | grep -c BF16)" 69 "-t bf16 converts all 69"
tensor-pick -t BF16 "$weights" >picked
same "-t bf16 rounds as tensor-pick does" b picked
wan-quantize -q -t fp32 -m "$model/Wan2.1_VAE.pth" >vae 2>err
is "$(cat err)" "wan-quantize: nothing to convert: $model/Wan2.1_VAE.pth is stored as fp32" \
    "nothing to convert"
wan-quantize -q -t fp16 -m "$model/Wan2.1_VAE.pth" >vae
tensor-pick -t F16 "$model/Wan2.1_VAE.pth" >picked
same "a .pth converts" picked vae

# ---- bad input ----
fails 1 "*is I8 in q: the model is quantized already" "quantized twice" wan-quantize -t w8a16 -m q
fails 1 "*nothing to quantize: *Wan2.1_VAE.pth (Wan's video VAE) has no linear layer in blocks.*" "no linear" \
    wan-quantize -t w8a16 -m "$model/Wan2.1_VAE.pth"
for bits in '\0\0\300\177' '\0\0\200\377'; do
    head -c 112 hand >nan
    printf "$bits" >>nan
    fails 1 "*blocks.0.a.weight in nan has values that are not finite" "not finite" \
        wan-quantize -t w8a16 -m nan
    [ ! -s "$TMP/.out" ]
    ok $? "nothing is written"
done
{ head -c 112 hand; printf '\0\0\200\107'; } >large
fails 1 "*blocks.0.a.weight in large has values that fp16 cannot hold; bf16 can" "65536 as fp16" \
    wan-quantize -t fp16 -m large
fails 1 "*cannot find diffusion_pytorch_model*in $TMP*" "an empty directory" wan-quantize -t w8a16 -m "$TMP"
fails 1 "*cannot open none: No such file or directory" "no file" wan-quantize -t w8a16 -m none
fails 1 "*standard input is empty" "empty input" wan-quantize -t w8a16
fails 1 "*cannot write standard output: No space left on device" "a full disk" \
    sh -c "wan-quantize -q -t w8a16 -m $model >/dev/full"
mkdir bad && cp "$weights" bad && echo '{' >bad/config.json
fails 1 "*cannot read bad/config.json: line *" "a broken config.json" wan-quantize -t w8a16 -m bad
fails 2 "*-t is missing*" "no -t" wan-quantize -m "$model"
fails 2 "*-t is int8, *, fp16, bf16 or fp32, not 'int4'*" "another -t" wan-quantize -t int4
fails 2 "*--layers and --all-linears say which layers -t RULE is for*" "--all-linears alone" \
    wan-quantize -t fp16 --all-linears -m "$model"
fails 2 "*a model is given by -m*" "an operand" wan-quantize -t w8a16 "$weights"

fails 2 "*--layers is blocks, all or diffusers, not 'some'*" "other layers" wan-quantize -t w8a16 --layers some -m "$model"
fails 2 "*--scale-type is f32 or weight, not 'f16'*" "another scale type" wan-quantize -t w8a16 --scale-type f16 -m "$model"
fails 2 "*--all-linears is --layers all*" "both" wan-quantize -t w8a16 --all-linears --layers all -m "$model"
fails 2 "*--scale-type and --divide go with int8*" "--divide alone" wan-quantize -t fp16 --divide -m "$model"

# F64, which PyTorch's trainers leave now and then.
header='{"a.weight":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]}}'
wide() { # BYTES
    printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s$1" "$header" >"$TMP/wide"
}
wide '\0\0\0\0\0\0\370\077'
is "$(wan-quantize -q -t fp16 -m "$TMP/wide" | tensor-info -j -v | grep -c '"F16".*"min":1.5')" 1 "1.5 in F64 becomes F16"
wide '\0\0\0\0\0\152\370\100'
fails 1 "*a.weight in *wide has values that fp16 cannot hold; bf16 can" "100,000 does not" \
    wan-quantize -q -t fp16 -m "$TMP/wide"
wide '\0\0\0\0\0\0\360\177'
fails 1 "*a.weight in *wide has values that are not finite" "nor does infinity" \
    wan-quantize -q -t bf16 -m "$TMP/wide"
done_testing
