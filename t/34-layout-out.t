#!/bin/sh
# wan-quantize --layout: what is written for diffusers and for ComfyUI has their names, companions
# and metadata, and is read back with the values of the official layout. That those programs read it
# alike was checked with them: wan-quantize(1), LAYOUTS.
. "$(dirname "$0")/tap.sh"
. "$ROOT/t/layouts.sh"
model=$ROOT/fixtures/tiny weights=$ROOT/fixtures/tiny/diffusion_pytorch_model.safetensors
cd "$TMP" || exit 1
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" \
    "$GOLDEN:dit.x=latents" >in
number() { od -An -v -t "u$1" -j "$2" -N "$1" "$3" | tr -d ' '; } # BYTES AT FILE
forward() { wan-denoise -q -m "$1" --dtype fp32 --forward 500 <in; }
quantize() { wan-quantize -q -m "$model" "$@"; }

same() { # NAME A B: every tensor is the same to the bit
    tensor-diff -s 1 "$2" "$3" >same.out 2>&1
    ok $? "$1"
    grep -q '	ok	' same.out || comment "$(cat same.out)"
}

# same_model NAME FILE OFFICIAL: the values of all weights, and what they compute
same_model() {
    wan-quantize -q -t fp32 -m "$2" >values
    wan-quantize -q -t fp32 -m "$3" >official-values
    same "$1: the values of the official file" values official-values
    forward "$2" >cond
    forward "$3" >official-cond
    close_to "$1: and what they compute" --same 1 cond:cond official-cond:cond
}

# ---- diffusers ----

quantize -t bf16 >bf16
quantize -t bf16 --layout diffusers >d.safetensors
ok $? "--layout diffusers"
is "$(tensor-info -n d.safetensors | sort)" "$(tensor-info -n "$weights" | diffusers_names | sort)" \
    "diffusers' names"
same_model "bf16 for diffusers" d.safetensors bf16
is "$(tensor-info d.safetensors | grep -c 'format: pt')" 1 "the metadata have format: pt"
quantize -t fp16 --layout diffusers >d.safetensors
ok $? "an F16 model as fp16: only names change"
same_model "fp16 for diffusers" d.safetensors "$weights"

for rule in int8 int8-127 fp8-row fp8-tensor; do
    quantize -t $rule >official
    quantize -t $rule --layout diffusers >d.safetensors
    same_model "$rule for diffusers" d.safetensors official
    for x in self_attn.q cross_attn.o ffn.0; do
        their=$(echo blocks.1.$x.weight | diffusers_names)
        tensor-diff -s 1 "d.safetensors:${their%.weight}._weight_qdata" official:blocks.1.$x.weight >diff
        ok $? "$rule: the codes of $x"
    done
done
quantize -t int8 --layer '*.ffn.2=fp8-row' --layer 'blocks.0.*=keep' >official
quantize -t int8 --layer '*.ffn.2=fp8-row' --layer 'blocks.0.*=keep' --layout diffusers >d.safetensors
same_model "several rules for diffusers" d.safetensors official
x=blocks.1.attn1.to_q
is "$(tensor-info d.safetensors | awk -v x=$x. 'index($1, x) == 1 && NF == 5 || index($1, x) == 1 && NF == 4 { print $1, $2, $3, $4 }')" \
    "$x._weight_scale F32 [256, 1]
$x.bias F16 [256] 512
$x._weight_zero_point I8 [256, 1]
$x._weight_qdata I8 [256, 256]" "int8: codes, scales and zero points as torchao's Int8Tensor has them"
x=blocks.1.ffn.net.2
is "$(tensor-info -n d.safetensors | grep "^$x")" "$x._weight_scale
$x.bias
$x._weight_qdata" "fp8: codes and scales as its Float8Tensor has them"
header() { tail -c +9 "$1" | head -c "$(number 8 0 "$1")" | tr -d '\\'; } # without backslashes
like "$(header d.safetensors)" \
    '*"blocks.1.attn1.to_q.weight":"{"_type":"Int8Tensor","_data":{"block_size":[[]1,256],"act_quant_kwargs":null,"dtype":{"_type":"torch.dtype","_data":"float16"},"reduce_range":false},"_tensor_data_names":[[]"qdata","scale","zero_point"]}"*' \
    "the metadata have the class of int8"
