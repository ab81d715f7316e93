#!/usr/bin/env bash
# From a fresh Debian to a trained network: installs what is missing, builds nnc, trains digits.nn through the JIT, builds the
# same file into an executable, and predicts with it.
#   BUILD=build   the folder for the build
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build}
. "$root/tests/packages.sh"

say() { printf '\n== %s\n' "$*"; }

need_packages "${build_packages[@]}"

say "Building nnc in $build"
cmake -S "$root" -B "$build" -G Ninja -DNNC_TESTS=OFF >/dev/null
cmake --build "$build" --target nnc

say "Training examples/digits.nn at once, through the JIT:  nnc run examples/digits.nn"
cd "$root/examples"
"$build/nnc" run digits.nn

say "Building the same file into an executable:  nnc build examples/digits.nn -o $build/digits"
"$build/nnc" build digits.nn -o "$build/digits"
ls -l "$build/digits"

say "Predicting with it, for the first ten rows of digits.csv:  digits predict ten.csv"
head -n 11 digits.csv >"$build/ten.csv"
"$build/digits" predict "$build/ten.csv"
