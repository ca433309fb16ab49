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

# Prints each test that the reports newer than file $1 call skipped, with its reason, which Maven keeps to itself.
print_skipped() {
  find . -path '*/target/*-reports/TEST-*.xml' -newer "$1" -exec awk '
    /<testcase / {
      test = $0; sub(/.* classname="/, "", test); sub(/".*/, "", test); sub(/.*[.]/, "", test)
      name = $0; sub(/.*<testcase name="/, "", name); sub(/".*/, "", name)
    }
    /<skipped/ {
      reason = $0; sub(/.*message="/, "", reason); sub(/.*CDATA\[/, "", reason)
      sub(/.*Assumption failed: /, "", reason); sub(/["\]].*/, "", reason)
      print "skipped: " test "." name ": " reason
    }' {} +
}

run_maven() {
  maven_log=$(mktemp) || return 73
  maven_start=$(mktemp) || return 73
  maven_code=0
  mvn -B -ntp "$@" >"$maven_log" 2>&1 || maven_code=$?
  grep -E '^\[(WARNING|ERROR)\]|^    \(see |^  Did you mean|Tests run:.*[0-9]$' "$maven_log" |
    grep -vE '^\[(WARNING|ERROR)\] *$' | awk '!seen[$0]++' || true
  print_skipped "$maven_start"
  rm -f "$maven_log" "$maven_start"
  return "$maven_code"
}
