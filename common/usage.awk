# The SYNOPSIS of a man page as a C string, "static const char usage[]": font escapes and \- undone,
# macros dropped.
/^\.SH/ { on = ($2 == "SYNOPSIS"); next }
!on { next }
/^\./ { next }
{
    gsub(/\\f[A-Z]/, ""); gsub(/\\-/, "-"); gsub(/\\e/, "\\"); gsub(/\\&/, "")
    gsub(/\\/, "\\\\"); gsub(/"/, "\\\"")
    text = text "    \"" $0 "\\n\"\n"
}
END { printf "static const char usage[] =\n%s;\n", text }
