# eval.mk: from videos to tables: metrics of each video, of each pair, and what they say together.
#
#   make eval CLIP=DIR               measures the videos that are in $(OUT)
#   make fp16 w8a16 eval CLIP=DIR    makes them first
#   make experiment CLIP=DIR         all of VARIANTS, then eval and report (report.mk)
#
#     $(OUT)/fp16/01_seed123.mp4 > $(OUT)/eval/fp16/01_seed123.json          what it says of itself
#                                > $(OUT)/eval/fp16/01_seed123.clip.tsv      clipscore, a line a frame
#                                > $(OUT)/eval/fp16/01_seed123.motion.tsv    flowmag, a line a frame
#     two videos of one name     > $(OUT)/eval/fp16_vs_w8a16/01_seed123.diff.tsv     framediff
#     all of these               > $(OUT)/*.csv, $(OUT)/experiment.json      wan-experiment(5)
#
# The first of VARIANTS is what the others are compared with. Videos of one name must be strict pairs
# (pair-check(1)); if one is not, is missing or broken, all that is wrong is said and nothing is
# measured. With `make -k` (--keep-going) the others are, and make fails at the end.
#
# VARIANTS may be directories of mp4 files made elsewhere: those without a record of how they were
# made are paired by their names. MEASURE=frames measures the frames kept by KEEP_FRAMES=1 in place
# of the mp4. CLIP is a directory as clipscore(1) wants it; without one its columns stay empty.

MEASURE   ?= mp4
FIT       ?= crop
CLIPSCORE ?= $(BUILD)/clipscore
FLOWMAG   ?= $(BUILD)/flowmag
FRAMEDIFF ?= $(BUILD)/framediff
STATS     ?= $(BUILD)/pair-stats

# The small random checkpoint has a small random CLIP beside it; scores by it mean nothing.
ifeq ($(MODEL),fixtures/random)
CLIP ?= $(OUT)/model/clip
endif

ifneq ($(filter eval experiment report,$(MAKECMDGOALS)),)

.NOTPARALLEL: # goals in their order: videos, then eval

$(call refuse,$(filter-out mp4 frames,$(MEASURE)),MEASURE is mp4 or frames$(comma) not '$(MEASURE)')
$(call own,OUT)
$(call own,CLIP)
$(call refuse,$(if $(strip $(VARIANTS)),,none),VARIANTS is empty)

EVAL      := $(OUT)/eval
ENDING    := $(if $(filter frames,$(MEASURE)),frames.safetensors,mp4)
READ      := $(if $(filter frames,$(MEASURE)),cat,$(BUILD)/mp42frames -q)
REFERENCE := $(firstword $(VARIANTS))
OTHERS    := $(filter-out $(REFERENCE),$(VARIANTS))
PAIRS     := $(OTHERS:%=$(REFERENCE)_vs_%)

