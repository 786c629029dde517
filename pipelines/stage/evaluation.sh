# evaluation.sh: what the scripts of an evaluation share, behind common.sh.
# shellcheck shell=bash disable=SC2034 # what is set here is used by those that source it
eval_dir=$OUT/eval
case ${MEASURE:?} in
frames) ending=frames.safetensors film_stage=frames ;;
*) ending=mp4 film_stage=film ;;
esac
by_name=${BY_NAME:-$OUT/prompts-by-name.tsv}

# read_videos: the videos whose files are named on standard input, a line each, as one stream.
read_videos() {
    if [ "$MEASURE" = frames ]; then
        xargs -r -d '\n' cat --
    elif [ -e "$by_name" ]; then
        xargs -r -d '\n' "$BUILD/mp42frames" -q --prompts "$by_name" --
    else
        xargs -r -d '\n' "$BUILD/mp42frames" -q --
    fi
}

# reader_record: what reads them, as lines of JSON.
reader_record() {
    if [ "$MEASURE" = frames ]; then
        echo '{"program":"cat"}'
    else
        "$BUILD/mp42frames" --recipe
        if [ -e "$by_name" ]; then
            "$BUILD/wan-recipe" digest < "$by_name" | sed 's/.*/{"by_name":"&"}/'
        fi
    fi
}

# record_of PROGRAM WORD...: what a program that measures says of itself, or what is known of one that is
# not ours.
record_of() {
    local program=$1
    shift
    if ours "$program" "$@"; then
        "$@" --recipe
    else
        "$BUILD/wan-recipe" record -- "$@"
    fi
}

# asked clip|motion|judge VARIANT, asked diff PAIR VARIANT VARIANT: what measures becomes the words `program`, and
# `question` the words by which wan-recipe knows what it has measured already. A dry run keeps records apart.
asked() {
    local to=$eval_dir/$2 records=${WAN_PLAN:-$eval_dir} name
    local about=(-a "$to/%j.json") rows=()
    case $1 in
    clip)
        words program "${CLIPSCORE:?}"
        program+=(-m "$CLIP" --fit "$FIT" --per-frame)
        name=clipscore
        ;;
    motion)
        words program "${FLOWMAG:?}"
        program+=(--per-pair)
        name=flowmag rows=(--pairs)
        ;;
    judge)
        words program "${JUDGE:?}"
        name=tiny-look rows=(--whole)
        ;;
    diff)
        words program "${FRAMEDIFF:?}"
        program+=(--per-frame)
        name=framediff about=(-a "$eval_dir/$3/%j.json" -a "$eval_dir/$4/%j.json")
        ;;
    esac
    { record_of "$name" "${program[@]}" && cat "$records/reader"; } | update "$records/$1.record"
    question=(--table "$to/%j.$1.tsv" "${about[@]}" --record "$records/$1.record" "${rows[@]}")
}

# tables_of VARIANT...: the directory of the tables that compare these: OUT for those for which tables were
# made there first, OUT/A_vs_B for others.
tables_of() {
    local owner=$eval_dir/variants all="$*"
    [ -e "$owner" ] || echo "$all" > "$owner"
    if [ "$(< "$owner")" = "$all" ]; then echo "$OUT"; else echo "$OUT/${all// /_vs_}"; fi
}

# sums DIRECTORY: the digests of the tables, the record and the report in it become OUT/eval/sums/NAME: lines
# of a digest and a file, as xxh128sum --check reads them in OUT.
sums() {
    local name=${1#"$OUT"} prefix f files=()
    name=${name#/}
    prefix=$OUT/${name:+$name/}
    mkdir -p "$eval_dir/sums"
    for f in "$prefix"*.csv "$prefix"experiment.json "$prefix"report.{html,tex,md}; do
        [ ! -e "$f" ] || files+=("$f")
    done
    "$BUILD/wan-recipe" digest "${files[@]}" | sed "s|  $OUT/|  |" | update "$eval_dir/sums/${name:-tables}"
}
