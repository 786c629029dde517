#!/bin/sh
# Weights that are stored as codes: GGUF, fp8, int8 as torchao and ComfyUI write them: their values
# are those of gguf-py and torchao to the bit, a model of them computes what the expanded one does,
# and they stay as they are stored; what would be misread is refused.
. "$(dirname "$0")/tap.sh"
. "$ROOT/t/layouts.sh"
L=$ROOT/fixtures/layouts
cd "$TMP" || exit 1
for f in "$L"/*.gz; do
    gzip -dc "$f" >"$(basename "$f" .gz)"
done
cp "$L/config.json" .

# ---- values ----

for type in Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K F16 F32; do
    close_to "$type: what gguf-py makes of it" --same 1 "values.gguf:$type" "values.safetensors:$type"
    tensor-pick -t F32 "values.gguf:$type" >expanded
    close_to "$type, expanded to F32" --same 1 "expanded:$type" "values.safetensors:$type"
done
like "$(tensor-info values.gguf)" "*a.list: [[]1, 2, 3[]]*a.text: words*a.longer: [[]100 texts[]]*Q4_K *[[]2, 512[]] * 576*" \
    "tensor-info of GGUF: metadata, types, shapes, bytes"
like "$(tensor-info values.gguf)" "*IQ4_NL *IQ4_NL *[[]1, 32[]] * 18*" "a type that is not read is listed"
fails 1 "*values.gguf: IQ4_NL is IQ4_NL, a type whose values are not read" "and refused when its values are wanted" \
    tensor-pick -t F32 values.gguf:IQ4_NL
fails 1 "*'Q4_K' is Q4_K, which no stream holds (-t F32 expands it)" "a stream of blocks" \
    tensor-pick values.gguf:Q4_K

# ---- models: as the expanded one in the official layout, in the bytes of the codes ----

tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" \
    "$GOLDEN:dit.x=latents" >in
# On the CPU products are of the same numbers; elsewhere blocks become operands of 16 bits, once.
exact() { [ "$DEVICE" = cpu ] && echo "--rel 2e-6" || echo "--rel $1"; }
# stored FILE TYPE: bytes of the matrices of this type in the file
stored() { tensor-info "$1" | awk -v type="$2" '$2 == type && $1 ~ /(weight|qdata)$/ && /, / { sum += $NF } END { print sum }'; }
model() { # FILE TYPES: what it computes, and what it holds
    wan-denoise -m "$1" --dtype fp16 --forward 500 --stats stats <in >out 2>err
    ok $? "$1 is read"
    is "$(cat err)" "" "$1: no word"
    wan-quantize -q -t fp32 -m "$1" >expanded.safetensors
    is "$(tensor-info expanded.safetensors | grep -cE '^[a-z0-9_.]+ +F32 ')" 42 "$1: all 42 tensors expand to F32"
    wan-denoise -m expanded.safetensors --dtype fp32 --forward 500 <in >whole
    close_to "$1: as the expanded model" $(exact 2e-3) out:cond whole:cond
    for type in $2; do
        is "$(sed -n "s/.*\"weight_bytes.$type\": \([0-9]*\).*/\1/p" stats)" "$(stored "$1" $type)" \
            "$1: as many bytes of $type on the device as in the file"
    done
}
tensor-pick wan.safetensors >plain.safetensors
wan-denoise -m plain.safetensors --dtype fp16 --forward 500 <in >plain
model wan.gguf "Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K"
tensor-diff --rel 0.9 out:cond plain:cond >/dev/null
is $? 1 "its Q4_K blocks are arbitrary: it is another model"
model wan-fp8.safetensors "F8_E4M3 F8_E5M2"
close_to "fp8 with scales is near the model" --rel 0.1 out:cond plain:cond
model wan-fp8-plain.safetensors "F8_E4M3"
model wan-torchao.safetensors "I8"
close_to "torchao's int8 is near the model" --rel 0.02 out:cond plain:cond
cp out export
model wan-torchao.pth "I8"
close_to "its subclasses and its export are one" --same 1 out:cond export:cond
is "$(tensor-info -n torchao-smooth.pth | grep act_ | sort | tr '\n' ' ')" \
    "blocks.0.self_attn.k.weight_act_quant_scale blocks.0.self_attn.q.weight_act_pre_scale " \
    "whatever else a subclass holds has a name"
