# Text-to-video as small filters. `make` builds for the GPU where there are nvcc and one, else for the CPU.
#
#   make [DEVICE=cpu|cuda]    programs in build/$(DEVICE)
#   make check                the tests (TAP, through prove)
#   make demo                 a pair of videos from the small checkpoint in fixtures/
#   make bench                seconds and GFLOP/s of each stage at the real model's size
#   make deps                 install what is needed (Debian, Ubuntu)
#   make install PREFIX=      programs and man pages

DEVICE ?= $(shell command -v nvcc >/dev/null && nvidia-smi -L >/dev/null 2>&1 && echo cuda || echo cpu)
PREFIX ?= /usr/local
O      := build/$(DEVICE)

CC      ?= cc
CXX     ?= c++
NVCC    ?= nvcc
CFLAGS  ?= -O2 -g
WARN     = -Wall -Wextra -Wshadow -Wno-unknown-pragmas -Werror=implicit-function-declaration
PKGS     = jansson zlib openblas libpcre2-8 libutf8proc sentencepiece
CPPFLAGS += -D_GNU_SOURCE $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
STD      = -std=c11
FAST     = -O3 -fno-math-errno -fno-trapping-math -fopenmp
BASELIBS = $(shell pkg-config --libs jansson zlib) -lm

PROGRAMS := $(patsubst bin/%/,%,$(wildcard bin/*/))
MODELS   := $(filter wan-encode-text wan-denoise wan-vae-decode clipscore flowmag,$(PROGRAMS))

all: $(PROGRAMS:%=$(O)/%)

# ---- objects ----

COMMON  := $(patsubst %.c,$(O)/%.o,$(wildcard common/*.c))
LOAD    := $(patsubst %.c,$(O)/%.o,$(wildcard bin/*.c))
ifeq ($(DEVICE),cuda)
KERNELS := $(patsubst %.cu,$(O)/%.o,$(wildcard kernels/cuda/*.cu))
KERNELLIBS = -L$(CUDA)/lib64 -lcudart -lcublasLt -lstdc++
CUDA    ?= $(patsubst %/bin/nvcc,%,$(realpath $(shell command -v $(NVCC))))
SMS     ?= 80 86 89 90a
NVFLAGS ?= -O3 -g -lineinfo -std=c++17 --threads 2 $(foreach s,$(SMS),-gencode arch=compute_$(s),code=sm_$(s)) \
           -gencode arch=compute_80,code=compute_80
else
KERNELS := $(patsubst %.c,$(O)/%.o,$(wildcard kernels/cpu/*.c))
KERNELLIBS = $(shell pkg-config --libs openblas) -fopenmp
endif

$(O)/common/%.o: common/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

$(O)/kernels/cpu/%.o: kernels/cpu/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(CPPFLAGS) $(CFLAGS) $(FAST) $(WARN) -MMD -MP -c -o $@ $<

$(O)/kernels/cuda/%.o: kernels/cuda/%.cu
	@mkdir -p $(@D)
	$(NVCC) $(NVFLAGS) -MMD -MP -c -o $@ $<

# -h prints the SYNOPSIS of the man page: it is made from it.
$(O)/usage/%.h: common/usage.awk
	@mkdir -p $(@D)
	awk -f common/usage.awk bin/$*/$*.1 > $@.part && mv $@.part $@

$(O)/bin/%.o: bin/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(CPPFLAGS) -I$(O)/usage $(CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

$(O)/bin/%.o: bin/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(CPPFLAGS) $(CFLAGS) -Wall -Wextra -MMD -MP -c -o $@ $<

# ---- programs: bin/NAME/*.c (and .cc), common, and for the models the kernels ----

define program
OBJECTS_$(1) := $$(patsubst bin/%,$(O)/bin/%.o,$$(basename $$(wildcard bin/$(1)/*.c bin/$(1)/*.cc)))
$(O)/bin/$(1)/$(1).o: $(O)/usage/$(1).h
$(O)/usage/$(1).h: bin/$(1)/$(1).1
$(O)/$(1): $$(OBJECTS_$(1)) $(if $(filter $(1),$(MODELS)),$(LOAD) $(KERNELS)) $(COMMON)
	$(CC) $(CFLAGS) -o $$@ $$^ $(LDFLAGS) $(if $(filter $(1),$(MODELS)),$(KERNELLIBS)) $$(LIBS_$(1)) $(BASELIBS)
endef
LIBS_wan-encode-text = $(shell pkg-config --libs sentencepiece libpcre2-8 libutf8proc) -lstdc++
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# ---- tests ----

UNIT := $(patsubst t/%.c,$(O)/t/%,$(wildcard t/*.c))
$(O)/t/%: t/%.c $(COMMON) $(KERNELS)
	@mkdir -p $(@D)
	$(CC) $(STD) $(CPPFLAGS) $(CFLAGS) $(WARN) $(shell pkg-config --cflags check) -MMD -MP -MF $@.d -o $@ $< $(COMMON) $(KERNELS) \
	    $(KERNELLIBS) $(shell pkg-config --libs check) $(BASELIBS)

check: all $(UNIT)
	CK_FORK=no BUILD=$(abspath $(O)) DEVICE=$(DEVICE) prove -e '' $(wildcard t/*.t) $(UNIT)

clean:
	rm -rf build

.PHONY: all check clean
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
