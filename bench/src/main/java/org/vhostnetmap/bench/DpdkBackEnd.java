// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** testpmd with net_vhost: one thread forwards on processor 0, the others sleep. */
final class DpdkBackEnd implements BackEnd {
  private static final Pattern NEGOTIATED =
      Pattern.compile("negotiated Virtio features: 0x([0-9a-f]+)");
  private static final int MERGEABLE = 15;
  private static final int PACKED = 34;
  private static final int IN_ORDER = 35;

  private final Testpmd testpmd;
  private final Path log;

  private DpdkBackEnd(Testpmd testpmd, Path log) {
    this.testpmd = testpmd;
    this.log = log;
  }

  /**
   * Starts it.
   *
   * @param sockets one port for each
   */
  static DpdkBackEnd start(Path folder, Hugepages memory, List<Path> sockets, int pairs)
      throws IOException {
    List<String> environment = new ArrayList<>(memory.options(VhostContender.MEBIBYTES));
    for (int i = 0; i < sockets.size(); i++) {
      String device = "net_vhost" + i + ",iface=" + sockets.get(i) + ",queues=" + pairs;
      environment.addAll(List.of("--vdev", device));
    }
    Path log = folder.resolve("dpdk.log");
    Testpmd testpmd =
        Testpmd.start(List.of(), 0, environment, VhostContender.testpmdArguments(pairs), log);
    return new DpdkBackEnd(testpmd, log);
  }

  @Override
  public void traffic(VhostRow.Kind kind, int bytes) throws IOException {
    String mode =
        switch (kind) {
          case TX, BRIDGE -> "rxonly";
          case RX -> "txonly";
          case GUESTS -> "io";
        };
    testpmd.forward(mode, bytes, "start");
  }

  @Override
  public Child child() {
    return testpmd.child();
  }

  @Override
  public void requireNegotiated(VirtioOptions options) throws IOException {
    Matcher matcher = NEGOTIATED.matcher(Files.readString(log));
    if (!matcher.find()) {
      throw new IOException("DPDK does not say what was negotiated: " + log);
    }
    do {
      long bits = Long.parseUnsignedLong(matcher.group(1), 16);
      boolean same =
          (bits >>> PACKED & 1) == (options.packed() ? 1 : 0)
              && (bits >>> IN_ORDER & 1) == (options.inOrder() ? 1 : 0)
              && (bits >>> MERGEABLE & 1) == (options.mergeable() ? 1 : 0);
      if (!same) {
        throw new IOException("DPDK negotiated 0x" + matcher.group(1) + ", not " + options);
      }
    } while (matcher.find());
  }

  @Override
  public Arrived arrived(VhostRow.Kind kind) throws IOException {
    String stats = testpmd.command("show port stats all");
    return new Arrived(Testpmd.sum("RX-packets:", stats), Testpmd.sum("TX-packets:", stats));
  }

  @Override
  public void startOwn() throws IOException {
    testpmd.startCycles();
  }

  @Override
  public Own endOwn() throws IOException {
    return Own.of(testpmd.endCycles());
  }

  @Override
  public void close() {
    testpmd.close();
  }
}
