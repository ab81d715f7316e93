#!/usr/bin/env bash
# Installs what is missing, builds, runs every test (plain and under sanitizers) and the fuzz targets, and says how many
# passed. A test that needs data that is not here is left out.
#   BUILD=build-tests   the folder for the builds
#   FUZZ_SECONDS=12     how long each fuzz target runs
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build-tests}
fuzz_seconds=${FUZZ_SECONDS:-12}
passed=0 failed=0 failures=()

. "$root/tests/packages.sh"
need_packages "${build_packages[@]}" libcriterion-dev clang-19 libclang-rt-19-dev libomp-19-dev || exit 1
need_packages dataset-fashion-mnist || echo "dataset-fashion-mnist is not to be had: what needs it is skipped"

# configure NAME CMAKE-ARGUMENT...: builds $build/NAME or ends the run.
configure() {
  local name=$1
  shift
  echo "== building ($name)"
  cmake -S "$root" -B "$build/$name" -G Ninja "$@" >"$build/$name.log" 2>&1 &&
    cmake --build "$build/$name" >>"$build/$name.log" 2>&1 && return
  tail -n 40 "$build/$name.log"
  echo "the build failed: $build/$name.log"
  exit 1
}

# count NAME PASSED FAILED
count() {
  passed=$((passed + $2)) failed=$((failed + $3))
  [ "$3" -eq 0 ] || failures+=("$1")
  printf '%-28s %4d passed %4d failed\n' "$1" "$2" "$3"
}

# figure WORD LOG: the number after WORD in Criterion's last line, 0 if the line is missing.
figure() {
  local number
  number=$(sed 's/\x1b\[[0-9;]*m//g' "$2" | grep -a 'Synthesis:' | tail -n 1 | sed -n "s/.*$1: \([0-9]*\).*/\1/p")
  echo "${number:-0}"
}

# suites NAME [LEFT-OUT]: every Criterion program of a build but one, two at a time, those that take longest first.
suites() {
  local program programs=() log status good bad running=0 tests="$build/$1/tests"
  for program in "$tests"/test_{examples,backends,reference} "$tests"/test_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    [[ " ${programs[*]} $tests/${2:-} " != *" $program "* ]] || continue
    programs+=("$program")
    (
      timeout 900 "$program" --jobs 2 >"$program.log" 2>&1
      echo $? >"$program.status"
    ) &
    running=$((running + 1))
    [ $running -lt 2 ] || { wait -n; running=$((running - 1)); }
  done
  wait
  for program in "${programs[@]}"; do
    log="$program.log"
    status=$(cat "$program.status")
    good=$(figure Passing "$log")
    bad=$(($(figure Failing "$log") + $(figure Crashing "$log")))
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    count "$1/$(basename "$program")" "$good" "$bad"
    [ "$bad" -eq 0 ] || grep -av '^\[----\]$' "$log" | tail -n 60
  done
}

# fuzz TARGET: for a while from its seeds; a finding is printed.
fuzz() {
  local target=$1 name=${1#fuzz_}
  local scratch="$build/corpus/$name" seeds="$root/tests/fuzz/corpus/$name"
  mkdir -p "$scratch"
  "$build/fuzz/tests/$target" -max_total_time="$fuzz_seconds" -timeout=25 -rss_limit_mb=2048 -artifact_prefix="$build/$target-" \
    "$scratch" "$seeds" >"$build/$target.log" 2>&1
}

# Tests of threads ask for them by number. Others have one each: four tests at a time would wait for each other's teams.
# Where there is a team, it does not spin: other tests have its processors.
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
mkdir -p "$build"
configure gcc -DCMAKE_C_COMPILER=gcc
suites gcc
configure sanitize -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Sanitize
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0
suites sanitize test_reference # values of other systems: the plain build compares them, on the same compiler
configure fuzz -DCMAKE_C_COMPILER=clang-19 -DCMAKE_BUILD_TYPE=Sanitize -DNNC_FUZZ=ON -DNNC_TESTS=OFF
targets=()
for program in "$build"/fuzz/tests/fuzz_*; do
  [ -x "$program" ] && [ -f "$program" ] && targets+=("$(basename "$program")")
done
echo "== fuzzing ${targets[*]}, $fuzz_seconds s each"
for ((i = 0; i < ${#targets[@]}; i += 5)); do
  pids=()
  for target in "${targets[@]:i:5}"; do
    fuzz "$target" &
    pids+=("$!:$target")
  done
  for pid in "${pids[@]}"; do
    if wait "${pid%%:*}"; then count "${pid#*:}" 1 0; else
      count "${pid#*:}" 0 1
      tail -n 30 "$build/${pid#*:}.log"
    fi
  done
done

[ $failed -eq 0 ] || echo "failed: ${failures[*]}"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
