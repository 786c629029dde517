# fuzz.mk: the fuzz targets. For each there is t/fuzz/TARGET.c, which parses bytes, and in t/corpus the
# inputs that are kept, files and an archive (t/fuzz/corpus unpacks both): `make check` runs them through the same code without clang.
#
#   make fuzz [TARGET='stream pickle'] [SECONDS=60]   looks for new ones with libFuzzer (clang); TRACE=no
#                                                     does without what comparisons compare, which is
#                                                     half of the time where whole models are loaded
#   make fuzz-keep [TARGET=..]                        what was found and reaches code that no kept
#                                                     input does joins t/corpus
#   make fuzz-minimize [TARGET=..]                    both become t/corpus, reduced
#   make fuzz-coverage                                lines of the parsers that the corpus reaches

FUZZ := stream weights gguf layout pickle config prompts spiece tokens clip-bpe probe csv record box sampling \
        adapters lists words report models coders measures files picks

# What of the programs a target parses with, beside common.
FUZZED_config   = $(filter-out %/clipscore.o,$(OBJECTS_clipscore)) $(LOAD) $(KERNELS)
FUZZED_prompts  = $(filter-out %/wan-encode-text.o %/t5.o,$(OBJECTS_wan-encode-text))
FUZZED_spiece   = $(O)/bin/wan-encode-text/tokenizer.o $(O)/bin/wan-encode-text/spiece.o
FUZZED_tokens   = $(FUZZED_prompts)
FUZZED_clip-bpe = $(O)/bin/clipscore/bpe.o
FUZZED_probe    = $(O)/bin/mp42frames/probe.o
FUZZED_adapters = $(O)/bin/wan-merge/adapters.o
FUZZED_models   = $(addprefix $(O)/bin/,clipscore/clip.o clipscore/config.o clipscore/preprocess.o clipscore/bpe.o \
                  dinoscore/dino.o lpips/perceptual.o wan-encode-text/t5.o) $(LOAD) $(KERNELS)
FUZZED_coders   = $(addprefix $(O)/bin/,wan-vae-decode/decoder.o wan-vae-decode/tiny.o wan-vae-encode/encoder.o) \
                  $(LOAD) $(KERNELS)
FUZZED_measures = $(filter-out %/pair-tables.o,$(OBJECTS_pair-tables))
FUZZED_files    = $(addprefix $(O)/bin/,experiment-record/runs.o experiment-record/variant.o frames2mp4/names.o pair-stats/floor.o \
                  wan-quantize/calibration.o wan-recipe/about.o wan-recipe/found.o wan-recipe/measured.o wan-recipe/why.o)
FUZZED_picks    = $(O)/bin/tensor-pick/pick.o
FUZZED_report   = $(filter-out %/evalreport.o,$(OBJECTS_evalreport))
FUZZED_lists    = $(O)/bin/wan-recipe/rows.o
FUZZED_words    = $(addprefix $(O)/bin/wan-denoise/,skip-rule.o ratios.o guide.o) $(LOAD) $(KERNELS)
FUZZED_sampling = $(O)/bin/wan-denoise/state.o $(LOAD) $(KERNELS)

# All calls of these from our own code go through fuzz.c.
WRAPPED        = malloc calloc realloc free mmap munmap fopen fclose open access getline getdelim __getdelim \
                 XXH3_createState XXH3_freeState open_memstream
WRAPPED_config = weights_find
WRAPPED_models = weights_find
WRAPPED_coders = weights_find
# fuzz.o first: its die() stands in for common's.
FUZZMAIN = $(O)/t/fuzz/replay.o
FUZZLIBS = $(call libs,libpcre2-8 libutf8proc sentencepiece) -lstdc++ $(KERNELLIBS) $(COMMONLIBS)

define fuzz_target
$(O)/t/fuzz/$(1): $(O)/t/fuzz/$(1).o $(O)/t/fuzz/fuzz.o $(O)/t/fuzz/held.o $$(FUZZMAIN) $$(FUZZED_$(1)) $$(COMMON)
	$$(CC) $$(CFLAGS) -o $$@ $$(foreach f,$$(WRAPPED) $$(WRAPPED_$(1)),-Wl,--wrap=$$(f)) $$^ \
	    $$(LDFLAGS) $$(FUZZLIBS)
endef
$(foreach f,$(FUZZ),$(eval $(call fuzz_target,$(f))))

$(O)/t/fuzz/%.o: t/fuzz/%.c
	@mkdir -p $(@D)
	$(COMPILE) -DSOURCEDIR='"$(CURDIR)"' $(call flags,jansson) -c -o $@ $<

# Not counted as reached: where a pointer falls in its table says nothing about an input, nor does
# how often a kernel's loop turns; and counting takes most of the time there.
$(O)/t/fuzz/fuzz.o $(O)/t/fuzz/held.o $(filter $(O)/%.o,$(KERNELS)): override CFLAGS := $(filter-out -fsanitize=fuzzer-no-link,$(CFLAGS))

