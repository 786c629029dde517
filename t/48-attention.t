#!/bin/sh
# wan-denoise --attention: runs, is recorded, is another result by little, and part of a pair by its word alone.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
prompt=$GOLDEN:t5.prompt.context negative=$GOLDEN:t5.negative.context
tensor-pick -k prompt=cat "$prompt=context" "$negative=context_null" > text
denoise() { wan-denoise -m "$ROOT/fixtures/random" --size 80x64 --frames 9 -s 2 -S 1 "$@" < text; }
said() { tensor-info "$1" | sed -n "s/^ *$2: //p"; } # FILE KEY

denoise > plain
denoise --attention fp16 > named
cmp -s plain named
ok $? "fp16 is what is taken without it"
is "$(said plain attention)" "" "and not told"
for kind in int8 fp8 int8-pv; do
    denoise --attention $kind > $kind
    is "$?:$(said $kind attention)" "0:\"$kind\"" "$kind: its record says it"
    tensor-diff --rel 0 $kind plain | sed 's/.*rel \([^	]*\).*/\1/' > error-$kind
    denoise --attention $kind | cmp -s - $kind
    ok $? "the same bytes again"
    denoise --attention $kind --recipe > recipe
    is "$(said recipe recipe)" "$(said $kind recipe)" "--recipe knows it"
done
is "$(for f in plain int8 fp8 int8-pv; do said $f recipe; done | sort -u | wc -l)" 4 "four recipes"
comment "errors of the latents: int8 $(cat error-int8), fp8 $(cat error-fp8), int8-pv $(cat error-int8-pv)"
awk 'BEGIN { getline a < "error-int8"; getline b < "error-fp8"; getline c < "error-int8-pv"
    exit !(0 < a + 0 && a + 0 < b + 0 && b + 0 < 0.02 && a + 0 < c + 0 && c + 0 < 0.02) }'
ok $? "int8 is nearer than fp8 and int8-pv, all are near"
if [ "$DEVICE" = cuda ] && [ "$(nvidia-smi -L 2> /dev/null | wc -l)" -lt 2 ]; then
    skip "there are no two gpus" "two ranks" "four ranks"
else
    denoise --attention fp8 -G 2 > ranks
    close_to "two ranks" --rel 1e-3 ranks fp8
fi

# ---- self-attention alone ----
tensor-pick -k prompt=cat "$prompt=context" "$negative=context_null" plain:latents > in
for kind in fp16 int8; do
    wan-denoise -m "$ROOT/fixtures/random" --forward 500 --attention $kind \
        --tap 'blocks.0.self_attn*,blocks.0.cross_attn' < in > forward-$kind
done
for layer in q k v; do
    close_to "$layer's input is as it was" --same 1 "forward-int8:blocks.0.self_attn.$layer:in" "forward-fp16:blocks.0.self_attn.$layer:in"
done
tensor-diff forward-int8:blocks.0.self_attn forward-fp16:blocks.0.self_attn > /dev/null
is $? 1 "what self-attention makes is not"

# ---- a pair, by its word alone ----
mkdir plain.d int8.d
for kind in plain int8; do
    wan-vae-decode -q -m "$ROOT/fixtures/random" < $kind | tensor-info --json > $kind.d/1.json
done
is "$(pair-check plain.d int8.d 2> err | sed -n 2p | cut -f 2-)" "$(printf '\t\tdiffers in wan-denoise.attention: nothing and "int8"')" \
    "attention in 8 bits is no pair of plain"
is "$(pair-check -d attention plain.d int8.d | sed -n 2p | cut -f 2-)" "$(printf 'provenance\twan-denoise.attention\t')" \
    "unless that may differ"

# ---- what is refused ----
for bad in int4 int8- "" 8; do
    denoise --attention "$bad" > out 2> err
    is "$?:$(wc -c < out):$(head -1 err)" "2:0:wan-denoise: --attention is fp16, int8, int8-pv or fp8, not '$bad'" "refused: '$bad'"
done

done_testing
