# floor.mk: what an evaluation cannot tell from nothing: twins of the reference, which differ from it by rounding or
# by the codec alone, measured as variants are.
#
#   make floor MODEL=DIR CLIP=DIR
#
#     perturb   --perturb PERTURB: the initial noise changed in its last bit      sampled
#     bf16      --dtype bf16 (of a reference in bf16: fp16)                       sampled
#     reencode  its mp4 decoded and coded once more
#     dither    its frames changed by at most one level before they are coded
#     frames    its frames as they were decoded from latents, for its mp4 (MEASURE=frames: its mp4 for its frames)
#
#     $(OUT)/fp16/01_seed123.latents.safetensors > $(OUT)/floor/fp16/dither/01_seed123.mp4
#     $(OUT)/floor/fp16/fp16 and TWIN            > $(OUT)/floor/fp16/pairs.csv > $(OUT)/floor.csv
#
# The reference is the first of VARIANTS. Twins are an experiment in $(OUT)/floor/REFERENCE, of TWINS as variants and
# the reference as what they are compared with, by the rules of t2v.mk and eval.mk: so what is there is known by
# its recipe, and a video is made and measured once. Latents, texts and mp4 that the reference has are links
# there. Frames are kept without loss in an mp4, so that one way of measuring serves all. floor.csv is what
# pair-stats(1) says of each metric and twin; a table of it is printed. `make sweep floor` makes it before the sweep's
# tables; where it is there, tables and report of any evaluation have it beside the effects.

export TWINS PERTURB

FLOOR_REF := $(firstword $(VARIANTS))
override FLOOR := $(if $(filter command,$(firstword $(origin FLOOR))),$(FLOOR))

# ---- in the experiment of twins, FLOOR is the reference, FLOOR_OF the experiment that it comes from ----

ifneq ($(FLOOR),)

# Weights that were made for it are there.
ifneq ($(origin quantize.$(FLOOR)),undefined)
override weights.$(FLOOR) := $(FLOOR_OF)/model/$(FLOOR).safetensors
options.$(FLOOR) ?= --dtype fp16
override undefine quantize.$(FLOOR)
endif

# $(call twin,NAME,OPTIONS,FILM,MAY-DIFFER,SHARED): the reference with further options of wan-denoise; its options of
# frames2mp4; whose latents it has.
define twin
override undefine quantize.$(1)
override weights.$(1) = $$(weights.$(FLOOR))
override needs.$(1) = $$(needs.$(FLOOR))
override options.$(1) = $$(options.$(FLOOR)) $(2)
override film.$(1) := $(3)
override differs.$(1) := $(4)
override share.$(1) := $(5)
endef
FLOOR_FILM  := $(film.$(FLOOR))
FLOOR_EXACT := $(if $(filter frames,$(FLOOR_MEASURE)),--lossless)
FLOOR_DIR   := $(FLOOR_OF)/$(FLOOR)
FLOOR_MAY   := $(if $(FLOOR_EXACT),$(comma)lossless)
override film.$(FLOOR)  := $(strip $(FLOOR_FILM) $(FLOOR_EXACT))
override share.$(FLOOR) := $(FLOOR_DIR)
$(eval $(call twin,perturb,--perturb $(PERTURB),$(film.$(FLOOR)),perturb))
$(foreach t,$(filter bf16 fp16,$(VARIANTS)),$(if $(filter $(FLOOR),$(t)),,$(eval \
    $(call twin,$(t),--dtype $(t),$(film.$(FLOOR))))))
$(eval $(call twin,reencode,,$(FLOOR_FILM) --generations 2,generations$(FLOOR_MAY),$(FLOOR_DIR)))
$(eval $(call twin,dither,,$(film.$(FLOOR)) --dither $(PERTURB),dither,$(FLOOR_DIR)))
$(eval $(call twin,frames,,$(FLOOR_FILM) $(if $(FLOOR_EXACT),,--lossless),lossless,$(FLOOR_DIR)))
endif

# ---- in the experiment itself ----

# $(call twins,VARIABLES): another make for the experiment of twins.
FLOOR_16  = $(if $(findstring --dtype bf16,$(subst =, ,$(options.$(FLOOR_REF)))),fp16,bf16)
FLOOR_TWINS = $(patsubst bf16,$(FLOOR_16),$(TWINS))
# Measured is what the experiment measures, as it says or did last or would by its videos; where there are none, frames.
FLOOR_MEASURED := $(if $(filter floor,$(MAKECMDGOALS)),$(or $(patsubst both,frames,$(MEASURE)),$(if $(KEEP_FRAMES),frames),$(shell \
    BUILD=$(PROGRAM) OUT=$(OUT) SEEDS=1 MEASURE= CONVERSION=$(call quote,$(CONVERSION)) \
    FRESH=$(if $(filter experiment,$(MAKECMDGOALS)),frames,$(if $(filter eval report,$(MAKECMDGOALS)),mp4,frames)) $(RULE)/stage/floored measured $(VARIANTS))))
twins = $(call below,LEVEL=held FLOOR=$(FLOOR_REF) FLOOR_OF=$(OUT) FLOOR_MEASURE=$(FLOOR_MEASURED) OUT=$(OUT)/floor/$(FLOOR_REF) \
        VARIANTS=$(call quote,$(FLOOR_REF) $(FLOOR_TWINS)) MEASURE=mp4 KEEP_FRAMES= $(1) videos eval)

ifeq ($(LEVEL),held)
ifneq ($(filter sweep,$(MAKECMDGOALS)),)
floor: sweep ; # whose last job makes it
else ifneq ($(if $(WAN_PLAN),,$(filter floor,$(MAKECMDGOALS))),)

floor: made twins floored
tables: $(filter floor,$(MAKECMDGOALS))
twins: made
	@$(RULE)/stage/floored begin $(FLOOR_REF) $(FLOOR_TWINS)
	+@$(call again,$(call twins))
floored: twins
	@FLOOR_MEASURE=$(FLOOR_MEASURED) MODEL=$(call quote,$(if $(quantize.$(FLOOR_REF)),$(MODEL),$(weights.$(FLOOR_REF)))) $(RULE)/stage/floored end $(FLOOR_REF) $(FLOOR_TWINS)

.PHONY: floor twins floored

endif
endif
