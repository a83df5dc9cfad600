#!/bin/sh
# keep_ptxas.sh COMMAND...: runs nvcc; what its assembler says of each kernel (registers, stack, spills) goes to a file
# beside the object, OBJECT.ptxas, for tests/house/ptxas.cmake.
previous= object=
for word; do
  [ "$previous" = -o ] && object=$word
  previous=$word
done
"$@" 2>"$object.ptxas"
status=$?
grep -Ev '^ptxas info|^ *[0-9]+ bytes stack frame' "$object.ptxas" >&2
exit $status
