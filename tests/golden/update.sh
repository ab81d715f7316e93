#!/usr/bin/env bash
# Writes every golden file anew; read the diff before it is committed.
#   update.sh [NNC]
set -euo pipefail
nnc=$(realpath "${1:-$(dirname "$0")/../../build/nnc}")
cd "$(dirname "$0")"
for source in *.nn; do
  for stage in ast graph kernels loops c; do
    "$nnc" emit "$stage" --target-cpu x86-64-v3 "$source" >"${source%.nn}.$stage.txt"
  done
  "$nnc" plan --target-cpu x86-64-v3 "$source" >"${source%.nn}.plan.txt"
done
