# evaluation.sh: what the scripts of an evaluation share, behind common.sh.
# shellcheck shell=bash disable=SC2034 # what is set here is used by those that source it
eval_dir=$OUT/eval

# measured_as WHAT: mp4 or frames are what is measured; the names of their files end in .$ending.
measured_as() {
    MEASURE=$1
    case $1 in
    frames) ending=frames.safetensors film_stage=frames ;;
    *) ending=mp4 film_stage=film ;;
    esac
}
# Where nobody says it, it is what `counted` found.
measure_said=${MEASURE-}
measured_as "${MEASURE:-$(sed -n 's/^measured\t//p' "$eval_dir/options" 2> /dev/null || true)}"

# frames_or_mp4 VARIANT...: what is measured: what is said, or frames, if there are some and all of these videos have
# theirs, or are to have them; else mp4.
frames_or_mp4() {
    local v
    if [ "$measure_said" ]; then echo "$measure_said" && return; fi
    if [ "${CONVERSION:-exact}" != exact ]; then echo mp4 && return; fi
    if [ "${WAN_PLAN-}" ] && [ "${KEEP_FRAMES-}" ]; then echo frames && return; fi
    for v; do # those of an experiment that is no more wanted are none
        [ -e "$OUT/$v/wanted" ] || continue
        if "$BUILD/wan-recipe" plan -s frames -d "$OUT/$v" < "$OUT/$v/wanted" |
            awk -F '\t' '$2 != "missing" { found = 1 } END { exit !found }'; then
            echo mp4
            return
        fi
    done
    for v; do
        [ ! -d "$OUT/$v" ] || find -L "$OUT/$v" -maxdepth 1 -type f \( -name '[!.]*.mp4' -o -name '[!.]*.frames.safetensors' \) \
            -printf "$v/%f\n"
    done | awk '{ film = sub(/[.]mp4$/, ""); if (film) films[$0]; else { sub(/[.]frames[.]safetensors$/, ""); frames[$0]; any = 1 } }
        END { for (f in films) if (!(f in frames)) any = 0; print any ? "frames" : "mp4" }'
}

# Prompts of videos made elsewhere: of the user, or of names that say them (`counted`).
by_name=${BY_NAME:-$OUT/prompts-by-name.tsv}
if [ ! -e "$by_name" ]; then by_name=$eval_dir/prompts-by-name.tsv; fi

# read_videos [--about]: the videos whose files are named on standard input, a line each, as one stream; or what
# tensor-info --json says of them.
read_videos() {
    if [ -e "$by_name" ]; then set -- --prompts "$by_name" "$@"; fi
    if [ "$MEASURE" = frames ]; then
        xargs -r -d '\n' cat --
    else
        xargs -r -d '\n' "$BUILD/mp42frames" -q --conversion "${CONVERSION:-exact}" "$@" --
    fi
}
about_videos() {
    if [ "$MEASURE" = frames ]; then
        read_videos | "$BUILD/tensor-info" --json 2> /dev/null
    else
        read_videos --about
    fi
}