fuzz-targets: $(FUZZ:%=$(O)/t/fuzz/%)

# ---- libFuzzer: the same, built by clang in build/fuzz ----

TARGET  ?= $(FUZZ)
SECONDS ?= 60
LONGEST ?= 4096

TRACE     ?= yes
FUZZBUILD = build/fuzz$(if $(filter no,$(TRACE)),/untraced)
CLANG = $(MAKE) DEVICE=cpu O=$(FUZZBUILD) CC=clang CXX=clang++ FUZZMAIN= \
        CFLAGS='-g -O2 -fsanitize=address,undefined -fno-sanitize=vptr \
               -fno-sanitize-recover=all $(1)'
# Leaks are fuzz.c's: LeakSanitizer would count what a library still held when a parser died. What is
# freed is kept from use for 8 MB and not for 256, which fit no cache. One thread: inputs are small.
FUZZASAN    = OMP_NUM_THREADS=1 ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=8
FUZZOPTIONS = -timeout=30 -rss_limit_mb=1024 -max_len=$(LONGEST) -print_final_stats=1

UNPACKED = rm -rf build/fuzz/kept/$$t && t/fuzz/corpus unpack $$t build/fuzz/kept/$$t

fuzz:
	$(call CLANG,-fsanitize=fuzzer-no-link $(if $(filter no,$(TRACE)),-fno-sanitize-coverage=trace-cmp)) \
	    LDFLAGS=-fsanitize=fuzzer $(TARGET:%=$(FUZZBUILD)/t/fuzz/%)
	@for t in $(TARGET); do \
	    mkdir -p build/fuzz/corpus/$$t build/fuzz/crashes && echo "== $$t" && $(UNPACKED) && \
	    $(FUZZASAN) nice $(FUZZBUILD)/t/fuzz/$$t $(FUZZOPTIONS) -max_total_time=$(SECONDS) \
	        -artifact_prefix=build/fuzz/crashes/$$t- build/fuzz/corpus/$$t build/fuzz/kept/$$t \
	        > build/fuzz/$$t.log 2>&1; rc=$$?; \
	    tail -n 400 build/fuzz/$$t.log | grep -aE 'cov:|^stat::number|SUMMARY|broken:|Test unit' | tail -5; \
	    [ $$rc -eq 0 ] || exit 1; \
	done

# Without counters: another number of the same loop's turns is no reason to keep an input.
fuzz-keep:
	@for t in $(TARGET); do $(UNPACKED) && \
	    $(FUZZASAN) $(FUZZBUILD)/t/fuzz/$$t $(FUZZOPTIONS) -max_len=4096 -merge=1 -use_counters=0 \
	        build/fuzz/kept/$$t build/fuzz/corpus/$$t > build/fuzz/$$t.merge.log 2>&1 && \
	    t/fuzz/corpus pack $$t build/fuzz/kept/$$t || exit 1; \
	    echo "$$t: $$(ls build/fuzz/kept/$$t | wc -l) inputs, $$(cat build/fuzz/kept/$$t/* | wc -c) bytes"; \
	done

# The least set of inputs with the same coverage; what is kept for a reason of its own has a name
# with a letter beyond f, which no hash has.
fuzz-minimize:
	@for t in $(TARGET); do $(UNPACKED) && \
	    rm -rf build/fuzz/least && mkdir -p build/fuzz/least && \
	    $(FUZZASAN) $(FUZZBUILD)/t/fuzz/$$t $(FUZZOPTIONS) -set_cover_merge=1 build/fuzz/least build/fuzz/kept/$$t \
	        build/fuzz/corpus/$$t > build/fuzz/$$t.merge.log 2>&1 || exit 1; \
	    find build/fuzz/kept/$$t -type f -regex '.*/[0-9a-f]*' -delete; \
	    find build/fuzz/least -type f -size -9 -exec cp {} build/fuzz/kept/$$t \;; \
	    t/fuzz/corpus pack $$t build/fuzz/kept/$$t || exit 1; \
	    echo "$$t: $$(ls build/fuzz/kept/$$t | wc -l) inputs, $$(cat build/fuzz/kept/$$t/* | wc -c) bytes"; \
	done

fuzz-coverage:
	@$(MAKE) -s DEVICE=cpu O=build/coverage CFLAGS='-g -O0 --coverage' FAST=-fopenmp fuzz-targets
	@find build/coverage -name '*.gcda' -delete
	@for t in $(FUZZ); do $(UNPACKED) && build/coverage/t/fuzz/$$t build/fuzz/kept/$$t/* 2>/dev/null >/dev/null; done
	@cd build/coverage && find common bin -name '*.gcda' | sort | while read -r f; do \
	    gcov -n "$$f" 2>/dev/null | sed -n "/^File '\(common\|bin\)/{N;s/File '\(.*\)'\nLines executed:\(.*\)/\2  \1/p}"; \
	done | grep -v "^0.00" | sort -u -k 4

.PHONY: fuzz fuzz-targets fuzz-keep fuzz-minimize fuzz-coverage
