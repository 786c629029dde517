# What -h prints, as a C string, "static const char usage[]": the SYNOPSIS of a man page, and all that its
# OPTIONS have. Font escapes and \- are undone, macros dropped. Behind tag.awk.
function plain(s) {
    gsub(/\\f[A-Z]/, "", s); gsub(/\\-/, "-", s); gsub(/\\e/, "\\", s); gsub(/\\&/, "", s)
    return s
}
function quoted(s) {
    gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s)
    return "    \"" s "\\n\"\n"
}
# Adds an option to the lines of options, of 96 letters.
function add(s) {
    if (length(line) + 3 + length(s) > 96) { options = options quoted(line); line = "        " }
    line = line (line ~ /[^ :]$/ ? "   " : " ") s
}
/^\.SH/ { on = $2; next }
on == "OPTIONS" && here {
    if (/\\-/) add(tag($0))
}
on == "OPTIONS" { here = /^\.T[PQ]/; next }
on != "SYNOPSIS" || /^\./ { next }
{ text = text quoted(plain($0)) }
BEGIN { line = "options:" }
END { printf "static const char usage[] =\n%s%s%s;\n", text, options, quoted(line) }
