# The defaults of the table `variables`, NAME?=VALUE, a word each: ~ stands for a blank. What stands in
# parentheses is words about a default and not one.
BEGIN { FS = "\t" }
/^## / { experiment = /experiment/ }
experiment && $1 ~ /^[A-Z]/ && $2 != "" && $2 !~ /^[(]/ {
    gsub(/ /, "~", $2)
    print $1 "?=" $2
}
