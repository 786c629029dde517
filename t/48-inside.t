#!/bin/sh
# Inside of a forward pass: taps of inputs, while sampling too; statistics of inputs; inputs that are
# quantised; what a trace says of its latents.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random
cd "$TMP" || exit 1
prompt=$GOLDEN:t5.prompt.context negative=$GOLDEN:t5.negative.context
tensor-pick -k prompt=cat "$prompt=context" "$negative=context_null" > text
tensor-pick -k prompt=dog "$negative=context" "$prompt=context_null" > swapped
small="--size 80x64 --frames 9"
denoise() { wan-denoise -m "$model" $small "$@"; }
said() { tensor-info "$1" | sed -n "s/^ *$2: //p"; } # FILE KEY: of each document

# ---- a trace says what its latents are ----
denoise -s 4 -S 1 --trace < text > trace
levels=$(awk 'BEGIN { for (i = 1; i <= 4; i++) {
    s = 0.999 * (1 - i / 4); s = 5 * s / (1 + 4 * s); printf "%.5f:%d ", s, 1000 * s } }')
is "$({ said trace sigma; said trace timestep; } | tr '\n' ' ' |
    awk '{ for (i = 1; i <= 4; i++) printf "%.5f:%d ", $i, $(i + 4) }')" "$levels" \
    "a trace says the noise of its latents, and what the model is told of it"
denoise -s 4 -S 1 < text > plain
is "$(said plain sigma)$(said plain timestep)" "" "latents that are a result say neither"
tensor-pick -d 2 trace > second && tensor-pick second text > again
is "$(denoise -s 1 -S 1 < again | tensor-info | grep -c -e '  step:' -e '  sigma:')" 0 \
    "nor what their input said"

# ---- taps ----
some='blocks.1.ffn.2:in,blocks.0.self_attn*,head,cond,text_embedding*,time_embedding'
denoise -s 3 -S 1,2 --tap "$some" < text > taps
is "$(said taps step | tr '\n' ' ')" "0 0 1 1 2 2 3 3 0 0 1 1 2 2 3 3 " "a document an evaluation, then the result"
tensor-pick -d 2 taps > one
is "$(tensor-info --names one | tr '\n' ' ')" "latents time_embedding blocks.0.self_attn.q:in \
blocks.0.self_attn.k:in blocks.0.self_attn.v:in blocks.0.self_attn.o:in blocks.0.self_attn blocks.1.ffn.2:in \
head cond " "what was asked for, as it is made"
tensor-pick -d 1 taps > first
is "$(tensor-info --names first | grep -c text_embedding)" 3 "a sampling's first document has the text's"
tensor-pick -d 4 taps > last
denoise -s 3 -S 1 < text > result
close_to "taps change nothing: the result" --same 1 last result
is "$(tensor-info --names last)" latents "is latents alone"
denoise -s 3 -S 1,2 --tap "$some" --recipe < text > recipes
is "$(said recipes recipe)" "$(said taps recipe)" "--recipe knows these documents"
tensor-pick -d 8 taps > last
denoise -s 3 -S 2 < text > result
close_to "of each seed" --same 1 last result
denoise -s 3 -S 1 --trace < text > trace
tensor-pick -d 1 trace > state
close_to "the latents are those that were evaluated" --same 1 one:latents state:latents

# An evaluation alone of these latents at this timestep sees the same.
tensor-pick one:latents text > in
wan-denoise -m "$model" --forward "$(said one timestep | tail -1)" --tap "$some" < in > forward
for name in $(tensor-info --names one | grep -v latents); do
    close_to "$name, sampled and alone" --same 1 "one:$name" "forward:$name"
done
close_to "q, k and v have one input" --same 1 one:blocks.0.self_attn.q:in one:blocks.0.self_attn.v:in

wan-denoise -m "$model" --forward 500 --tap 'head.head:in,head,text_*' < in > forward
is "$(tensor-info --names forward | tr '\n' ' ')" \
    "text_embedding.0:in text_embedding.2:in text_embedding head.head:in head cond uncond " "inputs by patterns"
many=$(for i in $(seq 100); do printf 'blocks.0.ffn,'; done)
denoise -s 1 --tap "$many*" < text | tensor-info --names > names
is "$(grep -c . names)" 44 "a hundred patterns, all there is"

