#!/usr/bin/env bash
# Instructions of one impulse response estimate (mean over twelve links of a simulated room), by tone grid: on x86-64
# counted by callgrind, on aarch64 by qemu in single steps, one line of its log an instruction. A count is that of three
# rounds less that of one, so that what comes before and after cancels.
#   benches/instructions.sh [GRID…]
# Needs: valgrind; for aarch64 qemu-aarch64-static (Debian: qemu-user-static) and a standard library for it, as
# .ci/cross does. What is missing is said and left out.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
target=${CARGO_TARGET_DIR:-$PWD/target}
arm=aarch64-unknown-linux-gnu
grids=("$@"); [ $# -gt 0 ] || grids=(legacy20 ht20 ht40 he20 he40)
scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT

build() { cargo build -q --release -p wavewitness-benches --bin instructions "$@"; }

x86() { # GRID ROUNDS
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$target/release/instructions" "$1" "$2" 2>&1 |
    sed -n 's/.*Collected : //p'
}

armed() { # GRID ROUNDS
  qemu-aarch64-static -singlestep -d nochain,exec -D /dev/stderr "$target/$arm/release/instructions" "$1" "$2" \
    2>&1 >/dev/null | grep -c '^Trace'
}

each() { # NAME COUNTER
  for grid in "${grids[@]}"; do
    few=$("$2" "$grid" 1); many=$("$2" "$grid" 3)
    printf '%-8s %-9s %10d instructions an estimate\n' "$1" "$grid" $(((many - few) / 24))
  done
}

if [ "$(uname -m)" = x86_64 ] && command -v valgrind >/dev/null; then
  build; each x86-64 x86
else
  echo 'x86-64: SKIPPED: no valgrind, or another machine' >&2
fi

config=()
made=${WAVEWITNESS_CROSS:-$HOME/.cache/wavewitness-cross}/cargo.toml
[ -d "$(rustc --print target-libdir --target $arm)" ] || { [ -f "$made" ] && config=(--config "$made"); }
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS='-C target-feature=+crt-static -C target-cpu=cortex-a76'
if command -v qemu-aarch64-static >/dev/null && build --target $arm "${config[@]}"; then
  each aarch64 armed
else
  echo 'aarch64: SKIPPED: no qemu-aarch64-static, or it could not be built for' >&2
fi
