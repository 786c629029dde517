# t2v.mk: from a list of prompts to paired videos, one variant of the model beside the other.
#
#   make fp16 w8a16 MODEL=DIR PROMPTS=FILE SEEDS='123 456' SIZE=832x480 FRAMES=81 STEPS=50
#
#     $(PROMPTS) > $(OUT)/text/prompts > $(OUT)/text/01.safetensors         once for all variants
#                > $(OUT)/fp16/01_seed123.latents.safetensors > $(OUT)/fp16/01_seed123.mp4
#     $(MODEL)   > $(OUT)/model/w8a16.safetensors                           for the variant w8a16
#     $(CALIBRATION) > $(OUT)/model/calibration.safetensors                 for variants that need it
#
# Each arrow is a script in stage/, a file that is there or not, and a recipe: what a file says it was made
# of. Whether it is the one that is wanted is asked of its recipe alone (stage/plan, wan-recipe(1)); no
# age decides. A program runs once a variant for all that is missing (or once a card, many.mk), so a
# model is loaded once, and every file appears under its name when it is whole: interrupted, `make` goes
# on with the rest.
#
#   make plan ...       what would be made, and why; nothing is (also `make -n`, and `make -q` asks)
#   make verify         reads every finished file again and names what is not as it was made
#
# A stage is swapped from the command line:
#
#   make w8a16 DENOISE='build/cpu/wan-denoise --solver dpm++' OUT=dataset-dpm
#
# A variant is a line or two, weights.NAME (what -m gets) and if wanted options.NAME, needs.NAME, film.NAME (its
# options of frames2mp4), and differs.NAME, what else than the model may differ from the others in a comparison (eval.mk): then
# there is `make NAME`. VARIANTS are those that `make videos` makes. A faster solver is
#
#   make experiment VARIANTS='fp16 dpm' weights.dpm=DIR options.dpm='--solver dpm++ -s 20' \
#       differs.dpm=solver,steps
#
# A variant with quantize.NAME is MODEL as wan-quantize makes it with these options, and where these say
# `--stat calibration`, with statistics of what the model computes for the prompts in CALIBRATION:
#
#   make experiment VARIANTS='fp16 int4 gptq' quantize.int4='-t int4-g128' CALIBRATION=others.txt \
#       quantize.gptq='-t int4-g128 --method gptq --stat calibration'
#
# Many variants are said in a file, which is read as part of this one (study.mk is such a file):
#
#   make experiment EXPERIMENT=pipelines/study.mk
#
# Each run leaves a record in $(OUT)/VARIANT/runs: the machine, seconds, exit status, --stats.
#
# A new variable: a line in the table `variables`, which has its default too, and its use in stage/common.sh.
# A new target: a line in the table `targets`.

# Stages that overlap share the cores: a thread that waits does not spin.
export OMP_WAIT_POLICY ?= passive
# Numbers look the same in every country.
export LC_ALL := C

SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c

# ---- the variables of an experiment ----

# Where these rules and their scripts are: `wan-experiment` says it, wherever they were installed; and as a
# word of the shell, whatever it has in it.
RULES ?= pipelines
RULE   = $(call quote,$(RULES))

comma := ,
empty :=
space := $(empty) $(empty)

# $(call refuse,WHAT,MESSAGE): not if there is a WHAT.
refuse = $(if $(strip $(1)),$(error $(2)))

# $(call quote,TEXT): one word for the shell, whatever the text is.
quote = '$(subst ','\'',$(1))'

# $(call rules,FILE...): these files as `include` reads them.
rules = $(foreach f,$(1),$(subst $(space),\ ,$(RULES))/$(f))

include $(call rules,from.mk)

# What is new in the file EXPERIMENT is looked at like what the command line says.
BEFORE := $(.VARIABLES)
ifneq ($(EXPERIMENT),)
EXPERIMENT_FILE := $(subst $(space),\ ,$(EXPERIMENT))
$(if $(wildcard $(EXPERIMENT_FILE)),,$(error EXPERIMENT=$(EXPERIMENT): there is no such file))
include $(EXPERIMENT_FILE)
endif
$(from_there)
SAID := $(filter-out $(BEFORE) BEFORE EXPERIMENT_FILE,$(.VARIABLES))

