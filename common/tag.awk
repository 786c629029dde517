# tag(LINE): the line behind .TP in a man page as it reads: macros, fonts and quotes undone. .BR and its like
# join their words, .B parts them.
function tag(s,   piece, i, n, joined, out) {
    joined = s ~ /^\.(BR|BI|IR|RB|IB|RI) /
    sub(/^\.[A-Z]+ /, "", s)
    n = split(s, piece, "\"")
    for (i = 1; i <= n; i++) {
        if (joined && i % 2) gsub(/ /, "", piece[i])
        out = out piece[i]
    }
    gsub(/\\f[A-Z]/, "", out); gsub(/\\-/, "-", out); gsub(/\\e/, "\\", out); gsub(/\\&/, "", out)
    return out
}
