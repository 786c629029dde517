# report.mk: from tables and videos to a report: a page to look at, tables for a paper.
#
#   make report CLIP=DIR             measures the videos in $(OUT), as `make eval`, and reports
#   make experiment CLIP=DIR         makes them first
#
#     $(OUT)/*.csv, experiment.json, */*.mp4 > $(OUT)/report.html, report.tex, report.md
#
# The page holds its videos; REPORT='build/cpu/evalreport --link' has it name them instead. With
# `make -k` a report is made of what could be measured, and says what was refused.

REPORT ?= $(BUILD)/evalreport

ifneq ($(filter report experiment,$(MAKECMDGOALS)),)

experiment: report
report: eval pages

$(call record,$(EVAL)/report.options,$(REPORT))

pages: tables | $(TOOLS)
	@$(call lock,$(OUT)/); \
	for f in html tex md; do \
	    r=$(OUT)/report.$$f; \
	    [ "$$(echo $$f | pipelines/missing $(OUT)/report.%j $(OUT)/*.csv $(OUT)/experiment.json \
	        $(EVAL)/report.options; find -L $(VARIANTS:%=$(OUT)/%) -maxdepth 1 -name '*.mp4' \
	        -newer $$r -print -quit 2>/dev/null)" ] || continue; \
	    echo report.$$f; \
	    $(REPORT) -f $$f $(OUT) > $$r.part && mv $$r.part $$r || exit; \
	done

.PHONY: report pages

endif
