#!/bin/sh
# wan-quantize's rules: codes and scales of each against its reference, bit for bit; which layers they
# are for; --fake, --ledger, and what the metadata say.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/tiny
cd "$TMP" || exit 1
gzip -dc "$ROOT/fixtures/rules/golden.safetensors.gz" >golden
tensor-pick golden:blocks.0.a.weight >weights

# ---- against torchao, ggml, OCP's and ModelOpt's formulas (fixtures/rules) ----

# outliers, zeros of both signs, tiny rows, ties, rows of one sign and powers of two are among them
table() { tensor-info "$1" | sed 's/\(\] *[0-9][0-9]*\) .*/\1/'; } # without the column of formats
bytes() { tensor-pick "$1:$2" | tail -c "$(table "$1" | awk -v name="$2" '$1 == name { print $NF }')"; }
shapes() { table "$1" | awk -v from="$2" 'index($1, from) == 1 && NF > 2 { sub(from, "", $1); print }' | sort; }
for rule in int8 int8-127 fp8-tensor fp8-row fp8-block int4-g32 int4-g256 int4s-g32 int4s-g256 mxfp4 mxfp8 nvfp4 \
    q8_0 q4_0 q4_k q5_k q6_k; do
    wan-quantize -q -t $rule <weights >q
    apart=
    for part in $(tensor-info -n golden | sed -n "s/^$rule\.//p"); do
        bytes q "blocks.0.a.$part" >ours
        bytes golden "$rule.$part" >theirs
        [ -s ours ] && cmp -s ours theirs || apart="$apart $part"
    done
    is "$apart" "" "$rule: its reference's codes and scales, none apart"
    is "$(shapes q blocks.0.a.)" "$(shapes golden $rule.)" "$rule: and their names, types and shapes"
    wan-quantize -q -t fp32 <q >values
    wan-quantize -q -t $rule --fake <weights | tensor-pick -t F32 - >fake
    tensor-pick -t F16 values >half && tensor-pick -t F32 half >values
    close_to "$rule: --fake stores the values that are read, as F16" -s 1 values:blocks.0.a.weight fake:blocks.0.a.weight
done

# ---- which layers ----

tiny() { wan-quantize -q -m "$model" "$@"; }
rules() { tensor-info "$1" | sed -n 's/^\(.*\)\.weight .*\] *[0-9][0-9]*  *\([^ ]*\)$/\1:\2/p'; }
count() { rules "$1" | grep -c ":$2\$"; }

tiny -t int4-g64 --layer 'blocks.*.ffn.*=mxfp4' --layer 'blocks.*.ffn.2.weight=int8' --layer 'blocks.0.*=keep' \
    --layer head.head=fp8-row >q
ok $? "rules by layer"
blocks=$(tensor-info -n "$model/diffusion_pytorch_model.safetensors" | grep -c 'ffn.0.weight$')
is "$(count q int4-g64) $(count q mxfp4) $(count q int8) $(count q fp8-row)" \
    "$((blocks * 8 - 8)) $((blocks - 1)) $((blocks - 1)) 1" "the last pattern that fits wins, and keep keeps"
is "$(rules q | grep -c '^blocks.0\.')" 0 "block 0 is as it was"
close_to "to the bit" -s 1 q:blocks.0.ffn.0.weight "$model/diffusion_pytorch_model.safetensors:blocks.0.ffn.0.weight"
wan-quantize -m "$model" --layer '*.ffn.2=keep' --layer '*.ffn.*=mxfp4' >q 2>said
is "$?:$(count q mxfp4):$(grep warning said)" "0:$((2 * blocks)):wan-quantize: warning: --layer *.ffn.2=keep decides nothing: each \
layer that fits it fits a later one, too" "a pattern in the wrong place is told of"
tiny --layer '*.ffn.0=nvfp4' >q
is "$(rules q | grep -c ffn.0:nvfp4) $(rules q | wc -l)" "$blocks $blocks" "without -t those of the patterns alone"
tiny -t int8 --layers all --layer 'time_*=keep' >q
is "$(rules q | grep -v ^blocks | tr '\n' ' ')" "text_embedding.0:int8 text_embedding.2:int8 head.head:int8 " \
    "--layers and --layer together"
tiny -t w8a16 >a && tiny -t int8 >b
tensor-diff -s 1 a b >diff
ok $? "w8a16 is another name for int8"

# ---- the ledger and the report ----

