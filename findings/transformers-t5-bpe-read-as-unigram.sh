#!/bin/sh
# transformers: T5Tokenizer reads a sentencepiece model of byte pairs as if it were a unigram one, without a word.
#
# Versions: transformers==5.24.0, tokenizers==0.23.3, sentencepiece==0.2.3.
# Behaviour: since release 5 T5Tokenizer is a fast tokenizer that takes pieces and scores out of spiece.model and makes a
#   Unigram model of them. What kind the file is (trainer_spec.model_type) is not asked. A BPE model's scores are the
#   ranks of its merges, so the most likely path by their sum is often another than the merges give; ids are valid and
#   nobody warns.
# Seen: 48 lines of made-up words, vocabularies of 200 pieces: of the BPE model some lines have other ids than
#   sentencepiece gives (11 here), of the unigram model none.
# Why it matters: T5 encoders are trained anew with small vocabularies for test models, and byte pairs are what
#   trainers default to elsewhere. A text encoder then sees other tokens than it was trained on, and pictures get worse
#   with no error. umT5's own file is a unigram model and is not touched by this.
# Here: wan-encode-text asks sentencepiece itself, whatever the kind; fixtures/tiny's file is of byte pairs (t/80-tiny.t).
# Source: seen by running.
# Needs python3 with venv and 400 MB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: transformers==5.24.0 tokenizers==0.23.3 \
    sentencepiece==0.2.3 protobuf==7.36.2 numpy==2.4.6 || { echo "cannot install transformers, sentencepiece" >&2; exit 2; }
cd "$dir"
"$dir/venv/bin/python" -W ignore - 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import os, random
import sentencepiece
from transformers import T5Tokenizer
random.seed(0)
words = ["".join(random.choice("aeioubcdfglmnrst") for _ in range(random.randint(3, 9))) for _ in range(300)]
line = lambda n: " ".join(random.choice(words) for _ in range(n))
open("text", "w").write("\n".join(line(8) for _ in range(2000)))
lines = [line(6) for _ in range(48)]
for kind in "bpe", "unigram":
    os.mkdir(kind)
    sentencepiece.SentencePieceTrainer.train(
        input="text", model_prefix=kind + "/spiece", vocab_size=200, model_type=kind, pad_id=0, eos_id=1, unk_id=2,
        bos_id=-1, minloglevel=2)
    own = sentencepiece.SentencePieceProcessor(model_file=kind + "/spiece.model")
    theirs = T5Tokenizer.from_pretrained(kind, extra_ids=0)
    model = type(theirs.backend_tokenizer.model).__name__
    differ = sum(own.encode(s) != theirs(s).input_ids[:-1] for s in lines)
    print(kind, "is read as", model, "and", differ, "of 48 lines have other ids")
    assert model == "Unigram" and (differ > 0) == (kind == "bpe")
PY
