#!/bin/sh
# One evaluation of the transformer against the reference: outputs, block 0's intermediates, 8 bits;
# what the model file must be; what is refused.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random
weights=$model/diffusion_pytorch_model.safetensors
contexts="$GOLDEN:t5.prompt.context=context $GOLDEN:t5.negative.context=context_null"
cd "$TMP" || exit 1
tensor-pick $contexts "$GOLDEN:dit.x=latents" > in
tensor-pick $contexts "$GOLDEN:dit.x=noise" > in-noise
tensor-pick "$GOLDEN:t5.negative.context=context" "$GOLDEN:t5.prompt.context=context_null" \
    "$GOLDEN:dit.x=latents" > swapped

# ---- the golden evaluations ----
# The weights are F16: as such they are exact, so with F32 operands fp16 loses nothing.
loses() { [ "$1" = fp16 ] && operands fp16 || echo "$1"; }
golden() { # NAME TYPE FILE:TENSOR KEY
    close_to "$1, $2" --rel "$(bound "$(loses "$2")" 1e-4 "$4")" "$3" "$GOLDEN:$4"
}
for type in fp32 fp16 bf16; do
    for t in 999 500 37; do
        wan-denoise -m "$model" --dtype $type --forward $t \
            --tap patch_embedding,time_projection,blocks.0,blocks.0.self_attn,blocks.0.cross_attn < in > $t-$type
        golden "velocity at t $t" $type $t-$type:cond dit.out.t$t
    done
    for pair in patch_embedding:patch_embedding time_projection:time_projection \
        blocks.0.self_attn:block0.self_attn blocks.0.cross_attn:block0.cross_attn blocks.0:block0.out; do
        golden "${pair%:*} at t 500" $type "500-$type:${pair%:*}" "dit.${pair#*:}"
    done
