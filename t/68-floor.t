#!/bin/bash
# make floor: twins of the reference, measured as variants are; what they are made with (frames2mp4 --dither, --generations,
# --lossless; wan-denoise --perturb is in 42-noise.t); a dithered variant lies within the floor, int4 outside of it.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
lines() { paste -s -d ' '; }
# run MAKE-ARGUMENTS...: its words are in $TMP/out and $TMP/err
run() {
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL=fixtures/tiny PROMPTS="$TMP/prompts.txt" SIZE=64x48 \
        FRAMES=5 STEPS=3 SEEDS=1 MEASURE=mp4 "$@" >"$TMP/out" 2>"$TMP/err"
}
# made: what the last run made, as its words say
made() { sed -n -E "s/^([a-z0-9_]+\.(latents|film))\.[0-9]+: .*/\1/p" "$TMP/out" | sort | lines; }
# measured: of which twins, and pairs of them with the reference, something was measured since `touch $TMP/now`
measured() { find "$out/floor/fp16/eval" -newer "$TMP/now" -name '*.tsv' ! -name pairs.tsv | sed 's|/[^/]*$||; s|.*/||' | sort -u | lines; }
printf 'a red circle moves right\na blue square stands still\n' >"$TMP/prompts.txt"

# ---- what frames2mp4 does to frames ----

head -n 1 "$TMP/prompts.txt" | wan-encode-text -m fixtures/tiny | wan-denoise -m fixtures/tiny -S 1 -s 3 --size 64x48 --frames 5 |
    wan-vae-decode -m fixtures/tiny >"$TMP/frames"
# coded FILE OPTIONS...: the frames of a video that was coded with OPTIONS
coded() {
    local file=$1
    shift
    frames2mp4 "$@" "$TMP/x.mp4" <"$TMP/frames" && mp42frames "$TMP/x.mp4" >"$TMP/$file"
}
coded exact --lossless
close_to "--lossless: every bit comes back" --same 1 "$TMP/exact:frames" "$TMP/frames:frames"
coded one --lossless --dither 1
pixels() { tensor-pick "$1:frames" | tail -c $((5 * 48 * 64 * 3)) | od -An -v -w1 -tu1; }
steps() { pixels "$1" >"$TMP/a"; pixels "$2" | paste "$TMP/a" - | awk '{ n[$2 - $1]++ } END { for (d in n) print d ":" n[d] }' | sort -n | lines; }
like "$(steps "$TMP/frames" "$TMP/one")" "-1:1[01]??? 0:2???? 1:1[01]???" "--dither: a quarter of the values a level down, a quarter up, none more"
comment "of 46080: $(steps "$TMP/frames" "$TMP/one")"
coded again --lossless --dither 1
coded two --lossless --dither 2
close_to "the same again" --same 1 "$TMP/one:frames" "$TMP/again:frames"
like "$(steps "$TMP/one" "$TMP/two")" "-2:* 2:*" "another seed is another"
# 0 and 255 have one neighbour: a header of 96 bytes and its length, one frame of 64 x 48
{
    printf '\140\0\0\0\0\0\0\0%-96s' '{"frames":{"dtype":"U8","shape":[1,48,64,3],"data_offsets":[0,9216]}}'
    head -c 4608 /dev/zero
    head -c 4608 /dev/zero | tr '\0' '\377'
} >"$TMP/ends"
frames2mp4 --lossless --dither 3 "$TMP/ends.mp4" <"$TMP/ends"
is "$(mp42frames "$TMP/ends.mp4" | tail -c 9216 | od -An -v -w1 -tu1 | sort -nu | tr -d ' ' | lines)" "0 1 254 255" "black and white stay within 0 to 255"
coded usual
frames2mp4 "$TMP/x.mp4" <"$TMP/usual"
mp42frames "$TMP/x.mp4" >"$TMP/by-hand"
coded twice --generations 2
close_to "--generations 2: coded, decoded and coded" --same 1 "$TMP/twice:frames" "$TMP/by-hand:frames"
tensor-diff --same 1 "$TMP/twice:frames" "$TMP/usual:frames" >"$TMP/said"
is $? 1 "which is not the same as once"
comment "$(cat "$TMP/said")"
like "$(tensor-info "$TMP/twice")" "*    generations: 2*" "the record says it"
is "$(tensor-info "$TMP/usual" | grep -cE ' (dither|generations|lossless):')" 0 "and only where it is so"
is "$(for o in '' '--dither 1' '--dither 2' '--generations 2' --lossless; do # shellcheck disable=SC2086 # words
    frames2mp4 $o --recipe <"$TMP/frames" | tensor-info | grep '^  recipe:'; done | sort -u | wc -l)" 5 "each has a recipe of its own"
