#!/bin/bash
# floor.sh [OUT]: the table of pipelines/GUIDE.md: the floor of the small model with the prompts of `make study`, beside three
# variants: a dither by another seed, W8A16, int4. In OUT, build/floor unless given; about eight minutes of two cores.
# With MEASURE=frames the floor that the codec has no part in; MEASURE=mp4 unless given. Other variables of the experiment may follow OUT.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-build/floor}
run() {
    make -s "$@" EXPERIMENT=pipelines/study.mk OUT="$out" VARIANTS='fp16 rounded w8a16 int4' weights.rounded=fixtures/tiny \
        options.rounded='--dtype fp16' film.rounded='--dither 7' differs.rounded=dither
}
run floor experiment MEASURE=mp4 "${@:2}" 2>&1 | grep -E '^floor of|^make' || true

# ---- of each metric the floor, and each variant's mean difference, or mean ----

cat "$out"/{clip_temporal,motion,metrics,judge,pairs}_summary.csv | tr -d '\r' | awk -F , '
    function get(name) { return name in at ? $at[name] : "" }
    $1 == "metric" { delete at; for (i = 1; i <= NF; i++) at[$i] = i; next }
    {
        m = $1; v = get("variant_b")
        if (!(m in floor)) row[++rows] = m
        floor[m] = get("floor")
        of[m, v] = get("difference") != "" ? get("difference") : get("mean")
        p[m, v] = get("p")
        is[m, v] = get("equivalent") == 1 ? "equivalent" : get("within") == 1 ? "within" : get("within") == "" ? "-" : "outside"
    }
    END {
        n = split("rounded w8a16 int4", name, " ")
        printf "%-18s %10s", "metric", "floor"
        for (i = 1; i <= n; i++) printf " %10s %7s %10s", name[i], "p", "floor?"
        print ""
        for (r = 1; r <= rows; r++) {
            m = row[r]
            printf "%-18s %10.4g", m, floor[m]
            for (i = 1; i <= n; i++)
                printf " %10.4g %7s %10s", of[m, name[i]], p[m, name[i]] == "" ? "-" : sprintf("%.2g", p[m, name[i]]), is[m, name[i]]
            print ""
        }
    }'
