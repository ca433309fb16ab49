# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# To be sourced after java.sh: `run_maven ARGUMENTS` runs Maven in batch mode, prints warnings, errors and the tests' counts
# only, and gives Maven's exit code. (mvn -q would hide the compiler's warnings, which are what fails a build here.)

if ! command -v mvn >/dev/null; then
  echo "vhost-netmap is built by Maven 3.8 or later, which is not installed: install the package maven" >&2
  exit 69
fi

# Maven's own libraries call what JDK 25 warns of.
MAVEN_OPTS="${MAVEN_OPTS-} --sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED"
export MAVEN_OPTS

run_maven() {
  maven_log=$(mktemp) || return 73
  maven_code=0
  mvn -B -ntp "$@" >"$maven_log" 2>&1 || maven_code=$?
  grep -E '^\[(WARNING|ERROR)\]|^    \(see |^  Did you mean|Tests run:.*[0-9]$' "$maven_log" |
    grep -vE '^\[(WARNING|ERROR)\] *$' | awk '!seen[$0]++' || true
  rm -f "$maven_log"
  return "$maven_code"
}
