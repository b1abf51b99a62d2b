#!/usr/bin/env bash
# The networks of docs/study.md from five seeds each, scored on another world.
#
#   recipes/five_seeds.sh TRAIN HELD_OUT MASKED MASKS SHIFT [OUT]
#
# TRAIN are scenes with truth to learn from, HELD_OUT others to calibrate on: those that
# recipes/default.sh makes, and in docs/study.md 20 and 3 of the tropics by day besides
# (`cloudmask simulate DIR --like tropics --day --test-scenes 0`, seeds 205 and 305). MASKED are the
# scenes that MASKS, a folder of label-free masks, are of (recipes/selftaught.sh makes them:
# masks-2). SHIFT are what is scored. Each run has a core of its own; some two hours on two cores.
set -euo pipefail
train=$1 held_out=$2 masked=$3 masks=$4 shift=$5 out=${6:-build/seeds}
here=$(dirname "$0")

cloudmask pack "$train" -o "$out/truth" --label truth reads=full
cloudmask pack "$masked" -o "$out/agreed" --label agreed masks="$masks" reads=full
cloudmask pack "$masked" -o "$out/masks" --label masks masks="$masks" reads=full

learn() { # RUN STORE SEED EPOCHS KEY=VALUE...
  OMP_NUM_THREADS=1 cloudmask train "$out/$2" -o "$out/$1-$3" --seed "$3" --epochs "$4" \
    --batch-size 4 --optimiser muon --learning-rate 3e-3 --schedule one_cycle --augment d4 \
    --train-split 0.95 --patience 0 --compile no keep=last head_from_zero=true reads=full "${@:5}"
}
masked_scenes=(masks="$masks" widths=[8,16,32,64,64] epoch_patches=480 band_dropout=0.3)
truth=(--label truth widths=[12,24,48,96,96] epoch_patches=600)
models=provider,bayesian
for seed in 1 2 3 4 5; do
  learn robust agreed "$seed" 3 --label agreed "${masked_scenes[@]}" &
  learn selftaught masks "$seed" 3 --label masks "${masked_scenes[@]}"
  wait "$!" # and fail with it
  learn default truth "$seed" 4 "${truth[@]}" band_dropout=0.3 &
  learn oracle truth "$seed" 4 "${truth[@]}"
  wait "$!" # and fail with it
  for name in robust selftaught; do
    python "$here/weigh_alike.py" "$out/$name-$seed/model" bayesian "$masked"
  done
  for name in default oracle; do
    cloudmask calibrate "$out/$name-$seed/model" "$held_out" --companion bayesian
  done
  for name in robust selftaught default oracle; do
    models+=",$name-$seed=$out/$name-$seed/model"
  done
done
cloudmask evaluate "$shift" --detectors "$models" --against truth --jobs 2 -o "$out/scores"
python "$here/study_tables.py" "$out/scores/evaluation.json"
