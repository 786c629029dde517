#!/bin/sh
# transformers 5: T5Tokenizer(vocab_file="spiece.model") takes the argument and never opens the file.
#
# Versions: transformers==5.24.0 with tokenizers==0.23.3, transformers==4.57.3 with tokenizers==0.22.2,
#   sentencepiece==0.2.1.
# Behaviour: the class documents vocab_file first among its arguments. In 5.24.0 the constructor has no such
#   parameter: it lands in **kwargs and is dropped. What comes is a tokenizer of <pad>, </s>, <unk>, one space
#   and the sentinels, which maps every word to <unk>, without a warning; even a file that does not exist is
#   taken. T5Tokenizer.from_pretrained(DIRECTORY) reads the same model. In 4.57.3 the constructor reads it.
# Seen: 5.24.0: 104 tokens, "a cat" is space <unk> space <unk> </s>; 4.57.3: the pieces of the model (and an
#   OSError for the missing file); from_pretrained: the pieces of the model in both.
# Why it matters: loaders that have a spiece.model by itself (Wan keeps one beside the checkpoint) call the
#   constructor. After an upgrade prompts of as many words are one and the same prompt, and nothing fails.
# Source: the class's docstring and __init__ in transformers/models/t5/tokenization_t5.py of 5.24.0, and running
#   it.
# Needs python3 with venv. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
install() { # folder package...
    venv=$dir/$1
    shift
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: "$@" ||
        { echo "cannot install $*" >&2; exit 2; }
}
install v4 transformers==4.57.3 tokenizers==0.22.2 sentencepiece==0.2.1 protobuf==6.33.0
install v5 transformers==5.24.0 tokenizers==0.23.3 sentencepiece==0.2.1 protobuf==6.33.0
changed=
for v in 4 5; do
    "$dir/v$v/bin/python" - "$v" "$dir" <<'PY' 2>"$dir/stderr" || changed=1
import os, sys
import sentencepiece, transformers
from transformers import T5Tokenizer
v, dir = int(sys.argv[1]), sys.argv[2]
spm = dir + "/spiece.model"
if not os.path.exists(spm):
    with open(dir + "/text", "w") as f:
        f.write("a red circle moves right over a blue background\na cat plays in the rain\nthe quick brown fox jumps "
                "over the lazy dog\none two three four five six seven eight nine ten\n" * 20)
    sentencepiece.SentencePieceTrainer.train(input=dir + "/text", model_prefix=dir + "/spiece", vocab_size=100,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2)
sp = sentencepiece.SentencePieceProcessor(spm)
text = "a cat plays"
wanted = sp.encode(text) + [1]
assert 2 not in wanted
made = T5Tokenizer(vocab_file=spm)
ids, read = made(text)["input_ids"], T5Tokenizer.from_pretrained(dir)(text)["input_ids"]
print("transformers", transformers.__version__, "of", len(sp), "pieces")
print("   sentencepiece  ", sp.id_to_piece(wanted))
print("   from_pretrained", sp.id_to_piece(read))
print("   vocab_file=    ", made.convert_ids_to_tokens(ids), len(made), "tokens")
try:
    missing = len(T5Tokenizer(vocab_file=dir + "/no such file"))
except Exception as e:
    missing = type(e).__name__
print("   vocab_file= a file that is not there:", missing)
ok = "vocab_file" in T5Tokenizer.__doc__ and read == wanted
if v == 4:
    ok &= ids == wanted and isinstance(missing, str)
else:
    ok &= ids.count(2) == 3 and len(made) == missing == 104
sys.exit(not ok)
PY
    echo "   on stderr: $(grep -c vocab_file "$dir/stderr" || true) lines that name vocab_file"
    [ "$v" = 4 ] || ! grep -q vocab_file "$dir/stderr" || changed=1
done
[ -z "$changed" ] || { cat "$dir/stderr"; echo "has changed"; exit 1; }
echo "as described"