# ---- statistics ----
denoise -s 1 -S 1 --stat '*:gram' < text > stat
{ denoise -s 1 -S 1 --tap '*:in' < text; denoise -s 1 -S 1 --tap '*:in' < swapped; } > in
"$BUILD/t/tools/moments" 0 1000 gram < in > want
is "$(tensor-info --names stat | sort)" "$(tensor-info --names want | sort)" "five statistics of 27 linears"
close_to "of both passes" --rel "$(operands fp16 | sed 's/fp32/1e-12/; s/fp16/2e-6/')" stat want
denoise -s 1 -S 1 --stat '*' < text > stat
"$BUILD/t/tools/moments" 0 1000 < in > moments
close_to "without X^T X" --rel 1e-6 stat moments

for range in 1:250:499 2:500:749 3:750:1000; do
    denoise -s 9 -S 3 -g 1 --bins 4 --stat 'blocks.*.[qkv],*ffn.2' < text > stat
    denoise -s 9 -S 3 -g 1 --tap 'blocks.*.[qkv]:in,*ffn.2:in' < text > taps
    bin=${range%%:*} range=${range#*:}
    "$BUILD/t/tools/moments" "${range%:*}" "${range#*:}" < taps > want
    tensor-pick -d "$bin" stat > this
    close_to "timesteps $range" --rel 1e-6 this want
    is "$(said this bin | head -1) $(said this from) $(said this to)" "$bin ${range%:*} ${range#*:}" "are said to be"
done
is "$(said stat bin | wc -l)" 6 "bins 1 to 3 have steps, bin 0 has none"
cat text swapped text > three
denoise -s 2 -S 5,6 --stat 'head.head' < three > stat
is "$(said stat results) $(said stat number) $(said stat seeds)" "6 2 [5, 6]" "results, prompts, seeds"
is "$(said stat 'head.head.count')$(tensor-info --names stat | tr '\n' ' ')" \
    "head.head.sum head.head.squares head.head.count head.head.absmax " "one linear alone"
is "$(said stat prompts)" '["0381fd7cec51321d42548a8a111c54ee", "2ac7342441f522cc802c9dc0909e32b7"]' \
    "the prompts are XXH3-128 of cat and dog, sorted"
is "$(said stat weights | sort -u | wc -l)" 1 "of these weights"
denoise -s 2 -S 5,6 --stat 'head.head' < three | cmp -s - stat
ok $? "the same bytes again"
for n in 1 3; do
    OMP_NUM_THREADS=$n wan-denoise -m "$model" $small -s 1 -S 1 --stat 'blocks.0.*:gram' < text > threads-$n
done
cmp -s threads-1 threads-3
ok $? "and with any number of threads"

# ---- inputs that are quantised ----
denoise -s 2 -S 1 < text > plain
for act in int8 fp8 int4; do
    denoise -s 2 -S 1 --act $act < text > $act
    tensor-diff --rel 0 $act plain | sed 's/.*rel \([^	]*\).*/\1/' > error-$act
    is "$(said $act act) $(said $act act_layers)" "\"$act\" [\"blocks.*\"]" "$act of all blocks, its record says"
done
comment "errors of int8 $(cat error-int8), fp8 $(cat error-fp8), int4 $(cat error-int4)"
awk 'BEGIN { getline a < "error-int8"; getline b < "error-fp8"; getline c < "error-int4"
    exit !(0 < a + 0 && a + 0 < b + 0 && b + 0 < c + 0 && c + 0 < 1) }'
ok $? "int8 is nearer than fp8, that nearer than int4"
is "$(said plain act)" "" "without --act the record has none"
denoise -s 2 -S 1 --act int8 --layer 'blocks.*' < text > all
is "$(said all recipe)" "$(said int8 recipe)" "--layer 'blocks.*' is what is taken without it"
denoise -s 2 -S 1 --act int8 --recipe < text > recipe
is "$(said recipe recipe)" "$(said int8 recipe)" "--recipe knows it"
[ "$(said plain recipe)" != "$(said int8 recipe)" ]
ok $? "and it is another than without"

if [ "$DEVICE" = cuda ] && [ "$(nvidia-smi -L 2> /dev/null | wc -l)" -lt 2 ]; then
    skip "there are no two gpus" "two ranks round as one does"
