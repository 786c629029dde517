#!/bin/sh
# wan-merge: LoRAs of three kinds of trainers give what their sums in PyTorch give; nothing else
# changes; a key that fits nothing is an error with its name.
. "$(dirname "$0")/tap.sh"
L=$ROOT/fixtures/layouts
cd "$TMP" || exit 1
for f in "$L"/wan*.gz "$L"/lora*.gz "$L"/merged*.gz; do
    gzip -dc "$f" >"$(basename "$f" .gz)"
done
cp "$L/config.json" .
. "$ROOT/t/layouts.sh"

# ---- two LoRAs, as PyTorch adds them ----

wan-merge -m wan.safetensors -l lora-kohya.safetensors:0.75 -l lora-comfy.safetensors:-1.5 -t fp32 >merged 2>note
is "$(cat note)" "wan-merge: 14 of 42 tensors are merged with 2 LoRAs" "how many were merged"
for name in $(tensor-info --names merged.safetensors); do
    close_to "$name" --rel 2e-7 "merged:$name" "merged.safetensors:$name"
done
wan-quantize -q -t fp32 -m wan.safetensors >wide
different=$(tensor-diff merged wide | grep -c differs)
is "$different" 14 "what has no LoRA is as it was"
is "$(tensor-info --names merged.safetensors | wc -l)" 14 "and all that changes is in the fixture"
like "$(tensor-info merged)" "*wan-merge*loras: *strength*0.75*strength*-1.5*" "strengths are in the metadata"
digest=$(tensor-info merged | sed -n 's/.*loras: \[{[^}]*"weights": *"\([0-9a-f]*\)".*/\1/p')
is "${#digest}" 32 "and digests"
like "$(tensor-info merged)" '*config:*ffn_dim: 256*' "and the configuration"
wan-merge -q -m wan.safetensors -l lora-kohya.safetensors:0.75 -l lora-comfy.safetensors:-1.5 >kept
is "$(tensor-info kept | grep -c ' F16 ')" 42 "without -t types stay"
tensor-pick -t F16 merged >rounded
tensor-diff -s 1 rounded kept >diff
ok $? "and values are rounded once"
wan-merge -q -m wan.safetensors -l lora-kohya.safetensors:0 >same
tensor-diff -s 1 same wan.safetensors >diff
ok $? "a strength of 0 changes nothing"

# ---- one LoRA under the keys of all ----

kohya() { tensor-info --names lora-kohya.safetensors | sed 's/.*/lora-kohya.safetensors:&/'; }
rekeyed() { # SED: the LoRA's keys, changed; alpha is left out where it is not known
    kohya | grep -v "$2" >a
    sed 's/^lora-kohya.safetensors:lora_unet_blocks_\([0-9]*\)_\(self_attn\|cross_attn\|ffn\)_\([a-z0-9]*\)/blocks.\1.\2.\3/' a >b
    diffusers_names <b >c
    sed "$1" "$([ "${3-}" ] && echo c || echo b)" | paste -d = a - | xargs tensor-pick >lora
}
merge() { wan-merge -q -m wan.safetensors -t fp32 -l "$1" >"$2"; }
merge lora-kohya.safetensors reference
same() { # NAME
    merge lora out
    tensor-diff -s 1 out reference >diff
    ok $? "$1"
    comment "$(grep differs diff | head -n 3)"
}
rekeyed 's/^/diffusion_model./' nothing
same "official names, lora_down and alpha"
rekeyed 's/^/transformer./' nothing diffusers
same "diffusers' names and alpha"
kohya | sed 's/\(.*:\)\(.*\)/\1\2=\2/; s/=lora_unet_\(.*\)\(self_attn\|cross_attn\)_/=lora_unet_\1\2_/' >a
sed 's/=\(lora_unet_.*\)_self_attn_\([qkv]\)\./=\1_attn1_to_\2./; s/=\(lora_unet_.*\)_self_attn_o\./=\1_attn1_to_out_0./
    s/=\(.*\)_ffn_0\./=\1_ffn_net_0_proj./' a | xargs tensor-pick >lora
