#!/bin/sh
# Makes the two files of the page's painter for the processor from painter.c: one for every browser
# with SIMD, one for those that also multiply and add in one step. Needs clang and lld of version 19
# (Debian: clang-19, lld-19); the same versions give the same bytes.
set -eu
here=$(dirname "$0")
to=${1:-$here/../../src/impasto/exporting/assets}
clang=${CLANG:-clang-19}
common="--target=wasm32 -O3 -nostdlib -mbulk-memory -Wall -Wextra -Werror
  -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=65536 -Wl,--export=__heap_base"
# shellcheck disable=SC2086 # the flags are words
"$clang" $common -msimd128 -o "$to/painter.wasm" "$here/painter.c"
# shellcheck disable=SC2086
"$clang" $common -msimd128 -mrelaxed-simd -DRELAXED -o "$to/painter_relaxed.wasm" "$here/painter.c"
chmod 644 "$to/painter.wasm" "$to/painter_relaxed.wasm" # the linker makes them executable
