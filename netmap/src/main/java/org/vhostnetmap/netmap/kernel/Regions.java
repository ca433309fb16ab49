// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import java.util.HashMap;
import java.util.Map;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * The memories of the kernel's netmap that this process has mapped, each once, for as long as one
 * of our ports lies in it. Thread-safe.
 *
 * <p>A mapping keeps the open file behind it alive, and with that the port that is bound there,
 * however often its descriptor is closed. So the mapping hangs on a port of its own that binds no
 * rings (mode NULL), and other ports can come and go. Where there is no such mode, each port has
 * its own mapping.
 */
final class Regions {
  private final NetmapCalls calls;
  private final Control control;
  private final Map<Integer, Region> shared = new HashMap<>();

  Regions(NetmapCalls calls, Control control) {
    this.calls = calls;
    this.control = control;
  }

  /** One mapped memory; give it back by {@link #release}. */
  static final class Region {
    private final int memoryId;
    private final Mapping mapping;
    private int users = 1;

    Region(int memoryId, Mapping mapping) {
      this.memoryId = memoryId;
      this.mapping = mapping;
    }

    long address() {
      return mapping.address();
    }

    long bytes() {
      return mapping.length();
    }
  }

  /** The memory of a port that was just bound to {@code fd}. */
  synchronized Region enter(int fd, PortInfo info) throws NetmapException {
    Region known = shared.get(info.memoryId());
    if (known != null) {
      known.users++;
      return known;
    }
    try {
      Region region = new Region(info.memoryId(), mapApart(fd, info));
      shared.put(info.memoryId(), region);
      return region;
    } catch (NetmapException e) {
      try {
        return new Region(info.memoryId(), calls.map(fd, info.memoryBytes()));
      } catch (ErrnoException of) {
        throw new NetmapException(
            "map the " + info.memoryBytes() + " bytes of netmap memory " + info.memoryId(),
            of.errno(),
            of);
      }
    }
  }

  private Mapping mapApart(int fd, PortInfo info) throws NetmapException {
    RegisterRequest memoryOnly =
        RegisterRequest.of("memory" + info.memoryId())
            .with(PortMode.NULL, 0)
            .inMemory(info.memoryId());
    try (Fd apart = calls.open()) {
      control.register(apart.value(), memoryOnly);
      return calls.map(apart.value(), info.memoryBytes());
    } catch (ErrnoException e) {
      throw new NetmapException("a mapping apart from fd " + fd, e.errno(), e);
    }
  }

  /** The port is closed and nobody touches its rings any more. */
  synchronized void release(Region region) {
    region.users--;
    if (region.users == 0) {
      shared.remove(region.memoryId, region);
      region.mapping.close();
    }
  }
}
