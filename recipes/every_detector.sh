#!/usr/bin/env bash
# The mask of every detector of one product, each beside the operational one: a table and a picture.
#
#   recipes/every_detector.sh PRODUCT.SEN3 [OUT] [OPERATIONAL]
#
# OPERATIONAL is the mask that they are compared with, `summary_cloud` unless another is named.
# Without S1 and S5, which `scda` needs, leave that out: DETECTORS="network bayesian".
set -euo pipefail
product=$1 out=${2:-build/every_detector} operational=${3:-summary_cloud}

masks=()
for name in ${DETECTORS:-network selftaught bayesian clusters kim2020 thresholds scda}; do
  cloudmask predict "$product" --detector "$name" -o "$out/$name.nc" --overwrite
  masks+=("$out/$name.nc")
done
IFS=,
cloudmask compare "$product" --masks "${masks[*]}" --against "$operational" \
  -o "$out/compare.png" --overwrite