same "kohya's keys of diffusers' names"
# Without alpha the factor is 1: the same at half the strength.
merge lora-kohya.safetensors:2 twice
rekeyed 's/^/base_model.model./; s/lora_down/lora_A/; s/lora_up/lora_B/' alpha
merge lora out
tensor-diff -s 1 out twice >diff
ok $? "peft's keys have no alpha"
rekeyed 's/^/pipe.dit./; s/lora_down\.weight/lora_A.default.weight/; s/lora_up\.weight/lora_B.default.weight/' alpha
merge lora out
tensor-diff -s 1 out twice >diff
ok $? "nor have peft's with an adapter's name"
mkdir peft && cp lora peft
echo '{"peft_type": "LORA", "r": 4, "lora_alpha": 2}' >peft/adapter_config.json
merge peft/lora out
tensor-diff -s 1 out reference >diff
ok $? "but adapter_config.json may say it"
echo '{"peft_type": "LORA", "r": 4, "lora_alpha": 1, "use_rslora": true}' >peft/adapter_config.json
merge peft/lora out
tensor-diff -s 1 out reference >diff
ok $? "by the root of the rank, too"
echo '{"peft_type": "LORA", "r": 4, "lora_alpha": 7, "alpha_pattern":
    {"q": 2, "k": 2, "v": 2, "o": 2, "ffn.0": 2, "ffn.2": 2}}' >peft/adapter_config.json
merge peft/lora out
tensor-diff -s 1 out reference >diff
ok $? "and for each module its own"
tensor-pick -k 'lora_adapter_metadata={"transformer.r": 4, "transformer.lora_alpha": 2}' lora >said
merge said out
tensor-diff -s 1 out reference >diff
ok $? "or the metadata that diffusers writes"

# ---- other models, and a pipeline ----

renamed wan.safetensors diffusers_names >theirs.safetensors
wan-merge -q -m theirs.safetensors -t fp32 -l lora-kohya.safetensors >out
tensor-diff -s 1 out reference >diff
ok $? "a model with diffusers' names"
wan-merge -q -m wan.gguf -t fp16 -l lora-kohya.safetensors >out
is "$(tensor-info out | grep -c ' F16 ')" 42 "GGUF, merged, is stored as asked"
wan-merge -q -m wan.safetensors -l lora-kohya.safetensors | wan-quantize -q -t w8a16 >q
ok $? "merging, then quantizing, is a pipeline"
like "$(tensor-info q)" "*wan-merge*wan-quantize*" "whose result says so"

# ---- what is refused ----

