# trace.mk: from two variants to the error of the latents by step: where on its way one leaves the other.
#
#   make trace MODEL=DIR             samples each video of $(OUT) again in both variants, step beside step
#   make experiment trace CLIP=DIR   with the plots in the report
#
#     $(OUT)/text/NUMBER.safetensors > wan-denoise --trace (fp16)  |
#     the same                       > wan-denoise --trace (w8a16) | tensor-diff --per-document
#                                    > $(OUT)/eval/fp16_vs_w8a16/01_seed123.trace > $(OUT)/trace.csv
#
# Latents are made first, as far as they are missing: their recipes say of what a trace is, and one that is
# of those is not made again. Both variants are sampled at one time, on one card, so it must hold both;
# no step is kept. They must have the same steps.

ifneq ($(if $(WAN_PLAN),,$(filter trace,$(MAKECMDGOALS))),)

trace: made $(PAIRS:%=%.trace) traced

# $(call beside,VARIANT): the other variant's environment.
beside = OTHER=$(1) OTHER_WEIGHTS=$(call quote,$(weights.$(1))) OTHER_OPTIONS=$(call quote,$(options.$(1)))

define stepped
$(2).trace:
	@$$(call again,$$(call as,$(REFERENCE)) $$(call beside,$(1)) CLAIM=$$(call quote,$$(claim)) $(RULE)/stage/trace)
endef
$(foreach v,$(OTHERS),$(eval $(call stepped,$(v),$(REFERENCE)_vs_$(v))))

traced:
	@$(RULE)/stage/traced $(VARIANTS)

.PHONY: trace traced

endif
