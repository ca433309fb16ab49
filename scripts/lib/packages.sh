# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian packages that the tests and the demo need. Needs say.sh.

# missing_packages PACKAGE...: prints those that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "${package}" 2>/dev/null | grep -q '^install ok installed' || printf '%s ' "${package}"
  done
}

# have_package_lists: whether apt knows any package that it could fetch.
have_package_lists() { [[ -n "$(apt-cache policy busybox-static 2>/dev/null | sed -n 's/.*Candidate: \([^(].*\)/\1/p')" ]]; }

# require_packages PACKAGE...: installs what is missing; who is not root is told the command (status 69).
require_packages() {
  local missing
  missing=$(missing_packages "$@")
  [[ -z "${missing}" ]] && return 0
  if [[ ${EUID} -ne 0 ]]; then
    die 69 "these packages are missing; install them and try again: sudo apt-get install ${missing}"
  fi
  have_package_lists || { say "apt-get update"; apt-get -qq update >&2; }
  say "installing ${missing}"
  # shellcheck disable=SC2086 # a list of words
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install ${missing} </dev/null >&2 ||
    die 69 "apt-get could not install: ${missing}"
}
