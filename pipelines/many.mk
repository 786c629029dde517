# many.mk: a stage as many processes: a card each, or on many machines.
#
#   make -j4 GPUS=0,1,2,3 experiment                 a process a card of this machine
#   make -j64 RUN='srun -n1 --gpus=1' experiment     each process where Slurm puts it
#   make sweep                                       the same as Slurm's job arrays: log out
#
# What a stage lacks is dealt to processes (stage/deal): rows of it to $(OUT)/VARIANT/make.parts/1, 2,
# and so on, and a make below makes fp16.film.1, fp16.film.2: -j says how many at a time, and
# each loads its model once. There are as many as GPUS, or more, so that none has over CHUNK videos.
#
# A process that claims a device runs behind $(RUN), on the shared file system, and if GPUS are
# named, behind on-card, which waits until one of them is free. With RUN, what has failed or was on
# a machine that was lost is dealt and made once more.
#
# `make sweep` plans, making needed weights first, and submits: text, an array for each variant, then
# eval and report, and with `make sweep floor` the floor before them. SBATCH is what a task asks for. Made again after a failure, it submits what is missing.

CARDS  := $(or $(words $(subst $(comma), ,$(GPUS))),1)
export SBATCH CARDS RUN GPUS

# $(call again,COMMAND): COMMAND; with RUN, once more if it fails.
again = $(1) $(if $(RUN),|| { echo '$@: what failed is made once more' >&2; $(1); })

# What the process N of a stage of DIR has been dealt: $(call dealt,DIR)
dealt = $(OUT)/$(1)/$(TASK).parts/$*

# What a process that takes a device runs behind.
claim = $(strip $(RUN) $(if $(GPUS),$(RULE)/on-card $(GPUS)))

# ---- make sweep: the second make ----

ifneq ($(filter sweep,$(MAKECMDGOALS)),)
ifeq ($(LEVEL)$(WAN_PLAN),held)

sweep: $(ASKED:%=plan.%)
	+@$(if $(filter floor,$(MAKECMDGOALS)),WITH_FLOOR=$(FLOOR_REF)) $(RULE)/stage/sweep $(CHUNK) $(call quote,$(ASKED)) BUILD=$(call quote,$(BUILD)) DEVICE=$(DEVICE) \
	    $(if $(FROM),FROM=$(call quote,$(FROM)))
$(ASKED:%=plan.%): laid-out
laid-out:
	@$(RULE)/stage/prompts

.PHONY: sweep laid-out

endif
endif