mkdir "$TMP/p" "$TMP/q"
tensor-info --json "$TMP/usual" >"$TMP/p/01.json"
tensor-info --json "$TMP/twice" >"$TMP/q/01.json"
like "$(pair-check "$TMP/p" "$TMP/q" 2>&1 >/dev/null)" "*01 is no pair: differs in frames2mp4.generations: nothing and 2*" "and is no pair with another"
is "$(pair-check -d generations "$TMP/p" "$TMP/q" 2>/dev/null | sed -n 2p | cut -f 3)" "frames2mp4.generations" "unless it may differ"
fails 2 "*--dither takes a whole number from 0, not -1*" "--dither -1" frames2mp4 --dither -1 x.mp4
fails 2 "*--generations is from 1 to 100*" "--generations 0" frames2mp4 --generations 0 x.mp4

# ---- twins ----

out=$TMP/dataset
all=(CLIP=fixtures/tiny/clip VARIANTS='fp16 rounded int4' quantize.int4='-t int4-g128' weights.rounded=fixtures/tiny
    options.rounded='--dtype fp16' film.rounded='--dither 7' differs.rounded=dither)
run plan floor "${all[@]}"
like "$?:$(cat "$TMP/out")" "0:fp16: 2 of 2 videos to make*perturb: 2 of 2 videos to make*in all 6 to sample, 12 to film, *" \
    "make plan floor: the reference and two twins are sampled, five filmed"
[ ! -e "$out" ]
ok $? "and nothing is made"
run floor "${all[@]}"
ok $? "make floor"
comment "$(tail -3 "$TMP/err")"
cp "$TMP/out" "$TMP/first"
is "$(find "$out" -type f -name '*.latents.safetensors' | sed "s|$out/||; s|/[^/]*$||" | sort -u | lines)" \
    "floor/fp16/bf16 floor/fp16/perturb fp16" "of the twins two were sampled; the others have the reference's latents"
is "$(find "$out" -type f -name '*.mp4' | sed "s|$out/||; s|/[^/]*$||" | sort -u | lines)" \
    "floor/fp16/bf16 floor/fp16/dither floor/fp16/frames floor/fp16/perturb floor/fp16/reencode fp16" "videos of each, no other variant's"
is "$(tr -d '\r' <"$out/floor.csv" | awk -F , '$1 ~ /^(clip|temporal|motion|psnr|ssim|mad)$/ { n[$1 " " $2]++; twins[$3] } END { for (m in n) print m, n[m]; for (t in twins) print t }' | sort | lines)" \
    "bf16 clip fp16 5 dither frames mad fp16 5 motion fp16 5 perturb psnr fp16 5 reencode ssim fp16 5 temporal fp16 5" \
    "floor.csv: each metric of each twin beside the reference"
