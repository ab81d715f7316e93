#!/usr/bin/env bash
# The table of the zoo: each model's parameters, states and multiply-adds of one sample, and beside them the counts that its
# tests assert, with `+` where that is of parameters and states together, as Keras counts. Status 1 if any differs.
#   NNC=path/to/nnc examples/zoo/table.sh
set -uo pipefail
status=0
nnc=${NNC:-nnc}
cd "$(dirname "$0")" || exit

# A line for each count that a file asserts: MODEL COUNT, or MODEL +COUNT.
asserted() {
  grep -oE 'parameters\([a-z0-9_]+\)( \+ states\([a-z0-9_]+\))? == [0-9_]+' "$1" |
    sed -E 's/parameters\((\w+)\)( (\+) states\(\w+\))? == (\w+)/\1 \3\4/'
}

for file in *.nn; do
  [ "$file" = blocks.nn ] && continue
  "$nnc" models "$file" | awk -v file="$file" -v asserted="$(asserted "$file")" '
    function number(text) { gsub(/[,_+]/, "", text); return text + 0 }
    function grouped(text) {
      gsub(/_/, "", text)
      while (match(text, /[0-9][0-9][0-9][0-9](,|$)/)) text = substr(text, 1, RSTART) "," substr(text, RSTART + 1)
      return text
    }
    BEGIN {
      lines = split(asserted, line, "\n")
      for (i = 1; i <= lines; i++) { split(line[i], word, " "); wanted[word[1]] = wanted[word[1]] " " word[2] }
    }
    NR == 1 { if (file == "alexnet.nn") printf "%s %15s\n", $0, "expected"; next }
    {
      verdict = ""
      counts = split(wanted[$1], count, " ")
      for (i = 1; i <= counts; i++) {
        right = number($2) + (count[i] ~ /\+/ ? number($3) : 0) == number(count[i])
        verdict = verdict sprintf(" %15s%s", grouped(count[i]), right ? "" : " WRONG")
        wrong = wrong || !right
      }
      print $0 verdict
    }
    END { exit wrong }' || status=1
done
exit $status
