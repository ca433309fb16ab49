// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Nested;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.conformance.MonitorConformance;
import org.vhostnetmap.netmap.conformance.PipeConformance;
import org.vhostnetmap.netmap.conformance.ValeConformance;

/** The same on a kernel that does not know NIOCCTRL: today's module still takes NIOCREGIF. */
final class KernelLegacyConformanceTest {
  private static NetmapDevice device() throws NetmapException {
    RealModule.require();
    KernelDevice device = KernelDevice.open(new WithoutCtrl());
    assertTrue(device.description().contains("NIOCREGIF"), device.description());
    return device;
  }

  /** The real kernel, but for that one request. */
  private static final class WithoutCtrl implements NetmapCalls {
    @Override
    public Fd open() throws ErrnoException {
      return REAL.open();
    }

    @Override
    public int ioctl(int fd, long request, long argument) {
      return request == NIOCCTRL ? -Errno.EOPNOTSUPP : REAL.ioctl(fd, request, argument);
    }

    @Override
    public Mapping map(int fd, long bytes) throws ErrnoException {
      return REAL.map(fd, bytes);
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
}
