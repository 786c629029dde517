# Text-to-video as small filters.
#
#   make                 the programs, in build/DEVICE
#   make help            all targets and variables, from the tables in pipelines/
#
# The rules that compose the programs into experiments are in pipelines/.

DEVICE ?= $(shell command -v nvcc >/dev/null && nvidia-smi -L >/dev/null 2>&1 \
                  && echo cuda || echo cpu)
$(if $(filter-out cpu cuda,$(DEVICE)),$(error DEVICE is cpu or cuda, not '$(DEVICE)'))
PREFIX ?= /usr/local
O      := build/$(DEVICE)

# CC=clang CXX=clang++ needs clang and libomp-dev.
CC   ?= cc
CXX  ?= g++
NVCC ?= nvcc

CFLAGS   ?= -O2 -g
ifdef SANITIZE
$(if $(filter cuda,$(DEVICE)),$(error SANITIZE=1 is for DEVICE=cpu))
O      := build/cpu-sanitize
CFLAGS += -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
endif
# pass-failed: clang tells of loops for a greatest element, which it does not vectorise.
WARN      = -Wall -Wextra -Wshadow -Wno-unknown-pragmas -Wno-pass-failed \
            -Werror=implicit-function-declaration
CPPFLAGS += -D_GNU_SOURCE
FAST      = -O3 -fno-math-errno -fno-trapping-math -ffp-contract=off -fopenmp
COMPILE   = $(CC) -std=c11 $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP

# Asked when used, not when this file is read: `make deps check` installs them in between.
flags = $(shell pkg-config --cflags $(1))
libs  = $(shell pkg-config --libs $(1))
# What common needs, behind everything that is linked with it.
COMMONLIBS = $(call libs,jansson zlib libxxhash) -pthread -lm

