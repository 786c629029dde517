#!/bin/bash
# Two checkpoints beside each other, a training's and its start's, say: pairs of videos, tables, a report.
#   compare-checkpoints.sh BEFORE AFTER CLIP PROMPTS [VARIABLE=VALUE...]
set -eu
before=$1 after=$2 clip=$3 prompts=$4
shift 4
wan-experiment experiment MODEL="$before" CLIP="$clip" PROMPTS="$prompts" VARIANTS='before after' OUT=checkpoints \
    weights.before="$before" weights.after="$after" "$@"
