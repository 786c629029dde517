#!/bin/sh
# The .pth reader: values of every layout that torch.save and archivers write, and one clear refusal
# for each file that lies, asks for what is no tensor, or means to exhaust us (fixtures/pth/make.py).
. "$(dirname "$0")/tap.sh"
cd "$ROOT/fixtures/pth" || exit 1

for file in good-*.pth; do
    expected=${file%.pth}.safetensors
    close_to "$file: values" -s 1 "$file" "$expected"
    is "$(tensor-info -n "$file" | sort)" "$(tensor-info -n "$expected" | sort)" "$file: names"
done

# What PyTorch itself wrote (fixtures/layouts): its format of before the zips, and what training
# leaves beside a state dict; of several models one is chosen by its key.
L=$ROOT/fixtures/layouts
for f in good-legacy.pth good-legacy.safetensors several.pth beside.pth module.pth good-legacy4.pth \
    beside-more.pth beside-more5.pth; do
    gzip -dc "$L/$f.gz" >"$TMP/$f"
done
close_to "torch.save of before 1.6: values" -s 1 "$TMP/good-legacy.pth" "$TMP/good-legacy.safetensors"
is "$(tensor-info -n "$TMP/good-legacy.pth" | sort | tr '\n' ' ')" "a.weight b t.weight tied " "and names"
size=$(wc -c <"$TMP/good-legacy.pth")
wrong=0
for i in $(seq 15 $((size - 1))); do
    head -c "$i" "$TMP/good-legacy.pth" >"$TMP/cut.pth"
    tensor-pick "$TMP/cut.pth" >"$TMP/out" 2>"$TMP/err"
    [ $? -eq 1 ] && [ "$(wc -l <"$TMP/err")" -eq 1 ] || wrong=$((wrong + 1))
done
is $wrong 0 "cut at any byte it is refused in one line"
is "$(tensor-info -n "$TMP/beside.pth" 2>&1)" l.0.weight "harmless values beside a state dict are passed over"
for f in beside-more.pth beside-more5.pth; do
    is "$(tensor-info -n "$TMP/$f" 2>&1 | tr '\n' ' ')" "l.0.weight l.0.bias " "$f: more kinds of them"
    like "$(tensor-info -v "$TMP/$f")" "*l.0.weight *F32 * 0 *3 *1.5 *" "$f: values of a parameter with attributes"
done
close_to "before 1.6 by protocol 4" -s 1 "$TMP/good-legacy4.pth" "$TMP/good-legacy.safetensors"
fails 1 "*several.pth holds several models: generator, generator_ema; give one, as *several.pth:generator" \
    "several models: the line names them" tensor-info "$TMP/several.pth"
like "$(tensor-info -v "$TMP/several.pth:generator")" "* 1 *1 *1 *0  0 0" "FILE:KEY chooses"
like "$(tensor-info -v "$TMP/several.pth:generator_ema")" "* 0 *0 *0 *0  0 0" "the other"
fails 1 "*several.pth has no dict of tensors named 'critic', but generator, generator_ema" "no such key" \
    tensor-info "$TMP/several.pth:critic"
fails 1 "*module.pth: its pickle is a whole module (torch.nn.modules.linear.Linear), which needs its Python code: save its state_dict()" \
    "a whole module" tensor-info "$TMP/module.pth"

# Each in less than a second and 100 MB.
most_ms=0 most_kb=0
refused() { # FILE PATTERN
    fails 1 "*$2" "$1: *$2" timeout 60 "$BUILD/t/tools/measure" "$TMP/figures" \
        tensor-pick "bad-$1.pth"
    read -r ms kb <"$TMP/figures"
    [ "$ms" -le $most_ms ] || most_ms=$ms
    [ "$kb" -le $most_kb ] || most_kb=$kb
}
while IFS='|' read -r file pattern; do
    refused "$file" "$pattern"
