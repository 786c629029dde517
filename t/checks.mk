# checks.mk: how the tests are run: their tools and environment, and under which sanitizers.

# What the tests run beside the programs.
TOOLS_OF_TESTS := $(patsubst t/tools/%.c,$(O)/t/tools/%,$(wildcard t/tools/*.c))

$(O)/t/tools/%: t/tools/%.c
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d -o $@ $<

# CK_FORK=no: a CUDA context does not survive fork
CHECKS = CK_FORK=no CK_VERBOSITY=silent CK_TAP_LOG_FILE_NAME=- OMP_WAIT_POLICY=passive \
         BUILD=$(CURDIR)/$(O) DEVICE=$(DEVICE)
ifdef SANITIZE
# Findings go to files, so that none is lost in a program whose status a test does not look at.
FINDINGS = ; rc=$$?; cat $(O)/findings/* 2>/dev/null; n=$$(ls $(O)/findings | wc -l); \
           echo "sanitizer findings open: $$n"; [ "$$rc $$n" = "0 0" ]
CHECKS += SANITIZE=1 UBSAN_OPTIONS=print_stacktrace=1:log_path=$(CURDIR)/$(O)/findings/undefined \
          ASAN_OPTIONS=exitcode=99:log_path=$(CURDIR)/$(O)/findings/address
check: no-findings
no-findings:
	@mkdir -p $(O)/findings && rm -f $(O)/findings/*
endif
