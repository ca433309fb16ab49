// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import org.junit.jupiter.api.Nested;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.conformance.MonitorConformance;
import org.vhostnetmap.netmap.conformance.PipeConformance;
import org.vhostnetmap.netmap.conformance.RingConformance;
import org.vhostnetmap.netmap.conformance.ValeConformance;

/** The conformance suite on the emulated device. */
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
}
