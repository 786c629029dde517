# eval.mk: from videos to tables: metrics of each video, of each pair, and what they say together.
#
#   make eval CLIP=DIR               measures the videos of the experiment in $(OUT)
#   make fp16 w8a16 eval CLIP=DIR    makes them first
#   make trace MODEL=DIR             the error of latents by step (trace.mk)
#   make experiment CLIP=DIR         all of VARIANTS, then eval and report (report.mk)
#
#     which videos count         > $(OUT)/eval/names
#     $(OUT)/fp16/01_seed123.mp4 > $(OUT)/eval/fp16/01_seed123.json          what it says of itself
#       decoded once, for all:
#                                > $(OUT)/eval/fp16/01_seed123.clip.tsv      clipscore, a line a frame
#                                > $(OUT)/eval/fp16/01_seed123.motion.tsv    flowmag, a line a frame
#                                > $(OUT)/eval/fp16/01_seed123.judge.tsv    JUDGE, a line a video
#     two videos of one name     > $(OUT)/eval/fp16_vs_w8a16/01_seed123.diff.tsv     framediff
#     all of these               > $(OUT)/*.csv, $(OUT)/experiment.json      wan-experiment(5)
#
# Counted are the videos that the experiment names: as the command line describes it, if it has MODEL, and
# else as it was made last. A video that is there but not as it is wanted is named and not measured. What
# was measured says of which content, and by which program; nothing is measured twice.
#
# The first of VARIANTS is what the others are compared with. Videos of one name must be strict pairs
# (pair-check(1)); if one is not, is missing or broken, all that is wrong is said and nothing is
# measured. With `make -k` (--keep-going) the others are, and make fails at the end.
#
# VARIANTS may be directories of mp4 files made elsewhere: those without a record of how they were
# made are paired by their names, and BY_NAME gives their prompts, or VBench's names do. Measured are
# the frames, where all are kept, as `make experiment` does (KEEP_FRAMES=1), else the mp4; MEASURE says
# which. MEASURE=both measures frames here, and the mp4 in $(OUT)/mp4, an experiment of links to these videos; the
# report shows both. CLIP is a directory as clipscore(1) wants it; without one nothing is measured by it, and what was
# measured by it stays. So it is with DINO, LPIPS and VMAF, and with JUDGE, a program that reads videos as a
# stream and prints a table with a header line, tabs, and a line a document, whose first column is
# `document`, its number from 1: each column of numbers becomes a metric (wan-experiment(5)).

export MEASURE CONVERSION FIT CLIP DINO LPIPS VMAF BY_NAME JUDGE METRICS CLIPSCORE FLOWMAG FRAMEDIFF FRAMESTATS DINOSCORE STATS

ifneq ($(if $(WAN_PLAN),,$(filter eval experiment report trace,$(MAKECMDGOALS))),)

REFERENCE := $(firstword $(VARIANTS))
OTHERS    := $(filter-out $(REFERENCE),$(VARIANTS))
PAIRS     := $(OTHERS:%=$(REFERENCE)_vs_%)

# Described on the command line, the experiment is planned; but not made.
DESCRIBED := $(if $(MODEL),$(if $(MADE)$(filter experiment,$(MAKECMDGOALS)),,$(filter $(KNOWN),$(VARIANTS))))

ifeq ($(MEASURE),both)

# $(call by,WHAT,OUT): another make, for an evaluation; plans are made before the first.
by = $(call below,LEVEL=held OUT=$(2) MEASURE=$(1) DESCRIBED=$(call quote,$(if $(filter frames,$(1)),$(DESCRIBED))) eval)
experiment: videos eval
eval: both
both: $(filter floor,$(MAKECMDGOALS))
	+@code=0; $(call by,frames,$(OUT)) || code=1; \
	$(RULE)/stage/beside $(VARIANTS) && $(call by,mp4,$(OUT)/mp4) || code=1; exit $$code
tables: both
.PHONY: both

else

experiment: videos eval
eval: counted $(VARIANTS:%=%.look) $(PAIRS:%=%.check) $(if $(CLIP),,no-clip) measured tables

counted: $(DESCRIBED:%=%.described)
	@$(RULE)/stage/counted $(VARIANTS)

$(DESCRIBED:%=%.described): %.described: described
	@$(foreach f,$(needs.$*),[ -e $(f) ] || { echo 'eval: $(f) is missing: make $*' >&2; exit 1; };) \
	$(call as,$*) $(RULE)/stage/plan
described:
	@$(RULE)/stage/prompts

no-clip:
	@echo 'eval: without CLIP=DIR nothing is measured by CLIP; what was stays' >&2

%.look:
	@$(RULE)/stage/look $*

# Where a video turned out to be another than its container says, its pairs are checked anew, and measured then.
measure = CLAIM=$(call quote,$(claim)) $(RULE)/stage/measure $(VARIANTS)
measured:
	@code=0; $(call again,$(measure)) || code=1; \
	if [ -e $(OUT)/eval/recheck.part ]; then \
	    rm $(OUT)/eval/recheck.part; \
	    $(foreach v,$(OTHERS),$(call checked,$(v)) || code=1;) \
	    $(measure) || code=1; \
	fi; exit $$code

# ---- a pair of variants: A_vs_B.check ----

checked = $(RULE)/stage/pairs $(REFERENCE)_vs_$(1) $(REFERENCE) $(1) '$(differs.$(1))'
$(PAIRS:%=%.check): $(REFERENCE)_vs_%.check:
	@$(call checked,$*)

# A table that says what it said before keeps its age.
tables:
	@$(RULE)/stage/tables $(VARIANTS)

endif

.PHONY: eval experiment counted described no-clip measured tables

endif

ifneq ($(if $(WAN_PLAN),,$(filter verify,$(MAKECMDGOALS))),)
verify:
	@$(RULE)/stage/verify
.PHONY: verify
endif
