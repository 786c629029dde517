#!/bin/sh
# dinoscore: vectors and subject consistency against facebookresearch/dino, VBench's formula and Hugging
# Face's Dinov2Model, on random weights (fixtures/nets); layouts; bad input.
. "$(dirname "$0")/tap.sh"
F=$ROOT/fixtures/nets G=$ROOT/fixtures/nets/golden.safetensors
cd "$TMP" || exit 1
formula=$BUILD/t/tools/formula
for s in wide high square; do "$formula" <"$F/frames-$s.txt" >$s; done
"$formula" <"$F/dino.txt" >dino.safetensors
number() { tensor-pick "$G:$1" | tail -c 8 | od -An -tf8 | tr -d ' '; }
near() { # NAME GOT WANTED BOUND
    awk "BEGIN { e = $2 / $3 - 1; exit !((e < 0 ? -e : e) <= $4) }"
    ok $? "$1"
    comment "$2, wanted $3"
}

# ---- as VBench's ----

for s in wide high square; do
    dinoscore -m dino.safetensors --embeds <$s >embeds
    close_to "$s: vectors" --rel 1e-4 embeds:image_embeds "$G:dino.$s.embeds"
    dinoscore -m dino.safetensors <$s >table
    near "$s: subject consistency" "$(sed 1d table | cut -f 4)" "$(number dino.$s.subject)" 1e-5
done
for type in fp16 bf16; do
    [ $type = fp16 ] && most=5e-3 || most=3e-2
    dinoscore -m dino.safetensors --dtype $type --embeds <wide >embeds
    close_to "vectors, $type" --rel $most embeds:image_embeds "$G:dino.wide.embeds"
done
like "$(dinoscore -m dino.safetensors --pixels <wide | tensor-info)" '*frames *U8 *[[]3, 224, 368, 3[]]*' \
    "pictures of 201x120: 224 high, 375 wide, of which 23 patches"
dinoscore -m dino.safetensors --pixels <square >pixels
close_to "pictures of 224x224 stay as they are" --abs 0 pixels:frames square:frames

# ---- the table ----

tensor-pick -k seed=7 -k variant=w8a16 high >a
tensor-pick "wide:frames[0:1]=frames" >one
cat wide a one | dinoscore -m dino.safetensors >table
is "$(cut -f 1-3,5 table)" "document	seed	variant	frames
1			3
2	7	w8a16	2
3			1" "a line a document"
is "$(sed -n 4p table | cut -f 4)" "" "one frame has no consistency"
dinoscore -m dino.safetensors --per-frame <wide >frames
is "$(sed -n 1,2p frames)" "document	seed	variant	frame	subject	first	previous
1			0			" "--per-frame: the first has none"
near "the mean of whose terms is the video's" "$(awk 'NR > 2 { s += $3 } END { printf "%.15g", s / 2 }' frames)" \
    "$(sed -n 2p table | cut -f 4)" 1e-14
near "each being half of two cosines" "$(awk 'NR == 4 { printf "%.15g", ($4 + $5) / 2 }' frames)" \
    "$(awk 'NR == 4 { print $3 }' frames)" 1e-14
# Black, then white: their cosine is negative.
h='{"frames":{"dtype":"U8","shape":[2,224,224,3],"data_offsets":[0,301056]}}'
{
    printf "\\$(printf %03o ${#h})\\0\\0\\0\\0\\0\\0\\0%s" "$h"
    head -c 150528 /dev/zero
    head -c 150528 /dev/zero | tr '\0' '\377'
} >opposite
is "$(dinoscore -m dino.safetensors <opposite | sed 1d | cut -f 4)" 0 "a negative cosine counts as 0"
is "$(OMP_NUM_THREADS=3 dinoscore -m dino.safetensors <wide)" \
    "$(OMP_NUM_THREADS=1 dinoscore -m dino.safetensors <wide)" "the same for any number of threads"

# ---- weights as others lay them out ----