fails 1 "wan-denoise: torchao-smooth.pth has blocks.0.self_attn.q.weight_act_pre_scale: it is quantized with smoothed activations, *" \
    "a subclass with smoothed activations" sh -c 'wan-denoise -m torchao-smooth.pth --forward 500 <in'
tensor-pick -k 'x={"_type": "Int8Tensor", "_data": {"act_quant_kwargs": {"_type": "x"}}}' wan-torchao.safetensors >w8a8.safetensors
wan-denoise -m w8a8.safetensors --forward 500 <in >out 2>err
is "$(cat err)" "wan-denoise: warning: w8a8.safetensors was made for activations of 8 bits too: here they stay in 16 or 32" \
    "what torchao made for activations of 8 bits is said"
echo "3 5 7 1" | wan-encode-text -m umt5.gguf --token-ids -n 1 >out
wan-quantize -q -t fp32 -m umt5.gguf >expanded.safetensors
echo "3 5 7 1" | wan-encode-text -m expanded.safetensors --token-ids -n 1 >whole
close_to "umt5.gguf: as the expanded encoder" $(exact 2e-2) out:context whole:context
like "$(tensor-info --names expanded.safetensors | sort | tr '\n' ' ')" \
    "blocks.0.attn.k.weight *blocks.0.pos_embedding.embedding.weight norm.weight token_embedding.weight " \
    "with Wan's names"

umt5_names() { # umt5.gguf's tensors by Wan's names
    tensor-info --names umt5.gguf | sed 'h
        s/^token_embd/token_embedding/; s/^enc.output_norm/norm/; s/^enc.blk.\([0-9]*\)\./blocks.\1./
        s/attn_norm/norm1/; s/ffn_norm/norm2/; s/attn_rel_b/pos_embedding.embedding/; s/attn_\([qkvo]\)/attn.\1/
        s/ffn_gate/ffn.gate.0/; s/ffn_up/ffn.fc1/; s/ffn_down/ffn.fc2/
        x; G; s/\(.*\)\n\(.*\)/umt5.gguf:\1=\2/'
}
tensor-pick -t F32 $(umt5_names) >named
tensor-diff named expanded.safetensors >diff
ok $? "each under the name that it has there"

# Codes with scales become other codes with other scales, under the same names.
for layers in blocks all; do
    wan-quantize -q -t w8a16 -l $layers -m wan-fp8.safetensors >q.safetensors
    ok $? "fp8 with scales becomes int8, $layers"
    wan-quantize -q -t fp32 -m wan-fp8.safetensors | wan-quantize -q -t w8a16 -l $layers >q2.safetensors
    is "$(tensor-diff q.safetensors q2.safetensors | grep differs | cut -f 1 | grep -c '^blocks')" 0 \
        "as its values do, $layers"
done

# Scales differ from row to row.
wan-quantize -q -t w8a16 -l all -m "$ROOT/fixtures/random" >rows.safetensors
wan-quantize -q -t fp32 -m rows.safetensors >back.safetensors
for name in blocks.0.ffn.0 blocks.1.self_attn.o text_embedding.0; do
    close_to "$name, from 8 bits back to F32" --rel 0.01 back.safetensors:$name.weight \
        "$ROOT/fixtures/random/diffusion_pytorch_model.safetensors:$name.weight"
done
wan-denoise -m rows.safetensors --forward 500 <in >out
wan-denoise -m back.safetensors --dtype fp32 --forward 500 <in >whole
close_to "and computes the same" $(exact 2e-3) out:cond whole:cond

