# Completions of all programs for a shell, made from the OPTIONS of their man pages:
#
#   awk -v shell=bash -f tag.awk -f completion.awk PAGES... targets variables
#
# shell is bash, zsh, or list: lines of program, option, value, which a test compares with the programs. What
# wan-experiment takes stands in the tables of make. A value in lower case is a choice, a|b|c; any other is
# completed as a file.
FNR == 1 && !/^\.TH|^'/ { table = FILENAME; sub(/.*\//, "", table) }
table != "" {
    if (/^## /) experiment = /experiment/
    if (experiment && /^[A-Za-z]/ && $1 != "NAME") words = words (words == "" ? "" : " ") word_of($1)
    next
}
function word_of(name) { return table == "targets" ? name : name ~ /[.]NAME$/ ? substr(name, 1, length(name) - 4) : name "=" }
FNR == 1 { program = FILENAME; sub(/.*\//, "", program); sub(/\.1$/, "", program); programs[++n] = program }
/^\.SH/ { on = /OPTIONS/; next }
on && /^\.T[PQ]/ { here = 1; next }
on && here { here = 0; options($0) }

# A tag: options, with commas between, and after the last of those that mean the same its value.
function options(line,   piece, i, count, word, value, name) {
    value = ""
    line = tag(line)
    sub(/\[:.*\]/, "", line)
    count = split(line, piece, / *, +/)
    for (i = count; i >= 1; i--) {
        if (piece[i] !~ /^-/) continue
        split(piece[i], word, " ")
        name = word[1]
        if (word[2] != "") value = word[2]
        if (name ~ /^--[a-z]/ || name ~ /^-[A-Za-z]$/) add(name, value)
        if (i > 1 && name ~ /^--/ && piece[i - 1] ~ /^--/) value = ""
    }
}
function add(name, value) {
    sub(/[,.].*/, "", value)
    option[program] = option[program] " " name
    of[program, name] = value
    order[++all] = program SUBSEP name
}
function choices(value) {
    if (value !~ /^[a-z0-9+-]+(\|[a-z0-9+-]+)+$/) return ""
    gsub(/\|/, " ", value)
    return value
}
END {
    for (i = 1; i <= n; i++) names = names " " programs[i]
    if (shell == "list")
        for (i = 1; i <= all; i++) {
            split(order[i], part, SUBSEP)
            print part[1] "\t" part[2] "\t" of[part[1], part[2]]
        }
    else if (shell == "bash") bash()
    else zsh()
}

function bash(   i, part) {
    print "# Completions of wan's programs, made from their man pages."
    print "_wan() {"
    print "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} program=${1##*/} options= choices="
    print "    case $program in"
    for (i = 1; i <= n; i++) print "    " programs[i] ") options='" substr(option[programs[i]], 2) "' ;;"
    print "    wan-experiment) options='" words "' ;;"
    print "    esac"
    print "    case $program:$before in"
    for (i = 1; i <= all; i++) {
        split(order[i], part, SUBSEP)
        if (choices(of[part[1], part[2]])) print "    " part[1] ":" part[2] ") choices='" choices(of[part[1], part[2]]) "' ;;"
        else if (of[part[1], part[2]] != "") print "    " part[1] ":" part[2] ") options= ;;"
    }
    print "    esac"
    print "    COMPREPLY=()"
    print "    if [ \"$choices\" ]; then mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$word\")"
    print "    elif [[ $word == -* || $program == wan-experiment ]]; then mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")"
    print "    fi"
    print "    if [[ $program == wan-experiment && $word == *= ]]; then compopt -o nospace 2> /dev/null; fi"
    print "}"
    print "complete -o default -o bashdefault -F _wan" names " wan-experiment"
}

function zsh(   i, k, count, option_of, value) {
    print "#compdef" names " wan-experiment"
    print "# Completions of wan's programs, made from their man pages."
    print "case $service in"
    for (i = 1; i <= n; i++) {
        print programs[i] ")"
        printf "    _arguments -s"
        count = split(option[programs[i]], option_of, " ")
        for (k = 1; k <= count; k++) {
            value = of[programs[i], option_of[k]]
            printf " \\\n        '*%s%s'", option_of[k], value == "" ? "" : choices(value) ? ":" programs[i] ":(" choices(value) ")" : ":value:_files"
        }
        print " \\\n        '*:file:_files'\n    ;;"
    }
    print "wan-experiment) compadd -S '' --" (words == "" ? "" : " " words) " ;;"
    print "esac"
}
