// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.List;
import java.util.Optional;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Tap;

/**
 * A TAP interface of the host as a port: the host stack is at its other end. Frames towards it go
 * straight from guest memory by {@code writev(2)}; frames from it are read into slots of ours and
 * lent from there. Both with a virtio-net header, so that checksums and segmentation may stay
 * undone as far as a frame goes.
 */
public final class TapPort extends Port {
  private final Tap tap;
  private final QueueCounters in = new QueueCounters("in", true);
  private final QueueCounters out = new QueueCounters("out", false);
  private final TapSource source;
  private final TapSink sink;

  /**
   * Opens the interface, creating it when it is not there, and brings it up.
   *
   * @throws ErrnoException EPERM when there is no right to create it, EBUSY when another program
   *     has it
   */
  public TapPort(String name, String interfaceName) throws ErrnoException {
    super(name);
    tap = Tap.openWithHeaders(interfaceName);
    try {
      int takes = Offload.CSUM | Offload.TSO4 | Offload.TSO6 | Offload.ECN;
      takes |= tap.takesDatagramSegmentation() ? Offload.USO4 | Offload.USO6 : 0;
      source = new TapSource(tap.fd(), takes, in);
      sink = new TapSink(tap.fd(), takes, out);
    } catch (ErrnoException failed) {
      tap.close();
      throw failed;
    }
  }

  @Override
  List<Source> sources() {
    return List.of(source);
  }

  @Override
  int busySources() {
    return 1;
  }

  @Override
  Sink sink() {
    return sink;
  }

  @Override
  PortStatus status(int macAddresses) {
    String state =
        source.error() == 0
            ? "interface " + tap.name() + " is open"
            : "interface " + tap.name() + " is gone";
    return new PortStatus(
        name(),
        "tap",
        state,
        macAddresses,
        List.of(in.status(), out.status()),
        Optional.empty(),
        Optional.empty());
  }

  @Override
  public void close() {
    tap.close();
    source.close();
    sink.close();
  }
}