"$formula" <"$F/dinov2.txt" >dinov2.safetensors
dinoscore -m dinov2.safetensors --embeds <square >embeds
close_to "Hugging Face's DINOv2, patches of 14, gates" --rel 1e-4 embeds:image_embeds "$G:dinov2.square.embeds"
dinoscore -m dino.safetensors --embeds <square >own
mkdir hf
tensor-pick $(tensor-info --names dino.safetensors | grep -v qkv | sed '
    s/^norm\.\(.*\)/&=layernorm.\1/
    s/^cls_token$/&=embeddings.&/
    s/^pos_embed$/&=embeddings.position_embeddings/
    s/^patch_embed\.proj\.\(.*\)/&=embeddings.patch_embeddings.projection.\1/
    s/^blocks\.\(.\)\.norm1\.\(.*\)/&=encoder.layer.\1.layernorm_before.\2/
    s/^blocks\.\(.\)\.norm2\.\(.*\)/&=encoder.layer.\1.layernorm_after.\2/
    s/^blocks\.\(.\)\.attn\.proj\.\(.*\)/&=encoder.layer.\1.attention.output.dense.\2/
    s/^blocks\.\(.\)\.mlp\.fc1\.\(.*\)/&=encoder.layer.\1.intermediate.dense.\2/
    s/^blocks\.\(.\)\.mlp\.fc2\.\(.*\)/&=encoder.layer.\1.output.dense.\2/
    s/^/dino.safetensors:/') $(for b in 0 1 2; do for e in weight bias; do
    i=0
    for part in query key value; do
        echo "dino.safetensors:blocks.$b.attn.qkv.${e}[$((128 * i)):$((128 * i + 128))]=encoder.layer.$b.attention.attention.$part.$e"
        i=$((i + 1))
    done
done; done) >hf/model.safetensors
as_well() { # NAME MODEL
    dinoscore -m "$2" --embeds <square >embeds 2>err
    is "$(cat err)" "" "$1: no word"
    close_to "$1" --abs 0 embeds:image_embeds own:image_embeds
}
echo '{"model_type": "vit", "layer_norm_eps": 1e-06, "num_attention_heads": 2, "hidden_act": "gelu"}' >hf/config.json
as_well "Hugging Face's ViT, a directory" hf
tensor-pick $(tensor-info --names dino.safetensors | sed 's/.*/dino.safetensors:&=module.backbone.&/') \
    >teacher.safetensors
as_well "names of the training" teacher.safetensors
sed -i 's/1e-06/1e-2/' hf/config.json
dinoscore -m hf --embeds <square >embeds
tensor-diff --rel 1e-4 embeds:image_embeds own:image_embeds >diff
is $? 1 "layer_norm_eps of config.json counts"
is "$(dinoscore -m hf --recipe | tr ',' '\n' | grep -c '"eps"\|"weights"')" 2 "and is in the recipe, with the model"

# ---- what is refused ----

fails 2 "*-m DIR or -m FILE is needed*" "no -m" dinoscore
fails 2 "*exclude each other*" "two outputs" dinoscore -m hf --embeds --pixels
fails 2 "*unwanted operand 'wide'*" "an operand" dinoscore -m hf wide
score() { dinoscore -m "$1" <"${2-wide}"; }
h='{"norm.bias":{"dtype":"F32","shape":[128],"data_offsets":[0,512]},"norm.weight":{"dtype":"F32","shape":[128],"data_offsets":[512,1024]}}'
{
    printf "\\$(printf %03o ${#h})\\0\\0\\0\\0\\0\\0\\0%s" "$h"
    head -c 1024 /dev/zero
} >zero
tensor-pick zero $(tensor-info --names dino.safetensors | grep -v '^norm\.' | sed 's/^/dino.safetensors:/') >zero.safetensors
fails 1 "dinoscore: a vector of document 1 is zero: it has no direction" "vectors of zeros" score zero.safetensors
sed -i 's/"gelu"/"relu"/' hf/config.json
fails 1 "*config.json: hidden_act is 'relu': only gelu is known" "another activation" score hf
sed -i 's/"relu"/"gelu"/; s/"num_attention_heads": 2/"num_attention_heads": 4/' hf/config.json
fails 1 "*128 wide with 4 heads: heads must be 64 wide" "other heads" score hf
rm hf/model.safetensors
fails 1 "dinoscore: cannot find model.safetensors or another file of DINO in hf" "no weights" score hf
tensor-pick dino.safetensors:[!b]* dino.safetensors:blocks.[!1]* >gap.safetensors
fails 1 "*has no tensor blocks.1.norm1.weight*" "a layer that is missing" score gap.safetensors
{ cat "$F/dino.txt"; echo 'r register_tokens F32 1 0 1,4,128'; } | "$formula" >registers.safetensors
fails 1 "*registers.safetensors has register tokens, which are not computed here" "registers" score registers.safetensors
sed 's/1,197,128/1,198,128/' "$F/dino.txt" | "$formula" >places.safetensors
fails 1 "*are not of square pictures" "positions of no square" score places.safetensors
sed '/^patch_embed.proj.weight/s/F32 [^ ]*/F32 1e39/' "$F/dino.txt" | "$formula" >infinite.safetensors
fails 1 "*patch_embed.proj.weight in infinite.safetensors has * values that are not finite*" "infinite weights" \
    score infinite.safetensors
fails 1 "*$ROOT/fixtures/tiny/*is *, not DINO" "another model" score "$ROOT/fixtures/tiny/clip/model.safetensors"
echo 'long frames U8 100 128 1,8,400,3' | "$formula" >long
fails 1 "dinoscore: frames of 400x8 become pictures of 11200x224, which are more than 4096 patches" "a long frame" \
    score dino.safetensors long
fails 1 "*frames*" "a stream without frames" score dino.safetensors dino.safetensors
: >none
fails 1 "*standard input has no document" "no input" score dino.safetensors none
head -c 30000 wide >cut
fails 1 "*short*" "a cut stream" score dino.safetensors cut
full() { score dino.safetensors >/dev/full; }
fails 1 "*No space left on device" "a full disk" full
done_testing