is "$(tr -d '\r' <"$out/floor.csv" | awk -F , '{ print NF }' | sort -u)" "$(head -n 1 "$out/floor.csv" | tr ',' '\n' | wc -l)" "its rows are of one length"
# figures METRIC FILE: of its rows the twin, n, difference and interval, or the mean of pairs
figures() {
    tr -d '\r' <"$2" | awk -F , -v metric="$1" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $1 == metric { print $3, $4, "difference" in at && $at["difference"] != "" ? $at["difference"] : $at["mean" in at ? "mean" : "mean_a"], $at["low"], $at["high"] }'
}
for metric in clip:clip_temporal temporal:clip_temporal motion:motion psnr:pairs ssim:pairs mad:pairs; do
    is "$(figures ${metric%:*} "$out/floor.csv")" "$(figures ${metric%:*} "$out/floor/fp16/${metric#*:}_summary.csv")" \
        "${metric%:*}: as the ordinary tables of twins have it"
done
like "$(sed -n '/^floor of/,$p' "$TMP/first" | awk 'NR >= 2 { print $1 }' | lines)" "metric clip temporal motion *psnr*" "a table is printed"
like "$(grep '^floor of' "$TMP/first")" "floor of fp16 (tiny, *, 64x48, 5 frames, 3 steps, 2 videos, mp4 measured), in $out/floor.csv:" "which says of what it is"
comment "$(sed -n '/^floor of/,$p' "$TMP/first")"
is "$(tr -d '\r' <"$out/floor/fp16/pairs.csv" | awk -F , 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next } { print $at["variant_b"] ":" $at["pairing"] ":" $at["differs"] }' | sort -u | lines)" \
    "bf16:provenance:wan-denoise.dtype dither:provenance:frames2mp4.dither frames:provenance:frames2mp4.lossless perturb:provenance:wan-denoise.perturb reencode:provenance:frames2mp4.generations" \
    "a twin differs from the reference in one thing alone"

current() { BUILD=$BUILD OUT=$out SEEDS=1 MEASURE=$1 pipelines/stage/floored current "$2" 2>/dev/null; }
current mp4 fp16
ok $? "it is known to be of this reference"
{ current frames fp16 || current mp4 rounded; }
is $? 1 "and of no other, nor of what was not measured"

# ---- nothing twice ----

touch "$TMP/now"
run floor "${all[@]}"
is "$?:$(made):$(find "$out" -newer "$TMP/now" -type f)" "0::" "a second make makes and measures nothing"
is "$(grep -v '^floor of' "$TMP/out")" "$(sed -n '/^floor of/,$p' "$TMP/first" | tail -n +2)" "but prints the table"
run -q floor "${all[@]}"
is "$?:$(cat "$TMP/out" "$TMP/err")" 0: "make -q agrees"
run -q floor "${all[@]}" STEPS=4
is $? 1 "and with other steps it does not"
touch "$TMP/now"
rm "$out/floor/fp16/dither/02_seed1.mp4"
run -q floor "${all[@]}"
is $? 1 "nor where a video of a twin is missing"
run floor "${all[@]}"
is "$?:$(made):$(measured)" "0:dither.film:" "which alone is made again, and not measured again, as it is what it was"
touch "$TMP/now"
run floor "${all[@]}" PERTURB=2
is "$?:$(made):$(measured)" "0:dither.film perturb.film perturb.latents:dither fp16_vs_dither fp16_vs_perturb perturb" \
    "another PERTURB: what depends on it is made again"
all+=(PERTURB=2)
run verify
is "$?:$(cat "$TMP/out" "$TMP/err")" "0:verify: all is as it was made" "make verify reads the twins too"
cp "$out/floor/fp16/bf16/01_seed1.mp4" "$TMP/kept"
printf 'x' | dd of="$out/floor/fp16/bf16/01_seed1.mp4" bs=1 seek=2000 conv=notrunc 2>/dev/null
run verify
like "$?:$(cat "$TMP/err")" "2:*floor/fp16/bf16/01_seed1.mp4 is not as it was made*" "and names one that is another"
cp "$TMP/kept" "$out/floor/fp16/bf16/01_seed1.mp4"

# ---- the laboratory: what lies within, and what does not ----

run fp16.latents "${all[@]}" STEPS=4
current mp4 fp16
is $? 1 "where the reference is another, floor.csv is not of it"
# Of fewer than five videos there is no floor.
{
    cat "$TMP/prompts.txt"
    printf '%s\n' 'a green triangle moves left' 'a yellow circle moves up' 'a red square moves down' 'a blue circle stands still' \
        'a white ring moves right' 'a red cross moves up' 'a green square stands still' 'a blue ring moves left' \
        'a yellow square moves down' 'a white circle moves left'
} >"$TMP/twelve.txt"
run floor eval rounded int4 fp16 "${all[@]}" PROMPTS="$TMP/twelve.txt"
ok $? "variants beside the floor"
comment "$(tail -3 "$TMP/err")"
# within VARIANT 1|0: the metrics of which it is, or is not, within the floor
within() {
    cat "$out"/{clip_temporal,motion,metrics,pairs}_summary.csv | tr -d '\r' | awk -F , -v v="$1" -v is="$2" '
        $1 == "metric" { delete at; for (i = 1; i <= NF; i++) at[$i] = i; next }
        $3 == v && $at["within"] == is { print $1 }' | lines
}
is "$(within rounded 1)" "clip temporal motion flicker flicker2 sharpness psnr ssim mad" \
    "one level of dither, by another seed, is within the floor in every metric"
like "$(within int4 0)" "*psnr*" "int4 is outside"
comment "int4 is outside in: $(within int4 0)"
comment "$(grep -h '^psnr' "$out/pairs_summary.csv" "$out/floor.csv")"

# Signed effects of int4 cancel; its videos are others all the same, which each of them says beside its twins.
column() { tr -d '\r' <"$2" | awk -F , -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $1, $3, $at }'; }
is "$(column p "$out/pairs_summary.csv" | awk '/^(psnr|ssim|mad) int4/ { print $3 }' | sort -u | lines)" "$(awk 'BEGIN { printf "%.12g", 2 ^ -12 }')" \
    "int4 is farther from fp16 than every twin, in every pair of psnr, ssim and mad: p is 2^-12"
is "$(column p_holm "$out/pairs_summary.csv" | awk '/int4/ && $3 < 0.05 { print $1 }' | lines)" "psnr ssim mad" "and less than 0.05 by Holm, of all tests"
is "$(column p_holm "$out/pairs_summary.csv" | awk '/rounded/ && $3 < 0.05')" "" "another dither is not"
# By hand: the least PSNR of the twins, pair by pair.
is "$(column farther "$out/pairs_summary.csv" | awk '$1 == "psnr" && $2 == "int4" { printf "%.9g", $3 }')" "$(
    for f in "$out/floor/fp16/pairs.csv" "$out/pairs.csv"; do
        tr -d '\r' <"$f" | awk -F , 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next } { print $at["name"], $at["variant_b"], $at["psnr"] }'
    done | awk '$2 == "int4" { ours[$1] = $3; next } $2 == "rounded" { next } !($1 in least) || $3 < least[$1] { least[$1] = $3 }
        END { for (n in ours) s += least[n] - ours[n]; printf "%.9g", s / length(ours) }')" "how much farther, by hand"
