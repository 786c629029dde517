# common.sh: what the scripts of the stages share; each sources it, and runs where make does.
#
# The variables of an experiment (MODEL, OUT, SIZE, ...) come from make, exported. A command such as
# DENOISE is words as the shell reads them, so that it may be a program with options.
# shellcheck shell=bash disable=SC2034 # what is set here is used by those that source it
set -euo pipefail
export LC_ALL=C
here=${BASH_SOURCE[0]%/*}
here=${here%/*}
: "${BUILD:?}" "${OUT:?}" "${SEEDS:?}"
# The prompts of the experiment, or of its plan.
evaluated=${WAN_PLAN:-$OUT/text}/prompts

# words ARRAY TEXT: the array gets the words of TEXT.
words() { eval "$1=($2)"; }

# fail MESSAGE: one line, exit 1.
fail() {
    echo "$1" >&2
    exit 1
}

# update FILE: standard input becomes FILE, unless FILE holds just that already: so its date says when its
# content last changed. Only the holder of the lock writes.
update() {
    cat > "$1.part"
    if cmp -s "$1.part" "$1"; then rm "$1.part"; else mv "$1.part" "$1"; fi
}

# ours PROGRAM WORD...: is the command our PROGRAM, and not a script or another of its name?
ours() {
    local path
    [ "${2##*/}" = "$1" ] && path=$(command -v -- "$2") && [ "$(head -c 4 "$path")" = $'\x7fELF' ]
}

# The commands of a variant's stages, without what belongs to one run of them.
commands() {
    words encode "${ENCODE:?}"
    words denoise "${DENOISE:?}"
    words decode "${DECODE:?}"
    words mp4 "${MP4:?}"
    words options "${OPTIONS-}"
    encode+=(-m "$MODEL" --negative-file "$NEGATIVE")
    shared=("${denoise[@]}" --size "$SIZE" --frames "$FRAMES" -s "$STEPS" -g "$GUIDANCE" -F "$SHIFT")
    denoise=("${shared[@]}" -m "${WEIGHTS-}" --progress "${options[@]}")
    decode+=(-m "$MODEL")
    words film "${FILM-}"
    mp4+=(-r "$FPS" "${film[@]}")
}

# shown < NAMES: on one line; of many the first, and how many more.
shown() { awk 'NR <= 12 { line = line (NR > 1 ? " " : "") $0 } END { print line (NR > 12 ? " and " NR - 12 " more" : "") }'; }

# foreign VERB ROLE OPTIONS -- WORD...: what is known of a command that is not ours. Of a sampler, the model
# and the variant's options are said apart: they are what variants are compared for.
foreign() {
    local verb=$1 role=$2 given=()
    shift 2
    while [ "$1" != -- ]; do given+=("$1") && shift; done
    shift
    if [ "$role" = DENOISE ]; then
        set -- "${shared[@]}"
        given+=(--weights "$WEIGHTS" --options "${OPTIONS-}")
    fi
    "$BUILD/wan-recipe" "$verb" -k "$role" "${given[@]}" -- "$@"
}

# ---- recipes, nothing is made ----

# recipes ROLE PROGRAM SEEDS FROM TO WORD...: documents without tensors through a stage, from file to
# file; ROLE is its variable in make, SEEDS are its seeds or empty. What is wrong is one line.
recipes() {
    local role=$1 program=$2 seeds=$3 from=$4 to=$5
    shift 5
    if ours "$program" "$@"; then
        set -- "$@" --recipe ${seeds:+-S "$seeds"}
    else
        set -- foreign foreign "$role" ${seeds:+-S "$seeds"} -- "$@"
    fi
    if ! "$@" < "$from" > "$to" 2> "$to.err"; then
        head -n 1 "$to.err" >&2
        exit 1
    fi
}

# text_recipes PROMPTS TO: a document for each prompt.
text_recipes() {
    local from=$1
    if ! ours wan-encode-text "${encode[@]}"; then
        from=$2.prompts
        "$BUILD/wan-recipe" prompts < "$1" > "$from"
    fi
    recipes ENCODE wan-encode-text '' "$from" "$2" "${encode[@]}"
}

