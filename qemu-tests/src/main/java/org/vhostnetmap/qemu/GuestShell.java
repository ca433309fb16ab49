// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.time.Duration;
import java.util.Base64;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Runs commands in a guest, over the serial line where the guest's agent listens ({@code
 * qemu-tests/guest/agent} tells the protocol). One command at a time; thread-safe.
 */
public final class GuestShell {
  private static final Duration USUAL = Duration.ofSeconds(20);

  /** What the agent may need beyond the command's own time, on a slow emulated processor. */
  private static final Duration SLACK = Duration.ofSeconds(10);

  private static final String END_OF_LINE = "\0end";

  private final OutputStream toGuest;
  private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
  private int nonce;

  /** Reads {@code fromGuest} on a thread of its own until it ends. */
  GuestShell(InputStream fromGuest, OutputStream toGuest) {
    this.toGuest = toGuest;
    Thread.ofPlatform().daemon().name("guest line").start(() -> read(fromGuest));
  }

  private void read(InputStream fromGuest) {
    try (var reader = new BufferedReader(new InputStreamReader(fromGuest, ISO_8859_1))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        lines.add(line.strip());
      }
    } catch (IOException e) {
      // The guest is gone: the same as the end of its line.
    }
    lines.add(END_OF_LINE);
  }

  /** Waits until the guest's agent has started, which it says once after each boot. */
  public synchronized void awaitReady(Duration time) throws IOException {
    long deadline = System.nanoTime() + time.toNanos();
    String line = next(deadline, "no guest shell");
    while (!line.startsWith("READY ")) {
      line = next(deadline, "no guest shell");
    }
  }

  /** Runs {@code command} by the guest's sh, for at most 20 seconds. */
  public Output run(String command) throws IOException {
    return run(command, USUAL);
  }

  /**
   * Runs {@code command} by the guest's sh. When the time is over it is killed there and the status
   * is 143; an exception says that the guest itself no longer answers.
   */
  public synchronized Output run(String command, Duration time) throws IOException {
    String name = "c" + nonce++;
    String text = Base64.getEncoder().encodeToString(command.getBytes(UTF_8));
    toGuest.write(
        ("RUN " + name + " " + time.toSeconds() + " " + text + "\n").getBytes(ISO_8859_1));
    toGuest.flush();
    long deadline = System.nanoTime() + time.plus(SLACK).toNanos();
    String about = "no answer from the guest to: " + command;
    while (!next(deadline, about).equals("BEGIN " + name)) {
      // What is left of a command that was given up, or noise of the kernel.
    }
    var encoded = new StringBuilder();
    String line = next(deadline, about);
    for (; !line.startsWith("END " + name + " "); line = next(deadline, about)) {
      encoded.append(line);
    }
    int status = Integer.parseInt(line.substring(line.lastIndexOf(' ') + 1));
    return new Output(
        command, status, new String(Base64.getMimeDecoder().decode(encoded.toString()), UTF_8));
  }

  /** The text of a command that has to succeed. */
  public String get(String command) throws IOException {
    return run(command).orThrow();
  }

  private String next(long deadline, String about) throws IOException {
    try {
      String line = lines.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
      if (line == null) {
        throw new IOException(about + ": time is over");
      }
      if (line.equals(END_OF_LINE)) {
        lines.add(line);
        throw new IOException(about + ": its line has ended");
      }
      return line;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(about + ": interrupted", e);
    }
  }
}
