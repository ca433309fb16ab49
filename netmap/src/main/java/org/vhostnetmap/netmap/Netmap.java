// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import java.util.List;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.emulated.EmulatedDevice;
import org.vhostnetmap.netmap.emulated.Pool;
import org.vhostnetmap.netmap.emulated.monitor.Monitors;
import org.vhostnetmap.netmap.emulated.nic.HostPath;
import org.vhostnetmap.netmap.emulated.nic.NicPorts;
import org.vhostnetmap.netmap.emulated.nic.NicQueues;
import org.vhostnetmap.netmap.emulated.nic.PacketQueues;
import org.vhostnetmap.netmap.emulated.nic.XdpFactory;
import org.vhostnetmap.netmap.emulated.pipe.Pipes;
import org.vhostnetmap.netmap.emulated.vale.ValeSwitches;
import org.vhostnetmap.netmap.kernel.KernelDevice;

/** Which netmap there is: netmap's own admode, for the whole device. */
public final class Netmap {
  /** What to use. */
  public enum Mode {
    /** The kernel's netmap, else the emulated one. */
    AUTO,
    /** The kernel's or none. */
    KERNEL,
    /** The emulated one, whatever the kernel has. */
    EMULATED
  }

  /**
   * A device and why it is this one, in one line.
   *
   * @param device whose closing is the caller's
   */
  public record Choice(NetmapDevice device, String reason) {}

  private Netmap() {}

  /**
   * Opens the device that {@code mode} asks for.
   *
   * @throws NetmapException KERNEL, and there is none: the reason
   */
  public static Choice open(Mode mode) throws NetmapException {
    if (mode == Mode.EMULATED) {
      return new Choice(emulated(), "the emulated netmap, as asked");
    }
    try {
      return new Choice(KernelDevice.open(), "the kernel's netmap");
    } catch (NetmapException e) {
      if (mode == Mode.KERNEL) {
        throw e;
      }
      return new Choice(emulated(), "the emulated netmap: " + e.getMessage());
    }
  }

  /** A new emulated device; ports of two of them know nothing of each other. */
  public static EmulatedDevice emulated() {
    return emulated(Pool.Geometry.GLOBAL, List.of(new XdpFactory(), PacketQueues.FACTORY));
  }

  /**
   * The same with another size for the memory that NICs share, and with other ways to serve their
   * queues.
   *
   * @param ways best first
   */
  public static EmulatedDevice emulated(Pool.Geometry global, List<NicQueues.Factory> ways) {
    ValeSwitches switches = new ValeSwitches(Netmap::isInterface);
    return new EmulatedDevice(
        global,
        List.of(new Monitors(), new Pipes(), switches, new NicPorts(ways, HostPath::create)),
        switches);
  }

  private static boolean isInterface(String name) {
    try {
      NetDevice.of(name);
      return true;
    } catch (ErrnoException e) {
      // Whatever else may be wrong with the name, an interface it is not.
      return false;
    }
  }
}