# Holm by hand: of all p of the tables, together.
is "$(for f in clip_temporal motion metrics pairs; do column p "$out/${f}_summary.csv"; done | awk '$3 != ""' | sort -g -k 3,3 |
    awk '{ p[NR] = $3; who[NR] = $1 " " $2 } END { for (i = 1; i <= NR; i++) { a = p[i] * (NR - i + 1); a = a > 1 ? 1 : a; most = a > most ? a : most; printf "%s %.9g\n", who[i], most } }' | sort)" \
    "$(for f in clip_temporal motion metrics pairs; do column p_holm "$out/${f}_summary.csv"; done | awk '$3 != "" { printf "%s %s %.9g\n", $1, $2, $3 }' | sort)" \
    "p_holm is of all tests of the tables"
run eval report "${all[@]}" PROMPTS="$TMP/twelve.txt"
like "$(cat "$out/report.md")" "*int4 against fp16. 12 pairs. Different: farther from fp16 than its twins by PSNR (p = 0.00* by Holm), *" "the report says it"
like "$(cat "$out/report.md")" "*rounded against fp16. 12 pairs. Not shown to be farther from fp16 than its twins: *" "and of the other that it is not"
touch "$TMP/now"
sed -i 's/,fp16,bf16,/,fp16,bf16x,/' "$out/floor/fp16/pairs.csv"
run eval "${all[@]}" PROMPTS="$TMP/twelve.txt"
[ "$out/eval/recipe" -nt "$TMP/now" ]
ok $? "what the twins were measured as is in the recipe"

# ---- frames measured; a reference that is quantised, or in bf16 ----

out=$TMP/of-frames
run floor MEASURE=frames TWINS='dither frames'
is "$?:$(made)" "0:dither.film fp16.film fp16.film fp16.latents frames.film" \
    "MEASURE=frames: the reference's frames without loss"
