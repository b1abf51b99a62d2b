#!/usr/bin/env bash
# The model of the detector `selftaught`: no label of any kind, neither the provider's nor truth.
#
#   recipes/selftaught.sh SCENES [OUT] [SEED]
#
# A teacher, the detector `clusters`, masks every scene by itself; a U-Net learns its probabilities
# with spatial context and bands taken away. What that network and a second teacher, `bayesian`, say
# together of the same scenes is learnt by another one, which is again weighed with `bayesian`, both
# alike. Nothing is chosen: the schedule ends by itself and the last weights are kept.
set -euo pipefail
scenes=$1 out=${2:-build/selftaught} seed=${3:-1}

learn() { # MASKS RUN EPOCHS
  cloudmask pack "$scenes" -o "$2-store" --label masks masks="$1" reads=full
  cloudmask train "$2-store" -o "$2" --label masks masks="$1" reads=full --seed "$seed" \
    --epochs "$3" --batch-size 8 --optimiser muon --learning-rate 3e-3 --schedule one_cycle \
    --augment d4 --train-split 0.95 --patience 0 --compile yes \
    keep=last widths=[8,16,32,64,64] epoch_patches=800 band_dropout=0.3
  python "$(dirname "$0")/weigh_alike.py" "$2/model" bayesian "$scenes"
}

mapfile -t products < <(find "$scenes" -name 'S3*' -type f | sort)
cloudmask predict "${products[@]}" --detector clusters -o "$out/masks-1"
learn "$out/masks-1" "$out/run-1" 1
cloudmask predict "${products[@]}" --model "$out/run-1/model" -o "$out/masks-2"
learn "$out/masks-2" "$out/run-2" 3