like "$(header d.safetensors)" \
    '*"blocks.1.ffn.net.2.weight":"{"_type":"Float8Tensor","_data":{"block_size":[[]1,256],"act_quant_kwargs":null,"dtype":{"_type":"torch.dtype","_data":"float16"},"mm_config":null,"kernel_preference":{"_type":"KernelPreference","_data":"AUTO"}},"_tensor_data_names":[[]"qdata","scale"]}"*' \
    "and of fp8"
like "$(header d.safetensors)" '*"blocks.0.attn1.to_q.weight":"{"_type":"Tensor"}"*' "and of a tensor without codes"
is "$(header d.safetensors | grep -o '"tensor_names":"[^]]*' | sed 's/.*\[//' | tr -d '"' | tr ',' '\n' | sort)" \
    "$(tensor-info -n "$weights" | diffusers_names | sort)" "tensor_names are those of the model"
quantize -t fp8-tensor --layout diffusers >d.safetensors
like "$(header d.safetensors)" '*"blocks.0.ffn.net.2.weight":"{"_type":"Float8Tensor","_data":{"block_size":[[]256,256],*' \
    "fp8-tensor: one block"

# ---- ComfyUI, safetensors ----

for rule in int8 int8-127 fp8-tensor; do
    quantize -t $rule >official
    quantize -t $rule --layout comfyui >c.safetensors
    same_model "$rule for ComfyUI" c.safetensors official
    is "$(tensor-info -n c.safetensors | grep -v comfy_quant | sort)" "$(tensor-info -n official | sort)" \
        "$rule: official names"
    is "$(tensor-info -n c.safetensors | grep -c 'comfy_quant$')" 40 "$rule: each layer says its format"
done
x=blocks.0.ffn.0
is "$(tensor-info c.safetensors | awk -v x=$x.weight_scale '$1 == x { print $2, $3 }')" "F32 []" \
    "fp8: one scale without dimensions"
is "$(tensor-pick "c.safetensors:$x.comfy_quant" | tail -c 63)" \
    '{"format": "float8_e4m3fn", "full_precision_matrix_mult": true}' "fp8: its format"
quantize -t int8 --layout comfyui >c.safetensors
is "$(tensor-info c.safetensors | awk -v x=$x.weight_scale '$1 == x { print $2, $3, $4 }')" "F32 [256, 1]" \
    "int8: a scale a row"
is "$(tensor-pick "c.safetensors:$x.comfy_quant" | tail -c 65)" \
    '{"format": "int8_tensorwise", "full_precision_matrix_mult": true}' "int8: its format"

# ---- GGUF ----

for rule in q8_0 q4_0 q4_k q5_k q6_k; do
    quantize -t $rule >official
    quantize -t $rule --layout comfyui >c.gguf
    same_model "$rule as GGUF" c.gguf official
    is "$(head -c 4 c.gguf) $(number 4 4 c.gguf) $(number 8 8 c.gguf)" "GGUF 3 123" "$rule: GGUF, version 3"
    type=$(echo $rule | tr qk QK)
    is "$(tensor-info c.gguf | grep -c " $type ")" 40 "$rule: 40 weights are $type"
    case $rule in q8_0) number=7 ;; q4_0) number=2 ;; q4_k) number=14 ;; q5_k) number=16 ;; *) number=18 ;; esac
    like "$(tensor-info c.gguf)" "*general.architecture: wan*general.quantization_version: 2*general.file_type: $number*" \
        "$rule: the keys that readers need"
