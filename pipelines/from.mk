# from.mk: `make -C DIR` asked from elsewhere: relative paths of the command line, and of a file EXPERIMENT, are
# meant from there.
#
#   ~/films$ make -C ~/wan experiment MODEL=model PROMPTS=prompts.txt OUT=dataset
#
# reads ~/films/model and writes ~/films/dataset. An input that is not there, but is in DIR, is DIR's. Which
# directory make was asked from only the shell's PWD says, and that there was a -C only make's own words. Makes
# below this one are told, in FROM.
#
# wan-experiment needs none of this: it stays in the directory in which it is asked.

ifeq ($(MAKELEVEL)$(LEVEL)$(FROM),0)
ifneq ($(PWD),$(CURDIR))
FROM := $(if $(shell tr '\0' '\n' < /proc/$$PPID/cmdline | grep -E '^(-[A-Za-z]*C|--directory)'),$(PWD))
endif
endif

ifneq ($(FROM),)
# $(call there,VARIABLE): its value as an absolute path, if it is said, on the command line or in the file
# EXPERIMENT, and relative.
there = $(if $(filter command file,$(origin $(1))),$(if $(filter /%,$(firstword $($(1)))),,$(if $($(1)),$(call moved,$(1)))))
moved = $(if $(shell if [ $(1) = OUT ] || [ -e $(call quote,$(FROM)/$($(1))) ] || [ ! -e $(call quote,$($(1))) ]; \
    then echo 1; fi),$(eval override $(1) := $$(FROM)/$($(1))))
$(call there,EXPERIMENT)
from_there = $(foreach v,MODEL PROMPTS NEGATIVE CALIBRATION CLIP DINO LPIPS $(if $(findstring .json,$(VMAF)),VMAF) BY_NAME OUT $(filter weights.%,$(.VARIABLES)),$(call there,$(v)))
endif
