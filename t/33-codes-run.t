#!/bin/sh
# Checkpoints that wan-quantize makes, in every format, run: they compute what their dequantized values
# compute, in the memory of the codes; records name the format; and a file is refused if its metadata
# do not say how its codes are to be read.
. "$(dirname "$0")/tap.sh"
M=$ROOT/fixtures/tiny
cd "$TMP" || exit 1
echo "a red circle moves right quickly over a blue background" | wan-encode-text -m "$M" >text
wan-denoise -s 0 --size 128x80 --frames 5 -S 1 <text >noise
tensor-pick text:context text:context_null noise:noise=latents >in
wan-denoise -m "$M" --dtype fp32 --forward 500 <in >reference
rel() { tensor-diff "$1" "$2" | sed -n 's/.*rel \([0-9.e+-]*\).*/\1/p' | head -n 1; }
record() { # KEY < DOCUMENT: of wan-denoise's record
    tensor-info | sed -n "/^ *wan-denoise:/,\$s/^ *$1: //p" | tr -d '"'
}
latents() { wan-denoise -s 1 --size 128x80 --frames 5 -S 1 -m "$1" <text >latents; }
# On the CPU both multiply the same F32 values; elsewhere the codes' values are rounded to 16 bits.
exact() { [ "$DEVICE" = cpu ] && echo 2e-6 || echo 2e-3; }

# RULE, the most it may differ from the model by, bits
while read -r rule most bits; do
    wan-quantize -q -t "$rule" -m "$M" --ledger ledger >q.safetensors
    wan-denoise -m q.safetensors --forward 500 <in >out 2>err
    ok $? "$rule runs"
    is "$(cat err)" "" "$rule: no message"
    wan-quantize -q -t fp32 -m q.safetensors >wide.safetensors
    wan-denoise -m wide.safetensors --dtype fp32 --forward 500 <in >whole
    close_to "$rule: computes what its dequantized values do" --rel "$(exact)" out:cond whole:cond
    error=$(rel out:cond reference:cond)
    [ "$(awk "BEGIN { print ($error <= $most && $error > 1e-3) }")" = 1 ]
    ok $? "$rule: near the original model, but not equal to it"
    comment "$rule: relative error $error"
    latents q.safetensors
    case $rule in int8) name=w8a16 ;; *) name=$rule ;; esac
    is "$(record format <latents) $(record stored <latents)" "$name codes" "$rule: its record"
    is "$(record bits <latents | cut -c 1-4)" "$bits" "$rule: bits a weight"
    is "$(awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "bytes") c = i; next }
        $1 ~ /^blocks.*weight/ && $1 !~ /norm/ { s += $c } END { print s }' ledger)" \
        "$(tensor-info q.safetensors | awk '$1 ~ /^blocks.*weight/ && $1 !~ /norm/ {
            for (i = NF; $i !~ /^[0-9]+$/; i--) ; s += $i } END { print s }')" \
        "$rule: the ledger's bytes of what is quantized are the file's"
done <<TABLE
int8 0.03 8.12
int8-127 0.03 8.12
fp8-tensor 0.06 8.00
fp8-row 0.06 8.12
fp8-block 0.06 8.00
mxfp8 0.06 8.25
q8_0 0.03 8.5
q6_k 0.05 6.56
int4-g32 0.2 4.62
int4-g128 0.2 4.15
int4s-g64 0.25 4.25
mxfp4 0.25 4.25
nvfp4 0.2 4.50
q4_k 0.2 4.5
TABLE

# ---- several in one, and fakes ----

wan-quantize -q -t int4-g128 --layer '*.v=int8' --layer '*.ffn.*=keep' --layer 'blocks.0.*=q6_k' \
    -m "$M" >mixed.safetensors
wan-denoise -m mixed.safetensors --forward 500 <in >out
wan-quantize -q -t fp32 -m mixed.safetensors >wide.safetensors
wan-denoise -m wide.safetensors --dtype fp32 --forward 500 <in >whole
close_to "q and k in one format, v in another: what their values compute" --rel "$(exact)" out:cond whole:cond
latents mixed.safetensors
is "$(record format <latents | tr + '\n' | sort | paste -sd ' ' -)" "fp16 int4-g128 q6_k w8a16" \
    "its record names what is in it"