# Rows of one matrix are those of q, k and v: so are their scales; one scale for all is each one's.
raw() { tensor-pick "$1" | tail -c "$2"; }
tensor() { # NAME TYPE SHAPE BYTES: a file of one tensor, whose bytes are on standard input
    header='{"'$1'":{"dtype":"'$2'","shape":['$3'],"data_offsets":[0,'$4']}}'
    printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
    cat
}
parts() { # FILE END BYTES: q's, k's and v's
    for part in q k v; do raw "$1:blocks.0.self_attn.$part.$2" "$3"; done
}
one() { printf '\0\0\200\074' | tensor "$1" F32 "" 4; } # 1/64
fused() { # FILE: its names as diffusers' with q, k and v in one
    renamed "$1" diffusers_names >theirs
    parts "$1" weight 4096 | tensor blocks.0.attn1.to_qkv.weight "$2" 192,64 12288 >a
    tensor-info --names theirs | grep -v 'blocks.0.attn1.to_[qkv].weight' | sed 's/^/theirs:/' |
        xargs tensor-pick a ${3+"$3"} >fused.safetensors
}
joined() { # NAME REFERENCE: fused.safetensors computes what it does
    wan-denoise -m fused.safetensors --forward 500 <in >out 2>err
    is "$(cat err)" "" "$1: no word"
    wan-denoise -m "$2" --forward 500 <in >whole
    close_to "$1" --same 1 out:cond whole:cond
}
wan-quantize -q -t w8a16 -m wan.safetensors >coded.safetensors
parts coded.safetensors weight_scale 256 | tensor blocks.0.attn1.to_qkv.weight_scale F32 192 768 >s
fused coded.safetensors I8 s
tensor-info --names fused.safetensors | grep -v 'attn1.to_[qkv].weight_scale' | sed 's/^/fused.safetensors:/' |
    xargs tensor-pick >rest && mv rest fused.safetensors
joined "q, k and v in one, and their scales" coded.safetensors
for name in q k v; do one blocks.0.self_attn.$name.weight_scale >$name; done
tensor-pick wan-fp8-plain.safetensors q k v >scaled.safetensors
one blocks.0.attn1.to_qkv.weight_scale >s
fused wan-fp8-plain.safetensors F8_E4M3 s
joined "q, k and v in one, and one scale" scaled.safetensors

tensor-pick a theirs >fused.safetensors
wan-denoise -m fused.safetensors --forward 500 <in >out 2>err
is "$(cat err)" "wan-denoise: warning: 1 tensor of fused.safetensors is not used: blocks.0.attn1.to_qkv.weight" \
    "q, k and v in one beside themselves, as diffusers saves them: they are named"
wan-denoise -m wan-fp8-plain.safetensors --forward 500 <in >whole
close_to "and not needed" --same 1 out:cond whole:cond
wan-quantize -q -t fp16 -m fused.safetensors >wide.safetensors
like "$(tensor-info wide.safetensors)" "*blocks.0.attn1.to_qkv.weight *F16 *[[]192, 64[]]*" "they stay whole"

