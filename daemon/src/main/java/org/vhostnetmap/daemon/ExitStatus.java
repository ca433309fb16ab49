// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

/**
 * What the process tells its parent when it ends: 0 and those of {@code sysexits.h} that can happen
 * here.
 */
enum ExitStatus {
  OK(0),
  /** The command line is wrong. */
  USAGE(64),
  /** Something named on the command line does not exist: a directory, a file descriptor. */
  NO_INPUT(66),
  /** What is needed is not there: no JDK 25, no running back-end to ask. */
  UNAVAILABLE(69),
  /** A mistake of this program. */
  SOFTWARE(70),
  /** The operating system refused something it normally grants. */
  OS_ERROR(71),
  /** A socket can't be created at the path given. */
  CANT_CREATE(73),
  /** Try again later: the address is in use, or the answer did not come in time. */
  TEMPORARY(75),
  NO_PERMISSION(77),
  /** Options that are right one by one but not together. */
  CONFIG(78);

  private final int code;

  ExitStatus(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
