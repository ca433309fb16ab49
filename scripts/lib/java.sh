# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# To be sourced: finds a JDK of release 25 or later and sets JAVA_HOME and PATH; else tells what to install and exits 69.
# JAVA_HOME wins when it fits; else the newest found. No java is started: the `release` file of each JDK tells its number.

# Sets jdk_found to the feature release (25) of the JDK at $1, to 0 where there is none with a compiler. Forks nothing: the
# launcher of the program comes by here at every start.
jdk_release() {
  jdk_found=0
  [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 0
  while IFS= read -r jdk_line; do
    case $jdk_line in
      JAVA_VERSION=\"1.*) return 0 ;;
      JAVA_VERSION=\"*)
        jdk_line=${jdk_line#JAVA_VERSION=\"}
        jdk_line=${jdk_line%%[!0-9]*}
        jdk_found=${jdk_line:-0}
        return 0
        ;;
    esac
  done <"$1/release"
}

find_jdk() {
  if [ -n "${JAVA_HOME-}" ]; then
    jdk_release "$JAVA_HOME"
    [ "$jdk_found" -ge 25 ] && return 0
  fi
  jdk_best=24
  jdk_home=
  for jdk_candidate in /usr/lib/jvm/* /opt/* /opt/java/* /usr/java/* /usr/local/* \
    "${HOME-}"/.sdkman/candidates/java/* "${HOME-}"/.jdks/*; do
    jdk_release "$jdk_candidate"
    if [ "$jdk_found" -gt "$jdk_best" ]; then
      jdk_best=$jdk_found
      jdk_home=$jdk_candidate
    fi
  done
  [ -n "$jdk_home" ] || return 1
  JAVA_HOME=$jdk_home
}

if ! find_jdk; then
  echo "vhost-netmap needs a JDK 25 or later and found none: install one (package openjdk-25-jdk, or Temurin from adoptium.net below /usr/lib/jvm) or set JAVA_HOME" >&2
  exit 69
fi
PATH=$JAVA_HOME/bin:$PATH
export JAVA_HOME PATH