# A norm has scales, too, and so has a table of positions.
printf '\0\0\0\100' | tensor blocks.0.norm3.weight_scale F32 1 4 >s
tensor-pick wan-fp8-plain.safetensors s >norm.safetensors
tensor-pick -t F32 wan-fp8-plain.safetensors:blocks.0.norm3.weight=blocks.0.norm3.diff >lora
wan-merge -q -t fp32 -m wan-fp8-plain.safetensors -l lora >twice.safetensors
wan-denoise -m norm.safetensors --dtype fp32 --forward 500 <in >out 2>err
is "$(cat err)" "" "a norm with a scale of 2: no word"
wan-denoise -m twice.safetensors --dtype fp32 --forward 500 <in >whole
close_to "it is twice the norm" $(exact 2e-3) out:cond whole:cond
wan-quantize -q -t fp32 -m norm.safetensors >wide.safetensors
tensor-diff wide.safetensors twice.safetensors >diff
ok $? "in floats as well"
wan-merge -q -t fp32 -m norm.safetensors -l lora:0 >merged.safetensors
tensor-diff merged.safetensors twice.safetensors >diff
ok $? "and merged"
wan-quantize -q -t fp32 -m umt5.gguf >expanded.safetensors
table=blocks.0.pos_embedding.embedding.weight
shape=$(tensor-info expanded.safetensors | sed -n "s/^$table .*\[\(.*\), \(.*\)\].*/\1,\2/p")
n=$((${shape%,*} * ${shape#*,}))
raw wan-fp8-plain.safetensors:blocks.0.ffn.0.weight $n | tensor $table F8_E4M3 $shape $n >table
tensor-info --names expanded.safetensors | grep -v $table | sed 's/^/expanded.safetensors:/' >names
xargs tensor-pick table <names >one.safetensors
printf '\0\0\0\101' | tensor ${table}_scale F32 1 4 >s
xargs tensor-pick table s <names >eight.safetensors
for i in one eight; do
    echo "3 5 7 1" | wan-encode-text -m $i.safetensors --token-ids -n 1 >$i 2>err
    is "$(cat err)" "" "positions in 8 bits, scale $i: no word"
done
tensor-diff --rel 1e-3 one:context eight:context >diff
is $? 1 "the scale counts"
wan-quantize -q -t fp32 -m eight.safetensors >wide.safetensors
echo "3 5 7 1" | wan-encode-text -m wide.safetensors --token-ids -n 1 >out
close_to "as it does in floats" --same 1 eight:context out:context

# The codes of one weight beside floats of others: q alone in 8 bits.
others() { # FILE..: the plain model's tensors that they do not have, and theirs
    tensor-info --names "$@" | sort >have
    tensor-info --names wan.safetensors | sort | comm -23 - have | sed 's/^/wan.safetensors:/' |
        xargs tensor-pick "$@"
}
others unrotated.safetensors >mixed.safetensors
wan-denoise -m mixed.safetensors --forward 500 <in >out 2>err
ok $? "I8 for q alone beside F16 k and v"
is "$(cat err)" "" "no word"
close_to "which stays near the model" --rel 0.05 out:cond plain:cond
wan-quantize -q -t fp16 -m mixed.safetensors >half.safetensors
is "$(tensor-info half.safetensors | grep -cE ' (I8|F32|U8) ')" 0 "-t fp16 leaves neither codes nor scales"
wan-denoise -m half.safetensors --dtype fp32 --forward 500 <in >whole
close_to "and says the same" $(exact 2e-3) out:cond whole:cond
others rotated.safetensors >bad.safetensors
refused() { # NAME PATTERN: bad.safetensors
    fails 1 "wan-denoise: *$2" "$1" sh -c 'wan-denoise -m bad.safetensors --forward 500 <in'
}
refused "a rotated weight" "blocks.0.self_attn.q.comfy_quant in bad.safetensors says convrot: its weights are not codes times scales, and are not read"

# ---- what must not be read as it looks ----

q=blocks.0.self_attn.q
codes() { # NAME=TENSOR..: the mixed model with q's companions as given
    tensor-info --names mixed.safetensors | grep -v "^$q\.weight_\|^$q.comfy" | sed 's/^/mixed.safetensors:/' |
        xargs tensor-pick "$@" >bad.safetensors
}
codes
refused "codes without scales" "$q.weight is I8 [[]64, 64[]] in bad.safetensors, but has no scales ($q.weight_scale)"
number() { # NAME TYPE SHAPE BYTES..: a file of one tensor
    header='{"'$1'":{"dtype":"'$2'","shape":['$3'],"data_offsets":[0,'$5']}}'
    printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
    printf "$4"
}
scale() { # TYPE SHAPE BYTES COUNT
    number $q.weight_scale "$1" "$2" "$3" "$4" >scale
    codes scale
}
scale F32 "" '\0\0\200\177' 4
refused "an infinite scale" "$q.weight_scale F32 [[][]] in bad.safetensors has inf: scales must be finite and positive"
scale F32 1 '\0\0\0\0' 4
refused "a scale of zero" "$q.weight_scale F32 [[]1[]] in bad.safetensors has 0: scales must be finite and positive"
scale BF16 1 '\200\277' 2
refused "a negative scale" "$q.weight_scale BF16 [[]1[]] in bad.safetensors has -1: *"
scale F32 2 '\0\0\200\077\0\0\200\077' 8
refused "two scales for 64 rows" "$q.weight_scale is F32 [[]2[]] in bad.safetensors: only one scale for all of $q.weight I8 [[]64, 64[]], or one a row, is read"
scale I32 1 '\1\0\0\0' 4
refused "a scale that is no float" "$q.weight_scale is I32 [[]1[]] in bad.safetensors: scales are F32, F16, BF16 or F64"
scale F32 1 '\0\0\200\074' 4
number $q.weight_zero_point I8 1 '\3' 1 >zero
codes scale zero
refused "a zero point that is not zero" "$q.weight_zero_point I8 [[]1[]] in bad.safetensors is not zero: only symmetric codes are read"
number $q.weight_zero_point I8 1 '\0' 1 >zero
codes scale zero
wan-denoise -m bad.safetensors --forward 500 <in >/dev/null 2>err
is "$(cat err)" "" "a zero point that is zero"
number $q.weight_perm I8 1 '\0' 1 >perm
codes scale perm
refused "a companion that nobody knows" "$q.weight_perm in bad.safetensors belongs to $q.weight, and what it does to it is not known"
printf '{"format": "nvfp4"}' >json
number $q.comfy_quant U8 19 '{"format": "nvfp4"}' 19 >quant
codes scale quant
refused "another format" "$q.comfy_quant in bad.safetensors says the format 'nvfp4': only fp8 and int8 with scales are read"
number $q.comfy_quant U8 39 '{"format": "int8_tensorwise", "odd": 2}' 39 >quant
codes scale quant
refused "a number that nobody knows" "$q.comfy_quant in bad.safetensors says odd: its weights are not codes times scales, and are not read"
number $q.comfy_quant U8 39 '{"format": "int8_tensorwise", "odd": 0}' 39 >quant
codes scale quant
wan-denoise -m bad.safetensors --forward 500 <in >/dev/null 2>err
is "$(cat err)" "" "which is nothing"
tensor-pick wan.safetensors:$q.weight >one
sed "1s/\"dtype\":\"F16\",\"shape\":\[64,64\]/\"dtype\":\"U8\",\"shape\":[64,128]/" one >packed
tensor-info --names wan.safetensors | grep -vx $q.weight | sed 's/^/wan.safetensors:/' | xargs tensor-pick packed >bad.safetensors
refused "U8 in place of I8" "$q.weight is U8 [[]64, 128[]] in bad.safetensors: codes of 8 bits are read as I8 alone; *"
tensor-info --names wan.safetensors | sed 's/^/wan.safetensors:/' | xargs tensor-pick scale >bad.safetensors
refused "scales of floats" "$q.weight is F16 [[]64, 64[]] in bad.safetensors, and has scales: those of codes alone are read"

# What stands beside a parameter that has no codes of its own is no more to be passed over.
tensor-info --names wan.safetensors | sed 's/^/wan.safetensors:/' >names
for name in blocks.0.modulation_scale blocks.0.norm3.weight_scale blocks.0.norm3.mystery $q.weight.absmax \
    $q.rotation.weight ${q}_scale head.modulation.x; do
    printf '\0\0\200\077' | tensor $name F32 1 4 >more
    xargs tensor-pick more <names >bad.safetensors
    case $name in
    *norm3.weight_scale) refused "$name" "blocks.0.norm3.weight is F16 [[]64[]] in bad.safetensors, and has scales: *" ;;
    *) refused "$name" "$name in bad.safetensors belongs to *, and what it does to it is not known" ;;
    esac
done
merged() { # NAME PATTERN: bad.safetensors as a base of wan-merge
    fails 1 "wan-merge: *$2" "$1, to be merged" wan-merge -q -t fp16 -m bad.safetensors -l lora
}
xargs tensor-pick scale <names >bad.safetensors
merged "scales of floats" "$q.weight is F16 [[]64, 64[]] in bad.safetensors, and has scales: *"
xargs tensor-pick perm <names >bad.safetensors
merged "an unknown companion" "$q.weight_perm in bad.safetensors belongs to $q.weight, *"
head -c 4096 /dev/zero | tensor $q.weight U8 64,64 4096 >more
grep -v $q.weight names | xargs tensor-pick more >bad.safetensors
tensor-pick -t F32 wan.safetensors:$q.weight=$q.diff >lora
merged "U8" "$q.weight is U8 [[]64, 64[]] in bad.safetensors: codes of 8 bits are read as I8 alone; *"

# ---- GGUF that is damaged, or of something else ----

gguf() { # NAME PATTERN: bad.gguf
    fails 1 "wan-denoise: bad.gguf$2" "$1" sh -c 'wan-denoise -m bad.gguf --forward 500 <in'
}
cp llama.gguf bad.gguf
gguf "another arch" " is GGUF of arch llama, not Wan's transformer"
sed 's/\(general.architecture.\{12\}\)wan/\1sd3/' wan.gguf >bad.gguf
gguf "another arch whose names are known" " is GGUF of arch sd3, not Wan's transformer"
fails 1 "wan-quantize: bad.gguf is GGUF of arch sd3, not one of Wan's models" "another arch to be converted" \
    wan-quantize -q -t fp32 -m bad.gguf
sed 's/\(general.architecture.\{12\}\)wan/\1pig/' wan.gguf >pig.gguf
wan-denoise -m pig.gguf --forward 500 <in >out && wan-denoise -m wan.gguf --forward 500 <in >whole
close_to "an arch that says nothing" --same 1 out:cond whole:cond
{ printf 'GGUF\1\0\0\0'; tail -c +9 wan.gguf; } >bad.gguf
gguf "version 1" " is GGUF of version 1: only versions 2 and 3 are read"
{ printf 'GGUF\0\0\0\3'; tail -c +9 wan.gguf; } >bad.gguf
gguf "big-endian" " is a big-endian GGUF: only little-endian ones are read"
{ head -c 8 wan.gguf; printf '\0\0\0\0\0\0\0\1'; tail -c +17 wan.gguf; } >bad.gguf
gguf "2^56 tensors" " says that it has 72057594037927936 tensors and * keys; at most *"
size=$(wc -c <wan.gguf)
head -c $((size - 5000)) wan.gguf >bad.gguf
gguf "cut data" " is cut short: '*' ends at byte *"
wrong=0
for i in $(seq 0 49); do
    head -c $((size * i / 50)) wan.gguf >bad.gguf
    tensor-pick -t F32 bad.gguf >out 2>err
    [ $? -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] || wrong=$((wrong + 1))
done
is $wrong 0 "cut at fifty places, it is refused in one line"
sed 's/blocks.0.ffn.0.weight/blocks.0.ffn.2.weight/' wan.gguf >bad.gguf
fails 1 "*blocks.0.ffn.2.weight is twice in bad.gguf" "a tensor twice" tensor-info bad.gguf
fails 1 "*blocks.0.ffn.0.weight is Q4_0 in wan.gguf: --scale-type weight is for weights of F32, F16 and BF16" \
    "--scale-type weight of codes" wan-quantize -t w8a16 --scale-type weight -m wan.gguf
wan-quantize -q -t w8a16 -m wan.gguf >q.safetensors
wan-quantize -q -t fp32 -m wan.gguf | wan-quantize -q -t w8a16 >q2.safetensors
tensor-diff -s 1 q.safetensors q2.safetensors >diff
ok $? "GGUF is quantized as its values are"
done_testing
