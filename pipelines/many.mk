# many.mk: a stage as many processes: a card each, or on many machines.
#
#   make -j4 GPUS=0,1,2,3 experiment                 a process a card of this machine
#   make -j64 RUN='srun -n1 --gpus=1' experiment     each process where Slurm puts it
#   make sweep                                       the same as Slurm's job arrays: log out
#
# What a stage lacks is dealt to processes (`deal`): their names to $(OUT)/VARIANT/make.parts/1, 2,
# and so on, and a make below this one makes fp16.film.1, fp16.film.2: -j says how many at a time, and
# each loads its model once. There are as many as GPUS, or more, so that none has over CHUNK videos.
#
# A process that claims a device runs behind $(RUN), on the shared file system, and if GPUS are
# named, behind on-card, which waits until one of them is free. With RUN, what has failed or was on
# a machine that was lost is dealt and made once more.
#
# `make sweep` submits: text, needed weights, an array for each variant, then eval and report.
# SBATCH is what a task asks for. Made again after a failure, it submits what is missing.

GPUS   ?=
RUN    ?=
SBATCH ?= --gpus=1
CHUNK  ?= $(if $(RUN)$(filter sweep,$(MAKECMDGOALS)),16,1000)
CARDS  := $(or $(words $(subst $(comma), ,$(GPUS))),1)

# $(call below,GOALS): another make for GOALS; the prompts are laid out already.
below = $(MAKE) --no-print-directory $(if $(RUN),-k) -f pipelines/t2v.mk BUILD='$(BUILD)' \
            LAID_OUT=1 $(1)

# $(call again,COMMAND): COMMAND; with RUN, once more if it fails.
again = $(1) $(if $(RUN),|| { echo '$@: what failed is made once more' >&2; $(1); })

# $(call deal,DIR,STAGE,CARDS,MOST,COMMAND): what COMMAND lists is dealt to CARDS processes, or to
# more so that none has over MOST, and made as DIR.STAGE.1, DIR.STAGE.2, and so on.
deal = $(call lock,$(OUT)/$(1)/); \
       try() { \
           n=$$($(5) | pipelines/deal $(OUT)/$(1)/make.parts $(3) $(4)) || return; \
           [ "$$n" ] || return 0; \
           pipelines/clear-runs $(OUT)/$(1); \
           $(call below,TASK=make $$(printf '$(1).$(2).%s ' $$n)); }; \
       $(call again,try); \
       code=$$?; rm -rf $(OUT)/$(1)/make.parts; exit $$code

# What the process N of a stage of DIR has been dealt: $(call dealt,DIR)
dealt = $(OUT)/$(1)/$(TASK).parts/$*

# Processes that another make has dealt to work under its lock. Tasks of a sweep share one, which
# keeps other makes away.
share = $(if $(filter sweep,$(TASK)),exec {lock}>>$(dir $(1)).lock && flock -s $$lock || exit,:)

# Runs the shell function `work`, where $todo is what it is to make, on a device.
claim   = $(strip $(RUN) $(if $(GPUS),pipelines/on-card $(GPUS)))
on_card = $(if $(claim),export -f work; export todo; \
              $(claim) bash -o pipefail -c work < /dev/null,work)

# ---- make sweep ----

# A task's make: $(call task,GOALS). Programs are there; prompts and options were written down.
task = -f pipelines/t2v.mk TASK=sweep BUILD='$(BUILD)' $(1)

# $(call array,DIR,MOST,COMMAND,GOALS): submits an array for what COMMAND lists, if anything.
array = n=$$($(3) | pipelines/deal $(OUT)/$(1)/sweep.parts 1 $(2) | tail -n 1); \
        [ -z "$$n" ] || \
            { pipelines/clear-runs $(OUT)/$(1); submit $(1) "$$after" $$n $(call task,$(4)); }

ifneq ($(filter sweep,$(MAKECMDGOALS)),)

sweep: | $(TOOLS)
	+@out='$(OUT)' SBATCH='$(SBATCH)' ids= after=; . pipelines/submit; mkdir -p $$out/sweep; \
	busy=$$(unfinished); \
	[ -z "$$busy" ] || \
	    { echo "sweep: jobs $$busy are not done: wait, or scancel $$busy" >&2; exit 1; }; \
	rm -f $$out/sweep/jobs; \
	$(call array,text,1000,$(no_text),text.encode.%a); \
	$(foreach w,$(sort $(foreach v,$(VARIANTS),$(needs.$(v)))), \
	    $(MAKE) -s -q $(call task,$(w)) || submit $(notdir $(w)) '' '' $(call task,$(w));) \
	after=$${ids:+afterok:$$ids}; \
	$(foreach v,$(VARIANTS),$(call array,$(v),$(CHUNK),$(no_film.$(v)),$(v).film.%a);) \
	if [ -z "$$ids" ] && [ -e $$out/report.html ]; then echo 'sweep: all is made'; exit; fi; \
	submit eval "$${ids:+afterany:$$ids}" '' -k DEVICE='$(DEVICE)' eval report

.PHONY: sweep

endif