# Where the programs are, and as a word of the shell.
BUILD   ?= $(or $(O),build/cpu)
PROGRAM  = $(if $(findstring $(space),$(BUILD)),$(call quote,$(BUILD)),$(BUILD))

# Runs elsewhere are of few videos: one that is lost costs little.
ifneq ($(RUN)$(filter sweep,$(MAKECMDGOALS)),)
CHUNK ?= 16
endif

# Defaults are those of the table. ~ stands for a blank, where make would part words.
$(foreach d,$(shell LC_ALL=C awk -f $(RULE)/defaults.awk $(RULE)/variables),$(eval $(subst ~,$(space),$(d))))
override SEEDS := $(strip $(SEEDS))

# What is made to be measured is measured as the model made it, before it was compressed.
ifeq ($(filter mp4,$(MEASURE))$(filter-out undefined,$(origin KEEP_FRAMES)),)
ifneq ($(filter experiment,$(MAKECMDGOALS)),)
KEEP_FRAMES := 1
endif
endif

weights.fp16  = $(MODEL)
options.fp16  = --dtype fp16
weights.bf16  = $(MODEL)
options.bf16  = --dtype bf16
weights.dpm20 = $(MODEL)
options.dpm20 = --dtype fp16 --solver dpm++ -s 20
differs.dpm20 = solver,steps
ifeq ($(origin weights.w8a16),undefined)
quantize.w8a16 ?= -t w8a16
endif
include $(call rules,floor.mk)

export MODEL PROMPTS NEGATIVE SEEDS SIZE FRAMES STEPS GUIDANCE SHIFT FPS VARIANTS OUT BUILD \
       KEEP_FRAMES ENCODE QUANTIZE DENOISE DECODE MP4 TASK CALIBRATION STAT

# $(call own,NAME): refuses a directory that make would read in its own way.
strange = $(shell printf %s $(call quote,$($(1))) | LC_ALL=C tr -d 'A-Za-z0-9._/+,@\200-\377-')
own = $(call refuse,$(if $(strip $($(1))),,none),$(1) is empty: it is the directory of the experiment) \
      $(call refuse,$(word 2,$($(1))),$(1)='$($(1))' has a space$(comma) which make cannot carry) \
      $(if $(call strange,$(1)),$(error $(1)='$($(1))' may have letters$(comma) digits and ._/+,@- only))

# A variable that nothing reads is a slip: STEP=20 would make 50 steps. What is read is in the table
# `variables`, or stands in brackets behind a dollar in one of the makefiles.
PATTERNS  := weights. quantize. options. film. needs. differs.
VARIABLES := $(filter-out %.NAME,$(shell LC_ALL=C sed -n '/^[A-Za-z]/s/	.*//p' $(RULE)/variables))
GIVEN     := $(sort $(foreach v,$(.VARIABLES),$(if $(filter command,$(origin $(v))),$(v))) $(SAID))
UNKNOWN   := $(if $(LEVEL),,$(filter-out $(VARIABLES) $(PATTERNS:%=%%) MAKE%,$(GIVEN)))
UNREAD    := $(if $(UNKNOWN),$(filter-out $(shell LC_ALL=C grep -ohE '[$$][(][A-Za-z_]+[):]|^if(n?)def [A-Z]+' Makefile \
                 $(if $(EXPERIMENT),$(call quote,$(EXPERIMENT))) $(RULE)/*.mk t/*.mk t/*/*.mk 2>/dev/null | sed 's/^if.* //' | tr -d '$$():'),$(UNKNOWN)))
$(if $(UNREAD),$(error nothing reads $(firstword $(UNREAD)): did you mean $(shell \
    printf '%s\n' $(VARIABLES) DEVICE PREFIX $(foreach p,$(PATTERNS),$(p)$(lastword $(subst ., ,$(firstword $(UNREAD))))) \
    | $(RULE)/nearest $(call quote,$(firstword $(UNREAD))))?))

