# A text file as a C string: -v name=NAME makes "static const char NAME[]".
{
    gsub(/\\/, "\\\\"); gsub(/"/, "\\\"")
    text = text "    \"" $0 "\\n\"\n"
}
END { printf "static const char %s[] =\n%s;\n", name, text }
