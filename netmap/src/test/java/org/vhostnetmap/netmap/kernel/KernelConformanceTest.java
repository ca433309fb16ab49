// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import org.junit.jupiter.api.Nested;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.conformance.AttachConformance;
import org.vhostnetmap.netmap.conformance.MonitorConformance;
import org.vhostnetmap.netmap.conformance.NicConformance;
import org.vhostnetmap.netmap.conformance.PipeConformance;
import org.vhostnetmap.netmap.conformance.RingConformance;
import org.vhostnetmap.netmap.conformance.ValeConformance;
import org.vhostnetmap.netmap.conformance.VolumeConformance;

/** The conformance suite on the netmap module of this kernel, where there is one. */
final class KernelConformanceTest {
  private static NetmapDevice device() throws NetmapException {
    RealModule.require();
    return KernelDevice.open();
  }

  @Nested
  final class Rings extends RingConformance {
    @Override
    protected NetmapDevice newDevice() throws NetmapException {
      return device();
    }
  }

  @Nested
  final class Vale extends ValeConformance {
    @Override
    protected NetmapDevice newDevice() throws NetmapException {
      return device();
    }
  }

  @Nested
  final class Pipes extends PipeConformance {
    @Override
    protected NetmapDevice newDevice() throws NetmapException {
      return device();
    }
  }

  @Nested
  final class Monitors extends MonitorConformance {
    @Override
    protected NetmapDevice newDevice() throws NetmapException {
      return device();
    }
  }

  @Nested
  final class Nics extends NicConformance {
    @Override
    protected NetmapDevice newDevice() throws NetmapException {
      return device();
    }
  }

  @Nested
  final class Volume extends VolumeConformance {
    @Override
    protected NetmapDevice newDevice() throws NetmapException {
      return device();
    }
  }

  @Nested
  final class Attached extends AttachConformance {
    @Override
    protected NetmapDevice newDevice() throws NetmapException {
      return device();
    }
  }
}
