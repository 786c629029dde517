# t2v.mk: from a list of prompts to paired videos, one variant of the model beside the other.
#
#   make fp16 w8a16 MODEL=DIR PROMPTS=FILE SEEDS='123 456' SIZE=832x480 FRAMES=81 STEPS=50
#
#     $(PROMPTS) > $(OUT)/text/01.txt > $(OUT)/text/01.safetensors          once for all variants
#                > $(OUT)/fp16/01_seed123.latents.safetensors > $(OUT)/fp16/01_seed123.mp4
#     $(MODEL)   > $(OUT)/model/w8a16.safetensors                           for the variant w8a16
#
# Each arrow is a program and a file (frames too, with KEEP_FRAMES=1:
# $(OUT)/fp16/*.frames.safetensors). A program runs once a variant for all that is missing (or once
# a card, many.mk), so a model is loaded once, and every file appears under its name when it is
# whole: interrupted, `make` goes on with the rest. What a stage was asked to do stands in an
# `options` file; when that changes, what follows from it is made again.
#
# A stage is swapped from the command line:
#
#   make w8a16 DENOISE='build/cpu/wan-denoise --solver dpm++' OUT=dataset-dpm
#
# A variant is a line or two, weights.NAME (what -m gets) and if wanted options.NAME, needs.NAME, and
# differs.NAME, what else than the model may differ from the others in a comparison (eval.mk): then
# there is `make NAME`. VARIANTS are those that `make videos` makes. A faster solver is
#
#   make experiment VARIANTS='fp16 dpm' weights.dpm=DIR options.dpm='--solver dpm++ -s 20' \
#       differs.dpm=solver,steps
#
# Each run leaves a record in $(OUT)/VARIANT/runs: the machine, seconds, exit status, --stats.

# Stages that overlap share the cores: a thread that waits does not spin.
export OMP_WAIT_POLICY ?= passive

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
weights.dpm20 = $(MODEL)
options.dpm20 = --dtype fp16 --solver dpm++ -s 20
differs.dpm20 = solver,steps

comma := ,

# $(call refuse,WHAT,MESSAGE): not if there is a WHAT.
refuse = $(if $(strip $(1)),$(error $(2)))

# $(call quote,TEXT): one word for the shell, whatever the text is.
quote = '$(subst ','\'',$(1))'

# $(call own,NAME): refuses a file's name that make or the shell would read in their own way.
strange = $(shell printf %s $(call quote,$($(1))) | LC_ALL=C tr -d 'A-Za-z0-9._/+,@\200-\377-')
own = $(call refuse,$(word 2,$($(1))),$(1)='$($(1))' has a space$(comma) which make cannot carry) \
      $(if $(call strange,$(1)),$(error $(1)='$($(1))' may have letters$(comma) digits and ._/+,@- only))

# $(call record,FILE,TEXT): FILE holds TEXT, and is as old as that is true.
record = $(shell mkdir -p $(dir $(1)) && pipelines/write-if-changed $(1) <<< $(call quote,$(2)))

# $(call lock,DIR): one make at a time works in DIR, so that two at once do not write the same file:
# the second waits, and finds that there is nothing to do. What a killed one left half goes. (Tasks
# of a sweep share DIR, many.mk.)
lock = exec {lock}>>$(1).lock && { flock -n $$lock || \
           { echo '$@: another make is at work there: waiting' >&2; flock $$lock; }; } && \
       pipelines/clear-parts $(1) || exit

include $(dir $(lastword $(MAKEFILE_LIST)))many.mk

# A stage is one recipe for many files: it asks `missing` which jobs' file is absent or older than
# what it follows from, and makes those in one process. $(call missing,FILE,INPUTS,JOBS) sets todo,
# of those in the file JOBS, and ends the recipe where nothing is.
missing = $(share); todo=$$(pipelines/missing $(1) $(2) < $(3)); \
          [ "$$todo" ] || exit 0; echo $@: $$todo

# Only asked for a video are the prompts looked at and laid out one a file, and what the stages are
# asked to do written down. `make -n` does that much too. A make below another finds the
# prompts laid out, and one with a TASK the rest as well.
KNOWN := $(patsubst weights.%,%,$(filter weights.%,$(.VARIABLES)))
ASKED := $(sort $(filter $(KNOWN),$(basename $(basename $(MAKECMDGOALS)))) \
                $(filter $(KNOWN),$(MAKECMDGOALS:%.latents=%)) \
                $(if $(filter videos experiment sweep,$(MAKECMDGOALS)),$(VARIANTS)))