wan-quantize -m "$model" -t int4-g64 --layer '*.ffn.*=nvfp4' --layer '*.q=q8_0' --ledger ledger >q 2>table
ok $? "a ledger"
is "$(tail -n +2 ledger | cut -f 1 | sort)" "$(tensor-info -n q | sort)" "has a row for every tensor"
is "$(awk -F '\t' 'NR > 1 { n += $7 } END { print n }' ledger)" \
    "$(tensor-info q | sed -n '1s/.*tensors, \([0-9]*\) bytes/\1/p')" "whose bytes add up to the file's"
is "$(awk -F '\t' 'NR > 1 && $2 != "as it was" { n += $7 } END { print n }' ledger)" \
    "$(tensor-info q | sed -n 's/^ *bytes: //p')" "and those of layers with a rule to the metadata's"
is "$(awk -F '\t' 'NF != 11' ledger | wc -l)" 0 "eleven columns everywhere"
is "$(awk -F '\t' '$2 == "nvfp4" && $6 { print $6 }' ledger | sort -u | head -1 | cut -c 1-3)" 4.5 "bits with scales"
awk -F '\t' '$2 == "int4-g64" && $6 && !($9 > 0 && $10 > 0 && $11 > 0.01 && $11 < 0.2)' ledger >odd
is "$(cat odd)" "" "errors of all layers"
like "$(cat table)" "*q8_0 *8.500*int4-g64  *4.3*nvfp4 *4.50*all *" "the report has a line a rule"
tiny -t int4-g32 --fake --ledger ledger >fake
is "$(awk -F '\t' '$2 == "int4-g32" { print $3, $6 }' ledger | sort -u)" "F16 4.625" "a fake's bits are those it stands for"
like "$(tensor-info fake)" '*bits: 4.625*stored: "fake"*' "and the metadata say that it is one"
like "$(tensor-info q)" '*method: "rtn"*calibration: null*"*.ffn.\*=nvfp4"*stored: "codes"*' "what codes say"
tiny -t fp16 --ledger ledger >/dev/null 2>&1 || tiny -t bf16 --ledger ledger >half
is "$(awk -F '\t' 'NR > 1 { n += $7 } END { print n }' ledger)" \
    "$(tensor-info half | sed -n '1s/.*tensors, \([0-9]*\) bytes/\1/p')" "a ledger of another type"

# ---- the same for any number of threads ----

for rule in int4-g32 fp8-block nvfp4 q8_0 q4_k; do
    OMP_NUM_THREADS=1 tiny -t $rule --ledger one >a
    OMP_NUM_THREADS=5 tiny -t $rule --ledger five >b
    cmp -s a b && cmp -s one five
    ok $? "$rule: one thread and five make the same"
done

# ---- what is made is read ----

tiny -t int4-g64 --layer '*.ffn.*=mxfp8' >q
wan-quantize -q -t fp32 -m q >wide
tiny -t int4-g64 --layer '*.ffn.*=mxfp8' --fake >fake
tensor-pick -t F16 wide >half
tensor-diff -s 1 half fake | grep -v '	ok	' >diff
is "$(cat diff)" "" "codes are read as what --fake says they are"
fails 1 "*is quantized already*" "quantized twice" wan-quantize -t int8 -m q

# wan-checkpoint(5) has a reader in Python: all rules but ggml's, one each for the ten kinds of layer
if python3 -c 'import numpy' 2>/dev/null; then
    tiny --layer 'blocks.0.self_attn.q=int8' --layer '*.self_attn.k=int8-127' --layer '*.self_attn.v=fp8-tensor' \
        --layer '*.self_attn.o=fp8-row' --layer '*.cross_attn.q=fp8-block' --layer '*.cross_attn.k=int4-g32' \
        --layer '*.cross_attn.v=int4s-g128' --layer '*.cross_attn.o=mxfp4' --layer '*.ffn.0=mxfp8' --layer '*.ffn.2=nvfp4' >q
    wan-quantize -q -t fp32 -m q >wide
    sed -n '/^import json/,/^\.fi/p' "$ROOT/common/wan-checkpoint.5" | sed '/^\.fi/d; s/\\-/-/g' >reader.py
    echo 'for x in sorted(rules): sys.stdout.buffer.write(values(x).tobytes())' >>reader.py
    for layer in $(rules q | sed 's/:.*//' | sort); do bytes wide "$layer.weight"; done >ours
    python3 reader.py q >theirs
    [ -s ours ] && cmp ours theirs
    ok $? "wan-checkpoint(5)'s Python reads what is stored, to the same bits"