wan-quantize -q -t int4-g128 --fake -m "$M" >fake.safetensors
latents fake.safetensors
is "$(record format <latents) $(record stored <latents) $(record bits <latents | cut -c 1-4)" \
    "int4-g128 fake 4.15" "a fake's record says so, and has the bits of the format"
is "$(record weight_bytes <latents)" "$(latents "$M" && record weight_bytes <latents)" \
    "and the bytes of F16, which it takes"
is "$(record weight_bytes <latents)" "$(tensor-info "$M"/diffusion_pytorch_model*.safetensors | sed -n 's/^[^ ]*\.\(weight\|bias\|modulation\)  *[A-Z0-9]* *\[\([0-9, ]*\)\].*/\2/p' |
    awk -F , '{ n = 1; for (i = 1; i <= NF; i++) n *= $i; sum += n * (NF < 2 ? 4 : 2) } END { print sum }')" "2 bytes for each element of a matrix, 4 for each of a vector"
wan-quantize -q -t bf16 -m fake.safetensors >other.safetensors
latents other.safetensors
is "$(record format <latents) $(record stored <latents)" "int4-g128 fake" "in another float type too"
wan-quantize -q -t int4-g128 -m "$M" >q.safetensors
wan-denoise -m q.safetensors --dtype fp32 --forward 500 <in >out
wan-denoise -m fake.safetensors --dtype fp32 --forward 500 <in >whole
close_to "and it computes what the codes do, but for rounding to F16" --rel 2e-3 out:cond whole:cond

# ---- metadata that do not say how to read the codes ----

names() { tensor-info --names q.safetensors | sed 's/^/q.safetensors:/'; }
said() { # RULE: how q.safetensors is to be read
    echo '{"version":1,"stored":"codes","layers":{'"$(tensor-info --names q.safetensors |
        sed -n "s/\(.*\)\.weight_scale\$/\"\1\":\"$1\"/p" | paste -sd, -)"'}}'
}
say() { # RULE SED: with a change in that
    names | xargs tensor-pick -k "quantization=$(said "$1" | sed "$2")" >bad.safetensors
}
refused() { # NAME PATTERN: bad.safetensors
    fails 1 "wan-denoise: *$2" "$1" sh -c 'wan-denoise -m bad.safetensors --forward 500 <in'
}
ffn='"blocks.0.ffn.0":"int4-g128"'
say int4-g128 ""
wan-denoise -m bad.safetensors --dtype fp32 --forward 500 <in >whole
close_to "the same metadata, written here: the same result" --same 1 out:cond whole:cond
say int4-g128 's/"version"/"edition"/'
refused "codes without our metadata" \
    "blocks.0.ffn.0.weight is U8 [[]256, 128[]] in bad.safetensors, but [[][*], 256[]] is needed"
say int4-g128 's/"version":1/"version":2/'
refused "a later version" "bad.safetensors was quantized by another wan-quantize: its version is 2, not 1"
say int4-g128 "s/$ffn/\"blocks.0.ffn.0\":\"int3-g128\"/"
refused "a format that is not known" \
    "bad.safetensors says that blocks.0.ffn.0 is 'int3-g128', a format that is not read"
say int4-g128 "s/$ffn/\"blocks.0.ffn.0\":\"int4-g64\"/"
refused "another group than the scales have" \
    "blocks.0.ffn.0.weight_scale is F16 [[]256, 2[]] in bad.safetensors, but F16 [[]256, 4[]] is needed"
say int4-g128 "s/$ffn/\"blocks.0.ffn.0\":\"mxfp8\"/"
refused "another type than the file has" \
    "blocks.0.ffn.0.weight is U8 [[]256, 128[]] in bad.safetensors, which says that it is mxfp8"