done
quantize -t q6_k --layer '*.ffn.*=q4_k' --layer 'blocks.0.*=q8_0' >official
quantize -t q6_k --layer '*.ffn.*=q4_k' --layer 'blocks.0.*=q8_0' --layout comfyui | cat >c.gguf
same_model "three rules, through a pipe" c.gguf official
tensor-info c.gguf | grep -A 9 '^  quantization:' >said
tensor-info official | grep -A 9 '^  quantization:' | cmp - said
ok $? "it says how it was quantized"

# After a tensor of three elements the next one still begins at a multiple of 32.
tensor-pick -t F32 "$weights:head.head.bias[0:3]=blocks.0.odd.bias" >one
tensor-pick "$weights" one >odd
wan-quantize -q -t q4_k --layout comfyui -m odd >c.gguf
wan-quantize -q -t q4_k -m odd >official
same_model "an odd tensor" c.gguf official
place() { # NAME: its tensor in the header: dimensions / type / offset
    at=$(($(grep -abo "$1" c.gguf | head -n 1 | cut -d : -f 1) + ${#1}))
    rank=$(number 4 $at c.gguf) shape="" i=0
    while [ $i -lt "$rank" ]; do
        shape="$shape$(number 8 $((at + 4 + 8 * i)) c.gguf) " i=$((i + 1))
    done
    echo "$shape/ $(number 4 $((at + 4 + 8 * rank)) c.gguf) / $(number 8 $((at + 8 + 8 * rank)) c.gguf)"
}
like "$(place blocks.0.ffn.0.weight)" "256 256 / 12 / *" "Q4_K, the inner dimension first"
like "$(place patch_embedding.weight)" "2 2 1 16 256 / 0 / *" "the patch embedding's kernel has five dimensions, and is F32"
like "$(place blocks.0.modulation)" "256 6 1 / 0 / *" "modulation is F32"
like "$(place blocks.0.ffn.0.bias)" "256 / 0 / *" "a bias is F32"
like "$(place text_embedding.2.weight)" "256 256 / 1 / *" "a matrix that stays is as it was, F16"
apart=
for name in $(tensor-info -n c.gguf); do
    [ $(($(place "$name" | sed 's,.*/ ,,') % 32)) = 0 ] || apart="$apart $name"
done
is "$apart" "" "all data begin at multiples of 32"
is $(($(wc -c <c.gguf) % 32)) 0 "and so does the end"
wan-quantize -q -t bf16 -m "$model" | wan-quantize -q -t q8_0 --layout comfyui >c.gguf
like "$(tensor-info c.gguf)" "*text_embedding.0.bias * F32 *text_embedding.2.weight * BF16 *" \
    "small tensors of a BF16 model are F32"

# Layers of a GGUF that are kept keep their blocks.
gzip -dc "$ROOT/fixtures/layouts/wan.gguf.gz" >wan.gguf
wan-quantize -q -t q8_0 --layer '*.ffn.*=keep' --layout comfyui -m wan.gguf >c.gguf
wan-quantize -q -t q8_0 --layer '*.ffn.*=keep' -m wan.gguf >official
wan-quantize -q -t fp32 -m c.gguf >values
wan-quantize -q -t fp32 -m official >official-values
same "a GGUF of a GGUF" values official-values
like "$(tensor-info c.gguf)" "*patch_embedding.weight *F32 *[[]64, 16, 1, 2, 2[]]*" "its patch embedding"
tensor-info c.gguf | awk '/blocks.0.ffn/ && /weight/ { print $1, $2 }' | sort >stay
tensor-info wan.gguf | awk '/blocks.0.ffn/ && /weight/ { print $1, $2 }' | sort >was
ok "$(cmp -s stay was; echo $?)" "what is kept has its blocks"

# ---- every layout ----

quantize -t int4-g128 --fake >official
for layout in diffusers comfyui; do
    quantize -t int4-g128 --fake --layout $layout >f.safetensors
    same_model "--fake for $layout" f.safetensors official
done
like "$(quantize -t int8 --layout comfyui | tensor-info)" '*layout: "comfyui"*' "the metadata name the layout"
quantize -t q4_k --layout comfyui >c.gguf
quantize -t q4_k --layout comfyui --ledger ledger.tsv | cmp - c.gguf
ok $? "through a pipe, and with a ledger, it is the same"
is "$(awk -F '\t' 'NR > 1 { n += $7 } END { print n }' ledger.tsv)" "$(tensor-info c.gguf | sed -n '1s/.*tensors, \(.*\) bytes/\1/p')" \
    "the ledger's bytes are the GGUF's"
digest() { tensor-info "$@" | sed -n 's/^  recipe: //p'; }
for layout in official diffusers comfyui; do
    quantize -t q8_0 --layout $layout --fake | digest
done | sort -u >digests
is "$(wc -l <digests)" 3 "each layout has its own recipe"
is "$(quantize -t q4_k --layout comfyui --recipe | digest)" "$(digest c.gguf)" \
    "--recipe is that of the GGUF"
is "$(quantize -t int8 --layout diffusers --recipe | digest)" "$(quantize -t int8 --layout diffusers | digest)" \
    "and of diffusers' file"

# ---- what a layout cannot hold ----

for rule in int4-g128 int4s-g32 fp8-block mxfp4 mxfp8 nvfp4 q4_k; do
    fails 2 "wan-quantize: --layout diffusers has no form for $rule: it has int8, int8-127, fp8-tensor and fp8-row*" \
        "$rule has no form in diffusers" quantize -t $rule --layout diffusers
done
for rule in int4-g128 int4s-g32 fp8-row fp8-block mxfp4 mxfp8 nvfp4; do
    fails 2 "wan-quantize: --layout comfyui has no form for $rule: it has int8, int8-127, fp8-tensor, or ggml's *" \
        "$rule has none in ComfyUI" quantize -t $rule --layout comfyui
done
fails 2 "*has no form for mxfp4*" "nor as the rule of a pattern" \
    quantize -t int8 --layer '*.ffn.*=mxfp4' --layout comfyui
fails 2 "wan-quantize: --layout comfyui has no file for q4_k and int8: *" "blocks and int8 are two files" \
    quantize -t int8 --layer '*.ffn.*=q4_k' --layout comfyui
fails 2 "wan-quantize: --layout is official, diffusers or comfyui, not 'hf'*" "another layout" \
    quantize -t int8 --layout hf
fails 1 "wan-quantize: $model/Wan2.1_VAE.pth is Wan's video VAE: --layout diffusers is for Wan's transformer" \
    "another model" wan-quantize -t fp16 --layout diffusers -m "$model/Wan2.1_VAE.pth"
fails 1 "wan-quantize: --layout diffusers has no form for blocks.0.self_attn.q.weight_hadamard: --fake *" \
    "rotated weights" quantize -t int8 --rotate h256 --layout diffusers
fails 1 "wan-quantize: --layout comfyui has no form for blocks.0.self_attn.q.weight_low_rank_down: *" \
    "a low-rank branch" quantize -t q4_k --rank 8 --layout comfyui
quantize -t int8 --rotate h256 --rank 8 --fake >official
quantize -t int8 --rotate h256 --rank 8 --fake --layout diffusers >d.safetensors
same_model "both as --fake" d.safetensors official
gzip -dc "$ROOT/fixtures/layouts/wan-fp8.safetensors.gz" >fp8
fails 1 "wan-quantize: blocks.0.ffn.0.weight is F8_E4M3 [[]256, 64[]] in fp8: --layout comfyui has no form for it as it is; give it a rule" \
    "another program's codes that are kept" wan-quantize -q -t q8_0 --layer '*.ffn.*=keep' --layout comfyui -m fp8
wan-quantize -q -t q8_0 --layout comfyui -m fp8 >c.gguf
wan-quantize -q -t q8_0 -m fp8 >official
wan-quantize -q -t fp32 -m c.gguf >values
wan-quantize -q -t fp32 -m official >official-values
same "another program's codes that become blocks" values official-values
done_testing
