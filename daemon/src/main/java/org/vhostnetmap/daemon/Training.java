// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A short life of the program that {@code scripts/vhost-netmap} lets the JVM watch once after a
 * build, to make its AOT cache: every class that a start, a question and an end need is loaded
 * then, and comes from the cache ever after.
 */
final class Training {
  private Training() {}

  /** Needs no rights and leaves nothing. */
  public static void main(String[] args) throws IOException, Failure {
    Path folder = Files.createTempDirectory("vhost-netmap");
    Path control = folder.resolve("control.sock");
    String guest = "vhost:" + folder.resolve("guest.sock");
    var open = new CloseStack();
    try {
      CommandReader.read("--print-capabilities");
      var run =
          (Command.Run)
              CommandReader.read(
                  "--control=" + control,
                  "--netmap=emulated",
                  guest,
                  guest + "1,queues=2",
                  "vale0:training",
                  "null:");
      if (Wiring.start(run.options(), open).isDone()) {
        throw new IllegalStateException("a port that listens is not over");
      }
      var status = new StatusCommand(new ControlClient(Duration.ofSeconds(10)), List.of(folder));
      System.out.println(status.answer(new Command.Status(true, control)));
      System.out.println(status.answer(new Command.Status(false, control)));
    } finally {
      open.close();
      Files.deleteIfExists(folder);
    }
  }
}
