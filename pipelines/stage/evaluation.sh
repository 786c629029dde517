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

# traces A B: a line for each video that both variants name: its name, prompt's number, seed, of which latents a trace
# of them is (their recipes, and the version of the table), and 1 if there is one of these, else nothing.
traces() {
    [ -e "$OUT/$1/rows" ] && [ -e "$OUT/$2/rows" ] || return 0
    awk -F '\t' -v OFS='\t' -v dir="$eval_dir/$1_vs_$2" '
        NR == FNR { of[$1] = $5; next }
        $1 in of {
            is = of[$1] " " $5 " 1"
            file = dir "/" $1 ".trace"
            head = ""
            getline head < file
            close(file)
            print $1, $2, $3, is, head == "# " is ? 1 : ""
        }' "$OUT/$1/rows" "$OUT/$2/rows"
}

# trace_table VARIANT...: trace.csv of all traces of the first and the others that are of the latents there are.
trace_table() {
    local reference=$1
    shift
    printf 'name,variant_a,variant_b,step,timestep,sigma,relative,greatest,cosine\r\n'
    for v; do
        traces "$reference" "$v" | awk -F '\t' '$5 { print $1 }' | while IFS= read -r name; do
            awk -F '\t' -v who="$name,$reference,$v" '
                NR == 2 { for (i = 1; i <= NF; i++) at[$i] = i }
                NR > 2 && $at["tensor"] == "latents" {
                    printf "%s,%s,%s,%s,%s,%s,%s\r\n", who, $at["step"], $at["timestep"], $at["sigma"],
                        $at["rel"], $at["abs"], $at["cosine"]
                }' "$eval_dir/${reference}_vs_$v/$name.trace"
        done
    done
}

# sums DIRECTORY: the digests of the tables, the record and the report in it become OUT/eval/sums/NAME: lines
# of a digest and a file, as xxh128sum --check reads them in OUT.
sums() {
    local name=${1#"$OUT"} prefix f files=()
    name=${name#/}
    prefix=$OUT/${name:+$name/}
    mkdir -p "$eval_dir/sums"
    for f in "$prefix"*.csv "$prefix"experiment.json "$prefix"report.{html,tex,md}; do
        case $f in "$OUT/floor.csv") continue ;; esac
        [ ! -e "$f" ] || files+=("$f")
    done
    "$BUILD/wan-recipe" digest "${files[@]}" | sed "s|  $OUT/|  |" | update "$eval_dir/sums/${name:-tables}"
}