# What is being made, or else what is there.
FOUND := $(sort $(foreach v,$(VARIANTS),$(patsubst $(OUT)/$(v)/%.$(ENDING),%,\
             $(wildcard $(OUT)/$(v)/*.$(ENDING)))))
NAMES := $(sort $(or $(JOBS),$(FOUND)))
$(call refuse,$(if $(NAMES),,none),there are no videos in $(VARIANTS:%=$(OUT)/%))

# Thousands of names are too many for a line of the shell: they are in a file.
$(shell mkdir -p $(EVAL))
new := $(EVAL)/names.part.$(shell echo $$PPID)
$(file >$(new),$(NAMES))
$(call refuse,$(shell tr ' ' '\n' < $(new) | grep -vx '[A-Za-z0-9._+-]*'; \
    pipelines/write-if-changed $(EVAL)/names < $(new); rm $(new)),\
    videos' names may have letters$(comma) digits and ._+- only)
names := $$(<$(EVAL)/names)

# The small CLIP is unpacked when it is wanted: that it is new then means nothing.
OWN_CLIP   := $(filter $(OUT)/model/clip,$(CLIP))
clip_files := $(shell cd '$(or $(OWN_CLIP:%=fixtures/clip),$(CLIP),.)' 2>/dev/null && \
                  stat -L -c '%n %s %Y' *)

$(call record,$(EVAL)/options,measured	$(MEASURE))
$(if $(CLIP),$(call record,$(EVAL)/clip.options,$(CLIPSCORE) --fit $(FIT) $(clip_files)))

experiment: videos eval
eval: $(VARIANTS:%=%.look) $(PAIRS:%=%.check) $(if $(CLIP),$(VARIANTS:%=%.clip),no-clip) \
      $(VARIANTS:%=%.motion) $(PAIRS:%=%.diff) tables

# Which CLIP it is that measures: for experiment.json.
clip_record = [ $(EVAL)/clip -nt $(EVAL)/clip.options ] || { \
                  { printf 'clip\t%s\nfit\t%s\nclip_sha256\t' '$(notdir $(CLIP))' $(FIT); \
                    sha256sum < '$(CLIP)/model.safetensors' | cut -d ' ' -f 1; \
                  } > $(EVAL)/clip.part.$$$$ && mv $(EVAL)/clip.part.$$$$ $(EVAL)/clip; }

clipscore = $(CLIPSCORE) -m $(CLIP) --fit $(FIT) --per-frame

# ---- a variant: NAME.look, NAME.clip, NAME.motion ----

define measured
$(1).look: | $$(TOOLS)
	@pipelines/look $$(OUT)/$(1) $$(EVAL)/$(1) $$(ENDING) $$(EVAL)/options $$(BUILD)/tensor-info \
	    '$$(READ)' $$(names)

$(1).clip: | $$(TOOLS) $$(OWN_CLIP)
	@$$(call again,CLAIM='$$(claim)' pipelines/measure $$(EVAL)/$(1)/%j.clip.tsv \
	    '$$(EVAL)/$(1)/%j.json $$(EVAL)/clip.options' \
	    '$$(READ) $$$$(of $$(OUT)/$(1)/%j.$$(ENDING)) | $$(clipscore)' $$(names))
	@$$(clip_record)

$(1).motion: | $$(TOOLS)
	@pipelines/measure $$(EVAL)/$(1)/%j.motion.tsv $$(EVAL)/$(1)/%j.json \
	    '$$(READ) $$$$(of $$(OUT)/$(1)/%j.$$(ENDING)) | $$(FLOWMAG) --per-pair' $$(names)

.PHONY: $(1).look $(1).clip $(1).motion
endef
$(foreach v,$(VARIANTS),$(eval $(call measured,$(v))))

# ---- a pair of variants: A_vs_B.check, A_vs_B.diff ----

define compared
$(2).check: | $$(TOOLS)
	@mkdir -p $$(EVAL)/$(2)
	@$$(BUILD)/pair-check $$(differs.$(1):%=-d %) $$(EVAL)/$$(REFERENCE) $$(EVAL)/$(1) $$(names) \
	| pipelines/write-if-changed $$(EVAL)/$(2)/pairs.tsv

$(2).diff: | $$(TOOLS)
	@pipelines/measure $$(EVAL)/$(2)/%j.diff.tsv \
	    '$$(EVAL)/$$(REFERENCE)/%j.json $$(EVAL)/$(1)/%j.json' \
	    '$$(FRAMEDIFF) --per-frame <($$(READ) $$$$(of $$(OUT)/$$(REFERENCE)/%j.$$(ENDING))) \
	        <($$(READ) $$$$(of $$(OUT)/$(1)/%j.$$(ENDING)))' \
	    $$$$(awk -F '\t' 'NR > 1 && $$$$2 { print $$$$1 }' $$(EVAL)/$(2)/pairs.tsv)

.PHONY: $(2).check $(2).diff
endef
$(foreach v,$(OTHERS),$(eval $(call compared,$(v),$(REFERENCE)_vs_$(v))))

# ---- tables ----

no-clip:
	@echo 'eval: without CLIP=DIR, clip and temporal stay empty' >&2

$(OUT)/model/clip:
	@mkdir -p $(@D); $(call lock,$(@D)/); [ ! -d $@ ] || exit 0; echo $@; \
	fixtures/clip/unpack.sh $@.part && mv $@.part $@

# A table that says what it said before keeps its age.
tables: | $(TOOLS)
	@$(call lock,$(EVAL)/); T=$(EVAL)/tables.part; rm -rf $$T && mkdir -p $$T && \
	$(BUILD)/pair-tables -m $(MEASURE) $(VARIANTS:%=-v %) -o $$T $(EVAL) $(names) && \
	$(STATS) -c clip,temporal < $$T/$(if $(OTHERS),pairs,clip_temporal_per_video).csv \
	    > $$T/clip_temporal_summary.csv && \
	$(STATS) -c motion < $$T/$(if $(OTHERS),pairs,motion_per_video).csv > $$T/motion_summary.csv && \
	$(STATS) -c psnr,ssim,mad < $$T/pairs.csv > $$T/pairs_summary.csv && \
	$(BUILD)/experiment-record -o $$T $(OUT) $(VARIANTS) && \
	for f in $$T/*; do pipelines/write-if-changed $(OUT)/$${f##*/} < $$f || exit; done && \
	rm -r $$T

.PHONY: eval experiment tables no-clip

endif
