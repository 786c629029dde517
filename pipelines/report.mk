# report.mk: from tables and videos to a report: a page to look at, tables for a paper.
#
#   make report CLIP=DIR             measures the videos in $(OUT), as `make eval`, and reports
#   make experiment CLIP=DIR         makes them first
#
#     $(OUT)/*.csv, experiment.json, */*.mp4 > $(OUT)/report.html, report.tex, report.md
#
# The page holds its videos; REPORT='build/cpu/evalreport --link' has it name them instead. With
# `make -k` a report is made of what could be measured, and says what was refused.

export REPORT

ifneq ($(if $(WAN_PLAN),,$(filter report experiment,$(MAKECMDGOALS))),)

experiment: report
report: eval pages

pages: tables $(filter trace,$(MAKECMDGOALS))
	@$(RULE)/stage/report $(VARIANTS)

.PHONY: report pages

endif
