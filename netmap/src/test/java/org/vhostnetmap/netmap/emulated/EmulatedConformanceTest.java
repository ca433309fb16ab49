// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Nested;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.conformance.AttachConformance;
import org.vhostnetmap.netmap.conformance.MonitorConformance;
import org.vhostnetmap.netmap.conformance.NicConformance;
import org.vhostnetmap.netmap.conformance.PipeConformance;
import org.vhostnetmap.netmap.conformance.RingConformance;
import org.vhostnetmap.netmap.conformance.ValeConformance;
import org.vhostnetmap.netmap.conformance.VolumeConformance;
import org.vhostnetmap.netmap.emulated.nic.NicQueues;
import org.vhostnetmap.netmap.emulated.nic.PacketQueues;
import org.vhostnetmap.netmap.emulated.nic.XdpFactory;

/** The conformance suite on the emulated device, its NICs by each way that there is. */
final class EmulatedConformanceTest {
  @Nested
  final class Rings extends RingConformance {
    @Override
    protected NetmapDevice newDevice() {
      return Netmap.emulated();
    }
  }

  @Nested
  final class Vale extends ValeConformance {
    @Override
    protected NetmapDevice newDevice() {
      return Netmap.emulated();
    }
  }

  @Nested
  final class Pipes extends PipeConformance {
    @Override
    protected NetmapDevice newDevice() {
      return Netmap.emulated();
    }
  }

  @Nested
  final class Monitors extends MonitorConformance {
    @Override
    protected NetmapDevice newDevice() {
      return Netmap.emulated();
    }
  }

  @Nested
  final class NicsByXdp extends NicConformance {
    @Override
    protected NetmapDevice newDevice() {
      return byWayOf(new XdpFactory());
    }
  }

  @Nested
  final class NicsByPacketSockets extends NicConformance {
    @Override
    protected NetmapDevice newDevice() {
      return byWayOf(PacketQueues.FACTORY);
    }
  }

  private static NetmapDevice byWayOf(NicQueues.Factory way) {
    return Netmap.emulated(Pool.Geometry.GLOBAL, List.of(way));
  }

  @Nested
  final class Volume extends VolumeConformance {
    @Override
    protected NetmapDevice newDevice() {
      return Netmap.emulated();
    }

    @Override
    protected void allAccountedFor(NetmapPort receiver, long sent, long received) {
      long dropped = receiver.drops().stream().mapToLong(NetmapPort.DeviceDrops::frames).sum();
      assertEquals(sent, received + dropped, () -> "drops: " + receiver.drops());
    }
  }

  @Nested
  final class Attached extends AttachConformance {
    @Override
    protected NetmapDevice newDevice() {
      return Netmap.emulated();
    }
  }
}