# ---- what is asked for ----

# There are makes one below the other. The first sees that the programs are there, takes the lock of OUT
# and starts the second (LEVEL=held), which does what was asked for in its order. For videos that starts
# a third (LEVEL=below): plans, texts, then all variants at one time, as far as -j goes; and each of them
# starts as many processes as there are cards (LEVEL=task; many.mk).

# A variant with quantize.NAME has its weights in OUT/model, unless they are said to be elsewhere.
QUANTIZED  := $(patsubst quantize.%,%,$(filter quantize.%,$(.VARIABLES)))
BOTH       := $(foreach v,$(QUANTIZED),$(if $(filter-out undefined,$(origin weights.$(v))),$(v)))
CALIBRATED := $(foreach v,$(QUANTIZED),$(if $(findstring --stat calibration,$(subst =, ,$(strip $(quantize.$(v))))),$(v)))
$(call refuse,$(BOTH),weights.$(firstword $(BOTH)) and quantize.$(firstword $(BOTH)): a variant has one of them)
define quantized
weights.$(1) = $$(OUT)/model/$(1).safetensors
options.$(1) ?= --dtype fp16
override needs.$(1) += $$(OUT)/model/$(1).safetensors
endef
$(foreach v,$(QUANTIZED),$(eval $(call quantized,$(v))))

KNOWN  := $(patsubst weights.%,%,$(filter weights.%,$(.VARIABLES)))
MADE   := $(filter $(KNOWN) $(KNOWN:%=%.latents) text videos,$(MAKECMDGOALS))
# Activations of fewer bits are what a variant with --act is compared for, whatever else it says.
$(foreach v,$(KNOWN),$(if $(findstring --act,$(options.$(v))),$(if $(findstring act,$(differs.$(v))),, \
    $(eval override differs.$(v) := $(if $(differs.$(v)),$(differs.$(v))$(comma))act,act_layers))))
NAMED  := $(sort $(filter $(KNOWN),$(MADE:%.latents=%)) $(if $(filter videos experiment trace sweep \
              $(if $(filter $(KNOWN),$(MADE:%.latents=%))$(filter floor,$(MAKECMDGOALS)),,plan),$(MAKECMDGOALS)),$(VARIANTS)))
ASKED  := $(sort $(NAMED) $(if $(filter floor,$(MAKECMDGOALS)),$(FLOOR_REF)))
# What make calls something else.
TARGETS     := $(shell LC_ALL=C sed -n '/^[a-z]/s/	.*//p' $(RULE)/targets)
NO_VARIANTS := $(TARGETS) texts model calibration made held shown planned tables counted described no-clip measured traced \
               always runs pages laid-out twins floored
EXPERIMENT_GOALS := $(MADE) $(filter experiment sweep plan verify eval report trace floor,$(MAKECMDGOALS))

include $(call rules,many.mk)

help:
	@$(RULE)/help $(if $(filter pipelines,$(RULES)),,experiment)

# $(call given,NAME): NAME=VALUE for a command's environment.
given = $(1)=$(call quote,$($(1)))
check-model: | $(TOOLS)
	@$(if $(MODEL),,echo 'check-model: MODEL is needed: a directory or a file' >&2; exit 1;) \
	$(foreach v,BUILD MODEL CLIP OUT SIZE FRAMES,$(call given,$(v))) $(RULE)/check-model
.PHONY: help check-model

# What is asked is checked before anything is made.
CALIBRATES := $(filter $(CALIBRATED),$(ASKED))
ifneq ($(EXPERIMENT_GOALS),)
ifndef LEVEL
$(call refuse,$(filter-out $(KNOWN),$(ASKED)),no variant $(firstword $(filter-out \
    $(KNOWN),$(ASKED))): weights.$(firstword $(filter-out $(KNOWN),$(ASKED)))=DIR makes one. There are $(KNOWN))
