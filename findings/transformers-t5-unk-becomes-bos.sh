#!/bin/sh
# transformers 5: T5Tokenizer does not obey tokenizer.json: <unk> becomes another token, byte fallback is off.
#
# Versions: transformers==5.24.0 with tokenizers==0.23.3; transformers==4.57.3 with tokenizers==0.22.2;
#   sentencepiece==0.2.1, which makes a small unigram model with byte fallback and umT5's first ids: pad 0, </s>
#   1, <unk> 3.
# Behaviour: the tokenizer.json says unk_id 3 and byte_fallback true, and the tokenizers package, reading the
#   file itself, gives the ids that sentencepiece gives: bytes for characters not in the vocabulary. In
#   transformers 5 AutoTokenizer makes a T5Tokenizer, whose constructor takes the vocabulary from the file and
#   builds a new Unigram(unk_id=2, byte_fallback=False): T5's own layout. Every run of unknown characters
#   becomes one id 2, here <s>, while unk_token_id still says 3. transformers 4 obeyed the file. With
#   spiece.model alone version 4 had no byte fallback either, but gave <unk>; version 5 gives <s>.
# Seen: "a XX cat", X a Chinese character: sentencepiece, tokenizers and 4.57.3 give a, space, 3 + 3 byte
#   pieces, cat; 5.24.0 gives a, space, <s>, cat; from spiece.model 4.57.3 gives a, space, <unk>, cat, with a
#   UserWarning about byte fallback. 5.24.0 says nothing.
# Why it matters: video models take their text from umT5, whose <unk> is 3. A prompt (or a negative prompt,
#   which in Wan is Chinese) with a rare character means another text with each version, and nobody sees ids.
# Source: seen by running; read in transformers/models/t5/tokenization_t5.py of 5.24.0 (unk_id=2,
#   byte_fallback=False).
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
    "$dir/v$v/bin/python" - "$v" "$dir" <<'PY' || changed=1
import json, os, shutil, sys
import sentencepiece, transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer
v, dir = int(sys.argv[1]), sys.argv[2]
spm = dir + "/m.model"
if not os.path.exists(spm):
    with open(dir + "/text", "w") as f:
        f.write("a red circle moves right over a blue background\na cat plays in the rain\nthe quick brown fox jumps "
                "over the lazy dog\none two three four five six seven eight nine ten\n" * 20)
    sentencepiece.SentencePieceTrainer.train(input=dir + "/text", model_prefix=dir + "/m", vocab_size=400, byte_fallback=True,
        pad_id=0, eos_id=1, bos_id=2, unk_id=3, character_coverage=1.0, hard_vocab_limit=False, minloglevel=2)
sp = sentencepiece.SentencePieceProcessor(spm)
config = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
for name in "json", "spiece":
    os.makedirs(f"{dir}/{v}{name}")
    with open(f"{dir}/{v}{name}/tokenizer_config.json", "w") as f:
        json.dump(config, f)
shutil.copy(spm, f"{dir}/{v}spiece/spiece.model")
t = Tokenizer(models.Unigram([(sp.id_to_piece(i), sp.get_score(i)) for i in range(len(sp))], unk_id=3, byte_fallback=True))
t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
t.save(f"{dir}/{v}json/tokenizer.json")

text = "a \u732b\u732b cat"
wanted = sp.encode(text) + [1]
auto = {n: AutoTokenizer.from_pretrained(f"{dir}/{v}{n}") for n in ("json", "spiece")}
ids = {"sentencepiece": wanted, "tokenizers, tokenizer.json": Tokenizer.from_file(f"{dir}/{v}json/tokenizer.json").encode(text).ids,
       "AutoTokenizer, tokenizer.json": auto["json"](text)["input_ids"],
       "AutoTokenizer, spiece.model": auto["spiece"](text)["input_ids"]}
print("transformers", transformers.__version__, type(auto["json"]).__name__, "unk_token_id", auto["json"].unk_token_id)
for n, i in ids.items():
    print("   %-30s" % n, i, " ".join(sp.id_to_piece(i)))
ids = list(ids.values())
at, n = next(k for k, i in enumerate(wanted) if sp.is_byte(i)), 6
fused = lambda unk: wanted[:at] + [unk] + wanted[at + n:]
ok = all(sp.is_byte(i) for i in wanted[at:at + n]) and ids[1] == wanted and all(x.unk_token_id == 3 for x in auto.values())
ok &= ids[2:] == ([wanted, fused(3)] if v == 4 else [fused(2), fused(2)])
sys.exit(not ok)
PY
done
[ -z "$changed" ] || { echo "has changed"; exit 1; }
echo "as described"
