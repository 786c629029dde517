#!/bin/sh
# wan-sensitivity: a swap does what wan-denoise does with a checkpoint in which that linear alone is
# quantised; the table, its order, its record; what is refused.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
model=$ROOT/fixtures/random
file=$model/diffusion_pytorch_model.safetensors
prompt=$GOLDEN:t5.prompt.context negative=$GOLDEN:t5.negative.context
tensor-pick -k prompt=cat "$prompt=context" "$negative=context_null" > text
tensor-pick -k prompt=dog "$negative=context" "$prompt=context_null" > swapped
wan-quantize -q -t w8a16 -l all -m "$model" > w8.safetensors
small="--size 80x64 --frames 9"
sensitivity() { wan-sensitivity -m "$model" $small "$@"; }
denoise() { wan-denoise -q $small "$@"; }
# cell TABLE ROW COLUMN: of the row of that layer
cell() { awk -F '\t' -v row="$2" -v column="$3" '
    /^rank/ { for (i = 1; i <= NF; i++) if ($i == column) c = i }
    $2 == row { print $c }' "$1"; }
relative() { tensor-diff --rel 9 "$1" "$2" | sed 's/.*rel \([^	]*\).*/\1/'; }
# near A B NAME: three digits on the CPU, where both make the same sums; on a GPU q, k and v of one
# product and of three are rounded otherwise
near() {
    awk -v a="$1" -v b="$2" -v most="$([ "$DEVICE" = cpu ] && echo 0.006 || echo 0.03)" \
        'BEGIN { d = a - b; exit !(b > 0 && (d < 0 ? -d : d) <= most * b) }'
    ok $? "$3"
    comment "$1, wan-denoise $2"
}

# ---- a swap is that linear of the other checkpoint, and nothing else ----

# mixed CHECKPOINT RULE NAME...: the model with those linears as the checkpoint has them
mixed() {
    _from=$1 _rule=$2 _layers=
    tensor-info -n "$file" > names
    : > taken
    shift 2
    for _linear; do
        grep -vx "$_linear.weight" names > fewer && mv fewer names
        tensor-info -n "$_from" | grep "^$_linear\.weight" >> taken
        _layers="$_layers${_layers:+,}\"$_linear\":\"$_rule\""
    done
    tensor-pick -k "config=$(cat "$model/config.json")" \
        -k "quantization={\"version\":1,\"stored\":\"codes\",\"layers\":{$_layers}}" \
        $(sed "s|^|$_from:|" taken) $(sed "s|^|$file:|" names)
}

for g in 0 1 5; do
    denoise -m "$model" --dtype fp32 -g $g -s 6 -S 3 --trace < text > trace
    tensor-pick -d 2 trace > at
    tensor-pick at:latents text > in-$g
    tensor-info at | sed -n 's/^ *timestep: //p' > time-$g
    denoise -m "$model" --dtype fp32 -g $g -s 6 -S 3 < text > final-$g
    wan-denoise -m "$model" --dtype fp32 --forward "$(cat time-$g)" < in-$g > reference-$g
done
# The pass without the prompt is all there is with -g 0, that with it with -g 1.
for of in 0:blocks.0.self_attn.q 1:blocks.0.self_attn.k 0:blocks.1.self_attn.v 1:blocks.1.self_attn.o \
    0:blocks.0.cross_attn.q 1:blocks.0.cross_attn.k 0:blocks.1.cross_attn.v 1:blocks.0.cross_attn.o \
    0:blocks.1.ffn.0 1:blocks.0.ffn.2 0:text_embedding.2 1:time_projection.1 1:head.head; do
    g=${of%%:*} linear=${of#*:}
    mixed w8.safetensors int8 "$linear" > mixed.safetensors
    sensitivity -q --dtype fp32 -g "$g" -s 6 --points 6 -S 3 --layer "$linear" --final w8.safetensors < text > table
    wan-denoise -m mixed.safetensors --dtype fp32 --forward "$(cat "time-$g")" < "in-$g" > forward
    pass=$([ "$g" = 0 ] && echo uncond || echo cond)
    near "$(cell table "$linear" "t=$(cat "time-$g")")" "$(relative "forward:$pass" "reference-$g:$pass")" "$linear, $pass"
    denoise -m mixed.safetensors --dtype fp32 -g "$g" -s 6 -S 3 < text > latents
    near "$(cell table "$linear" final)" "$(relative latents "final-$g")" "$linear, the final latents"
done
# With guidance, several linears, all of which
mixed w8.safetensors int8 blocks.0.self_attn.q blocks.0.self_attn.v > mixed.safetensors
sensitivity -q --dtype fp32 -s 6 -S 3 --by block --layer 'blocks.0.self_attn.[qv]' --final w8.safetensors < text > table
denoise -m mixed.safetensors --dtype fp32 -s 6 -S 3 < text > latents
near "$(cell table blocks.0 final)" "$(relative latents final-5)" "two of three that share an input, both passes"
sensitivity -q --dtype fp32 -s 6 -S 3 --by all --layer '*' --final w8.safetensors < text > table
denoise -m w8.safetensors --dtype fp32 -s 6 -S 3 < text > latents
near "$(cell table all final)" "$(relative latents final-5)" "all at once"
sensitivity -q --dtype fp32 -g 0 -s 6 --points 6 -S 3 --by all --layer '*' w8.safetensors < text > table
wan-denoise -m w8.safetensors --dtype fp32 --forward "$(cat time-0)" < in-0 > forward
near "$(cell table all "t=$(cat time-0)")" "$(relative forward:uncond reference-0:uncond)" "and their velocity"

wan-quantize -q -t int4-g128 --layer 'blocks.*.ffn.*=q8_0' -m "$model" > w4.safetensors
wan-quantize -q -t int4-g128 --layer 'blocks.*.ffn.*=q8_0' --fake -m "$model" > fake.safetensors
for of in int4-g128:blocks.1.self_attn.k q8_0:blocks.0.ffn.0; do
    rule=${of%%:*} linear=${of#*:}
    mixed w4.safetensors "$rule" "$linear" > mixed.safetensors
    sensitivity -q --dtype fp32 -s 6 -S 3 --layer "$linear" --final w4.safetensors < text > table
    denoise -m mixed.safetensors --dtype fp32 -s 6 -S 3 < text > latents
    near "$(cell table "$linear" final)" "$(relative latents final-5)" "$linear in $rule"
    is "$(cell table "$linear" format)" "$rule" "which is said"
    sensitivity -q --dtype fp32 -s 6 -S 3 --layer "$linear" --final fake.safetensors < text > faked
    near "$(cell faked "$linear" final)" "$(cell table "$linear" final)" "the fake is worth the same"
    is "$(cell faked "$linear" format) $(cell faked "$linear" bits) $(cell faked "$linear" saved)" "$rule fake 32 0" \
        "but saves nothing"
done
is "$(cell table "$linear" bits)" 8.5 "q8_0 has 8.5 bits a weight"
sensitivity -q -s 1 --by block w4.safetensors < text > table
is "$(cell table blocks.1 format)" mixed "a row of two formats"

# ---- nothing differs: nothing is reported ----

timesteps() { # STEPS I...: the timesteps of those steps
    _n=$1; shift
    for _i in "$@"; do
        awk -v n="$_n" -v i="$_i" 'BEGIN { s = 0.999 * (1 - i / n); printf "t=%d ", 1000 * 5 * s / (1 + 4 * s) }'
    done
}
sensitivity -q -s 3 --layer '*' --final "$model" < text > same
is "$(grep -v '^#' same | cut -f 6- | sort -u | tr '\t\n' '  ')" "0 0 0 0 0 error final $(timesteps 3 0 1 2)" \
    "a checkpoint beside itself: no error at all"
is "$(sed 1,2d same | cut -f 1,2,5 | head -3 | tr '\t\n' '  ')" \
    "1 patch_embedding 0 2 text_embedding.0 0 3 text_embedding.2 0 " "equals are in the model's order"

# ---- the table ----

sensitivity -s 6 --final --stats stats w8.safetensors < text > table 2> said
is "$(sed -n 2p table | tr '\t' ' ') " "rank layer format bits saved error final $(timesteps 6 0 1 3 4 5)" \
    "its columns: five points unless given, each in the middle of its part of the steps"
sed 1,2d table > rows
is "$(cut -f 1 rows | tr '\n' ' ')" "$(seq -s ' ' 20) " "20 linears in two blocks"
cut -f 6 rows | sort -c -g -r
ok $? "the worst is the first"
cut -f 2 rows | sort > names
is "$(sort -u names | wc -l) $(grep -c '^blocks\.[01]\.' names)" "20 20" "each once"
is "$(grep 'blocks.0.self_attn.q' rows | cut -f 3-5 | tr '\t' ' ')" "int8 8.125 64512" "format, bits with the scales, bytes saved"
awk -F '\t' '{ d = ($8 + $9 + $10 + $11 + $12) / 5 - $6; exit d * d > 1e-10 * $6 * $6 }' rows
ok $? "error is the mean of the points"
awk -F '\t' '{ e[NR] = $6; f[NR] = $7 } END {
    for (i = 1; i <= NR; i++) { r = 1; for (k = 1; k <= NR; k++) r += f[k] > f[i]; s += (r - i) ^ 2 }
    printf "%.4f", 1 - 6 * s / (NR * (NR * NR - 1)) }' rows > spearman
like "$(cat said)" "wan-sensitivity: Spearman's rank correlation of error and final over 20 rows: $(cat spearman)" \
    "the rank correlation of error and final is told"
like "$(tr -d ' \n' < stats)" "*\"spearman\":$(cut -c 1-4 spearman)*" "and in --stats"
like "$(sensitivity -s 1 --by all --final w8.safetensors 2>&1 < text)" "*is not defined: 1 row*" "not of one row"

sensitivity -q -s 6 --by kind --layer 'blocks.*,head.*' w8.safetensors < text > kinds
is "$(sed 1,2d kinds | cut -f 2 | sort | tr '\n' ' ')" "cross_attn.k cross_attn.o cross_attn.q cross_attn.v ffn.0 ffn.2 \
head.head self_attn.k self_attn.o self_attn.q self_attn.v " "by kind"
is "$(cell kinds self_attn.q saved)" 129024 "of both blocks"
sensitivity -q -s 6 --by block --layer 'blocks.*,head.*' w8.safetensors < text > blocks
is "$(sed 1,2d blocks | cut -f 2 | sort | tr '\n' ' ')" "blocks.0 blocks.1 head.head " "by block"

tail -n +2 table > whole
sensitivity -q -s 6 --final w8.safetensors < text | tail -n +2 | cmp -s - whole
ok $? "the same table again"
OMP_NUM_THREADS=1 wan-sensitivity -q -m "$model" $small -s 6 --final w8.safetensors < text | tail -n +2 | cmp -s - whole
ok $? "and with one thread"

for linear in blocks.0.self_attn.k blocks.0.cross_attn.o blocks.1.ffn.2; do
    sensitivity -q -s 6 --final --layer $linear w8.safetensors < text > alone
    is "$(sed 1,2d alone | cut -f 2-)" "$(grep -F "$linear" rows | cut -f 2-)" "$linear as if it were the only row"
done

# A row is the mean over documents and seeds.
linear=blocks.1.ffn.0
for seed in 4 5; do
    for in in text swapped; do
        sensitivity -q -s 2 -S $seed --layer $linear --final w8.safetensors < $in > table
        cell table $linear error; cell table $linear final
    done
done > four
cat text swapped | sensitivity -q -s 2 -S 4,5 --layer $linear --final w8.safetensors > table
{ cell table $linear error; cell table $linear final; } |
    awk 'BEGIN { while ((getline x < "four") > 0) s[n++ % 2] += x / 4 }
        { d = s[NR - 1] / $1 - 1; bad += d * d > 1e-9 } END { exit bad > 0 || NR != 2 }'
ok $? "two documents and two seeds: the mean of four"

# ---- the record ----

options="-s 2 --layer $linear -S 4"
sensitivity -q $options w8.safetensors < text > table
sensitivity $options --recipe w8.safetensors < text > recipe
is "$(sed -n '1s/^# //p' table | sed 's/"device":"[^"]*",//')" "$(cat recipe)" "--recipe knows the first line"
is "$(wc -l < recipe)" 1 "which is one"
like "$(cat recipe)" '*"numerics":4,*' "and has the sums that it is of: attention was another before"
for other in "-s 3 --layer $linear -S 4 w8.safetensors" "-s 2 --layer blocks.0.ffn.0 -S 4 w8.safetensors" \
    "-s 2 --layer $linear -S 5 w8.safetensors" "$options --by kind w8.safetensors" "$options $model"; do
    sensitivity --recipe $other < text | cmp -s - recipe
    is $? 1 "another with $other"
done
sensitivity $options --recipe w8.safetensors < swapped | cmp -s - recipe
is $? 1 "and of another text"

# ---- what is no linear ----

tensor-pick "$file:blocks.1.modulation=blocks.0.modulation" \
    $(tensor-info -n "$file" | grep -vx blocks.0.modulation | sed "s|^|$file:|") \
    -k "config=$(cat "$model/config.json")" > folded.safetensors
sensitivity -s 1 --by all folded.safetensors < text > table 2> said
like "$(cat said)" "*warning: 1 parameter that is no linear's differs in folded.safetensors (blocks.0.modulation): *" \
    "other norms or modulation: a warning"
is "$(cell table all error)" 0 "they stay the reference's"
header='{"blocks.0.modulation":{"dtype":"F8_E4M3","shape":[1,6,256],"data_offsets":[0,1536]}}'
printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header" > codes
head -c 1536 /dev/zero | tr '\0' 8 >> codes
tensor-pick codes $(tensor-info -n "$file" | grep -vx blocks.0.modulation | sed "s|^|$file:|") \
    -k "config=$(cat "$model/config.json")" > folded.safetensors
sensitivity -s 1 --by all folded.safetensors < text > table 2> said
is "$(cat said)" "" "codes are not compared: they say nothing without their scales"

# ---- what is refused ----

refuses() { # STATUS PATTERN NAME OPTIONS...
    _want=$1 _like=$2 _about=$3; shift 3
    fails "$_want" "wan-sensitivity: $_like" "$_about" sh -c 'wan-sensitivity "$@" < text' sh "$@"
}
refuses 2 "*one operand is needed*not 0*" "no quantised checkpoint" -m "$model"
refuses 2 "*one operand is needed*not 2*" "two" -m "$model" w8.safetensors w8.safetensors
refuses 2 "*-m DIR or -m FILE*" "no reference" w8.safetensors
refuses 2 "*--by is layer, kind, block or all, not 'x'*" "rows of another kind" -m "$model" --by x w8.safetensors
refuses 2 "*--points 7 are more than 6 steps*" "more points than steps" -m "$model" -s 6 --points 7 w8.safetensors
refuses 2 "--layer takes patterns of names, not ''*" "an empty pattern" -m "$model" --layer '' w8.safetensors
refuses 1 "--layer: there is no linear 'blocks.2.\*' in the model" "a pattern that fits none" \
    -m "$model" --layer 'blocks.0.*,blocks.2.*' w8.safetensors
refuses 1 "*cannot *none*" "a checkpoint that is not there" -m "$model" none.safetensors
refuses 1 "*tiny has 4 blocks, but *random has 2" "another size" -m "$model" "$ROOT/fixtures/tiny"
tensor-pick $(tensor-info -n w8.safetensors | grep -v '^blocks.1.ffn.2.weight' | sed 's|^|w8.safetensors:|') \
    -k quantization= > less.safetensors
refuses 1 "*less.safetensors has no tensor blocks.1.ffn.2.weight*" "one without a layer" -m "$model" $small -s 1 less.safetensors
cp "$GOLDEN" text
refuses 1 "*context*" "a stream of something else" -m "$model" w8.safetensors
: > text
refuses 1 "standard input has no document" "no document" -m "$model" w8.safetensors

done_testing
