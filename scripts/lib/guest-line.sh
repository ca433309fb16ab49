# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Talks to the agent in the test guest over a pair of named pipes (QEMU's `-chardev pipe`); qemu-tests/guest/agent tells the
# protocol. One guest at a time.

# shellcheck disable=SC2034 # read by whoever sources this file
guest_output=
guest_nonce=0

# guest_open PATH: makes PATH.in and PATH.out and opens both.
guest_open() {
  mkfifo "$1.in" "$1.out"
  exec 7<>"$1.in" 8<>"$1.out"
}

guest_close() { exec 7>&- 8>&-; } 2>/dev/null

# guest_line SECONDS: the next line in REPLY.
guest_line() {
  IFS= read -r -t "$1" REPLY <&8 || return 1
  REPLY=${REPLY%$'\r'}
}

# guest_ready SECONDS: waits until the agent has started.
guest_ready() {
  local end=$((SECONDS + $1))
  while ((SECONDS < end)) && guest_line $((end - SECONDS)); do
    [[ ${REPLY} == READY\ * ]] && return 0
  done
  return 1
}

# guest_run SECONDS COMMAND: runs it in the guest; its output is in guest_output, its status the result.
guest_run() {
  local end=$((SECONDS + $1 + 10)) name=n$((++guest_nonce)) encoded=
  printf 'RUN %s %s %s\n' "${name}" "$1" "$(printf '%s' "$2" | base64 -w0)" >&7
  guest_output=
  while ((SECONDS < end)) && guest_line $((end - SECONDS)); do
    case ${REPLY} in
      "BEGIN ${name}") encoded= ;;
      "END ${name} "*)
        guest_output=$(base64 -d <<<"${encoded}")
        return "${REPLY##* }"
        ;;
      *) encoded+=${REPLY} ;;
    esac
  done
  guest_output="no answer from the guest"
  return 124
}