done <<'END'
system|bad-system.pth: its pickle asks for posix.system; only tensors are read
eval|its pickle asks for builtins.eval; only tensors are read
getattr|its pickle asks for builtins.getattr; only tensors are read
numpy|its pickle holds no dict of named tensors
stack-global|its pickle asks for os.system; only tensors are read
storage-type|its pickle asks for torch.QInt8Storage; only tensors are read
hidden|a global name with a zero byte
long-name|a global name of more than 200 bytes
newobj|its pickle has instruction 0x81 at byte 28, which no state dict needs
inst|its pickle has instruction 0x69 at byte 3, which no state dict needs
extension|its pickle has instruction 0x82 at byte 2, which no state dict needs
protocol|a protocol of the future
no-stop|it ends within an instruction
cut-text|it ends within an instruction
cut-text8|a text of more than 4 GB
cut-name|it ends within a name
underflow|it takes a value from an empty stack
mark-underflow|there is no mark on its stack
mark-value|it takes a mark for a value
mark-root|it takes a value from an empty stack
tuple-item|it sets an item of something that is no dict
odd-items|a key without a value
call-number|it calls something that is no function
call-list|it calls something that is no function
memo-unset|it reads a place of the memo that was never set
memo-far|a place in the memo that no state dict needs
long-number|its pickle holds no dict of named tensors
values|it makes more values than a state dict needs
objects|it makes more objects than a state dict needs
nested|it makes more objects than a state dict needs
laughs|its pickle holds no dict of named tensors
cycle|its pickle holds no dict of named tensors
one-tensor|its pickle holds no dict of named tensors
tuple-root|its pickle holds no dict of named tensors
huge|its data.pkl has 68157440 bytes; at most 16777216 are read
empty|it ends within an instruction
size|w is [[]1099511627776], more than the 24 elements of its storage
size-overflow|w is [[]8589934592, 8589934592]: the product of its dimensions overflows
size-beyond|w: a size or stride is not a natural number
size-empty|w is [[]0, 4611686018427387904, 4611686018427387904]: the product of its dimensions overflows
size-negative|w: a size or stride is not a natural number
size-rank|w has 9 dimensions; at most 8 are read
stride-negative|w: a size or stride is not a natural number
stride-overflow|w: elements 0 to 9223372036854775809 are outside its storage of 24
stride-outside|w: elements 0 to 24 are outside its storage of 24
stride-count|w: its sizes and strides are not two tuples of one length
expanded|w is [[]1000, 24], more than the 24 elements of its storage
offset-outside|w: elements 1 to 24 are outside its storage of 24
offset-huge|are outside its storage of 24
offset-negative|w: its offset is not a natural number
storage-missing|w: its storage model/data/7 is not in the file
storage-path|w: its storage model/data/../../../etc/passwd is not in the file
storage-size|w: its storage model/data/0 has 96 bytes, not 2305843009213693952 elements of 4
storage-untyped|w: its storage has no type
storage-class|w: its storage is not named as torch.save does
storage-text|w: its storage is not named as torch.save does
storage-none|w: its storage is not named as torch.save does
parameter|w: a parameter that holds no tensor
no-arguments|w: its storage is not named as torch.save does
twice|a is twice in bad-twice.pth
negated|w: it is lazily conjugated or negated: save it resolved
strided|its strided views would take 864 bytes, though its storages have 96
key|a name in its state dict is no text
cut|the directory of this zip is missing: the file is cut short
cut-local|the directory of this zip is missing: the file is cut short
legacy|its pickle is damaged at byte 0: it ends within an instruction
no-pickle|a zip, but no .pth: it has no data.pkl
two-pickles|it has more than one data.pkl
same-name|entry model/data/0 is twice in this zip
big-endian|its byte order is 'big'; only little is read
entries|the directory of this zip is not where it should be
entries64|the directory of this zip is not where it should be
directory|the directory of this zip is not where it should be
directory64|the directory of this zip is not where it should be
end64|the zip64 directory of this zip is not where it should be
offset|entry model/data/0 of this zip overlaps what follows it
offset64|entry model/data/0 of this zip overlaps what follows it
size64|entry model/data/0 of this zip overlaps what follows it
size-lie|a: its storage model/data/0 has 1099511627776 bytes, not 24 elements of 4
extra-missing|a: its storage model/data/0 has 4294967295 bytes, not 24 elements of 4
overlap|entry model/data/0 of this zip overlaps what follows it
overlap-same|entry model/data.pkl of this zip overlaps what follows it
method|entry model/data/0 is packed by method 12; only stored and deflated ones are read
encrypted|entry model/data/0 is encrypted
local|entry model/data/0 is not where the directory of this zip says
local-name|entry model/data/0 is not where the directory of this zip says
bomb|its deflated storages would take 1099511627776 bytes, from a file of 551
bomb-inside|deflated entry model/data/0 is damaged
short-inside|deflated entry model/data/0 is damaged
checksum|deflated entry model/data/0 is damaged
deflate|deflated entry model/data/0 is damaged
popen|its pickle asks for subprocess.Popen; only tensors are read
exec|its pickle asks for builtins.exec; only tensors are read
import|its pickle asks for builtins.__import__; only tensors are read
attrgetter|its pickle asks for operator.attrgetter; only tensors are read
ctypes|its pickle asks for ctypes.CDLL; only tensors are read
run-code|its pickle asks for runpy._run_code; only tensors are read
load-bytes|its pickle asks for torch.storage._load_from_bytes; only tensors are read
torch-load|its pickle asks for torch.load; only tensors are read
parameter-state|its pickle holds no dict of named tensors
newobj-ex|its pickle has instruction 0x92 at byte 29, which no state dict needs
obj|its pickle has instruction 0x6f at byte 28, which no state dict needs
persid|its pickle has instruction 0x50 at byte 2, which no state dict needs
bytes8|a text of more than 4 GB
bytearray8|a text of more than 4 GB
next-buffer|its pickle has instruction 0x97 at byte 2, which no state dict needs
long4|it ends within an instruction
text-40|a text of more than 4 GB
frame|its pickle holds no dict of named tensors
duplicates|its pickle has instruction 0x32 at byte 3, which no state dict needs
memo-last|its pickle holds no dict of named tensors
memo-values|it makes more values than a state dict needs
memo-lists|it makes more values than a state dict needs
storage-absolute|w: its storage model/data//etc/passwd is not in the file
symlink|a: its storage model/data/0 has 22 bytes, not 24 elements of 4
absolute|a zip, but no .pth: it has no data.pkl
above|its pickle asks for posix.system; only tensors are read
bomb-true|its deflated storages would take 41943040 bytes, from a file of 41231
END
number=$(ls bad-*.pth | wc -l)
[ $most_ms -lt 1000 ] && [ $most_kb -lt 100000 ]
figure $? "each takes less than a second and less than 100 MB"
comment "$number files; $most_ms ms and $most_kb kB at most"
[ "$tests" -eq $((2 * $(ls good-*.pth | wc -l) + 14 + number + 1)) ]
ok $? "no file is left out"
[ ! -e pwned ]
ok $? "nothing was executed"

# A real file cut at fifty places is refused each time.
whole=$ROOT/fixtures/random/models_t5_umt5-xxl-enc-bf16.pth
size=$(wc -c <"$whole")
wrong=0
for i in $(seq 0 49); do
    head -c $((size * i / 50)) "$whole" >"$TMP/cut.pth"
    tensor-pick "$TMP/cut.pth" >"$TMP/out" 2>"$TMP/err"
    [ $? -eq 1 ] && [ "$(wc -l <"$TMP/err")" -eq 1 ] || wrong=$((wrong + 1))
done
is $wrong 0 "cut at any place, a .pth is refused in one line"

done_testing