ifneq ($(ASKED)$(filter text text.%,$(MAKECMDGOALS))$(TASK),)

ifndef TASK

$(call refuse,$(filter-out $(KNOWN),$(ASKED)),no variant of VARIANTS='$(VARIANTS)' but: $(KNOWN))
$(call refuse,$(filter 0,$(STEPS)),STEPS=0 would make videos of noise)
$(call own,OUT)
$(call own,NEGATIVE)
$(call refuse,$(findstring ',$(MODEL)),MODEL=$(MODEL) has a quote)
$(call refuse,$(findstring ',$(PROMPTS)),PROMPTS=$(PROMPTS) has a quote)
$(call refuse,$(if $(strip $(SEEDS)),,none),SEEDS is empty: at least one is needed)
$(call refuse,$(shell printf '%s\n' $(SEEDS) | grep -vx '[0-9]*'),SEEDS='$(SEEDS)' are not numbers)
$(call refuse,$(filter-out $(words $(SEEDS)),$(words $(sort $(SEEDS)))),SEEDS has one twice)
$(call refuse,$(word 2,$(GPUS)),GPUS='$(GPUS)' has a space: 0$(comma)1$(comma)2)
$(call refuse,$(shell grep -vx '[1-9][0-9]*' <<< $(call quote,$(CHUNK))),\
    CHUNK='$(CHUNK)' is no number of videos)

ifndef LAID_OUT
NUMBERS := $(shell pipelines/one-line-a-file '$(OUT)/text' < '$(PROMPTS)')
$(call refuse,$(if $(NUMBERS),,none),there are no prompts in '$(PROMPTS)')

JOBS := $(foreach n,$(NUMBERS),$(foreach s,$(SEEDS),$(n)_seed$(s)))
endif

# $(call files,PATTERNS): name, bytes and time of MODEL's files, so that another checkpoint under
# the same name is noticed.
files = $(shell cd '$(MODEL)' && stat -L -c '%n %s %Y' $(1) 2>/dev/null)
text_files := $(call files,*t5* google/umt5-xxl/*)
dit_files  := $(call files,*diffusion* config.json)
vae_files  := $(call files,*VAE* *vae*)

$(call record,$(OUT)/text/options,$(ENCODE) -m '$(MODEL)' $(text_files))

endif # TASK

# A run of STAGE, recorded in DIR/runs: $(call begin,DIR,STAGE) sets run, the record's directory;
# $(end), behind the line of programs, ends the recipe with their greatest exit status.
begin = run=$$(pipelines/begin-run $(OUT)/$(1)/runs $(2) $(call dealt,$(1))) || exit
end   = pipelines/end-run $$run $${PIPESTATUS[@]}

# All variants at one time, as far as -j goes.
videos: | $(TOOLS)
	+@$(call below,$(VARIANTS))

# ---- text: shared by the variants ----

text_inputs = $(OUT)/text/%n.txt $(NEGATIVE) $(OUT)/text/options
no_text     = pipelines/missing $(OUT)/text/%n.safetensors $(text_inputs) < $(OUT)/text/numbers

text: | $(TOOLS)
	+@$(call deal,text,encode,1,1000,$(no_text))

text.encode.%:
	@$(call missing,$(OUT)/text/%n.safetensors,$(text_inputs),$(call dealt,text)); \
	work() { \
	    $(call begin,text,text); \
	    cat $$(printf '$(OUT)/text/%s.txt ' $$todo) \
	    | $(ENCODE) -m '$(MODEL)' --negative-file '$(NEGATIVE)' --stats $$run/wan-encode-text.json \
	    | $(SPLIT) $$(printf '$(OUT)/text/%s.safetensors ' $$todo); $(end); \
	}; $(on_card)

# ---- weights of a variant ----

quantize = $(QUANTIZE) -t w8a16 -m '$(MODEL)'

$(if $(TASK),,$(if $(filter w8a16,$(ASKED)),$(call \
    record,$(OUT)/model/w8a16.options,$(quantize) $(dit_files))))

$(OUT)/model/w8a16.safetensors: $(OUT)/model/w8a16.options | $(TOOLS)
	@$(call lock,$(@D)/); [ ! $@ -nt $< ] || exit 0; echo $@; \
	$(quantize) > $@.part && mv $@.part $@ || { rm -f $@.part; exit 1; }

# ---- one variant: NAME.latents, then NAME ----

film = $(DECODE) -m '$(MODEL)' $(if $(KEEP_FRAMES),| $(SPLIT) --pass FRAMES )| $(MP4) -r $(FPS)

# All jobs, a line each: every prompt with every seed.
jobs = awk -v seeds='$(SEEDS)' '{ n = split(seeds, seed, " "); \
           for (i = 1; i <= n; i++) print $$0 "_seed" seed[i] }' $(OUT)/text/numbers

define variant
sample.$(1) = $$(DENOISE) -m '$$(weights.$(1))' --size $$(SIZE) --frames $$(FRAMES) -s $$(STEPS) \
              -g $$(GUIDANCE) -F $$(SHIFT) --progress $$(options.$(1))

$$(if $$(TASK),,$$(call record,$$(OUT)/$(1)/options,$$(sample.$(1)) $$(dit_files)))
$$(if $$(TASK),,$$(call record,$$(OUT)/$(1)/film.options,$$(film) $$(vae_files)))

latents_inputs.$(1) = $$(OUT)/text/%n.safetensors $$(OUT)/$(1)/options $$(needs.$(1))
film_inputs.$(1)    = $$(OUT)/$(1)/%j.latents.safetensors $$(OUT)/$(1)/film.options

no_latents.$(1) = $$(jobs) | pipelines/missing $$(OUT)/$(1)/%j.latents.safetensors \
                  $$(text_inputs) $$(latents_inputs.$(1))
no_film.$(1)    = { $$(no_latents.$(1)); $$(jobs) | pipelines/missing $$(OUT)/$(1)/%j.mp4 \
                  $$(film_inputs.$(1)); } | sort -u

$(1).latents: text $$(needs.$(1)) | $$(TOOLS)
	+@$$(call deal,$(1),latents,$$(CARDS),$$(CHUNK),$$(no_latents.$(1)))

$(1): text $$(needs.$(1)) | $$(TOOLS) $(filter $(1).latents,$(MAKECMDGOALS))
	+@$$(call deal,$(1),film,$$(CARDS),$$(CHUNK),$$(no_film.$(1)))

$(1).latents.%:
	@$$(call missing,$$(OUT)/$(1)/%j.latents.safetensors,$$(latents_inputs.$(1)),$$(call \
	    dealt,$(1))); \
	work() { \
	    $$(call begin,$(1),latents); \
	    for job in $$$$todo; do \
	        $$(PICK) -k seed=$$$${job#*_seed} -k variant=$(1) \
	            $$(OUT)/text/$$$${job%%_*}.safetensors || exit 1; \
	    done | $$(sample.$(1)) --stats $$$$run/wan-denoise.json \
	    | $$(SPLIT) $$$$(printf '$$(OUT)/$(1)/%s.latents.safetensors ' $$$$todo); $$(end); \
	}; $$(on_card)

$(1).film.%: $(1).latents.%
	@$$(call missing,$$(OUT)/$(1)/%j.mp4,$$(film_inputs.$(1)),$$(call dealt,$(1))); \
	work() { \
	    $$(call begin,$(1),film); \
	    cat $$$$(printf '$$(OUT)/$(1)/%s.latents.safetensors ' $$$$todo) \
	    | $$(DECODE) -m '$$(MODEL)' --stats $$$$run/wan-vae-decode.json \
	    $$(if $$(KEEP_FRAMES),| $$(SPLIT) --pass \
	        $$$$(printf '$$(OUT)/$(1)/%s.frames.safetensors ' $$$$todo)) \
	    | $$(MP4) -r $$(FPS) --stats $$$$run/frames2mp4.json \
	        $$$$(printf '$$(OUT)/$(1)/%s.mp4 ' $$$$todo); $$(end); \
	}; $$(on_card)

.PHONY: $(1) $(1).latents
endef
$(foreach v,$(ASKED),$(eval $(call variant,$(v))))

.PHONY: videos text

endif