# reader_record: what reads them, as lines of JSON.
reader_record() {
    if [ "$MEASURE" = frames ]; then
        echo '{"program":"cat"}'
    else
        "$BUILD/mp42frames" --conversion "${CONVERSION:-exact}" --recipe
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

# sources: what measures (common/metrics.c) becomes entries of the arrays of_kind (video or pair), rows_of (frames,
# neighbours or video), program_of, command_of, options_of and weights_of; `kinds` are those that are wanted, in order,
# and `device` those among them that may use one. Wanted is what METRICS names, or, where it is empty, all for which
# the program and its weights are there; and a judge where there is one.
sources() {
    local kind of rows program variable options weights metric source first
    declare -gA of_kind rows_of program_of command_of options_of weights_of
    local -A asked=()
    kinds=() device=()
    while IFS=$'\t' read -r metric _ source _; do
        case " ${METRICS-} " in *" $metric "* | *" $source "*) asked[$source]=1 ;; esac
    done < <("$BUILD/pair-tables" --metrics | tail -n +2)
    while IFS=$'\t' read -r kind of rows program variable options weights; do
        of_kind[$kind]=$of rows_of[$kind]=$rows program_of[$kind]=$program options_of[$kind]=$options
        command_of[$kind]=$(printf %q "$BUILD/$program") weights_of[$kind]=
        if [ "$variable" != - ] && [ "${!variable-}" ]; then command_of[$kind]=${!variable}; fi
        if [ "$weights" != - ]; then
            weights_of[$kind]=$weights
            [ "${!weights-}" ] || continue
        fi
        if [ "${METRICS-}" ]; then
            [ "${asked[$kind]-}" ] || continue
        else # LPIPS has the weights of one net, or of both
            words first "${command_of[$kind]}"
            [ "${first[0]}" != "$BUILD/$program" ] || [ -x "$BUILD/$program" ] || continue
            [ "$weights" != LPIPS ] || compgen -G "$LPIPS/*${kind#lpips_}*" > /dev/null ||
                [[ -f $LPIPS && ${LPIPS##*/} == *${kind#lpips_}* ]] || continue
        fi
        kinds+=("$kind")
        case $weights in - | VMAF) ;; *) device+=("$kind") ;; esac
    done < <("$BUILD/pair-tables" --sources | tail -n +2)
    if [ "${JUDGE-}" ]; then
        of_kind[judge]=video rows_of[judge]=video program_of[judge]=tiny-look command_of[judge]=$JUDGE
        options_of[judge]='' weights_of[judge]=''
        kinds+=(judge) device+=(judge)
    fi
}

# asked KIND REFERENCE: what measures becomes the words `program`, and `question` the words by which wan-recipe knows
# what it has measured already, of names VARIANT/NAME. A dry run keeps records apart.
asked() {
    local kind=$1 reference=$2 records=${WAN_PLAN:-$eval_dir} of=%v about=(-a "$eval_dir/%v/%j.json") rows=() words
    local weights=${weights_of[$kind]}
    words program "${command_of[$kind]}"
    if [ "$weights" ]; then program+=(-m "${!weights}"); fi
    if [ "$kind" = clip ]; then program+=(--fit "$FIT"); fi
    words words "${options_of[$kind]}"
    program+=("${words[@]}")
    if [ "${of_kind[$kind]}" = pair ]; then
        of=${reference}_vs_%v
        about=(-a "$eval_dir/$reference/%j.json" "${about[@]}")
    fi
    case ${rows_of[$kind]} in neighbours) rows=(--pairs) ;; video) rows=(--whole) ;; esac
    { record_of "${program_of[$kind]}" "${program[@]}" && cat "$records/reader"; } | update "$records/$kind.record" ||
        return
    question=(--table "$eval_dir/$of/%j.$kind.tsv" "${about[@]}" --record "$records/$kind.record" "${rows[@]}")
}

# pairs_of REFERENCE VARIANT: the names of videos that are strict pairs.
pairs_of() {
    local table=$eval_dir/$1_vs_$2/pairs.tsv
    [ ! -e "$table" ] || awk -F '\t' 'NR > 1 && $2 { print $1 }' "$table"
}

# tables_of VARIANT...: the directory of the tables that compare these: OUT for those for which tables were
# made there first, OUT/A_vs_B for others.
tables_of() { tables_in "$OUT" "$@"; }
# tables_in OUT VARIANT...: the same of another experiment.
tables_in() {
    local out=$1 owner=$1/eval/variants all="${*:2}"
    [ -e "$owner" ] || echo "$all" > "$owner"
    if [ "$(< "$owner")" = "$all" ]; then echo "$out"; else echo "$out/${all// /_vs_}"; fi
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
        traces "$reference" "$v" | awk -F '\t' -v dir="$eval_dir/${reference}_vs_$v" -v who="$reference,$v" '
            !$5 { next }
            {
                name = $1
                file = dir "/" name ".trace"
                split("", at)
                for (row = 1; (getline < file) > 0; row++)
                    if (row == 2)
                        for (i = 1; i <= NF; i++) at[$i] = i
                    else if (row > 2 && $at["tensor"] == "latents")
                        printf "%s,%s,%s,%s,%s,%s,%s,%s\r\n", name, who, $at["step"], $at["timestep"], $at["sigma"],
                            $at["rel"], $at["abs"], $at["cosine"]
                close(file)
            }'
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
