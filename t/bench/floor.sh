#!/bin/bash
# floor.sh [OUT]: the table of pipelines/GUIDE.md: the floor of the small model with the prompts of `make study`, beside three
# variants: a dither by another seed, W8A16, int4. In OUT, build/floor unless given; about eight minutes of two cores.
# With MEASURE=frames the floor that the codec has no part in. Other variables of the experiment may follow OUT.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-build/floor}
run() {
    make -s "$@" EXPERIMENT=pipelines/study.mk OUT="$out" VARIANTS='fp16 rounded w8a16 int4' weights.rounded=fixtures/tiny \
        options.rounded='--dtype fp16' film.rounded='--dither 7' differs.rounded=dither
}
run floor experiment "${@:2}" 2>&1 | grep -E '^floor of|^make' || true

# ---- of each metric the floor, and each variant's mean difference, or mean ----

cat "$out/floor.csv" "$out"/{clip_temporal,motion,judge,pairs}_summary.csv | tr -d '\r' | awk -F , '
    function size(x) { return x < 0 ? -x : x }
    function get(name) { return name in at ? $at[name] : "" }
    $1 == "metric" { part++; delete at; for (i = 1; i <= NF; i++) at[$i] = i; next }
    part == 1 {
        m = $1
        if (!(m in floor)) row[++rows] = m
        if (get("difference") == "") { # the least like the reference: of mad, which grows, the greatest
            x = get(m == "mad" ? "high" : "low")
            if (!(m in floor) || (m == "mad") == (x > floor[m])) floor[m] = x
        } else {
            x = size(get("low"))
            if (size(get("high")) > x) x = size(get("high"))
            if (!(m in floor) || x > floor[m]) floor[m] = x
            twins[m] = 1
        }
        next
    }
    {
        of[$1, get("variant_b")] = get("difference") != "" ? get("difference") : get("mean")
        p[$1, get("variant_b")] = get("p")
    }
    END {
        n = split("rounded w8a16 int4", v, " ")
        printf "%-18s %10s", "metric", "floor"
        for (i = 1; i <= n; i++) printf " %10s %7s %8s", v[i], "p", "floor?"
        print ""
        for (r = 1; r <= rows; r++) {
            m = row[r]
            printf "%-18s %10.4g", m, floor[m]
            for (i = 1; i <= n; i++) {
                x = of[m, v[i]]
                within = m in twins ? size(x) <= floor[m] : m == "mad" ? x <= floor[m] : x >= floor[m]
                printf " %10.4g %7s %8s", x, p[m, v[i]] == "" ? "-" : sprintf("%.2g", p[m, v[i]]), within ? "within" : "outside"
            }
            print ""
        }
    }'
