# t2v.mk: from a list of prompts to paired videos, one variant of the model beside the other.
#
#   make fp16 w8a16 MODEL=DIR PROMPTS=FILE SEEDS='123 456' SIZE=832x480 FRAMES=81 STEPS=50
#
#     $(PROMPTS) > $(OUT)/text/01.txt > $(OUT)/text/01.safetensors          once for all variants
#                > $(OUT)/fp16/01_seed123.latents.safetensors > $(OUT)/fp16/01_seed123.mp4
#     $(MODEL)   > $(OUT)/model/w8a16.safetensors                           for the variant w8a16
#
# Each arrow is a program and a file (frames too, with KEEP_FRAMES=1: $(OUT)/fp16/*.frames.safetensors).
# A program runs once a variant for all that is missing, so a model is loaded once, and every file
# appears under its name when it is whole: interrupted, `make` goes on with the rest. What a stage
# was asked to do stands in an `options` file; when that changes, what follows from it is made again.
#
# A stage is swapped from the command line: make w8a16 DENOISE='build/cpu/wan-denoise --solver dpm++'
# A variant is a line: weights.NAME (what -m gets), and if wanted options.NAME, needs.NAME; then
# VARIANTS='fp16 w8a16 NAME'.

SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c

MODEL    ?= fixtures/random
PROMPTS  ?= pipelines/prompts.txt
NEGATIVE ?= pipelines/negative.txt
SEEDS    ?= 123
SIZE     ?= 832x480
FRAMES   ?= 81
STEPS    ?= 50
GUIDANCE ?= 5
SHIFT    ?= 5
FPS      ?= 16
VARIANTS ?= fp16 w8a16
OUT      ?= dataset
BUILD    ?= $(or $(O),build/cpu)

ENCODE   ?= $(BUILD)/wan-encode-text
QUANTIZE ?= $(BUILD)/wan-quantize
DENOISE  ?= $(BUILD)/wan-denoise
DECODE   ?= $(BUILD)/wan-vae-decode
MP4      ?= $(BUILD)/frames2mp4
PICK      = $(BUILD)/tensor-pick
SPLIT     = $(BUILD)/tensor-split

weights.fp16  = $(MODEL)
options.fp16  = --dtype fp16
weights.bf16  = $(MODEL)
options.bf16  = --dtype bf16
weights.w8a16 = $(OUT)/model/w8a16.safetensors
options.w8a16 = --dtype fp16
needs.w8a16   = $(OUT)/model/w8a16.safetensors

$(if $(word 2,$(OUT)),$(error OUT='$(OUT)' has a space, which make cannot carry))

# ---- which files ----

PROMPT_COUNT := $(shell grep -c '[^[:space:]]' '$(PROMPTS)' 2>/dev/null || echo 0)
NUMBERS  := $(shell seq -f %02.0f $(PROMPT_COUNT) 2>/dev/null)
JOBS     := $(foreach n,$(NUMBERS),$(foreach s,$(SEEDS),$(n)_seed$(s)))
LINES    := $(NUMBERS:%=$(OUT)/text/%.txt)
CONTEXTS := $(NUMBERS:%=$(OUT)/text/%.safetensors)

# `missing` prints the jobs whose file is not there or older than what it follows from.
MISSING    = pipelines/missing
IF_CHANGED = pipelines/write-if-changed

videos: $(VARIANTS)

# ---- text: shared by the variants ----

$(LINES) &: FORCE
	@mkdir -p $(OUT)/text
	@pipelines/one-line-a-file $(OUT)/text < '$(PROMPTS)'

$(OUT)/text/options: FORCE
	@mkdir -p $(@D)
	@echo "$(ENCODE) -m '$(MODEL)'" | $(IF_CHANGED) $@

$(CONTEXTS) &: $(LINES) $(NEGATIVE) $(OUT)/text/options | $(TOOLS)
	todo=$$($(MISSING) $(OUT)/text/%n.safetensors $(OUT)/text/%n.txt $(NEGATIVE) \
	    $(OUT)/text/options -- $(NUMBERS)); \
	for n in $$todo; do cat $(OUT)/text/$$n.txt; done \
	| $(ENCODE) -m '$(MODEL)' --negative-file '$(NEGATIVE)' \
	| $(SPLIT) $$(printf '$(OUT)/text/%s.safetensors ' $$todo)

# ---- weights of a variant ----

$(OUT)/model/w8a16.options: FORCE
	@mkdir -p $(@D)
	@echo "$(QUANTIZE) -t w8a16 -m '$(MODEL)'" | $(IF_CHANGED) $@

$(OUT)/model/w8a16.safetensors: $(OUT)/model/w8a16.options | $(TOOLS)
	$(QUANTIZE) -t w8a16 -m '$(MODEL)' > $@.part && mv $@.part $@

# ---- one variant ----

define variant
LATENTS.$(1) := $$(JOBS:%=$$(OUT)/$(1)/%.latents.safetensors)
VIDEOS.$(1)  := $$(JOBS:%=$$(OUT)/$(1)/%.mp4)
SAMPLE.$(1)   = $$(DENOISE) -m '$$(weights.$(1))' $$(options.$(1)) --size $$(SIZE) \
                --frames $$(FRAMES) -s $$(STEPS) -g $$(GUIDANCE) -F $$(SHIFT) --progress

$(1): $$(VIDEOS.$(1))
	@test $(PROMPT_COUNT) -gt 0 || { echo "no prompts in '$(PROMPTS)'" >&2; exit 1; }

$$(OUT)/$(1)/options: FORCE
	@mkdir -p $$(@D)
	@echo "$$(SAMPLE.$(1))" | $$(IF_CHANGED) $$@

$$(LATENTS.$(1)) &: $$(CONTEXTS) $$(OUT)/$(1)/options $$(needs.$(1)) | $$(TOOLS)
	todo=$$$$($$(MISSING) $$(OUT)/$(1)/%j.latents.safetensors $$(OUT)/text/%n.safetensors \
	    $$(OUT)/$(1)/options $$(needs.$(1)) -- $$(JOBS)); \
	for j in $$$$todo; do \
	    $$(PICK) -k seed=$$$${j#*_seed} -k variant=$(1) $$(OUT)/text/$$$${j%%_*}.safetensors || exit 1; \
	done | $$(SAMPLE.$(1)) \
	| $$(SPLIT) $$$$(printf '$$(OUT)/$(1)/%s.latents.safetensors ' $$$$todo)

$$(VIDEOS.$(1)) &: $$(LATENTS.$(1)) | $$(TOOLS)
	todo=$$$$($$(MISSING) $$(OUT)/$(1)/%j.mp4 $$(OUT)/$(1)/%j.latents.safetensors -- $$(JOBS)); \
	cat $$$$(printf '$$(OUT)/$(1)/%s.latents.safetensors ' $$$$todo) \
	| $$(DECODE) -m '$$(MODEL)' \
	$$(if $$(KEEP_FRAMES),| $$(SPLIT) --pass $$$$(printf '$$(OUT)/$(1)/%s.frames.safetensors ' $$$$todo)) \
	| $$(MP4) -r $$(FPS) $$$$(printf '$$(OUT)/$(1)/%s.mp4 ' $$$$todo)

.PRECIOUS: $$(LATENTS.$(1)) $$(VIDEOS.$(1))
endef
$(foreach v,$(VARIANTS),$(eval $(call variant,$(v))))

FORCE:
.PHONY: videos FORCE $(VARIANTS)
.PRECIOUS: $(CONTEXTS) $(LINES)
