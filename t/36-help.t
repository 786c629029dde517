#!/bin/bash
# What a newcomer asks first: make help against what the rules read, -h and completion against the programs.
. "$(dirname "$0")/tap.sh"
cd "$ROOT" || exit 1
tab=$(printf '\t')
nothing() { # NAME TEXT: passes when TEXT is empty
    is "$2" "" "$1"
}
rows() { # TABLE SECTION: its rows
    awk -v section="$2" '/^## / { on = index($0, section) } /^[A-Za-z]/ && on' "pipelines/$1"
}

# ---- make help ----

make -s DEVICE=cpu help >"$TMP/help" 2>"$TMP/err"
ok $? "make help"
is "$(make -s help 2>/dev/null | wc -l)" "$(wc -l <"$TMP/help")" "whatever the device is"
nothing "no line is wider than 100 columns" "$(awk 'length > 100' "$TMP/help")"
nothing "it has all targets and variables of the tables" "$(
    for name in $(sed -n '/^[A-Za-z]/s/	.*//p' pipelines/targets pipelines/variables); do
        grep -qE "^  $name( |\$)" "$TMP/help" || echo "$name"
    done)"

# The values that make has, beside those of the table: what stands in parentheses is words.
for device in cpu cuda; do
    env -i PATH="$PATH" HOME="$HOME" make -npq DEVICE=$device nothing 2>/dev/null
done | awk '/^[A-Z_a-z0-9]+ :?\??= / { sub(/ :?\??= /, "\t"); print }' >"$TMP/values"
nothing "variables have in make the defaults that the table says" "$(
    { rows variables experiment; rows variables build; } | while IFS= read -r row; do
        name=${row%%"$tab"*} value=${row#*"$tab"} value=${value%%"$tab"*}
        case $value in '('* | '') continue ;; esac
        has=$(sed -n "s/^$name$tab//p" "$TMP/values" | head -n 1)
        [ "$has" = "$value" ] || echo "$name: $value, make has '$has'"
    done)"

# All that the makefiles read or set with ?= is said; names of their own are :=, = or in a table of theirs.
nothing "a variable that may be given is in the table" "$(
    grep -hoE '^[A-Z_]+ *\?=' Makefile pipelines/*.mk t/*.mk t/*/*.mk | tr -d ' ?=' | sort -u | while read -r name; do
        case $name in RULES) continue ;; esac
        grep -q "^$name$tab" pipelines/variables || echo "$name"
    done)"
nothing "a variable that the scripts of the stages get is in the table, or make's own" "$(
    grep -hE '^export ' pipelines/*.mk | sed 's/ [:?]*=.*//' | tr ' ' '\n' | grep -E '^[A-Z_]+$' | sort -u | while read -r name; do
        case $name in TASK | CARDS | OMP_WAIT_POLICY | LC_ALL) continue ;; esac
        grep -q "^$name$tab" pipelines/variables || echo "$name"
    done)"
nothing "and what the table has is read" "$(
    for name in $(sed -n '/^[A-Z_]*	/s/	.*//p' pipelines/variables); do
        grep -qE "[$][({]$name\b|ifdef $name|\b$name\b" Makefile pipelines/*.mk t/*.mk t/*/*.mk pipelines/stage/* || echo "$name"
    done)"

make -npq DEVICE=cpu nothing 2>/dev/null | grep -oE '^[a-z][a-z-]*:' | tr -d : | sort -u >"$TMP/rules"
for goal in videos experiment plan text eval report trace floor verify sweep; do # which one make reads only for those who ask
    make -npq DEVICE=cpu $goal MODEL=fixtures/tiny CLIP=fixtures/tiny/clip OUT="$TMP/none" 2>/dev/null | grep -oE "^[a-z][a-z-]*:" | tr -d :
done | sort -u >>"$TMP/rules"
nothing "every target of the table has a rule" "$(
    sed -n '/^[a-z]/s/	.*//p' pipelines/targets | while read -r target; do
        grep -qx -- "$target" "$TMP/rules" || echo "$target"
    done)"
nothing "every rule of a name is in the table, or a step of one" "$(
    grep -hoE '^[a-z][a-z-]*:' Makefile t/checks.mk t/fuzz/fuzz.mk | tr -d : | sort -u | while read -r target; do
        case $target in no-findings | fuzz-targets) continue ;; esac
        grep -q "^$target$tab" pipelines/targets || echo "$target"
    done)"

# ---- wan-experiment(5) and (1) ----

nothing "wan-experiment(5) has the variables of make, with defaults and meanings" "$(
    rows variables experiment | sed 's/-/\\-/g' | while IFS= read -r row; do
        name=${row%%"$tab"*} value=${row#*"$tab"} value=${value%%"$tab"*}
        grep -qxF "$name|$value|T{" pipelines/wan-experiment.5 && grep -qxF -- "${row##*"$tab"}" pipelines/wan-experiment.5 || echo "$row"
    done)"
nothing "and the targets" "$(
    rows targets experiment | sed 's/-/\\-/g' | while IFS= read -r row; do
        grep -qxF "${row%%"$tab"*}|T{" pipelines/wan-experiment.5 && grep -qxF -- "${row##*"$tab"}" pipelines/wan-experiment.5 || echo "$row"
    done)"

# ---- -h and completion against the programs ----

# options PROGRAM: those of its table, and those that all have
options() {
    {
        printf '%s\n' --help --version --quiet --progress --stats --wait -h -q
        cat bin/"$1"/*.c | tr '\n' ' ' | grep -oE "\{ *('.'|0), *(\"[a-z0-9-]+\"|NULL), *OPTION_" |
            sed -nE "s/.*\"(.*)\".*/--\1/p"
        cat bin/"$1"/*.c | tr '\n' ' ' | grep -oE "\{ *'.', *(\"[a-z0-9-]+\"|NULL), *OPTION_" | sed -E "s/\{ *'(.)'.*/-\1/"
    } | LC_ALL=C sort -u
}
awk -v shell=list -f common/tag.awk -f common/completion.awk bin/*/*.1 >"$TMP/list"
for directory in bin/*/; do
    p=$(basename "$directory")
    options "$p" >"$TMP/options"
    is "$(awk -F '\t' -v p="$p" '$1 == p { print $2 }' "$TMP/list" | LC_ALL=C sort -u)" "$(cat "$TMP/options")" \
        "$p: completion has the options of the program"
    nothing "$p -h names them" "$("$BUILD/$p" -h >"$TMP/said"; while read -r o; do grep -qE -- "(^|[ [|(])$o\b" "$TMP/said" || echo "$o"; done <"$TMP/options")"
done

make -s DEVICE=cpu O="${BUILD#"$ROOT"/}" "${BUILD#"$ROOT"/}/completions/bash" "${BUILD#"$ROOT"/}/completions/zsh" >/dev/null 2>&1
complete_bash() { # WORD...: what is offered for the last
    bash -c '. "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _wan "$1" "${COMP_WORDS[COMP_CWORD]}"; echo "${COMPREPLY[*]}"' \
        bash "$BUILD/completions/bash" "$@"
}
is "$(complete_bash wan-denoise --so)" "--solver" "bash completes an option"
like "$(complete_bash wan-denoise --dtype f)" "fp16*" "and its values"
is "$(complete_bash wan-denoise -m /e)" "" "files are left to the shell"
is "$(complete_bash wan-experiment STE)" "STEPS=" "and wan-experiment's variables"
if have zsh; then
    zsh -n "$BUILD/completions/zsh"
    ok $? "zsh reads its file"
else
    skip "there is no zsh" "zsh reads its file"
fi
done_testing
