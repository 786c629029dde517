#!/bin/bash
# Promises for long runs: memory and descriptors do not grow with the number of documents, files or
# prompts. Each filter gets 200 through one pipe, and must hold at most 2 MB more than after 20.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
model=$ROOT/fixtures/random
export OMP_NUM_THREADS=2 MALLOC_ARENA_MAX=2

"$ROOT/fixtures/clip/unpack.sh" clip >/dev/null || exit 1
tensor-pick "$GOLDEN:vae.frames[0:2]=frames" -k seed=1 -k prompt=fox >frames
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" >text
for net in alex alex-heads dino; do
    "$BUILD/t/tools/formula" <"$ROOT/fixtures/nets/$net.txt" >$net.safetensors
done
frames2mp4 a.mp4 <frames 2>/dev/null
mkdir stand-in # for an ffmpeg with libvmaf
ln -s "$ROOT/t/tools/libvmaf.pl" stand-in/ffmpeg
repeat() { for _ in $(seq "$2"); do cat "$1"; done; } # FILE N
same_name() { yes "$1" | head -n "$2"; }
prompts() { seq -f 'a red fox number %.0f runs through the snow' "$1"; }

# run PROGRAM N OPTIONS...: its work, N times, in one process
run() {
    _p=$1 _n=$2
    shift 2
    case $_p in
    clipscore) repeat frames "$_n" | clipscore -q -m clip "$@" ;;
    dinoscore) repeat frames "$_n" | dinoscore -m dino.safetensors "$@" ;;
    lpips) lpips -m alex.safetensors --heads alex-heads.safetensors "$@" <(repeat frames "$_n") <(repeat frames "$_n") ;;
    vmafscore) PATH=$TMP/stand-in:$PATH vmafscore "$@" <(repeat frames "$_n") <(repeat frames "$_n") ;;
    flowmag) repeat frames "$_n" | flowmag "$@" ;;
    framestats) repeat frames "$_n" | framestats "$@" ;;
    framediff) framediff "$@" <(repeat frames "$_n") <(repeat frames "$_n") ;;
    frames2mp4) repeat frames "$_n" | frames2mp4 "$@" -o 'made/%n.mp4' ;;
    mp42frames) mp42frames "$@" $(same_name a.mp4 "$_n") ;;
    tensor-diff) tensor-diff "$@" <(repeat frames "$_n") <(repeat frames "$_n") ;;
    tensor-info) repeat frames "$_n" | tensor-info -v "$@" ;;
    tensor-split) repeat frames "$_n" | tensor-split "$@" $(seq -f 'made/%.0f' "$_n") ;;
    wan-denoise) repeat text "$_n" | wan-denoise -q -m "$model" -s 1 --size 16x16 --frames 1 "$@" ;;
    wan-encode-text) prompts "$_n" | wan-encode-text -q -m "$model" -n bad "$@" ;;
    wan-recipe) repeat frames "$_n" | wan-recipe headers --headers made/headers "$@" ;;
    wan-vae-decode) repeat small "$_n" | wan-vae-decode -m "$model" "$@" ;;
    wan-vae-encode) repeat frames "$_n" | wan-vae-encode -q -m "$model" "$@" ;;
    *) return 77 ;;
    esac
}
peak() { sed -n 's/.*"peak_resident_bytes": \([0-9]*\).*/\1/p' "$1"; }

# One latent frame of 2 x 2.
wan-denoise -q -m "$model" -s 0 --size 16x16 --frames 1 <text >drawn
tensor-pick drawn:noise=latents >small

few=20 many=200
for directory in "$ROOT"/bin/*/; do
    program=$(basename "$directory")
    case $program in
    evalreport | experiment-record | pair-* | tensor-pick | tensor-view | wan-merge | wan-quantize) continue ;; # one document
    esac
    n=$many
    case $program in frames2mp4 | mp42frames) # an ffmpeg each
        n=60
        have ffmpeg || { skip "there is no ffmpeg" "$program"; continue; } ;;
    esac
    rm -rf made && mkdir made
    run "$program" $few --stats few >/dev/null 2>err
    status=$?
    if [ $status -eq 77 ]; then
        ok 0 "$program # SKIP not covered: t/84-steady.t does not know what it does"
        continue
    fi
    rm -rf made && mkdir made
    # No more descriptors than a shell has, and a few.
    (ulimit -n 24; run "$program" $n --stats many >/dev/null 2>err)
    is "$status$? $(head -c 300 err)" "00 " "$program: $n documents, with 24 descriptors"
    grown=$(($(peak many) - $(peak few)))
    [ $grown -lt 2000000 ]
    figure $? "$program: memory does not grow"
    comment "$(peak few) bytes after $few, $grown more after $n"
done

# ---- a list of a thousand prompts ----

prompts 1000 | wan-encode-text -q -m "$model" -n bad --stats stats >thousand
ok $? "a thousand prompts"
is "$(tensor-info -n thousand | grep -c '^context$')" 1000 "a document each"
like "$(tr -d ' \n' <stats)" '*"weight_loads":5,*"documents":1000,*' "weights are loaded once for 4096 tokens"
prompts 1000 >list.txt
cd "$ROOT" || exit 1
make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$TMP/out" MODEL="$model" PROMPTS="$TMP/list.txt" text \
    >"$TMP/make.out" 2>"$TMP/make.err"
ok $? "make encodes a thousand prompts"
is "$(find "$TMP/out/text" -name '*.safetensors' | wc -l)" 1000 "a file each"
is "$(cd "$TMP/out/text" && ls 01.safetensors 99.safetensors 100.safetensors 1000.safetensors | wc -l)" 4 "by its number"
done_testing
