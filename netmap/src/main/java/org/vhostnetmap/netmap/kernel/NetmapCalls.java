// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import org.vhostnetmap.linux.DeviceFile;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;

/** The system calls that the kernel's netmap is used by; tests put their own in. */
interface NetmapCalls {
  /** Read and write {@code struct nmreq_header}. */
  long NIOCCTRL = 0xc0586997L;

  /** Read and write the older {@code struct nmreq}: information. */
  long NIOCGINFO = 0xc03c6991L;

  /** The same: open a port, and everything to do with VALE. */
  long NIOCREGIF = 0xc03c6992L;

  /** Sync the bound TX rings; no argument. */
  long NIOCTXSYNC = 0x6994;

  /** Sync the bound RX rings; no argument. */
  long NIOCRXSYNC = 0x6995;

  /** The real ones. */
  NetmapCalls REAL =
      new NetmapCalls() {
        @Override
        public Fd open() throws ErrnoException {
          return DeviceFile.open(KernelDevice.PATH);
        }

        @Override
        public int ioctl(int fd, long request, long argument) {
          return DeviceFile.ioctl(fd, request, argument);
        }

        @Override
        public Mapping map(int fd, long bytes) throws ErrnoException {
          return Mapping.of(fd, 0, bytes, true);
        }
      };

  /** Opens the device: one open, one binding of a port. */
  Fd open() throws ErrnoException;

  /** The result, or the negative error number. */
  int ioctl(int fd, long request, long argument);

  /** The memory of the port that is bound to {@code fd}. */
  Mapping map(int fd, long bytes) throws ErrnoException;
}
