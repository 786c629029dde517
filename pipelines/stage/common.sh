# common.sh: functions shared by the scripts of the stages. Each script sources it, and runs in make's directory.
#
# The variables of an experiment (MODEL, OUT, SIZE, ...) come from make, exported. A command such as
# DENOISE is split into words as by the shell, so that it may be a program with options.
# shellcheck shell=bash disable=SC2034 # variables set here are used by the scripts that source it
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

# update FILE: writes standard input to FILE, unless FILE has these contents already: so its date is when its
# contents last changed. Only the holder of the lock may call it.
update() {
    cat > "$1.part"
    if cmp -s "$1.part" "$1"; then rm "$1.part"; else mv "$1.part" "$1"; fi
}

# ours PROGRAM WORD...: is the command our PROGRAM, and not a script or another of its name?
ours() {
    local path
    [ "${2##*/}" = "$1" ] && path=$(command -v -- "$2") && [ "$(head -c 4 "$path")" = $'\x7fELF' ]
}

# commands: sets arrays with the commands of a variant's stages, without the arguments of a single run.
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

# shown < NAMES: prints the names on one line; of many the first 12, and the number of the others.
shown() { awk 'NR <= 12 { line = line (NR > 1 ? " " : "") $0 } END { print line (NR > 12 ? " and " NR - 12 " more" : "") }'; }

# foreign VERB ROLE OPTIONS -- WORD...: calls wan-recipe for a command that is not ours. The model and the options
# of a sampler are passed as options of their own, because variants differ in them.
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

# ---- recipes: nothing is computed ----

# recipes ROLE PROGRAM SEEDS FROM TO WORD...: passes documents without tensors through a stage, from the file FROM
# to the file TO. ROLE is the stage's variable in make, SEEDS are its seeds or empty. An error is one line.
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

# text_recipes PROMPTS TO: writes a document without tensors for each prompt.
text_recipes() {
    local from=$1
    if ! ours wan-encode-text "${encode[@]}"; then
        from=$2.prompts
        "$BUILD/wan-recipe" prompts < "$1" > "$from"
    fi
    recipes ENCODE wan-encode-text '' "$from" "$2" "${encode[@]}"
}

# film_recipes PROMPTS: writes a document without tensors for each video to the file $wanted, which is removed when
# the script ends. Refuses a model that was calibrated with one of the prompts.
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

# stamped ROLE PROGRAM STAGE WORD...: passes on what the command wrote. If the command is not ours, its documents
# have no record: this adds one.
stamped() {
    local role=$1 program=$2 stage=$3
    shift 3
    if ours "$program" "$@"; then
        cat
    else
        foreign stamp "$role" -s "$stage" -r "$run/rows" -p "$run/prompts" -- "$@"
    fi
}

# begin_run DIR STAGE PART: begins a run, whose record is the directory $run. Writes the rows of the file PART whose
# files are missing to $run/rows; if none is missing, the script ends. CLAIM is a command that waits for a device
# and then runs another command on it: if it is set, the script executes itself through it.
begin_run() {
    local dir=$1 stage=$2 part=$3
    if [ "${TASK-}" = sweep ]; then # tasks of a sweep share the lock; it keeps other makes out
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
    # The number of a part is shown only if there are several.
    [ ! -e "${part%/*}/2" ] || label=$label.${part##*/}
    job "$label" "$run/rows"
}

# job NAME [VIDEOS]: the name under which progress of the following programs is shown; VIDEOS is a file with a line
# for each document.
job() { export WAN_JOB=$1 WAN_VIDEOS=${2-}; }

# job_done: removes the job's line from the terminal.
job_done() { if [ "${WAN_DRAW-}" ]; then printf '\r%s\t\n' "$WAN_JOB" >&2; fi; }

# end_run STATUS...: ends the run and the script with the greatest exit status of its programs.
end_run() {
    job_done
    exec "$here/run" end "$run" "$@"
}

# files COLUMN PATTERN: prints a list for --by-recipe: the recipe in this column of each row, and its file, the
# PATTERN with the name for %j and the number of the prompt for %n.
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

# clear_runs DIR: removes the records of runs in OUT/DIR (text, or a variant) that made no file still wanted.
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
