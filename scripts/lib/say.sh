# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# How the scripts talk: progress on stderr with the seconds since the start, so that standard output stays for results.

say_start=${SECONDS}

# say TEXT...: one line of progress.
say() { printf '[%3ds] %s\n' "$((SECONDS - say_start))" "$*" >&2; }

# die STATUS TEXT...: says what is wrong and what to do, and ends with a sysexits status.
die() {
  local status=$1
  shift
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit "${status}"
}