else
    skip "there is no python3 with numpy" "wan-checkpoint(5)'s Python"
fi

# ---- bad input ----

no() { # STATUS PATTERN NAME OPTION..
    status=$1 pattern=$2 name=$3; shift 3
    fails "$status" "$pattern" "$name" wan-quantize -m "$model" "$@"
}
no 1 "*--layer nope.\*=int8: * has no layer of such a name" "a pattern that fits nothing" --layer 'nope.*=int8'
no 1 "*--layer \*.norm3=keep: blocks.*.norm3.weight is F16 * not the weight of a linear layer" "nor one that fits no linear" \
    -t int8 --layer '*.norm3=keep'
no 1 "*nothing to quantize: no linear layer * is left to a rule" "all kept" -t int8 --layer '*=keep'
no 1 "*cannot be int4-g1024: its rows of * are not whole groups of 1024; give it another rule, or leave it out, by --layer '*=keep'" \
    "rows that are no whole groups" -t int4-g1024
no 2 "*--layer is PATTERN=RULE, not 'all' (--layers is blocks, all or diffusers)*" "--layer for --layers" --layer all
no 2 "*--layers is blocks, all or diffusers, not 'x=int8' (--layer takes patterns)*" "--layers for --layer" -t int8 --layers x=int8
no 2 "*--layer x=int9: 'int9' is no rule: int8, *" "no rule" --layer x=int9
no 2 "*-t is int8, *not 'int4-g48'*" "a group of 48" -t int4-g48
no 2 "*--layer and --fake go with a rule, not with -t fp16*" "--fake of fp16" -t fp16 --fake
no 2 "*--layers and --all-linears say which layers -t RULE is for*" "--layers without -t" --layers all --layer '*=int8'
no 2 "*--scale-type and --divide go with int8*" "--divide of int4" -t int4-g64 --divide
no 1 "*cannot create none/ledger: No such file*" "a ledger nowhere" -t int8 --ledger none/ledger
fails 1 "*cannot write /dev/full: No space left*" "a full ledger" \
    sh -c "wan-quantize -q -t int8 -m $model --ledger /dev/full >out"

one() { # BYTES COUNT: a layer of so many F32
    header='{"blocks.0.a.weight":{"dtype":"F32","shape":[1,32],"data_offsets":[0,128]}}'
    printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
    printf "$1"
    head -c 124 /dev/zero
}
one '\0\0\200\111' >large # 2^20
fails 1 "*blocks.0.a.weight in large cannot be int4s-g32: a group's scale is beyond what F16 can hold" "int4s of 2^20" \
    wan-quantize -t int4s-g32 -m large
[ ! -s "$TMP/.out" ]
ok $? "nothing is written"
one '\0\0\200\112' >large # 2^22
fails 1 "*blocks.0.a.weight in large cannot be q4_0: a block's scale is beyond what F16 can hold" "q4_0 of 2^22" \
    wan-quantize -t q4_0 -m large
fails 1 "*would have values that fp16 cannot hold, as --fake stores them" "a fake of 2^22" \
    wan-quantize -t fp8-row --fake -m large
wan-quantize -q -t fp8-row -m large >q
ok $? "whose codes have no such bound"
{ # [8, 256] of 3e38, 3e38, 3e38, -3e38, ...
    header='{"blocks.0.a.weight":{"dtype":"F32","shape":[8,256],"data_offsets":[0,8192]}}'
    printf "\\$(printf %03o ${#header})\0\0\0\0\0\0\0%s" "$header"
    four='\346\261\141\177\346\261\141\177\346\261\141\177\346\261\141\377'
    # shellcheck disable=SC2046 # words
    printf "$four%.0s" $(seq 512)
} >large
for rule in q4_k q5_k q6_k; do
    fails 1 "*cannot be $rule: a block's scale is beyond what F16 can hold" "$rule of 3e38" wan-quantize -t $rule -m large
done
fails 1 "*cannot be int8: its branch has values beyond what F16 can hold" "a branch of 3e38" \
    wan-quantize -t int8 --rank 8 -m large
fails 1 "*cannot be int8: rotated it has values that are not finite" "3e38 rotated" \
    wan-quantize -t int8 --rotate h256 -m large
one '\0\0\300\177' >nan
fails 1 "*has values that are not finite" "not a number" wan-quantize -t mxfp4 -m nan
done_testing
