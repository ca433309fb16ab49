// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What an independent reader, tshark, thinks of recorded frames: it works out every checksum
 * itself.
 *
 * @param frames frames in the file
 * @param tcp TCP segments with a payload among them
 * @param ipv6 frames of IPv6
 * @param tagged frames with a VLAN tag
 * @param good checksums of IPv4, TCP, UDP, ICMP and ICMPv6 that are right
 * @param longest bytes of the longest frame, a VLAN tag not counted
 * @param bad the first frames with a checksum that is wrong or could not be worked out, in tshark's
 *     words
 */
public record WireReport(
    long frames, long tcp, long ipv6, long tagged, long good, int longest, List<String> bad) {
  private static final int MOST_BAD = 10;
  private static final int LENGTH = 0;
  private static final int VLAN = 1;
  private static final int IP_VERSION_6 = 2;
  private static final int TCP_PAYLOAD = 3;
  private static final int FIRST_STATUS = 4;
  private static final String[] FIELDS = {
    "frame.len",
    "vlan.id",
    "ipv6.version",
    "tcp.len",
    "ip.checksum.status",
    "tcp.checksum.status",
    "udp.checksum.status",
    "icmp.checksum.status",
    "icmpv6.checksum.status",
    "tcp.checksum",
    "tcp.checksum_calculated",
    "frame.number",
    "_ws.col.Info",
  };
  private static final int TCP_CHECKSUM = FIELDS.length - 4;
  private static final int FRAME_NUMBER = FIELDS.length - 2;

  /** Has {@code file} read, as tcpdump wrote it. */
  public static WireReport of(Path file) throws IOException {
    var command = new ArrayList<String>(List.of("tshark", "-n", "-r", file.toString()));
    for (String protocol : new String[] {"ip", "tcp", "udp"}) {
      command.addAll(List.of("-o", protocol + ".check_checksum:TRUE"));
    }
    // Frames, not streams.
    command.addAll(List.of("-o", "tcp.desegment_tcp_streams:FALSE", "-d", "tcp.port==8000,data"));
    // The first of each: an ICMP error quotes the packet that it is about.
    command.addAll(List.of("-T", "fields", "-E", "occurrence=f"));
    for (String field : FIELDS) {
      command.addAll(List.of("-e", field));
    }
    Path complaints = file.resolveSibling(file.getFileName() + ".tshark");
    Process tshark = new ProcessBuilder(command).redirectError(complaints.toFile()).start();
    var report = new Sum();
    try (var lines = tshark.inputReader(UTF_8)) {
      lines.lines().forEach(report::add);
    }
    try {
      if (tshark.waitFor() != 0) {
        throw new IOException(
            "tshark can't read " + file + ": " + java.nio.file.Files.readString(complaints));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    return report.report();
  }

  /** Adds up line by line. */
  private static final class Sum {
    private long frames;
    private long tcp;
    private long ipv6;
    private long tagged;
    private long good;
    private int longest;
    private final List<String> bad = new ArrayList<>();

    void add(String line) {
      String[] field = line.split("\t", -1);
      frames++;
      boolean tag = !field[VLAN].isEmpty();
      tagged += tag ? 1 : 0;
      ipv6 += field[IP_VERSION_6].isEmpty() ? 0 : 1;
      tcp += field[TCP_PAYLOAD].isEmpty() || field[TCP_PAYLOAD].equals("0") ? 0 : 1;
      longest = Math.max(longest, Integer.parseInt(field[LENGTH]) - (tag ? 4 : 0));
      for (int i = FIRST_STATUS; i < TCP_CHECKSUM; i++) {
        if (field[i].equals("1") || (FIELDS[i].startsWith("tcp") && isOtherZero(field))) {
          good++;
        } else if (!field[i].isEmpty()) {
          complain(FIELDS[i] + " " + field[i], field);
        }
      }
    }

    /** One's complement has two zeroes; Linux, when it completes a TCP checksum, writes ffff. */
    private static boolean isOtherZero(String[] field) {
      return field[TCP_CHECKSUM].equals("0xffff") && field[TCP_CHECKSUM + 1].equals("0x0000");
    }

    private void complain(String why, String[] field) {
      if (bad.size() < MOST_BAD) {
        bad.add(
            why
                + ": frame "
                + field[FRAME_NUMBER]
                + " ("
                + field[LENGTH]
                + " bytes) "
                + field[FRAME_NUMBER + 1]);
      }
    }

    WireReport report() {
      return new WireReport(frames, tcp, ipv6, tagged, good, longest, List.copyOf(bad));
    }
  }
}