say int4-g128 "s/$ffn/\"blocks.0.ffn.0\":\"int4s-g128\"/"
refused "zero points that the format does not have" "blocks.0.ffn.0.weight_zero in bad.safetensors belongs to *"
names | grep -v 'blocks.0.ffn.0.weight_zero' | xargs tensor-pick -k "quantization=$(said int4-g128)" >bad.safetensors
refused "no zero points" "blocks.0.ffn.0.weight_zero is not in bad.safetensors, but U8 [[]256, 1[]] is needed"
say int4-g128 's/{"version"/{"layers":{},"version"/'
refused "a key that comes twice" "bad.safetensors: its metadata's quantization, *, is no JSON, or says something twice"
say int4-g128 's/}}$/}/'
refused "metadata that are no JSON" "bad.safetensors: its metadata's quantization, *, is no JSON, or says something twice"
tensor-pick -k "quantization=$(said int4-g128 | sed 's/"stored":"codes"/"stored":"both"/')" q.safetensors >bad.safetensors
refused "neither codes nor fakes" "bad.safetensors says that 'both' are stored: codes or fake is read"
wan-quantize -q -t int8 -m "$M" >codes
tensor-pick -k "quantization=$(said int8 | sed 's/"stored":"codes"/"stored":"fake"/')" codes >bad.safetensors
refused "codes that are said to be a fake" "*weight is I8 *, which says that its codes are stored as floats"
for rule in mxfp4 nvfp4; do
    wan-quantize -q -t $rule -m "$M" >q.safetensors
    say $rule 's/"version"/"edition"/'
    refused "$rule without our metadata" \
        "blocks.0.*weight is F4 * in bad.safetensors, a type that is not read"
done
names | grep -v 'blocks.1.ffn.2.weight_scale_2' | xargs tensor-pick -k "quantization=$(said nvfp4)" >bad.safetensors
refused "nvfp4 without its second scale" \
    "blocks.1.ffn.2.weight_scale_2 is not in bad.safetensors, whose blocks.1.ffn.2.weight is nvfp4"
wan-quantize -q -t int4-g64 --rotate 'h256:*.ffn.*' --rank 8 -m "$M" >q.safetensors
wan-denoise -m q.safetensors --forward 500 <in >out
ok $? "some layers rotated, all with a low-rank branch"
latents q.safetensors
is "$(record bits <latents | cut -c 1-5)" "$(tensor-info q.safetensors | sed -n 's/^ *bits: //p' | cut -c 1-5)" \
    "the branch counts among the bits of the record"
for layout in comfyui diffusers; do
    wan-quantize -q -t int8 --layout $layout -m "$M" >out && latents out
    wan-quantize -q -t int8 -m "$M" >codes && latents=$(record weight_bytes <latents) && latents codes
    is "$latents" "$(record weight_bytes <latents)" "$layout: companions that only describe codes take no memory"
done
for lost in ffn.2.weight_hadamard cross_attn.o.weight_low_rank_down cross_attn.o.weight_low_rank_up; do
    names | grep -v "blocks.1.$lost" | xargs tensor-pick >bad.safetensors
    refused "$lost is missing" "blocks.1.$lost is not in bad.safetensors, which says that blocks.1.*"
done

down=blocks.1.cross_attn.o.weight_low_rank_down
names | grep -v "$down" | xargs tensor-pick "q.safetensors:${down}[0:0]" >bad.safetensors
refused "a branch of rank 0" "$down in bad.safetensors has the rank 0: multiples of 8 are read"

# ---- shards, of which only one has the metadata ----

mkdir shards
cp "$M/config.json" shards
shard() { # NUMBER FILTER FILE [OPTIONS]
    _of=shards/diffusion_pytorch_model-0000$1-of-00002.safetensors _filter=$2 _file=$3
    shift 3
    tensor-info --names "$_file" | grep $_filter '^blocks' | sed "s/^/$_file:/" | xargs tensor-pick "$@" >"$_of"
}
shard 1 -v fake.safetensors -k quantization=
shard 2 -e fake.safetensors
latents shards
is "$(record format <latents) $(record stored <latents)" "int4-g128 fake" "a fake in two shards, of which the second has the metadata"
fails 1 "*is quantized already, as its metadata say*" "and it is not quantized once more" wan-quantize -t int8 -m shards
shard 1 -v fake.safetensors -k 'quantization={"version":1,"layers":{}}'
fails 1 "*the shards of shards/* do not agree in how they are quantized: shards/*2-of-00002*" \
    "shards that say different things" sh -c 'wan-denoise -m shards --forward 500 <in'
done_testing
