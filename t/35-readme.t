#!/bin/sh
# README's section on quantisation, line by line as it stands there, with the small model.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
ln -s "$ROOT/fixtures/tiny" MODEL
head -2 "$ROOT/fixtures/tiny/unseen.txt" >calibration.txt
tail -1 "$ROOT/fixtures/tiny/unseen.txt" | wan-encode-text -m MODEL >text.safetensors

# Videos are small and of few steps; what differs is no failure.
sed -n '/^## Quantisation/,/^## An/s/^    //p' "$ROOT/README.md" |
    sed 's/^wan-denoise /&--size 64x64 --frames 5 -s 3 /; s/^wan-sensitivity /&--size 64x64 -s 3 /; s/tensor-diff /&-r 9 /' >lines
commands=$(grep -c '^wan-' lines)
sh -e lines >out 2>said
ok $? "the $commands commands of README's section run"
comment "$(grep -v '^wan-quantize: ' said)"
for file in $(grep -o '> [a-zA-Z0-9._-]*' lines | cut -c 3-) mixed.tsv; do
    [ -s "$file" ]
    ok $? "$file"
done
formats() { tensor-info "$1" | awk '$NF ~ /^(int|nvfp|fp8|mxfp|q[0-9])/ { print $NF }' | sort | uniq -c | tr -s ' \n' ' '; }
is "$(formats mixed.safetensors)" " 24 int4-g128 6 nvfp4 " "rules by layer"
like "$(tensor-info gptq.safetensors)" '*method: "clip,gptq"*rotate: "h256"*' "clipped, GPTQ, rotated"
like "$(tensor-info w4a8.safetensors)" '*format: "int4-g128"*act: "int8"*' "codes that run, of rounded inputs"
is "$(sed 1,2d layers.tsv | wc -l)" 40 "every linear of the blocks is judged"
done_testing
