#!/usr/bin/env bash
# Every benchmark, with PyTorch beside it where it is installed. Figures of one run may be compared, figures of two may not.
#   run.sh [NAME…]    W1 to W12: networks (bench_nets.c); G: matrix products, convolutions and attention alone; without: all
#   BUILD=build-bench  the folder for the build; CSV=nets.csv  where the networks' figures go besides the table
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build-bench}
. "$root/tests/packages.sh"
need_packages "${build_packages[@]}" libcriterion-dev clang-19 libomp-19-dev
cmake -S "$root" -B "$build" -G Ninja -DNNC_TESTS=ON >/dev/null
cmake --build "$build" --target nnc bench_nets bench_products bench_conv bench_attention >/dev/null

names=() kernels=$([ $# -eq 0 ] && echo yes || echo no)
for name in "$@"; do
  if [ "$name" = G ]; then kernels=yes; else names+=("$name"); fi
done
if [ "$kernels" = yes ]; then
  for bench in products conv attention; do
    echo "== $bench"
    "$build/tests/bench_$bench"
  done
fi
if [ $# -eq 0 ] || [ ${#names[@]} -gt 0 ]; then
  echo "== networks"
  if ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then
    echo "PyTorch is left out: python3-torch is not installed"
  elif command -v dpkg-query >/dev/null && ! has_package libopenblas0-openmp; then
    echo "PyTorch has slow products here: libopenblas0-openmp is not installed"
  fi
  /usr/bin/python3 -c 'import torchvision' 2>/dev/null || echo "W3 to W11 are without PyTorch: python3-torchvision is not installed"
  # PyTorch at its best: freed pages are kept, and the widest instructions used. It does not choose them by itself, nor does OpenBLAS on
  # processors that are younger than it; asked for where there are none, they end its run
  if grep -q avx512f /proc/cpuinfo; then export OPENBLAS_CORETYPE=SkylakeX ATEN_CPU_CAPABILITY=avx512; fi
  MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TOP_PAD_=100000000 \
    "$build/tests/bench_nets" --csv "${CSV:-$build/nets.csv}" "${names[@]}"
fi
