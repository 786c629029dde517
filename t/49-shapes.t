#!/bin/sh
# Every tensor of each model with its values in another shape: the program says a line, or gives the same
# numbers. Of tensors that differ in digits of their names alone, the first.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
R=$ROOT/fixtures/random N=$ROOT/fixtures/nets formula=$BUILD/t/tools/formula
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" "$GOLDEN:dit.x=latents" >forward
tensor-pick "$GOLDEN:vae.z=latents" >latents
tensor-pick "$GOLDEN:vae.frames=frames" >pictures
tensor-pick "$ROOT/fixtures/taehv/golden.safetensors:latents" >small
tensor-pick -k prompt='a cat' "$ROOT/fixtures/clip/golden.safetensors:frames" >frames
echo "5 17 99 4 1" >ids
for s in least-a least-b square; do "$formula" <"$N/frames-$s.txt" >$s; done
"$formula" <"$N/alex.txt" >alex && "$formula" <"$N/alex-heads.txt" >heads && "$formula" <"$N/dino.txt" >dino
tensor-pick "$R/Wan2.1_VAE.pth" >vae
tensor-pick "$R/models_t5_umt5-xxl-enc-bf16.pth" >t5
mkdir dit text && cp "$R/config.json" dit/ && cp -R "$R/google" text/
"$ROOT/fixtures/clip/unpack.sh" clip && mv clip/model.safetensors clip-model

# Lines "NAME SHAPE" of a file's tensors in other shapes: all in one row, in one column, reversed, half as high and
# twice as wide, half as wide and twice as high; of four dimensions, with one in the middle. A vector: in two columns.
others() {
    tensor-info "$1" | awk '
        { name = $1; shape = $0; pattern = name }
        !/\[/ || name ~ /:$/ { next }
        { sub(/.*\[/, "", shape); sub(/\].*/, "", shape); gsub(/[0-9]+/, "#", pattern) }
        seen[pattern "/" shape]++ { next }
        function give(s) { if (s != shape && s != "") print name, "[" s "]" }
        {
            n = split(shape, d, ", "); all = 1; many = 0; back = ""
            for (i = 1; i <= n; i++) { all *= d[i]; many += d[i] > 1; back = d[i] (back == "" ? "" : ", " back) }
            if (many < 2) { if (all % 2 == 0) give(all / 2 ", 2"); next } # a vector
            give("1, " all); give(all ", 1"); if (n > 1) give(back)
            if (n > 1 && d[1] % 2 == 0) { s = d[1] / 2; for (i = 2; i < n; i++) s = s ", " d[i]; give(s ", " d[n] * 2) }
            if (n > 1 && d[n] % 2 == 0) { s = d[1] * 2; for (i = 2; i < n; i++) s = s ", " d[i]; give(s ", " d[n] / 2) }
            if (n == 4) give(d[1] ", " d[2] ", " d[3] ", 1, " d[4])
        }'
}
# shapes NAME FILE PLACE INPUT COMMAND..: FILE's tensors reshaped stand in PLACE; what is written is a table or a stream
shapes() {
    _name=$1 _file=$2 place=$3 input=$4
    shift 4
    rm -f "$place" && cp "$_file" "$place"
    "$@" <"$input" >want 2>err || { ok 1 "$_name: $(cat err)"; return; }
    refused=0 same=0 wrong=''
    others "$_file" >list
    while read -r tensor shape; do
        reshaped "$tensor" "$shape" <"$_file" >"$place"
        if "$@" <"$input" >got 2>err; then
            if cmp -s want got || tensor-diff want got >/dev/null 2>&1; then same=$((same + 1)); else wrong="$wrong $tensor $shape"; fi
        elif [ $? = 1 ] && [ "$(wc -l <err)" = 1 ]; then
            refused=$((refused + 1))
        else
            wrong="$wrong $tensor $shape ($(head -n 1 err))"
        fi
    done <list
    is "$wrong" "" "$_name: no shape gives other numbers"
    [ $refused -gt 0 ]
    ok $? "$_name: some are refused"
    comment "$refused refused, $same of no matter"
}
shapes "the transformer" "$R/diffusion_pytorch_model.safetensors" dit/diffusion_pytorch_model.safetensors forward \
    wan-denoise -q -m dit --forward 500
shapes umT5 t5 text/models_t5_umt5-xxl-enc-bf16.safetensors ids wan-encode-text -q -m text --token-ids -n 1
shapes "the decoder" vae vae.safetensors latents wan-vae-decode -q -m vae.safetensors
shapes "the encoder" vae vae.safetensors pictures wan-vae-encode -q -m vae.safetensors
shapes "the tiny decoder" "$ROOT/fixtures/taehv/tiny.safetensors" tiny.safetensors small wan-vae-decode -q -m tiny.safetensors
shapes CLIP clip-model clip/model.safetensors frames clipscore -q -m clip
shapes "LPIPS's network" alex net.safetensors /dev/null lpips -m net.safetensors --heads heads least-a least-b
shapes "LPIPS's heads" heads own.safetensors /dev/null lpips -m alex --heads own.safetensors least-a least-b
shapes DINO dino dino.safetensors square dinoscore -m dino.safetensors --embeds
done_testing
