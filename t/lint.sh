#!/bin/sh
# What tools say of the sources (make lint): layout by clang-format 14, mistakes by clang-tidy (a short list, none of
# them taste), scripts by shellcheck, man pages by groff. A tool that is not there is skipped, with a word.
. "$(dirname "$0")/tap.sh"
cd "$ROOT" || exit 1
sources=$(git ls-files 'bin/*.[ch]' 'common/*.[ch]' 'kernels/*.[ch]' 't/*.[ch]' 'kernels/*.cu' 'kernels/*.cuh' 2> /dev/null)
[ "$sources" ] || skip_all "this is no git tree"

# nothing NAME TEXT: passes when TEXT is empty
nothing() {
    is "$2" "" "$1"
}

case $(clang-format --version 2> /dev/null) in
*'version 14.'*)
    # shellcheck disable=SC2086 # words
    nothing "clang-format would change nothing" "$(clang-format --dry-run -Werror $sources 2>&1 | grep 'error:' | cut -d: -f1,2)" ;;
*) skip "there is no clang-format 14, whose layout this is" "clang-format" ;;
esac

if have clang-tidy; then
    checks=bugprone-suspicious-*,-bugprone-suspicious-missing-comma,bugprone-misplaced-operator-in-strlen-in-alloc,bugprone-infinite-loop
    checks=$checks,bugprone-too-small-loop-variable
    checks=$checks,bugprone-posix-return,bugprone-redundant-branch-condition,bugprone-terminating-continue
    checks=$checks,bugprone-undefined-memory-manipulation,misc-redundant-expression,misc-misplaced-const
    checks=$checks,readability-misleading-indentation,readability-redundant-preprocessor
    found=$(git ls-files 'bin/*.c' 'common/*.c' 'kernels/cpu/*.c' | xargs -P 2 -I FILE \
        clang-tidy --quiet --checks="-*,$checks" FILE -- -std=c11 -D_GNU_SOURCE -fopenmp "-I$BUILD/usage" 2> /dev/null |
        grep 'warning:' | sed "s|^$ROOT/||" | sort -u)
    nothing "clang-tidy finds nothing" "$found"
else
    skip "there is no clang-tidy" "clang-tidy"
fi

if have shellcheck; then
    # shellcheck disable=SC2046 # words
    nothing "shellcheck finds no error in the tests (and, in t/00-tree.t, nothing at all in pipelines/)" \
        "$(shellcheck -x -S error -f gcc $(git ls-files 't/*.t' 't/*.sh' t/fuzz/corpus) 2>&1)"
else
    skip "there is no shellcheck" "shellcheck"
fi

if have groff; then
    nothing "groff has nothing to say of the man pages" "$(git ls-files '*.[15]' | while read -r page; do
        groff -man -Tutf8 -ww -z "$page" 2>&1
    done)"
else
    skip "there is no groff" "man pages"
fi
done_testing
