// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.IOException;
import java.net.ConnectException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * {@code vhost-netmap status}: finds the running back-end and returns what it says about itself.
 */
final class StatusCommand {
  private final ControlClient client;
  private final Path folder;

  /** {@code folder}: where to look when the command names no socket. */
  StatusCommand(ControlClient client, Path folder) {
    this.client = client;
    this.folder = folder;
  }

  /** The text to print. */
  String answer(Command.Status command) throws Failure {
    String request = command.json() ? "status json" : "status text";
    Path control = command.control();
    try {
      return control == null ? search(request) : ask(control, request);
    } catch (ControlClient.Silence e) {
      throw new Failure(
          ExitStatus.TEMPORARY, e.getMessage() + " in time; is the process stopped?", e);
    } catch (IOException e) {
      throw new Failure(ExitStatus.OS_ERROR, "can't ask: " + e.getMessage(), e);
    }
  }

  private String ask(Path control, String request) throws Failure, IOException {
    if (!Files.exists(control)) {
      throw new Failure(ExitStatus.NO_INPUT, "no control socket " + control);
    }
    if (!Files.isWritable(control)) {
      throw new Failure(
          ExitStatus.NO_PERMISSION, "no right to use " + control + "; ask as its owner");
    }
    try {
      return client.ask(control, request);
    } catch (ConnectException e) {
      throw new Failure(ExitStatus.UNAVAILABLE, "nobody listens on " + control + " any more", e);
    }
  }

  private String search(String request) throws Failure, IOException {
    Map<Path, String> answers = new TreeMap<>();
    for (Path socket : ControlPath.sockets(folder)) {
      try {
        answers.put(socket, client.ask(socket, request));
      } catch (ConnectException e) {
        Files.deleteIfExists(socket); // left by a process that was killed
      }
    }
    if (answers.isEmpty()) {
      throw new Failure(
          ExitStatus.UNAVAILABLE,
          "no vhost-netmap of this user is running; name another user's with --control PATH");
    }
    if (answers.size() > 1) {
      var choices = new StringBuilder("several are running; choose one of");
      answers.keySet().forEach(socket -> choices.append(" --control ").append(socket));
      throw new Failure(ExitStatus.USAGE, choices.toString());
    }
    return answers.values().iterator().next();
  }
}
