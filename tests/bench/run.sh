#!/usr/bin/env bash
# Every benchmark, with the peer beside it where it is installed. Figures of one run may be compared, figures of two may not.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build-bench}
. "$root/tests/packages.sh"
need_packages "${build_packages[@]}" libcriterion-dev clang-19 libomp-19-dev
cmake -S "$root" -B "$build" -G Ninja -DNNC_TESTS=ON >/dev/null
cmake --build "$build" --target nnc bench_products bench_conv bench_step >/dev/null

echo "== matrix products"
"$build/tests/bench_products"
echo "== convolutions"
"$build/tests/bench_conv"
echo "== training steps, 784-512-256-10 relu, Adam, batch 64"
"$build/tests/bench_step" "$root/tests/bench/mlp.nn"
echo "== training steps, 28x28 conv32-conv64-pool-128-10 relu, Adam, batch 64"
"$build/tests/bench_step" "$root/tests/bench/cnn.nn"
echo "== training steps, 2-4-2-1 tanh, SGD, batch 10"
"$build/tests/bench_step" "$root/tests/bench/tiny.nn"
echo "== training steps, 2 LSTM layers of 256, 64 characters of 65, Adam, batch 32"
"$build/tests/bench_step" "$root/tests/bench/lstm.nn"
echo "== training steps, a transformer of 6 layers, 384 wide, 256 characters of 65, AdamW, batch 8"
"$build/tests/bench_step" "$root/tests/bench/gpt.nn"
if /usr/bin/python3 -c 'import torch' 2>/dev/null; then
  echo "== PyTorch on the same nets"
  OMP_NUM_THREADS=2 ATEN_CPU_CAPABILITY=avx512 MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_MMAP_THRESHOLD_=1000000000 \
    MALLOC_TOP_PAD_=100000000 /usr/bin/python3 "$root/tests/bench/torch_peer.py"
else
  echo "PyTorch is left out: python3-torch is not installed"
fi
