#!/usr/bin/env bash
# The default model, from nothing: scenes, training on their truth, calibration, scores.
#
#   recipes/default.sh [OUT]
#
# Two hours on two quiet cores, most of it training; 6 GB. On a GPU it is minutes, and a larger
# network (widths) and more scenes are worth it. A run that was stopped goes on with the same words.
set -euo pipefail
out=${1:-build/default}

simulate() { cloudmask simulate "$@" --test-scenes 0 --format xarray; }
# Where the benchmark's scenes are, anywhere, towards the poles, and what is hard.
simulate "$out/train/a" --scenes 60 --seed 201 --like test-set
simulate "$out/train/b" --scenes 25 --seed 202 --like global
simulate "$out/train/c" --scenes 15 --seed 203 --like polar
simulate "$out/train/d" --scenes 15 --seed 204 --like hard
# Other scenes of the same world, to calibrate on.
simulate "$out/held-out/a" --scenes 12 --seed 301 --like test-set
simulate "$out/held-out/b" --scenes 6 --seed 302 --like global
simulate "$out/held-out/c" --scenes 3 --seed 303 --like polar
simulate "$out/held-out/d" --scenes 3 --seed 304 --like hard

cloudmask pack "$out/train" -o "$out/store" --label truth reads=full
cloudmask train "$out/store" -o "$out/run" --label truth reads=full --seed 1 \
  --epochs 6 --batch-size 8 --optimiser muon --learning-rate 3e-3 --schedule one_cycle \
  --augment d4 --train-split 0.95 --patience 0 --compile yes keep=last \
  widths=[12,24,48,96,96] epoch_patches=1000 band_dropout=0.3
cloudmask calibrate "$out/run/model" "$out/held-out" --companion bayesian --trained-on "$out/train"

# What no training has seen: another world.
cloudmask simulate "$out/shift" --scenes 30 --test-scenes 30 --seed 104 --world shifted --format xarray
cloudmask evaluate "$out/shift" --detectors "$out/run/model,provider" --against truth -o "$out/scores"