psnr() { awk -F , -v v="$1" '$1 == "psnr" && $3 == v { print $5 }' "$out/floor.csv"; }
awk "BEGIN { exit !($(psnr dither) > 51.0 && $(psnr dither) < 51.3) }"
ok $? "where one level of dither has the PSNR of its definition, 10 log10(255^2 / 0.5) = 51.14"
dithered=$(psnr dither)
comment "dither $dithered, the mp4 beside its frames $(psnr frames)"
is "$(grep -c '^clip,' "$out/floor.csv")" 0 "what was not measured has no row"
run -q floor MEASURE=frames TWINS='dither frames'
is $? 0 "make -q agrees"
cat >"$TMP/stats" <<'S'
#!/bin/bash
pair-stats "$@" | sed -E 's/,[^,]*(\r?)$/,"of one, ""note"""\1/; 1s/"of one.*""/note/'
S
chmod +x "$TMP/stats"
run floor MEASURE=frames TWINS='dither frames' STATS="$TMP/stats"
is "$?:$(grep -E '^(motion|psnr),' "$out/floor.csv" | grep -o '"of one.*' | tr -d '\r' | sort | uniq -c | tr -s ' ' | lines)" '0: 4 "of one, ""note"""' "a note with commas stays one"
is "$(psnr dither)" "$dithered" "and its row as it was"
out=$TMP/int4
run floor VARIANTS='int4 fp16' quantize.int4='-t int4-g128' TWINS=perturb
is "$?:$(cut -d , -f 2,3 "$out/floor.csv" | sort -u | lines)" "0:int4,perturb variant_a,variant_b" "a quantised reference"
is "$(find "$out" -name '*.safetensors' -path '*model*' | lines)" "$out/model/int4.safetensors" "is quantised once"
run -q floor VARIANTS='int4 fp16' quantize.int4='-t int4-g128' TWINS=perturb
is $? 0 "make -q agrees here, too"
printf 'VARIANTS = bf16 fp16\nTWINS = bf16\n' >"$TMP/file.mk"
run floor EXPERIMENT="$TMP/file.mk"
is "$?:$(cut -d , -f 2,3 "$out/floor.csv" | sort -u | lines)" "0:bf16,fp16 variant_a,variant_b" "a reference in bf16 has a twin in fp16; of an EXPERIMENT"

# ---- what is refused, in a line, before anything is made ----

out=$TMP/refused
refused() { # PATTERN NAME MAKE-ARGUMENTS...
    local pattern=$1 name=$2
    shift 2
    run floor "$@"
    local status=$?
    like "$status:$(grep -v '^make' "$TMP/err" | wc -l):$(cat "$TMP/err")" "2:1:*$pattern*" "$name"
}
refused "TWINS has ditter: they are perturb, bf16, reencode, dither and frames" "a twin that is none" TWINS='perturb ditter'
refused "TWINS is empty: at least one is needed" "no twin" TWINS=
refused "TWINS has one twice: dither" "one twice" TWINS='dither perturb dither'
refused "PERTURB='x' is no seed below 10^15" "PERTURB=x" PERTURB=x
refused "PERTURB='-1' is no seed" "PERTURB=-1" PERTURB=-1
refused "TWINS has dither, which frames2mp4 makes, and MP4='cat' is another" "another's MP4" TWINS=dither MP4=cat
refused "TWINS has perturb, which wan-denoise makes, and DENOISE='cat' is another" "another's DENOISE" DENOISE=cat
refused "VARIANTS begins with dither, as make floor calls a twin of it" "a reference called as a twin" VARIANTS='dither' weights.dither=fixtures/tiny
refused "no variant nothing: weights.nothing=DIR makes one" "a reference that is none" VARIANTS=nothing
refused "MODEL is needed" "no MODEL" MODEL=
refused "film.fp16='--ditter 1': frames2mp4: *--ditter" "film.NAME with an option that is none" film.fp16='--ditter 1'
refused "nothing reads TWIN: did you mean TWINS?" "a slip" TWIN=dither
refused "a variant cannot be called floor" "a variant called floor" VARIANTS=floor weights.floor=fixtures/tiny
[ ! -e "$out" ]
ok $? "nothing is made then"
done_testing
