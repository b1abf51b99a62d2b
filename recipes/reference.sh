#!/usr/bin/env bash
# The model `reference`: the benchmark's network and inputs, taught by the provider's Bayesian masks.
#
#   recipes/reference.sh SCENES [OUT]
#
# SCENES are those that the default learns from (recipes/default.sh makes them in build/default/train).
# The network, its nine inputs, its label and its threshold are the benchmark's. The way there is
# shorter than the benchmark's 200 epochs: the optimiser and schedule are those of the default, and
# nothing is calibrated. An hour and a half on two quiet cores.
set -euo pipefail
scenes=$1 out=${2:-build/reference}

cloudmask pack "$scenes" -o "$out/store" --label bayes
cloudmask train "$out/store" -o "$out/run" --label bayes --seed 1 \
  --epochs 6 --batch-size 4 --optimiser muon --learning-rate 3e-3 --schedule one_cycle \
  --augment d4 --train-split 0.95 --patience 0 --compile no \
  keep=last head_from_zero=true epoch_patches=900