else
    denoise -s 2 -S 1 --act int8 -G 2 < text > ranks
    close_to "two ranks round as one does" --rel 1e-3 ranks int8
fi

# A chosen linear's input is rounded, its neighbours' are not: k alone changes k alone.
tensor-pick second:latents text > in
wan-denoise -m "$model" --forward 500 --tap 'blocks.0.*' < in > without
wan-denoise -m "$model" --forward 500 --tap 'blocks.0.*' --act int4 --layer 'blocks.0.ffn.2' < in > with
close_to "the input is shown as it was before" --same 1 with:blocks.0.ffn.2:in without:blocks.0.ffn.2:in
tensor-diff with:blocks.0.ffn without:blocks.0.ffn > /dev/null
is $? 1 "the output is of the rounded"
for layer in q k v; do
    wan-denoise -m "$model" --forward 500 --tap 'blocks.0.*' --act int8 --layer "blocks.0.self_attn.$layer" < in > part
    tensor-diff part:blocks.0.self_attn without:blocks.0.self_attn > /dev/null
    is $? 1 "$layer alone of q, k and v"
    cp part part-$layer
done
cmp -s part-q part-k
is $? 1 "q is not k"
wan-denoise -m "$model" --forward 500 --act int8 --layer 'blocks.0.self_attn.[qk]' --layer '*.1.self_attn.v,*.0.self_attn.v' < in > apart
wan-denoise -m "$model" --forward 500 --act int8 --layer 'blocks.0.self_attn.[qkv],blocks.1.self_attn.v' < in > joined
close_to "a list is a list, however it is given" --same 1 apart:cond joined:cond
wan-denoise -m "$model" --forward 500 --act int8 --layer 'blocks.0.cross_attn.v' < in > part
tensor-diff part:cond without:cond > /dev/null
is $? 1 "the text's values alone"
wan-quantize -q -t w8a16 -m "$model" > w8.safetensors
wan-denoise -m w8.safetensors --forward 500 --act int8 --layer 'blocks.*.k' < in > part
ok $? "codes run in parts"

# Codes by codes, where the device multiplies such, are what rounded values by the codes' values are, but
# for roundings (of the fake's values to F16, and what they do to the input's codes), which are less
# than half of what --act itself changes.
products=codes
[ "$DEVICE" = cuda ] && [ "$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null | head -1)" != 9.0 ] &&
    products=rounded
