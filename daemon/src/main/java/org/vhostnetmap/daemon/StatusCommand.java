// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.net.ConnectException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * {@code vhost-netmap status}: finds the running back-end and returns what it says about itself.
 */
final class StatusCommand {
  private static final System.Logger LOG = System.getLogger(StatusCommand.class.getName());

  private final ControlClient client;
  private final List<Path> folders;

  /** {@code folders}: where to look when the command names no socket. */
  StatusCommand(ControlClient client, List<Path> folders) {
    this.client = client;
    this.folders = folders;
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
    List<String> troubles = new ArrayList<>();
    for (Path folder : folders) {
      for (Path socket : ControlPath.sockets(folder)) {
        try {
          answers.put(socket, client.ask(socket, request));
        } catch (ConnectException e) {
          removeIfLeftBehind(socket);
        } catch (IOException e) {
          // One that hangs, or ends just now, is no reason not to hear the others.
          if (Files.exists(socket)) {
            troubles.add(String.valueOf(e.getMessage()));
          }
        }
      }
    }
    return only(answers, String.join("; ", troubles));
  }

  /**
   * Nobody listens: left by a process that was killed, unless it is just between bind and listen.
   */
  private static void removeIfLeftBehind(Path socket) throws IOException {
    if (ControlPath.isLeftBehind(socket)) {
      Files.deleteIfExists(socket);
    }
  }

  private static String only(Map<Path, String> answers, String troubles) throws Failure {
    if (answers.size() > 1) {
      var choices = new StringBuilder("several are running; choose one of");
      answers.keySet().forEach(socket -> choices.append(" --control ").append(socket));
      throw new Failure(ExitStatus.USAGE, choices.toString());
    }
    if (answers.isEmpty() && !troubles.isEmpty()) {
      throw new Failure(ExitStatus.TEMPORARY, troubles + "; is the process stopped?");
    }
    if (answers.isEmpty()) {
      throw new Failure(
          ExitStatus.UNAVAILABLE,
          "no vhost-netmap of this user is running; name another user's with --control PATH");
    }
    if (!troubles.isEmpty()) {
      LOG.log(Level.WARNING, troubles + "; the one that answers is shown");
    }
    return answers.values().iterator().next();
  }
}
