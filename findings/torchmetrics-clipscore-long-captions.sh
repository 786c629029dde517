#!/bin/sh
# torchmetrics: CLIPScore gives all captions of more than 77 tokens one score, that of the start token.
#
# Versions: torchmetrics==1.9.0, transformers==4.57.3, tokenizers==0.22.2, torch==2.15.0, torchvision==0.29.2,
#   numpy==2.4.6. (With transformers 5.24.0 this CLIPScore raised AttributeError: features are no tensor there.)
# Behaviour: a caption that is longer than the model's 77 positions is cut by slicing its ids, so the end-of-text
#   token is cut off. transformers takes the text's feature where the end token is: at the first id equal to
#   eos_token_id, or, where the configuration says 2 as older ones do, at the greatest id. Without an end token
#   both are position 0, the start token, which sees nothing after it. The tokenizer's own truncation=True keeps
#   the end token. A warning says that captions are truncated, not that they are no longer read.
# Seen: a small CLIP with random weights, one picture, two captions of 128 words without a sentence in common:
#   28.713 and 28.713, equal to the last bit, and so with eos_token_id 2; the start token alone 28.713; with
#   truncation=True 35.269 and 30.141. Of 16 words: 14.987 and 45.508, with truncation=True and without.
# Why it matters: prompts of video models often have more than 77 tokens. Their "CLIP score" then depends on the
#   frames alone, and a prompt that was not followed costs nothing.
# Source: seen by running; torchmetrics/functional/multimodal/clip_score.py slices, transformers'
#   CLIPTextTransformer has both rules. torchmetrics' issue 2883 speaks of lower scores of such captions.
# Needs python3 with venv and 7 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 torchvision==0.29.2 \
    numpy==2.4.6 transformers==4.57.3 tokenizers==0.22.2 huggingface-hub==0.36.2 torchmetrics==1.9.0 ||
    { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" - "$dir" 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import json, sys, warnings
import torch, torchmetrics, transformers
from torchmetrics.multimodal import CLIPScore
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizerFast
dir, start, end = sys.argv[1], 49406, 49407
assert torchmetrics.__version__ == "1.9.0" and transformers.__version__ == "4.57.3"
fox = "a red fox runs across a snowy field under a clear blue sky while crows watch"
sailor = "an old sailor mends his torn net beside the harbour at night as heavy rain falls"
captions = {"short": (fox, sailor), "long": (" ".join([fox] * 8), " ".join([sailor] * 8))}

# A tokenizer of CLIP's kind: the start and the end have CLIP's ids, the words are these captions' alone.
letters = sorted(set(fox + sailor) - {" "})
pieces, merges = letters + [c + "</w>" for c in letters], []
for word in sorted(set((fox + " " + sailor).split())):
    left, *rest = [*word[:-1], word[-1] + "</w>"]
    for right in rest:
        merges += [] if left + right in pieces else [left + " " + right]
        pieces += [] if left + right in pieces else [left + right]
        left += right
with open(dir + "/vocab.json", "w") as f:
    json.dump({**{p: i for i, p in enumerate(pieces)}, "<|startoftext|>": start, "<|endoftext|>": end}, f)
with open(dir + "/merges.txt", "w") as f:
    f.write("\n".join(["#version: 0.2", *merges, ""]))
tokenizer = CLIPTokenizerFast(dir + "/vocab.json", dir + "/merges.txt", model_max_length=77)
images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
processor = CLIPProcessor(images, tokenizer)
def truncating(**given):
    return processor(**given, truncation=True) if "text" in given else processor(**given)
def starting(**given): # the start token alone, whatever the caption
    one = torch.tensor([[start]])
    return {"input_ids": one, "attention_mask": one * 0 + 1} if "text" in given else processor(**given)
ids = {name: [tokenizer(c)["input_ids"] for c in pair] for name, pair in captions.items()}
print("tokens:", {name: [len(i) for i in pair] for name, pair in ids.items()})
ok = all(len(i) < 77 for i in ids["short"]) and all(len(i) > 77 for i in ids["long"])
ok &= all(i[0] == start and i[-1] == end for pair in ids.values() for i in pair)

picture = torch.randint(256, (3, 48, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
for eos in end, 2:
    torch.manual_seed(13) # with it no cosine is negative, which would count as 0
    text = {**small, "bos_token_id": start, "eos_token_id": eos, "initializer_factor": 5.0}
    vision = {**small, "image_size": 32, "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).eval()
    assert model.config.text_config.max_position_embeddings == 77
    def score(caption, processor):
        metric = CLIPScore(lambda: (model, processor))
        with warnings.catch_warnings(record=True) as caught, torch.no_grad():
            warnings.simplefilter("always")
            metric.update(picture, caption)
            return metric.compute().item(), sum("longer than" in str(w.message) for w in caught)
    seen = {}
    for name, pair in captions.items():
        for how, p in ("as given", processor), ("truncation=True", truncating):
            (a, warned), (b, _) = seen[name, how] = [score(c, p) for c in pair]
            print("eos_token_id %-5d %-5s %-15s: %.3f and %.3f, %s, warnings each %d"
                  % (eos, name, how, a, b, "equal" if a == b else "different", warned))
    alone, _ = score("", starting)
    print("eos_token_id %-5d the start token alone: %.3f" % (eos, alone))
    (a, b), (c, d) = seen["long", "as given"], seen["long", "truncation=True"]
    ok &= min(a[0], b[0], c[0], d[0]) > 1 and a[0] == b[0] and abs(a[0] - alone) < 1e-3 and a[1] == b[1] == 1
    ok &= abs(c[0] - d[0]) > 1 and abs(c[0] - a[0]) > 1 and abs(d[0] - a[0]) > 1 and c[1] == d[1] == 0
    a, b = seen["short", "as given"]
    ok &= abs(a[0] - b[0]) > 1 and seen["short", "truncation=True"] == [a, b]
print("as described" if ok else "not so")
sys.exit(not ok)
PY
