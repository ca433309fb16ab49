// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.UnixDatagram;

/**
 * Tells the service manager about start and end, as sd_notify(3) does; without NOTIFY_SOCKET it
 * does nothing.
 */
final class SystemdNotifier {
  private final @Nullable String socket;

  /**
   * {@code socket}: a path, or an abstract name that starts with {@code @}; null or empty for none.
   */
  SystemdNotifier(@Nullable String socket) {
    this.socket = socket;
  }

  /** Sends one state such as {@code READY=1}. */
  void tell(String state) {
    if (socket == null || socket.isEmpty()) {
      return;
    }
    try {
      UnixDatagram.send(socket, state.getBytes(StandardCharsets.UTF_8));
    } catch (ErrnoException e) {
      System.getLogger(SystemdNotifier.class.getName())
          .log(Level.WARNING, "could not notify the service manager", e);
    }
  }
}
