// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** What one command line asks for. */
sealed interface Command {
  /** Be the back-end until told to end. */
  record Run(Options options) implements Command {}

  /** Ask a running back-end; {@code control} is null to look in the usual place. */
  record Status(boolean json, @Nullable Path control) implements Command {}

  /** Print what to give to the front-end's side. */
  record Example(Kind kind, String socketPath) implements Command {
    enum Kind {
      LIBVIRT,
      QEMU
    }
  }

  record Help() implements Command {}

  record Version() implements Command {}

  record PrintCapabilities() implements Command {}
}