# film_recipes PROMPTS: a document for each video, in $wanted, which goes with the script. A model that was
# calibrated with one of the prompts is refused.
film_recipes() {
    local parts
    [ ! -f "${WEIGHTS-}" ] || "$BUILD/wan-recipe" apart "$WEIGHTS" < "$1"
    parts=$(mktemp -d)
    # shellcheck disable=SC2064 # now
    trap "rm -rf '$parts'" EXIT
    text_recipes "$1" "$parts/text"
    recipes DENOISE wan-denoise "${SEEDS// /,}" "$parts/text" "$parts/latents" "${denoise[@]}"
    recipes DECODE wan-vae-decode '' "$parts/latents" "$parts/frames" "${decode[@]}"
    recipes MP4 frames2mp4 '' "$parts/frames" "$parts/film" "${mp4[@]}"
    wanted=$parts/film
}

# ---- a run of a stage ----

# stamped ROLE PROGRAM STAGE WORD...: passes on what the command wrote. What is not ours does not say
# how it was made: that is put in.
stamped() {
    local role=$1 program=$2 stage=$3
    shift 3
    if ours "$program" "$@"; then
        cat
    else
        foreign stamp "$role" -s "$stage" -r "$run/rows" -p "$run/prompts" -- "$@"
    fi
}

# begin_run DIR STAGE PART: of the rows in the file PART those that are missing become $run/rows, where
# $run is the record of this run. If there is none, the script ends. With CLAIM, a command that runs
# another on a device, it starts itself anew behind that.
begin_run() {
    local dir=$1 stage=$2 part=$3
    if [ "${TASK-}" = sweep ]; then # tasks share the lock, which keeps other makes away
        exec {lock}>> "$OUT/.lock"
        flock -s "$lock"
    fi
    rows=$("$BUILD/wan-recipe" missing -s "$stage" -t "$OUT/text" -d "$OUT/$dir" \
        ${KEEP_FRAMES:+--frames} < "$part")
    [ "$rows" ] || exit 0
    if [ "${CLAIM-}" ]; then
        local claim
        words claim "$CLAIM"
        CLAIM='' exec "${claim[@]}" "$0" "${ARGUMENTS[@]}" < /dev/null
    fi
    local label=$dir.$stage column=1
    if [ "$stage" = text ]; then label=text column=2; fi
    echo "$label.${part##*/}: $(cut -f $column <<< "$rows" | shown)"
    run=$("$here/run" begin "$OUT/$dir/runs" "$stage" "$part")
    echo "$rows" > "$run/rows"
    # Of one part the number says nothing.
    [ ! -e "${part%/*}/2" ] || label=$label.${part##*/}
    job "$label" "$run/rows"
}

# job NAME [VIDEOS]: what is shown of the programs that follow is of this, and VIDEOS has a line for each document.
job() { export WAN_JOB=$1 WAN_VIDEOS=${2-}; }

# job_done: its line on a terminal goes.
job_done() { if [ "${WAN_DRAW-}" ]; then printf '\r%s\t\n' "$WAN_JOB" >&2; fi; }

# end_run STATUS...: of the programs; the script ends with the greatest.
end_run() {
    job_done
    exec "$here/run" end "$run" "$@"
}

# files COLUMN PATTERN: for --by-recipe: the rows' recipes in this column, and files; %j is the name,
# %n the number of the prompt.
files() {
    awk -F '\t' -v column="$1" -v pattern="$2" '{
        file = pattern
        at = index(file, "%j")
        if (at) file = substr(file, 1, at - 1) $1 substr(file, at + 2)
        at = index(file, "%n")
        if (at) file = substr(file, 1, at - 1) $2 substr(file, at + 2)
        print $column "\t" file
    }' "$run/rows"
}

# clear_runs DIR: the records of runs in OUT/DIR (text, or a variant) go of which no file is wanted any more.
clear_runs() {
    local dir=$1 wanted_files=$OUT/$1/wanted.files.part
    if [ "$dir" = text ]; then
        cat "$OUT"/*/rows 2> /dev/null |
            awk -F '\t' -v dir="$OUT/text" '{ print $4 "\t" dir "/" $2 ".safetensors" }' || true
    else
        awk -F '\t' -v dir="$OUT/$dir" '{
            print $5 "\t" dir "/" $1 ".latents.safetensors"
            print $7 "\t" dir "/" $1 ".mp4"
        }' "$OUT/$dir/rows"
    fi > "$wanted_files"
    "$here/run" clear "$OUT/$dir/runs" "$wanted_files"
}