PROGRAMS := $(patsubst bin/%/,%,$(wildcard bin/*/))
# Programs that run a model link the kernels; the others are the same on every device.
MODELS   := $(filter wan-encode-text wan-denoise wan-sensitivity wan-vae-decode wan-vae-encode clipscore \
                     dinoscore lpips,$(PROGRAMS))

all: $(PROGRAMS:%=$(O)/%)

# ---- objects ----

COMMON := $(O)/common.a
LOAD   := $(O)/load.a

ifeq ($(DEVICE),cuda)
CUDA       ?= $(patsubst %/bin/nvcc,%,$(realpath $(shell command -v $(NVCC))))
# NCCL, for one video on several cards: NCCL=DIR has include/nccl.h; NCCL= builds without. The library
# itself is opened when a program needs it.
NCCL       ?= $(patsubst %/include/nccl.h,%,$(firstword \
              $(wildcard $(CUDA)/include/nccl.h /usr/include/nccl.h /usr/local/include/nccl.h)))
KERNELS    := $(patsubst %.cu,$(O)/%.o,$(filter-out $(if $(NCCL),%/ranks_alone.cu,%/ranks.cu), \
              $(wildcard kernels/cuda/*.cu)))
KERNELLIBS  = -L$(CUDA)/lib64 -lcudart -lcublasLt -lstdc++ -ldl
APART      := $(filter-out %/scratch.o,$(KERNELS)) $(O)/t/sanitizer/scratch.o
# Compute capabilities that kernels are built for; others run what the driver makes of PTX for 8.0.
ifndef SMS
SMS        := 80 86 89 90a $(filter 100 120,$(patsubst sm_%,%,$(shell $(NVCC) --list-gpu-code)))
endif
NVFLAGS    ?= -O3 -lineinfo -std=c++17 --threads 2 -gencode arch=compute_80,code=compute_80 \
              $(foreach s,$(SMS),-gencode arch=compute_$(s),code=sm_$(s))
$(O)/kernels/cuda/ranks.o: NVFLAGS += $(if $(NCCL),-I$(NCCL)/include)
else
KERNELS    := $(patsubst %.c,$(O)/%.o,$(wildcard kernels/cpu/*.c))
KERNELLIBS  = -fopenmp
endif

$(O)/common/%.o: common/%.c
	@mkdir -p $(@D)
	$(COMPILE) $(call flags,jansson zlib libutf8proc libxxhash) -c -o $@ $<

$(COMMON): $(patsubst %.c,$(O)/%.o,$(wildcard common/*.c common/checkpoint/*.c))
	rm -f $@ && ar rcs $@ $^

# Whose loops run over all weights.
$(O)/common/blocks.o $(O)/common/formats.o: CFLAGS += -O3

# What programs that run a model share.
$(LOAD): $(patsubst %.c,$(O)/%.o,$(wildcard bin/*.c))
	rm -f $@ && ar rcs $@ $^

$(O)/kernels/cpu/%.o: kernels/cpu/%.c
	@mkdir -p $(@D)
	$(COMPILE) $(FAST) -c -o $@ $<

$(O)/kernels/cuda/%.o: kernels/cuda/%.cu
	@mkdir -p $(@D)
	$(NVCC) $(NVFLAGS) -MMD -MP -c -o $@ $<

# -h prints the SYNOPSIS of the man page: it is made from it.
$(O)/usage/%.h: common/tag.awk common/usage.awk
	@mkdir -p $(@D)
	awk -f common/tag.awk -f common/usage.awk bin/$*/$*.1 > $@.part && mv $@.part $@

# The report's style and script, as C strings.
$(O)/usage/report.%.h: bin/evalreport/report.% common/quote.awk
	@mkdir -p $(@D)
	awk -v name=report_$* -f common/quote.awk $< > $@.part && mv $@.part $@

$(O)/bin/evalreport/page.o: $(O)/usage/report.css.h $(O)/usage/report.js.h

$(O)/bin/%.o: bin/%.c
	@mkdir -p $(@D)
	$(COMPILE) -I$(O)/usage $(call flags,jansson libpcre2-8 libutf8proc) -c -o $@ $<

# Not its --cflags, for which Debian 13's pkg-config wants protobuf-lite.
SENTENCEPIECE = $(addprefix -I,$(shell pkg-config --variable=includedir sentencepiece))

$(O)/bin/%.o: bin/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(CPPFLAGS) $(CFLAGS) -Wall -Wextra $(SENTENCEPIECE) -MMD -MP -c -o $@ $<

# ---- programs: all of bin/NAME/, common, and for the models the kernels ----

LIBS_wan-encode-text = $(call libs,sentencepiece libpcre2-8 libutf8proc) -lstdc++
LIBS_clipscore       = $(call libs,libpcre2-8 libutf8proc) -fopenmp
LIBS_dinoscore       = -fopenmp
LIBS_lpips           = -fopenmp
$(O)/bin/pixels.o $(O)/bin/clipscore/preprocess.o $(O)/bin/dinoscore/resize.o: CFLAGS += $(FAST)
LIBS_evalreport      = $(call libs,libutf8proc)
LIBS_mp42frames      = $(call libs,libutf8proc)
# The programs without kernels whose loops run over a whole checkpoint, or all pixels.
LIBS_wan-quantize    = -fopenmp
LIBS_wan-merge       = -fopenmp
LIBS_flowmag         = -fopenmp
LIBS_framediff       = -fopenmp
LIBS_framestats      = -fopenmp
$(O)/bin/wan-quantize/%.o $(O)/bin/wan-merge/apply.o $(O)/bin/flowmag/%.o $(O)/bin/framediff/%.o $(O)/bin/framestats/%.o: CFLAGS += $(FAST)

define program
SOURCES_$(1) := $$(wildcard bin/$(1)/*.c bin/$(1)/*.cc)
OBJECTS_$(1) := $$(patsubst bin/%,$$(O)/bin/%.o,$$(basename $$(SOURCES_$(1))))
$$(O)/bin/$(1)/$(1).o: $$(O)/usage/$(1).h
$$(O)/usage/$(1).h: bin/$(1)/$(1).1
$$(O)/$(1): $$(OBJECTS_$(1)) $$(if $$(filter $(1),$$(MODELS)),$$(LOAD) $$(KERNELS)) $$(COMMON)
	$$(LINK_$(1))
LINK_$(1) = $$(CC) $$(CFLAGS) -o $$@ $$^ $$(LDFLAGS) $$(LIBS_$(1)) \
	    $$(if $$(filter $(1),$$(MODELS)),$$(KERNELLIBS)) $$(COMMONLIBS)
# For compute-sanitizer: the same with another stack.
$$(O)/sanitizer/$(1): $$(OBJECTS_$(1)) $$(LOAD) $$(APART) $$(COMMON)
	@mkdir -p $$(@D)
	$$(LINK_$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# ---- tests and benchmarks: t/*.c are Check programs, t/bench/*.c are not tests ----

UNIT := $(patsubst t/%.c,$(O)/t/%,$(wildcard t/*.c))
# What a unit test needs of a program: OBJECTS for t/NAME.c, as $(O)/bin/PROGRAM/FILE.o
UNIT_OBJECTS := $(O)/bin/solver.o $(O)/bin/schedule.o $(O)/bin/noise.o \
                $(filter-out %/wan-quantize.o,$(OBJECTS_wan-quantize))

$(O)/t/%: t/%.c $(COMMON) $(KERNELS) $(UNIT_OBJECTS)
	@mkdir -p $(@D)
	$(COMPILE) -DSOURCEDIR='"$(CURDIR)"' -MF $@.d $(call flags,check) -o $@ $< $(ALSO) \
	    $(UNIT_OBJECTS) $(KERNELS) $(COMMON) $(KERNELLIBS) -fopenmp $(call libs,check) $(COMMONLIBS)

# Kernels for GPUs, compiled for the processor: contexts are nothing that a sanitizer follows.
EMULATED := $(patsubst %.cc,$(O)/%.o,$(wildcard t/emulated/*.cc))
$(O)/t/lanes: $(EMULATED)
$(O)/t/lanes: ALSO = $(EMULATED) -lstdc++
$(O)/t/emulated/%.o: t/emulated/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(CPPFLAGS) $(CFLAGS) -fno-sanitize=all -Wall -Wextra -Wno-unknown-pragmas -Wno-pass-failed \
	    -Wno-missing-field-initializers -Wno-unused-parameter -MMD -MP -c -o $@ $<

$(O)/t/bench/random-model $(O)/t/bench/recode: $(O)/t/bench/%: t/bench/%.c $(COMMON)
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d -o $@ $< $(COMMON) $(COMMONLIBS)

$(O)/t/bench/%: t/bench/%.c $(COMMON) $(KERNELS)
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d -o $@ $< $(KERNELS) $(COMMON) $(KERNELLIBS) $(COMMONLIBS)

$(O)/t/bench/profile.so: t/bench/profile.c
	@mkdir -p $(@D)
	$(COMPILE) -fPIC -shared -I$(CUDA)/include -MF $@.d -o $@ $< -L$(CUDA)/lib64 -lcupti

include t/checks.mk t/fuzz/fuzz.mk

bench: all $(O)/t/bench/random-model $(if $(filter cuda,$(DEVICE)),$(O)/t/bench/ops)
	BUILD=$(CURDIR)/$(O) t/bench/$(if $(filter cuda,$(DEVICE)),cuda,stages).sh

# The operations alone: on the CPU beside the rate of its cores, on CUDA beside their floors.
bench-ops: $(O)/t/bench/$(if $(filter cuda,$(DEVICE)),ops,rates)
	$<

# Where a step goes, kernel by kernel, after `make bench`, whose models it takes.
profile: all $(if $(filter cuda,$(DEVICE)),$(O)/t/bench/profile.so)
	$(if $(filter cuda,$(DEVICE)),,$(error profile needs DEVICE=cuda))
	BUILD=$(CURDIR)/$(O) t/bench/profile.sh

# ---- experiments ----

TOOLS = $(PROGRAMS:%=$(O)/%)
include pipelines/t2v.mk

# The checkpoint that paints what its captions say (fixtures/tiny).
DEMO = MODEL=fixtures/tiny CLIP=fixtures/tiny/clip JUDGE=$(O)/tiny-look FRAMES=13 STEPS=20

demo: all
	$(MAKE) experiment $(DEMO) PROMPTS=pipelines/demo.txt SEEDS=1 SIZE=128x80 KEEP_FRAMES=1 \
	    OUT=build/demo
	pipelines/contact-sheet $(O)/tensor-view build/demo/sheet.png build/demo fp16 w8a16
	@printf '%s\n' '' 'Four pairs of videos are in build/demo/fp16 and build/demo/w8a16, their tables in build/demo/*.csv. Open' \
	    '    build/demo/report.html    all of it on one page, videos side by side' \
	    '    build/demo/sheet.png      frames of all videos' '' \
	    'This was a model of 10 MB. The 1.3B at 832x480 and 81 frames takes 49 s a video on an H100 or H200, about' \
	    'two days, by its operations, on two CPU cores (13 frames: 4.4 s and the loading, five hours); README.md says' \
	    'where to get it.'

study: all
	$(MAKE) floor experiment EXPERIMENT=pipelines/study.mk

skipping: all
	BUILD=$(O) pipelines/skipping build/skipping

# ---- installation ----

APT = make gcc g++ pkg-config perl ffmpeg zlib1g-dev libjansson-dev libxxhash-dev libsentencepiece-dev \
      libpcre2-dev libutf8proc-dev check locales
SUDO = $(if $(filter 0,$(shell id -u)),,sudo)

deps:
	@command -v $(or $(firstword $(SUDO)),sh) >/dev/null || { echo 'deps: there is no $(firstword $(SUDO)):' \
	    'as root, apt-get install --no-install-recommends $(APT)' >&2; exit 1; }
	@command -v apt-get >/dev/null || { echo 'deps: there is no apt-get: these packages are needed,' \
	    'as Debian calls them: $(APT)' >&2; exit 1; }
	$(SUDO) apt-get update
	DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y --no-install-recommends $(APT)

ifneq ($(filter deps,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

PAGES = $(foreach p,$(PROGRAMS),bin/$(p)/$(p).1)
WORDS = pipelines/targets pipelines/variables

$(O)/completions/%: common/tag.awk common/completion.awk $(PAGES) $(WORDS)
	@mkdir -p $(@D)
	awk -v shell=$* -f common/tag.awk -f common/completion.awk $(PAGES) $(WORDS) > $@.part && mv $@.part $@

# What is installed finds the rest beside itself, so all of it may be moved; names may have blanks.
INSTALLED_RULES = $(filter-out %/study.mk,$(wildcard pipelines/*.mk)) $(WORDS) pipelines/defaults.awk \
                  pipelines/negative.txt pipelines/prompts.txt

install: all $(O)/completions/bash $(O)/completions/zsh
	to=$(call quote,$(DESTDIR)$(PREFIX)) && share=$$to/share && \
	install -d "$$to/bin" "$$share/man/man1" "$$share/man/man5" "$$share/wan/stage" \
	    "$$share/bash-completion/completions" "$$share/zsh/site-functions" "$$share/doc/wan" && \
	install $(PROGRAMS:%=$(O)/%) pipelines/wan-experiment "$$to/bin" && \
	install -m 644 $(PAGES) pipelines/*.1 "$$share/man/man1" && \
	install -m 644 common/*.5 pipelines/*.5 "$$share/man/man5" && \
	install -m 644 README.md LICENSE NOTICE CHANGELOG.md "$$share/doc/wan" && \
	install -m 644 $(INSTALLED_RULES) "$$share/wan" && \
	install $$(find pipelines -maxdepth 1 -type f -perm -u+x ! -name wan-experiment) pipelines/submit "$$share/wan" && \
	install $$(find pipelines/stage -type f) "$$share/wan/stage" && \
	install -m 644 $(O)/completions/zsh "$$share/zsh/site-functions/_wan" && \
	install -m 644 $(O)/completions/bash "$$share/bash-completion/completions/wan" && \
	for p in $(PROGRAMS) wan-experiment; do ln -sf wan "$$share/bash-completion/completions/$$p" || exit; done

clean:
	rm -rf build

.PHONY: $(filter $(shell sed -n '/^[a-z]/s/	.*//p' pipelines/targets),$(NO_VARIANTS))
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
