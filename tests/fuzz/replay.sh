#!/bin/sh
# Gives each harness the inputs that are kept: seeds, and those for which something once did not hold.
# Runs in the build folder; VALGRIND, if set, is a command to run the harnesses under.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/lazyscgi-replay.XXXXXX") || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' 0
trap 'exit 1' 1 2 15

failed=0
for seeds in "$here"/seeds/*; do
  name=${seeds##*/}
  regressions=$here/regressions/$name
  test -d "$regressions" || regressions=
  if inputs=$($VALGRIND "tests/fuzz/$name" "$seeds" $regressions 2>"$TMPDIR/words"); then
    echo "ok - fuzz $name: $inputs"
  else
    echo "FAILED - fuzz $name"
    tail -n 40 "$TMPDIR/words"
    failed=1
  fi
done
exit $failed