refused() { # NAME FILE PATTERN
    fails 1 "wan-merge: *$3" "$1" wan-merge -m wan.safetensors -l "$2"
    [ ! -s "$TMP/.out" ]
    ok $? "$1: nothing is written"
}
pick() { tensor-pick "$@" >bad; }
k=lora-kohya.safetensors:lora_unet_blocks_0_ffn_0
pick $k.lora_down.weight
refused "a half" bad "lora_unet_blocks_0_ffn_0.lora_down.weight in bad has no partner: *"
pick $k.lora_down.weight=lora_unet_blocks_7_ffn_0.lora_down.weight $k.lora_up.weight=lora_unet_blocks_7_ffn_0.lora_up.weight
refused "a block too many" bad "lora_unet_blocks_7_ffn_0.lora_* in bad is for blocks.7.ffn.0.weight, which wan.safetensors does not have"
pick $k.lora_down.weight=lora_te_text_model_ffn.lora_down.weight
refused "another model's key" bad "lora_te_text_model_ffn.lora_down.weight in bad fits no tensor of Wan's transformer"
pick $k.lora_down.weight=blocks.0.ffn.0.mystery
refused "no key of a LoRA" bad "blocks.0.ffn.0.mystery in bad is no key of a LoRA that is known here"
pick $k.lora_down.weight=blocks.0.ffn.0.dora_scale
refused "DoRA" bad "blocks.0.ffn.0.dora_scale in bad: of this kind of adapter (dora_scale) nothing is known here"
pick $k.lora_down.weight=blocks.0.ffn.0.lora_A.weight $k.lora_down.weight=blocks.0.ffn.0.lora_B.weight
refused "shapes that do not fit" bad "blocks.0.ffn.0.lora_?.weight in bad is F16 [[]4, 64[]], and up is F16 [[]4, 64[]]: they do not fit blocks.0.ffn.0.weight, F16 [[]256, 64[]]"
number() { # NAME TYPE SHAPE BYTES: a file of one tensor of zeros
    header='{"'$1'":{"dtype":"'$2'","shape":['$3'],"data_offsets":[0,'$4']}}'
    printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
    head -c "$4" /dev/zero
}
half() { tensor-pick "$k.lora_down.weight=blocks.0.ffn.0.lora_A.weight" "$k.lora_up.weight=blocks.0.ffn.0.lora_B.weight" "$@"; }
number blocks.0.ffn.0.alpha F32 "" 4 >zero
half zero >nought
merge nought out
tensor-pick -t F32 wan.safetensors:blocks.0.ffn.0.weight >plain
tensor-diff -s 1 out:blocks.0.ffn.0.weight plain:blocks.0.ffn.0.weight >diff
ok $? "an alpha of 0 is 0, not that it is missing"
half zero $k.alpha >bad
refused "two alphas" bad "lora_unet_blocks_0_ffn_0.alpha in bad is there twice"
number blocks.0.ffn.0.lora_A.weight I8 4,64 256 >codes
tensor-pick codes "$k.lora_up.weight=blocks.0.ffn.0.lora_B.weight" >bad
refused "codes" bad "blocks.0.ffn.0.lora_?.weight in bad has I8 [[]4, 64[]]: a LoRA's are floats"
echo '{"lora_alpha": 2, "alpha_pattern": {"^blocks.0": 3}}' >peft/adapter_config.json
fails 1 "wan-merge: alpha_pattern of peft/lora has '^blocks.0': of regular expressions nothing is known here; name the modules" \
    "a regular expression" wan-merge -m wan.safetensors -l peft/lora
echo '{"lora_alpha": 2' >peft/adapter_config.json
fails 1 "wan-merge: peft/adapter_config.json, which says what peft/lora is multiplied by, is no JSON object" \
    "a damaged adapter_config.json" wan-merge -m wan.safetensors -l peft/lora
fails 1 "wan-merge: *values that fp16 cannot hold; bf16 can" "beyond F16" \
    wan-merge -m wan.safetensors -l lora-kohya.safetensors:1e8
fails 1 "wan-merge: *is Q* in wan.gguf: -t fp16, bf16 or fp32 says what becomes of it" "codes without -t" \
    wan-merge -m wan.gguf -l lora-kohya.safetensors
fails 1 "wan-merge: cannot open none: No such file or directory" "no LoRA" wan-merge -m wan.safetensors -l none
fails 1 "wan-merge: lora-kohya.safetensors has *: it is a LoRA; merge it *" "a LoRA for a model" \
    wan-merge -m lora-kohya.safetensors -l lora-kohya.safetensors
fails 1 "wan-merge: *.bias in wan.safetensors:0.5 is no key of a LoRA that is known here" "a model for a LoRA" \
    sh -c 'cp wan.safetensors wan.safetensors:0.5; wan-merge -m wan.safetensors -l wan.safetensors:0.5:1'
fails 2 "*-m is needed*" "no -m" wan-merge -l a
fails 2 "*-l is needed*" "no -l" wan-merge -m wan.safetensors
fails 2 "*-t is fp16, bf16 or fp32, not 'w8a16'*" "another -t" wan-merge -t w8a16 -m wan.safetensors -l a
done_testing
