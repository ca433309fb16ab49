// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;

/** What a command said (standard output and standard error, as it came) and its exit status. */
public record Output(String command, int status, String text) {
  /** Whether the command ended with status 0. */
  public boolean ok() {
    return status == 0;
  }

  /** The text without blanks at its ends, of a command that has to succeed. */
  public String orThrow() throws IOException {
    if (!ok()) {
      throw new IOException("status " + status + " of: " + command + "\n" + text);
    }
    return text.strip();
  }
}
