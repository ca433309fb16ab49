// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** QEMU's machine protocol: one command at a time, answers and events as JSON. Thread-safe. */
public final class Qmp implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final SocketChannel channel;
  private final OutputStream out;
  private final BlockingQueue<Json> answers = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> events = new LinkedBlockingQueue<>();

  Qmp(SocketChannel channel) throws IOException {
    this.channel = channel;
    out = Channels.newOutputStream(channel);
    Thread.ofPlatform().daemon().name("qmp").start(this::read);
    execute("qmp_capabilities");
  }

  private void read() {
    try (var reader =
        new BufferedReader(new InputStreamReader(Channels.newInputStream(channel), UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        Json message = Json.parse(line);
        if (message.has("event")) {
          events.add(message.at("event").string());
        } else if (!message.has("QMP")) {
          answers.add(message);
        }
      }
    } catch (IOException e) {
      // QEMU is gone; who waits for an answer learns it by the time.
    }
  }

  /** Runs a command without arguments; its return value. */
  public Json execute(String command) throws IOException {
    return execute(command, Map.of());
  }

  /** Runs a command; its return value. Arguments are strings, numbers or booleans. */
  public synchronized Json execute(String command, Map<String, ?> arguments) throws IOException {
    var text =
        new StringBuilder("{\"execute\": ")
            .append(Json.quote(command))
            .append(", \"arguments\": {");
    String comma = "";
    for (Map.Entry<String, ?> argument : arguments.entrySet()) {
      Object value = argument.getValue();
      text.append(comma).append(Json.quote(argument.getKey())).append(": ");
      text.append(value instanceof String string ? Json.quote(string) : value.toString());
      comma = ", ";
    }
    out.write(text.append("}}\n").toString().getBytes(UTF_8));
    out.flush();
    Json answer = poll(answers, PATIENCE, "QMP answer to " + command);
    if (answer.has("error")) {
      throw new IOException(command + ": " + answer.at("error", "desc").string());
    }
    return answer.at("return");
  }

  /** A command of the human monitor, for what QMP lacks; what it prints. */
  public String monitor(String command) throws IOException {
    return execute("human-monitor-command", Map.of("command-line", command)).string();
  }

  /** Waits for an event by its name; other events before it are forgotten. */
  public void awaitEvent(String name, Duration time) throws IOException {
    long deadline = System.nanoTime() + time.toNanos();
    while (!poll(events, Duration.ofNanos(deadline - System.nanoTime()), "event " + name)
        .equals(name)) {
      // Another event.
    }
  }

  private static <T> T poll(BlockingQueue<T> queue, Duration time, String what) throws IOException {
    try {
      T found = queue.poll(time.toNanos(), TimeUnit.NANOSECONDS);
      if (found == null) {
        throw new IOException("QEMU: no " + what);
      }
      return found;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
