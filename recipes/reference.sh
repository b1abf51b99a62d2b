#!/usr/bin/env bash
# The model `reference`: the benchmark's network, on its nine bands and the provider's labels.
#
#   recipes/reference.sh SCENES [OUT] [SEED]
#
# SCENES are those that recipes/default.sh simulates to train on. Half an hour on two cores. The
# schedule and the optimiser are those of the recipe `fast`: the benchmark's own, which the command
# `cloudmask benchmark` runs, takes many times as long to the same agreement.
set -euo pipefail
scenes=$1 out=${2:-build/reference} seed=${3:-1}

cloudmask pack "$scenes" -o "$out/store" --label bayes
cloudmask train "$out/store" -o "$out/run" --label bayes --seed "$seed" \
  --epochs 4 --batch-size 4 --optimiser muon --learning-rate 3e-3 --schedule one_cycle \
  --augment d4 --train-split 0.95 --patience 0 --compile no \
  keep=last head_from_zero=true epoch_patches=480
