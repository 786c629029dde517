# checks.mk: how the tests are run: their tools and environment, on a GPU, under which sanitizers.

# What the tests run beside the programs.
TOOLS_OF_TESTS := $(patsubst t/tools/%.c,$(O)/t/tools/%,$(wildcard t/tools/*.c))

$(O)/t/tools/%: t/tools/%.c
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d -o $@ $<

$(O)/t/tools/moments $(O)/t/tools/formula $(O)/t/tools/die-together $(O)/t/tools/output-error: $(O)/t/tools/%: t/tools/%.c $(COMMON)
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d -o $@ $< $(COMMON) $(COMMONLIBS)

# What pair-stats says, of experiments whose truth is known.
SAID_OF_PAIRS = $(addprefix $(O)/bin/pair-stats/,clusters.o interval.o student.o signed-ranks.o verdicts.o \
                  sign-flips.o power.o equivalence.o)
$(O)/t/tools/coverage: t/tools/coverage.c $(SAID_OF_PAIRS) $(COMMON)
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d -o $@ $< $(SAID_OF_PAIRS) $(COMMON) $(COMMONLIBS)

# Two at a time where there is no GPU to share; PROVE='prove -j8' runs eight. CK_FORK=no: a CUDA context
# does not survive fork.
PROVE ?= $(if $(filter cuda,$(DEVICE)),prove,prove -j2)
# An experiment's variables, which the Makefile exports, are not those of the experiments that tests make.
UNSAID := $(filter-out BUILD,$(shell sed -n '/^## of the build/q; s/^\([A-Z][A-Z_]*\)\t.*/\1/p' \
                                         pipelines/variables)) MP4 TASK CARDS
CHECKS  = env $(UNSAID:%=-u %) CK_FORK=no CK_VERBOSITY=silent CK_TAP_LOG_FILE_NAME=- OMP_WAIT_POLICY=passive \
          BUILD=$(CURDIR)/$(O) DEVICE=$(DEVICE)
ifdef SANITIZE
# Findings go to files, so that none is lost in a program whose status a test does not look at. A file
# is one, whatever it holds, unless all of it is the one remark that is none, or nothing: a test killed
# (-9) a program at its end, whose threads LeakSanitizer was looking at.
REMARK   = ^==[0-9]+==Unable to get registers from thread [0-9]+\.$$
REMARKS  = find $(O)/findings -type f -exec grep -LvE '$(REMARK)' {} + | wc -l
FINDINGS = ; rc=$$?; cat $(O)/findings/* 2>/dev/null; killed=$$($(REMARKS)); \
           n=$$(($$(ls $(O)/findings | wc -l) - killed)); \
           echo "killed while LeakSanitizer looked at their threads: $$killed"; \
           echo "sanitizer findings open: $$n"; [ "$$rc $$n" = "0 0" ]
CHECKS += SANITIZE=1 UBSAN_OPTIONS=print_stacktrace=1:log_path=$(CURDIR)/$(O)/findings/undefined \
          ASAN_OPTIONS=exitcode=99:log_path=$(CURDIR)/$(O)/findings/address
check: no-findings
no-findings:
	@mkdir -p $(O)/findings && rm -f $(O)/findings/*
endif

# Every op on the same operands, for 46-devices.t; calls of CUDA that fail, for 47-faults.t.
$(O)/t/devices/%: t/devices/%.c $(COMMON) $(KERNELS)
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d $(call flags,check) -o $@ $< $(KERNELS) $(COMMON) $(KERNELLIBS) \
	    $(call libs,check) $(COMMONLIBS)

$(O)/t/faults/preload.so: t/faults/preload.c
	@mkdir -p $(@D)
	$(COMPILE) -fPIC -shared -I$(CUDA)/include -MF $@.d -o $@ $<

TESTS  = $(sort $(wildcard t/*.t)) $(UNIT)
TESTED = $(UNIT) $(TOOLS_OF_TESTS) $(O)/t/bench/random-model $(O)/t/devices/ops

# On a GPU its results are compared with the CPU's, whose programs are made for it. Without one only
# what the programs say then is tested.
check: all fuzz-targets $(TESTED) $(if $(filter cuda,$(DEVICE)),$(O)/t/faults/preload.so)
ifneq ($(DEVICE),cuda)
	$(CHECKS) $(PROVE) -e '' $(TESTS) $(FINDINGS)
else ifeq ($(shell nvidia-smi -L 2>/dev/null),)
	@echo "1..0 # SKIP nvidia-smi finds no GPU: built, but only what is said without one is tested"
	$(CHECKS) $(PROVE) -e '' t/47-faults.t
else
	$(MAKE) DEVICE=cpu all $(TESTED:$(O)/%=build/cpu/%)
	$(CHECKS) $(PROVE) -e '' $(TESTS)
endif

# ---- what tools say, and whether tests bite ----

lint: all
	$(CHECKS) prove -v -e '' t/lint.sh

mutate:
	t/mutate.sh '$(ONLY)'

# ---- Slurm: one of its own, where munge, slurmctld, slurmd and slurm-client are installed ----

check-slurm: all
	$(CHECKS) prove -v -e '' t/slurm.sh

# ---- compute-sanitizer ----

$(O)/t/sanitizer/%.o: t/sanitizer/%.cu
	@mkdir -p $(@D)
	$(NVCC) $(NVFLAGS) -MMD -MP -c -o $@ $<

# compute-sanitizer sees each tensor's end, and whether it was written, only if each has memory of its
# own: the same programs and tests with another scratch.cu, in $(O)/sanitizer.
$(O)/sanitizer/%: t/%.c $(COMMON) $(APART) $(UNIT_OBJECTS)
	@mkdir -p $(@D)
	$(COMPILE) -DSOURCEDIR='"$(CURDIR)"' -MF $@.d $(call flags,check) -o $@ $< \
	    $(UNIT_OBJECTS) $(APART) $(COMMON) $(KERNELLIBS) -fopenmp $(call libs,check) $(COMMONLIBS)

$(O)/sanitizer/planted: $(O)/t/sanitizer/planted.o $(APART) $(COMMON)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ $(KERNELLIBS) -lm

check-sanitizer: all $(MODELS:%=$(O)/sanitizer/%) \
                 $(addprefix $(O)/sanitizer/,activations attention attention8 kernels nets pictures rows threads solvers planted)
	$(if $(filter cuda,$(DEVICE)),,$(error check-sanitizer needs DEVICE=cuda))
	BUILD=$(CURDIR)/$(O) DEVICE=cuda prove -v -e '' t/sanitizer.sh

# Every program and whole experiments, killed at 20 moments and starved of 20 amounts of memory; the
# tests try 2.
check-faults: all $(TOOLS_OF_TESTS)
	$(CHECKS) FAULTS=20 $(PROVE) -v -e '' t/81-faults.t t/83-killed.t

# The CPU's threads under ThreadSanitizer and archer (clang, libomp-dev), in build/threads.
THREADED = $(PROGRAMS:%=build/threads/%) $(UNIT:$(O)/%=build/threads/%) build/threads/t/races/planted

check-threads:
	$(MAKE) DEVICE=cpu O=build/threads CC=clang CXX=clang++ \
	    CFLAGS='-g -O1 -fsanitize=thread' $(THREADED)
	t/races/check build/threads

$(O)/t/races/%: t/races/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CFLAGS) -fopenmp -o $@ $<

.PHONY: check-faults check-threads lint mutate
