# study.mk: an experiment as a file: eight quantisations of the small checkpoint in fixtures/tiny beside F16,
# 20 prompts that its training did not see, judged by whether the videos show what they say.
#
#   make study                                              all of it, with the floor, in build/study
#   make plan EXPERIMENT=pipelines/study.mk                 what would be made
#   make study VARIANTS='fp16 int4' STEPS=10 OUT=build/two  what is said on the command line wins

MODEL    = fixtures/tiny
CLIP     = fixtures/tiny/clip
JUDGE    = $(BUILD)/tiny-look
OUT      = build/study
PROMPTS  = $(RULES)/study.txt
SEEDS    = 1
SIZE     = 128x80
FRAMES   = 13
STEPS    = 20
VARIANTS = fp16 w8a16 int4 mixed gptq awq w8a8 w4a4 rotated

# Not evaluated: other captions that the training did not see.
CALIBRATION = $(RULES)/study-calibration.txt

quantize.int4    = -t int4-g128
quantize.mixed   = -t int4-g128 --layer 'blocks.[03].*=int8' --layer 'blocks.*.ffn.2=int8'
quantize.gptq    = -t int4-g128 --method gptq --stat calibration
quantize.awq     = -t int4-g128 --method awq --stat calibration
quantize.w8a8    = -t int8
options.w8a8     = --dtype fp16 --act int8
quantize.w4a4    = -t int4-g128
options.w4a4     = --dtype fp16 --act int4
quantize.rotated = -t int4-g128 --rotate h256
options.rotated  = --dtype fp16 --act int4