rel() { tensor-diff --rel 0 "$1:blocks.0.$3" "$2:blocks.0.$3" | sed -n 's/.*rel \([^	]*\).*/\1/p'; }
for rule in int8 fp8-row fp8-block; do
    act=${rule%-*}
    wan-quantize -q -t $rule -m "$model" > codes.safetensors
    wan-quantize -q -t $rule --fake -m "$model" > fake.safetensors
    for pair in self_attn.[qkv]=self_attn.o:in self_attn.k=self_attn.o:in self_attn.o=self_attn ffn.0=ffn.2:in ffn.2=ffn; do
        seen=${pair#*=}
        for w in codes fake; do
            wan-denoise -m $w.safetensors --forward 500 --act $act --layer "blocks.0.${pair%=*}" --tap "blocks.0.$seen" \
                --stats stats-$w < in > by-$w
        done
        wan-denoise -m codes.safetensors --forward 500 --tap "blocks.0.$seen" < in > whole
        echo "$(rel by-codes by-fake "$seen") $(rel by-codes whole "$seen")" > errors
        awk '{ exit !(0 < $1 + 0 && $1 + 0 < $2 / 2) }' errors
        ok $? "$rule, ${pair%=*}: $(cat errors)"
    done
    is "$(said by-codes act_products) $(said by-fake act_products)" "\"$products\" \"rounded\"" "and its record says how"
    wan-denoise -m codes.safetensors $small -s 1 -S 1 --act $act < text > run
    wan-denoise -m codes.safetensors $small -s 1 -S 1 --act $act --tap 'blocks.0.ffn.0:in' < text > taps
    tensor-pick -d 2 taps > seen
    close_to "its norms make the codes of the values that taps see" --same 1 seen run
    wan-denoise -m codes.safetensors $small -s 1 -S 1 --act $act --recipe < text > recipe
    is "$(said recipe recipe)$(said recipe act_products)" "$(said run recipe)" "which the recipe does not depend on"
done
# A norm makes codes where nobody looks and the weight takes them as they come: results are the same, and
# statistics are of the values.
echo cat | wan-encode-text -m "$ROOT/fixtures/tiny" > words
for how in '' '--rotate h256' '--rank 8'; do
    wan-quantize -q -t int8 $how -m "$ROOT/fixtures/tiny" > codes.safetensors
    in_codes() { wan-denoise -m codes.safetensors --size 128x80 --frames 5 -s 1 -S 1 -g 1 --act int8 "$@" < words; }
    in_codes > run
    in_codes --tap '*:in' > taps
    tensor-pick -d 2 taps > seen
    close_to "int8 $how: the same, looked at or not" --same 1 seen run
    in_codes --stat '*' > stat
    "$BUILD/t/tools/moments" 0 1000 < taps > want
    close_to "and statistics are of what was looked at" --rel 1e-6 stat want
done

# Of q, k and v, stored in two ways, each is what its own weight allows.
mixed="-t int8 --layer blocks.*.self_attn.k=fp8-row"
wan-quantize -q $mixed -m "$model" > codes.safetensors
wan-quantize -q $mixed --fake -m "$model" > fake.safetensors
for w in codes fake; do
    wan-denoise -m $w.safetensors --forward 500 --act int8 --layer 'blocks.0.self_attn.[qkv]' \
        --tap blocks.0.self_attn.o:in --stats stats-$w < in > by-$w
done
wan-denoise -m codes.safetensors --forward 500 --tap blocks.0.self_attn.o:in < in > whole
echo "$(rel by-codes by-fake self_attn.o:in) $(rel by-codes whole self_attn.o:in)" > errors
awk '{ exit !(0 < $1 + 0 && $1 + 0 < $2 / 2) }' errors
ok $? "int8 but for k: $(cat errors)"
[ $products = codes ] && expected='"act_as_codes": 2, "act_rounded": 1' || expected='"act_as_codes": 0, "act_rounded": 3'
is "$(grep -o '"act_[a-z_]*": [0-9]*' stats-codes | paste -sd, | sed 's/,/, /')" "$expected" "q and v are codes, k is not"
grep -q '"act_rounded": [1-9]' stats-fake
ok $? "and so do statistics"
is "$(said int8 act_products)" '"rounded"' "codes by values are values by values"

# ---- what is refused ----
refuses() { # STATUS PATTERN OPTIONS...
    _want=$1 _like=$2; shift 2
    wan-denoise -m "$model" $small "$@" < text > out 2> err
    is "$? $(wc -c < out)" "$_want 0" "refused: $*"
    like "$(head -1 err)" "wan-denoise: $_like" "and said"
}
refuses 2 "--act is int8, fp8 or int4, not 'int2'" --act int2
refuses 2 "--layer is for --act" --layer 'blocks.*'
refuses 2 "--layer takes patterns of names, not ''" --act int8 --layer 'blocks.*' --layer ''
refuses 1 "--layer: there is no linear 'blocks.*.z' in the model" --act int8 --layer 'blocks.*,blocks.*.z'
refuses 1 "--stat: there is no linear 'blocks.0.self_attn' in the model" --stat 'blocks.0.self_attn:gram'
refuses 1 "--tap head,heads: there is no intermediate heads" --tap head,heads
refuses 2 "--stat excludes --trace, --tap, --forward and -s 0" --stat '*' --tap head
refuses 2 "--stat excludes --trace, --tap, --forward and -s 0" --stat '*' -s 0
refuses 2 "--stat takes patterns of names, not ''" --stat ''
refuses 2 "--recipe is for each document, --stat is of all" --stat '*' --recipe
refuses 2 "--bins is for --stat" --bins 3
refuses 2 "--bins is from 1 to 1000, not 0" --stat '*' --bins 0
refuses 2 "--stat is for one gpu: -G 2 is too many" --stat '*' -G 2
refuses 2 "--tap is for one gpu: -G 2 is too many" --tap head -G 2
refuses 2 "--tap is for what is sampled, or for --forward" --tap head -s 0

done_testing
