# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# To be sourced after java.sh: `run_maven ARGUMENTS` runs Maven in batch mode, prints warnings, errors and the tests' counts
# only, and gives Maven's exit code. (mvn -q would hide the compiler's warnings, which are what fails a build here.)
# `run_all_tests ARGUMENTS` does the same, but goes on after a test that failed, in the rooms that need this one too.

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

# Prints each test that the reports newer than file $1 call failed, with what it said.
print_failed() {
  find . -path '*/target/*-reports/TEST-*.xml' -newer "$1" -exec awk '
    /<testcase / {
      test = $0; sub(/.* classname="/, "", test); sub(/".*/, "", test); sub(/.*[.]/, "", test)
      name = $0; sub(/.*<testcase name="/, "", name); sub(/".*/, "", name)
    }
    /<(failure|error)[ >]/ {
      said = $0; if (!sub(/.*message="/, "", said)) sub(/.*type="/, "", said)
      sub(/".*/, "", said); gsub(/&#10;/, " ", said); gsub(/&quot;/, "\"", said); gsub(/&gt;/, ">", said); gsub(/&lt;/, "<", said)
      print "failed: " test "." name ": " substr(said, 1, 400)
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
  maven_errors=$(grep -c '^\[ERROR\]' "$maven_log" || true)
  rm -f "$maven_log" "$maven_start"
  return "$maven_code"
}

run_all_tests() {
  run_maven --fail-at-end -Dmaven.test.failure.ignore=true "$@" || return
  # Told to ignore failures, Maven says nothing of them in its exit code, nor of a JVM that died in the middle of its tests.
  [ "$maven_errors" -eq 0 ]
}