$(foreach v,$(filter $(NO_VARIANTS),$(VARIANTS)),$(error a variant cannot be called $(v)))
$(call refuse,$(if $(filter trace,$(MAKECMDGOALS)),$(if $(word 2,$(VARIANTS)),,one)),trace compares variants: \
    VARIANTS='$(VARIANTS)' has no other)
$(call own,OUT)
# Programs that are not built yet are asked when they are.
UNBUILT := $(filter-out $(wildcard $(TOOLS)),$(TOOLS))
CHECKED := MEASURE CONVERSION FIT CLIP DINO LPIPS VMAF METRICS BY_NAME VARIANTS OUT BUILD MEASURES CLIPSCORE FLOWMAG \
           FRAMEDIFF FRAMESTATS DINOSCORE STATS REPORT JUDGE \
           $(if $(ASKED)$(filter text,$(MADE)),MODEL PROMPTS NEGATIVE SEEDS SIZE \
           FRAMES STEPS GUIDANCE SHIFT FPS GPUS CHUNK CALIBRATION CALIBRATES ENCODE QUANTIZE DENOISE DECODE MP4 ASKED \
           $(foreach v,$(ASKED),weights.$(v) quantize.$(v) options.$(v) film.$(v))) \
           $(if $(filter floor,$(MAKECMDGOALS)),TWINS PERTURB FLOOR_REF)
MEASURES := $(if $(ASKED),$(filter eval experiment report sweep floor,$(MAKECMDGOALS)))
CHECK    = $(RULE)/check $(foreach v,$(CHECKED),$(call quote,$(v)=$($(v))))
WRONG   := $(shell $(CHECK) BUILT=$(if $(UNBUILT),,1))
$(call refuse,$(WRONG),$(WRONG))
endif
endif

# $(call below,GOALS): another make for GOALS.
below = $(MAKE) --no-print-directory $(if $(RUN),-k) -f $(RULE)/t2v.mk RULES=$(RULE) \
        $(if $(FROM),FROM=$(call quote,$(FROM))) BUILD=$(call quote,$(BUILD)) $(1)

ifneq ($(EXPERIMENT_GOALS),)
ifndef LEVEL

$(EXPERIMENT_GOALS): held ;
held: | $(TOOLS)
	$(if $(UNBUILT),@$(CHECK) BUILT=1 | { ! grep . >&2; })
	+@VARIANTS=$(call quote,$(or $(NAMED),$(VARIANTS))) $(RULE)/hold $(call quote,$(MAKEFLAGS)) \
	    $(call quote,$(strip $(EXPERIMENT_GOALS))) $(call below,LEVEL=held \
	    DEVICE=$(DEVICE) $(EXPERIMENT_GOALS))

.PHONY: held $(EXPERIMENT_GOALS)
endif
endif

# ---- the second make: in the order of the goals ----

ifeq ($(LEVEL)$(WAN_PLAN),held)
.NOTPARALLEL:

ifneq ($(ASKED)$(filter text,$(MADE)),)
$(sort videos $(MADE)): made ;
made:
	@$(RULE)/stage/prompts
	+@$(call again,$(call below,LEVEL=below $(or $(filter-out videos,$(MADE)) $(if $(filter \
	    videos experiment,$(MAKECMDGOALS)),$(VARIANTS)) $(if $(filter trace,$(MAKECMDGOALS)),$(VARIANTS:%=%.latents)) \
	    $(if $(filter floor,$(MAKECMDGOALS)),$(FLOOR_REF).latents $(FLOOR_REF)),text)))
.PHONY: made videos $(MADE)
endif
endif

ifeq ($(LEVEL),held)
include $(call rules,eval.mk report.mk trace.mk)
endif

# ---- what would be made: the second make of a dry run ----

ifdef WAN_PLAN
$(sort $(EXPERIMENT_GOALS)): shown ;
shown: $(ASKED:%=show.%)
	@$(if $(filter experiment eval report,$(MAKECMDGOALS)),$(if $(filter both,$(MEASURE)),MEASURE=frames) $(RULE)/stage/unmeasured $(VARIANTS)$(if \
	    $(filter both,$(MEASURE)),; OUT=$(OUT)/mp4 MEASURE=mp4 $(RULE)/stage/unmeasured $(VARIANTS)))
	$(if $(filter floor,$(MAKECMDGOALS)),+@$(RULE)/stage/floored plan $(call twins,WAN_PLAN="$$WAN_PLAN/floor"))
	@$(if $(FLOOR),,$(RULE)/stage/shown)