done
cp 500-fp16 500
for pair in fp32,fp16 fp32,bf16 fp16,bf16; do
    [ "$(loses fp16) $pair" = "fp32 fp32,fp16" ] && continue
    tensor-diff 500-${pair%,*}:cond 500-${pair#*,}:cond > /dev/null 2>&1
    is $? 1 "--dtype ${pair%,*} is not --dtype ${pair#*,}"
done
wan-denoise -m "$model" --forward 500 < swapped > swapped-500
# The passes are rows of one batch: where a row lies decides nothing.
close_to "the pass without the prompt is the other context's" --same 1 500:uncond swapped-500:cond
wan-denoise -m "$model" --forward 500 < in-noise > noise-500
close_to "noise stands in for latents" --same 1 noise-500:cond 500:cond
is "$(tensor-info --names 500 | sort | tr '\n' ' ')" \
    "blocks.0 blocks.0.cross_attn blocks.0.self_attn cond patch_embedding time_projection uncond " \
    "only what was tapped is written"
wan-denoise -m "$model" --forward 500 --tap 'blocks.*.ffn,text_embedding,time_embedding,head' < in > taps
is "$(tensor-info --names taps | sort | tr '\n' ' ')" \
    "blocks.0.ffn blocks.1.ffn cond head text_embedding time_embedding uncond " "taps may be patterns"

# ---- 8 bits ----
wan-quantize -q -t w8a16 -m "$model" > w8a16.safetensors
for type in fp32 fp16 bf16; do
    for t in 999 500; do
        wan-denoise -m w8a16.safetensors --dtype $type --forward $t < in > q$t
        golden "w8a16 at t $t" $type q$t:cond dit.w8a16.out.t$t
    done
done
wan-denoise -m w8a16.safetensors --forward 500 --stats stats.json < in > /dev/null
grep -q '"weight_bytes.I8": 1441792' stats.json
ok $? "the codes are used as they are"
wan-quantize -q -t w8a16 --all-linears -m "$model" > all.safetensors
wan-denoise -m all.safetensors --forward 500 < in > qall
close_to "all linears in 8 bits" --rel 2e-2 qall:cond "$GOLDEN:dit.out.t500"

# ---- where the model and its configuration are ----
wan-denoise -m "$weights" --forward 500 < in > file
close_to "-m FILE with config.json beside it" --same 1 file:cond 500:cond
mkdir alone && cp "$weights" alone/x.safetensors
wan-denoise -m alone/x.safetensors --forward 500 < in > lonely 2> err
is "$(cat err)" \
    "wan-denoise: warning: there is no alone/config.json: taking heads 128 wide and text_len 512" \
    "a file without a configuration runs, with a warning"
tensor-diff --rel 1e-3 lonely:cond 500:cond > /dev/null
is $? 1 "and text_len matters"
sed 's/"text_len": 64/"text_len": 512/' "$model/config.json" > alone/config.json
wan-denoise -m alone/x.safetensors --forward 500 < in > said
close_to "512 said is 512 taken" --same 1 said:cond lonely:cond
rm alone/config.json
sed 's/"eps": 1e-06/"eps": 0.1/' "$model/config.json" > alone/config.json
grep -q '"eps": 0.1' alone/config.json && wan-denoise -m alone/x.safetensors --forward 500 < in > eps
tensor-diff --rel 1e-3 eps:cond 500:cond > /dev/null
is $? 1 "and its eps counts"
rm alone/config.json
tensor-pick -k "config=$(cat "$model/config.json")" "$weights" > alone/with-config.safetensors
wan-denoise -m alone/with-config.safetensors --forward 500 < in > inside
close_to "the configuration may be in the metadata" --same 1 inside:cond 500:cond

mkdir sharded && cp "$model/config.json" sharded
tensor-pick "$weights:blocks.*" > sharded/diffusion_pytorch_model-00001-of-00002.safetensors
tensor-pick "$weights:[!b]*" > sharded/diffusion_pytorch_model-00002-of-00002.safetensors
wan-denoise -m sharded --forward 500 < in > shards
close_to "several files" --same 1 shards:cond 500:cond
{
    echo '{"metadata": {}, "weight_map": {'
    for i in 1 2; do
        f=diffusion_pytorch_model-0000$i-of-00002.safetensors
        tensor-info --names sharded/$f | sed "s/.*/\"&\": \"$f\",/"
    done | sed '$s/,$//'
    echo '}}'
} > sharded/diffusion_pytorch_model.safetensors.index.json
wan-denoise -m sharded --forward 500 < in > indexed
close_to "several files with an index" --same 1 indexed:cond 500:cond

# ---- configurations that disagree ----
mkdir odd && cp "$weights" odd
config() { # SED NAME PATTERN
    sed "$1" "$model/config.json" > odd/config.json
    fails 1 "$3" "$2" sh -c 'wan-denoise -m odd --forward 500 < in'
}
for pair in dim:256 ffn_dim:384 freq_dim:64 num_layers:2 text_dim:64 in_dim:16 out_dim:16; do
    key=${pair%:*}
    config "s/\"$key\": [0-9]*/\"$key\": 3000/" "$key that disagrees is refused with both values" \
        "*odd/config.json says $key 3000, but the weights have ${pair#*:}"
done
config 's/"num_heads": 2/"num_heads": 1/' "heads 256 wide are refused" \
    "*heads 256 wide: only 64 and 128 are supported"
config 's/"num_heads": 2/"num_heads": 3/' "3 heads do not divide" "*says 3 heads, which do not divide*"
config 's/"num_heads": 2/"num_heads": 0/' "0 heads are refused" "*says 0 heads*"
config 's/t2v/i2v/' "an image-to-video model is refused" "*'i2v' model: only text-to-video*"
config 's/"eps": 1e-06/"eps": "x"/' "eps must be a number" "*eps of odd/config.json is not a number"
config 's/{//' "a broken config.json is refused" "*cannot read odd/config.json: *"
rm odd/config.json
fails 1 "*cannot read odd/config.json: *" "a directory needs its config.json" \
    sh -c 'wan-denoise -m odd --forward 500 < in'
sed 's/"num_heads": 2/"num_heads": 4/' "$model/config.json" > odd/config.json
wan-denoise -m odd --forward 500 < in > narrow
ok $? "heads 64 wide run"

# ---- weights that are not right ----
cp "$model/config.json" odd
bad() { # NAME PATTERN: odd's weights are refused
    fails 1 "$2" "$1" sh -c 'wan-denoise -m odd --forward 500 < in'
}
f=odd/diffusion_pytorch_model.safetensors
rm $f
bad "no weights" "*cannot find diffusion_pytorch_model*"
head -c 400000 "$weights" > $f
bad "a truncated file" "*diffusion_pytorch_model.safetensors*"
size=$(wc -c < "$weights")
head -c $((size - 2)) "$weights" > $f && printf '\0\176' >> $f
bad "a NaN in the weights" "*time_projection.1*not finite*"
without() { # NAME: the checkpoint without it
    tensor-pick $(tensor-info --names "$weights" | grep -vx "$1" | sed "s|^|$weights:|")
}
header='{"nan":{"dtype":"F16","shape":[256],"data_offsets":[0,512]}}'
{ printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"; head -c 512 /dev/zero | tr '\0' '\377'; } > nan
without blocks.0.self_attn.k.bias > other
tensor-pick other nan:nan=blocks.0.self_attn.k.bias > $f
bad "a NaN in k, which q and v are joined to" "*blocks.0.self_attn.k.bias in * has 256 values that are not finite*"
without blocks.1.cross_attn.o.weight > $f
bad "a tensor missing" "*has no tensor blocks.1.cross_attn.o.weight"
without blocks.1.self_attn.q.bias > $f
bad "a bias missing" "*has no tensor blocks.1.self_attn.q.bias"
without blocks.1.norm3.bias > $f
bad "a vector missing" "*has no tensor blocks.1.norm3.bias"
without blocks.1.ffn.2.weight > other
tensor-pick other "$weights:blocks.1.ffn.0.weight=blocks.1.ffn.2.weight" > $f
bad "a tensor of the wrong shape" "*blocks.1.ffn.2.weight is F16 \[384, 256\]*\[256, 384\] is needed"
without blocks.1.norm3.bias > other
tensor-pick other "$weights:blocks.1.ffn.0.bias=blocks.1.norm3.bias" > $f
bad "a vector of the wrong length" "*blocks.1.norm3.bias is F16 \[384\]*256*"
tensor-pick $(tensor-info --names "$weights" | grep -v '^blocks.1' | sed "s|^|$weights:|") > $f
bad "a block missing" "*says num_layers 2, but the weights have 1"
header='{"patch_embedding.weight":{"dtype":"F16","shape":[256,36,1,2,2],"data_offsets":[0,73728]}}'
{ printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"; head -c 73728 /dev/zero; } > $f
bad "36 channels in" "*is an image-to-video model: patch_embedding takes 36 channels, not 16"

done_testing
