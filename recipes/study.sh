#!/usr/bin/env bash
# The stores and the table of docs/study.md that compares answers to the provider's wrong labels.
#
#   recipes/study.sh SCENES MASKS HELD_OUT [OUT]
#
# SCENES are learnt from, MASKS are those of `clusters` on them (recipes/selftaught.sh makes them),
# HELD_OUT are other scenes with truth.
set -euo pipefail
scenes=$1 masks=$2 held_out=$3 out=${4:-build/study}

cloudmask pack "$scenes" -o "$out/bayes" --label bayes masks="$masks" strata=true reads=full
cloudmask pack "$scenes" -o "$out/coasts" --label bayes masks="$masks" strata=true reads=full \
  ignore_coast_px=5
cloudmask pack "$scenes" -o "$out/agreed" --label agreed masks="$masks" reads=full
cloudmask pack "$scenes" -o "$out/masks" --label masks masks="$masks" reads=full
cloudmask pack "$held_out" -o "$out/truth" --label truth reads=full
python "$(dirname "$0")/label_noise.py" -o "$out/label_noise.jsonl" \
  --bayes "$out/bayes" --coasts "$out/coasts" --agreed "$out/agreed" --masks "$out/masks" \
  --truth "$out/truth"