show.%: planned
	@$(call as,$*) $(if $(filter trace,$(EXPERIMENT_GOALS)),$(if $(filter-out trace plan,$(EXPERIMENT_GOALS)),,WAN_LATENTS=1)) $(RULE)/stage/show $(needs.$*)
planned:
	@$(RULE)/stage/prompts $$WAN_PLAN/prompts
.PHONY: shown planned $(sort $(EXPERIMENT_GOALS))
endif

# ---- the third make: plans, texts, variants ----

# $(call as,VARIANT): the environment of its stages.
as = VARIANT=$(1) WEIGHTS=$(call quote,$(weights.$(1))) OPTIONS=$(call quote,$(options.$(1))) \
     QUANTIZATION=$(call quote,$(quantize.$(1))) FILM=$(call quote,$(film.$(1))) \
     $(if $(FLOOR),FLOOR=$(FLOOR) SHARED=$(call quote,$(share.$(1))))

define variant
plan.$(1): $$(needs.$(1))
	$$(if $$(share.$(1)),@$$(call as,$(1)) $(RULE)/stage/share)
	@$$(call as,$(1)) $(RULE)/stage/plan
plan.$(1).latents: $$(needs.$(1))
	@$$(call as,$(1)) $(RULE)/stage/plan latents

$(1).latents: texts
	+@$(RULE)/stage/deal $(1) latents $$(CARDS) $$(CHUNK) $(1).latents $$(OUT)/$(1)/todo.latents.part -- \
	    $$(call below,LEVEL=task TASK=make)
$(1): texts | $(filter $(1).latents,$(MAKECMDGOALS))
	+@$(RULE)/stage/deal $(1) film $$(CARDS) $$(CHUNK) $(1).film $$(OUT)/$(1)/todo.part -- \
	    $$(call below,LEVEL=task TASK=make)

$(1).latents.%:
	@$$(call as,$(1)) CLAIM=$$(call quote,$$(claim)) $(RULE)/stage/latents $$(call dealt,$(1))
$(1).film.%: $(1).latents.%
	@$$(call as,$(1)) CLAIM=$$(call quote,$$(claim)) $(RULE)/stage/film $$(call dealt,$(1))

.PHONY: $(1) $(1).latents plan.$(1) plan.$(1).latents
endef

ifneq ($(filter below task,$(LEVEL))$(filter sweep,$(MAKECMDGOALS)),)
$(foreach v,$(sort $(ASKED) $(filter $(KNOWN),$(basename $(basename $(MAKECMDGOALS))))),$(eval \
    $(call variant,$(v))))

# What the plans of MADE have written.
LISTS = $(foreach g,$(MADE),$(OUT)/$(g:%.latents=%)/todo$(if $(filter %.latents,$(g)),.latents).part)

texts: $(MADE:%=plan.%)
	@$(RULE)/stage/announce $(MADE)
	+@$(RULE)/stage/deal text text 1 1000 text.encode $(LISTS) -- $(call below,LEVEL=task TASK=make)
text: texts
plan.text:
	@$(RULE)/stage/texts
text.encode.%:
	@CLAIM=$(call quote,$(claim)) $(RULE)/stage/text $(call dealt,text)

# Of what these are made is asked each time: their digests say whether they are.
$(QUANTIZED:%=$(OUT)/model/%.safetensors): $(OUT)/model/%.safetensors: always
	@$(call as,$*) $(RULE)/stage/weights $@
$(CALIBRATED:%=$(OUT)/model/%.safetensors): $(OUT)/model/calibration.safetensors
$(OUT)/model/calibration.safetensors: always
	@$(call again,CLAIM=$(call quote,$(claim)) $(RULE)/stage/calibration $@)
always:

.PHONY: text texts plan.text always
endif
