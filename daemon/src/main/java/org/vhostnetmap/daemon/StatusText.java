// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.vhostnetmap.bridge.BridgeStatus;
import org.vhostnetmap.bridge.NetmapStatus;
import org.vhostnetmap.bridge.PortStatus;
import org.vhostnetmap.bridge.QueueStatus;
import org.vhostnetmap.bridge.WorkerStatus;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.vhost.BackendStatus;

/** A {@link StatusReport} for people. Not for parsing: its words may change with any version. */
final class StatusText {
  private static final int WIDTH = 100;
  private static final int LABEL = 14;

  private final StringBuilder out = new StringBuilder(2048);

  private StatusText() {}

  static String of(StatusReport report) {
    var text = new StatusText();
    text.head(report);
    report.bridge().ports().forEach(text::port);
    text.bridge(report.bridge());
    return text.out.toString();
  }

  private void head(StatusReport report) {
    line(
        "vhost-netmap %s, process %d, up %s, %s resident, %s"
            .formatted(
                report.version(),
                report.pid(),
                duration(report.uptimeSeconds()),
                size(report.residentBytes()),
                count(report.bridge().workers().size(), "worker")));
    for (WorkerStatus worker : report.bridge().workers()) {
      String cpu = worker.cpu() < 0 ? "" : "on CPU " + worker.cpu();
      labelled(worker.name(), List.of(cpu + (cpu.isEmpty() ? "" : ", ") + looks(worker)));
    }
  }

  private static String looks(WorkerStatus worker) {
    return "%s, %s, %d found nothing, %s"
        .formatted(
            count(worker.sources(), "source"),
            count(worker.polls(), "look"),
            worker.emptyPolls(),
            count(worker.sleeps(), "sleep"));
  }

  private void port(PortStatus port) {
    line("");
    line(port.name() + "  " + port.state());
    port.vhost().ifPresent(this::vhost);
    port.netmap().ifPresent(this::netmap);
    for (QueueStatus queue : port.queues()) {
      labelled(queue.queue(), traffic(queue));
      queue.drops().entrySet().stream()
          .sorted(Map.Entry.comparingByKey())
          .forEach(
              drop ->
                  labelled("", List.of(drop.getValue() + " dropped: " + drop.getKey().words())));
    }
    if (port.macAddresses() > 0) {
      labelled("bridge", List.of(count(port.macAddresses(), "address", "addresses") + " learned"));
    }
  }

  private static List<String> traffic(QueueStatus queue) {
    List<String> words = new ArrayList<>();
    words.add(queue.source() ? "from the port" : "to the port");
    words.add(count(queue.frames(), "frame"));
    words.add(count(queue.bytes(), "byte"));
    if (queue.notifications() > 0) {
      words.add(count(queue.notifications(), "call"));
    }
    if (queue.moved() > 0) {
      words.add(queue.moved() + " not copied");
    }
    if (queue.segments() > 0) {
      words.add(count(queue.segments(), "segment") + " made");
    }
    if (queue.coalesced() > 0) {
      words.add(queue.coalesced() + " coalesced");
    }
    return words;
  }

  private void vhost(BackendStatus vhost) {
    if (vhost.frontendPid() != 0) {
      labelled("front-end", List.of("process " + vhost.frontendPid()));
    }
    words("features", vhost.features());
    words("protocol", vhost.protocolFeatures());
    long bytes = vhost.memory().stream().mapToLong(BackendStatus.Region::size).sum();
    if (bytes > 0) {
      labelled(
          "guest memory", List.of(size(bytes) + " in " + count(vhost.memory().size(), "region")));
    }
    for (BackendStatus.Ring ring : vhost.rings()) {
      if (ring.size() > 0) {
        labelled(
            "ring " + ring.index(),
            List.of(ring.text() + ", " + count(ring.size(), "entry", "entries")));
      }
    }
    String trouble = vhost.lastTrouble();
    if (trouble != null) {
      labelled("last trouble", List.of(trouble));
    }
  }

  private void netmap(NetmapStatus netmap) {
    if (netmap.up()) {
      List<String> words = new ArrayList<>();
      words.add("memory " + netmap.memoryId());
      words.add(count(netmap.slots(), "slot"));
      if (netmap.mtu() > 0) {
        words.add("MTU " + netmap.mtu());
      }
      labelled("rings", words);
    }
    for (NetmapPort.DeviceDrops drops : netmap.drops()) {
      labelled("", List.of(drops.frames() + " dropped by netmap: " + drops.reason()));
    }
    if (netmap.up() && !netmap.trouble().isEmpty()) {
      labelled("last trouble", List.of(netmap.trouble()));
    }
  }

  private void bridge(BridgeStatus bridge) {
    line("");
    if (bridge.macMoves() > 0) {
      line(count(bridge.macMoves(), "address", "addresses") + " moved to another port");
    }
    if (bridge.macRefusals() > 0) {
      line(
          count(bridge.macRefusals(), "address", "addresses")
              + " not learned: the port had its quota");
    }
    String flooded = bridge.floodCopies() == 0 ? "" : " + flooded copies " + bridge.floodCopies();
    line(
        "received %d%s = delivered %d + dropped %d, unexplained %d"
            .formatted(
                bridge.received(),
                flooded,
                bridge.delivered(),
                bridge.dropped(),
                bridge.unexplained()));
  }

  private void words(String label, List<String> words) {
    if (!words.isEmpty()) {
      labelled(label, words);
    }
  }

  /** A label and words behind it, broken into lines that stay below each other. */
  private void labelled(String label, List<String> words) {
    var line = new StringBuilder("  " + label);
    do {
      line.append(' ');
    } while (line.length() < LABEL + 2);
    int indent = line.length();
    for (String word : words) {
      if (line.length() > indent && line.length() + word.length() > WIDTH) {
        line(line.toString());
        line.setLength(0);
        line.repeat(' ', indent);
      }
      line.append(word).append("  ");
    }
    line(line.toString());
  }

  private void line(String line) {
    // A path may hold anything but 0 and '/': nothing of it may act on the terminal.
    out.append(line.stripTrailing().replaceAll("\\p{Cntrl}", "?")).append('\n');
  }

  static String duration(long seconds) {
    if (seconds < 60) {
      return seconds + " s";
    }
    if (seconds < 3600) {
      return seconds / 60 + " min " + seconds % 60 + " s";
    }
    long hours = seconds / 3600;
    return hours < 48
        ? hours + " h " + seconds % 3600 / 60 + " min"
        : hours / 24 + " d " + hours % 24 + " h";
  }

  static String size(long bytes) {
    long mib = bytes >> 20;
    return mib == 0 ? (bytes >> 10) + " KiB" : mib + " MiB";
  }

  private static String count(long number, String noun) {
    return count(number, noun, noun + "s");
  }

  private static String count(long number, String noun, String nouns) {
    return number + " " + (number == 1 ? noun : nouns);
  }
}
