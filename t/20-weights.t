#!/bin/sh
# Checkpoints as users have them: prefixed, in shards with and without an index, not aligned, cut,
# incomplete. wan-quantize -t fp32 shows what was read, since it passes on every tensor.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random
weights=$model/diffusion_pytorch_model.safetensors
cd "$TMP" || exit 1

read_all() { wan-quantize -q -t fp32 -m "$1"; }
digest() { tensor-info "$1" | grep -o 'weights[^0-9a-f]*[0-9a-f]\{32\}'; }
same() { # NAME A B
    tensor-diff -s 1 "$2" "$3" >same 2>&1
    ok $? "$1"
    comment "$(grep -v '	ok	' same)" | sed '/^# $/d'
}
read_all "$weights" >whole

# ---- names ----
tensor-pick "$weights:blocks.0.modulation=model.diffusion_model.blocks.0.modulation" \
    "$weights:head.head.bias" >prefixed
read_all prefixed >out
is "$(tensor-info -n out | sort | tr '\n' ' ')" "blocks.0.modulation head.head.bias " \
    "the prefix model.diffusion_model. is removed"
close_to "the tensor is the same" -s 1 out:blocks.0.modulation whole:blocks.0.modulation
tensor-pick "$weights:head.head.bias" "$weights:head.head.bias=model.diffusion_model.head.head.bias" >two
fails 1 "*head.head.bias is twice in two" "a name with and without prefix" wan-quantize -t fp32 -m two

# ---- shards ----
mkdir shards
tensor-pick "$weights:blocks.0.*" >shards/diffusion_pytorch_model-00001-of-00003.safetensors
tensor-pick "$weights:blocks.1.*" >shards/diffusion_pytorch_model-00002-of-00003.safetensors
tensor-pick "$weights:[!b]*" >shards/diffusion_pytorch_model-00003-of-00003.safetensors
cp "$model/config.json" shards
read_all shards >out
same "three shards without an index are the model" out whole
is "$(digest out)" "$(digest whole)" "the digest does not depend on shards"
index=shards/diffusion_pytorch_model.safetensors.index.json
{
    echo '{"metadata": {"total_size": 4093056}, "weight_map": {'
    for i in 1 2 3; do
        shard=diffusion_pytorch_model-0000$i-of-00003.safetensors
        tensor-info -n shards/$shard | sed "s/.*/\"&\": \"$shard\",/"
    done | sed '$s/,$//'
    echo '}}'
} >$index
read_all shards >out
same "a directory with an index" out whole
read_all $index >out
same "the index itself" out whole
is "$(digest out)" "$(digest whole)" "the digest does not depend on the index"

cp -r shards lost && rm lost/*-00002-*
fails 1 "*cannot open lost/*-00002-of-00003.safetensors, which lost/*.index.json names: No such*" \
    "a shard of the index is missing" wan-quantize -t fp32 -m lost
rm lost/*.json
fails 1 "*cannot find lost/*-00002-of-00003.safetensors, which belongs to lost/*" \
    "a shard is missing, without an index" wan-quantize -t fp32 -m lost
cp -r shards changed
tensor-pick "shards/diffusion_pytorch_model-00003-of-00003.safetensors:[!h]*" \
    >changed/diffusion_pytorch_model-00003-of-00003.safetensors
fails 1 "*says that head.* is in diffusion_pytorch_model-00003-of-00003.safetensors, but it is not" \
    "a shard lacks a tensor of the index" wan-quantize -t fp32 -m changed
cp shards/*-00001-* changed/diffusion_pytorch_model-00003-of-00003.safetensors && rm changed/*.json
fails 1 "*blocks.0.* is both in *-0000?-of-00003.safetensors and in *-0000?-of-00003.safetensors" \
    "a tensor in two shards" wan-quantize -t fp32 -m changed
echo '{"weight_map": {"a": "../shards/x"}}' >up.json
fails 1 "*up.json: the shard of a is not a file name" "an index that leads elsewhere" \
    wan-quantize -t fp32 -m up.json
echo '{"weight_map": {"a": "self.json"}}' >self.json
fails 1 "*self.json says that a is in self.json, but it is not" "an index that names itself" \
    wan-quantize -t fp32 -m self.json
echo '{"weights": {"a": "b"}}' >none.json
fails 1 "*none.json: no index of shards: it has no weight_map" "another JSON file" \
    wan-quantize -t fp32 -m none.json

# ---- files that are cut, or no weights at all ----
# eight bytes of length, then a header of 63: the data begin at 71, which is aligned to nothing
head='{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}         '
{ printf '\077\0\0\0\0\0\0\0'; printf '%s' "$head"; printf '\0\0\200\077\0\0\0\300'; } >odd
is "$(wc -c <odd)" 79 "a file by hand"
tensor-pick -t F16 odd >half
wan-quantize -q -t fp16 -m odd >out
close_to "data that are not aligned" -s 1 out half
wrong=0
for n in $(seq 0 78); do
    head -c "$n" odd >cut
    wan-quantize -t fp16 -m cut >out 2>err
    [ $? -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && [ ! -s out ] || wrong=$((wrong + 1))
done
is $wrong 0 "cut at any byte, it is refused in one line"
size=$(wc -c <"$weights")
wrong=0
for i in $(seq 0 49); do
    head -c $((size * i / 50)) "$weights" >cut
    wan-quantize -t fp32 -m cut >out 2>err
    [ $? -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && [ ! -s out ] || wrong=$((wrong + 1))
done
is $wrong 0 "a model cut at 50 places is refused in one line"
{ cat odd; echo; } >long
fails 1 "*long: 1 bytes too many behind a" "a byte too many" wan-quantize -t fp16 -m long
{ printf '\0\0\0\0\0\0\0\200'; tail -c +9 odd; } >huge
fails 1 "*huge: its header says it is 9223372036854775808 bytes long; at most *" "a header of 2^63 bytes" \
    wan-quantize -t fp16 -m huge
: >empty
fails 1 "*empty is empty" "an empty file" wan-quantize -t fp16 -m empty
seq 1000 >text
fails 1 "*text is neither safetensors, nor an index of shards, nor a .pth, nor GGUF" "another file" \
    wan-quantize -t fp16 -m text
fails 1 "*/none/model: No such file or directory" "no such file" wan-quantize -t fp16 -m /none/model

# ---- tensors that are missing or of another shape: both shapes are named ----
tensor-pick "$GOLDEN:vae.z=latents" >latents
tensor-pick "$model/Wan2.1_VAE.pth" >vae_whole
sed 's/"shape":\[32,16,3,3,3\]/"shape":[32,48,1,3,3]/g' vae_whole >vae
fails 1 "*decoder.conv1.weight is F32 [[]32, 48, 1, 3, 3[]] in vae, but [[][*], 16, 3, 3, 3[]] is needed" "a wrong shape" \
    sh -c 'wan-vae-decode -m vae <latents'
tensor-pick "$model/Wan2.1_VAE.pth:[!c]*" >vae
fails 1 "*vae has no tensor conv2.*" "a missing tensor" sh -c 'wan-vae-decode -m vae <latents'

done_testing
