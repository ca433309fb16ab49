// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.linux.NetOffload;
import org.vhostnetmap.linux.PacketSocket;

/// What of a NIC's settings does not go with its use as a netmap port. netmap itself changes none
/// of them, and says of none of them that it is the reason why frames vanish.
///
/// [#faults] looks and tells, one line each with the command that puts it right. [#fix] puts right
/// what is ours to change, and [#close] restores it. Control plane, one thread.
public final class NicCheck implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(NicCheck.class.getName());

  /** Ethernet header and two VLAN tags. */
  private static final int HEADERS = 22;

  /**
   * How the NIC is used.
   *
   * @param kernel by the kernel's netmap, else by the emulated one
   * @param hostRings whether its host rings are open too
   * @param bridged whether frames for other stations than the NIC itself are expected there, such
   *     as a guest's
   * @param bufferBytes bytes of a frame that a netmap buffer holds
   */
  public record Use(boolean kernel, boolean hostRings, boolean bridged, int bufferBytes) {}

  private final NetDevice device;
  private final String name;
  private final Use use;

  /** What {@link #close} has to do, last change first. */
  private final Deque<Undo> undo = new ArrayDeque<>();

  private boolean promiscuousByUs;

  private interface Undo {
    void run() throws ErrnoException;
  }

  private NicCheck(NetDevice device, String name, Use use) {
    this.device = device;
    this.name = name;
    this.use = use;
  }

  /**
   * A NIC and its use; nothing is changed.
   *
   * @throws NetmapException when there is no such NIC
   */
  public static NicCheck of(String nic, Use use) throws NetmapException {
    try {
      return new NicCheck(NetDevice.of(nic), nic, use);
    } catch (ErrnoException e) {
      throw new NetmapException("look at " + nic, e.errno(), e);
    }
  }

  /** Everything that is wrong now, a line each, empty when all is well. */
  public List<String> faults() throws NetmapException {
    try {
      List<String> faults = new ArrayList<>();
      addOffloads(faults);
      if (needsPromiscuous()) {
        faults.add(
            name
                + " receives frames for its own address only: ip link set "
                + name
                + " promisc on");
      }
      if (use.kernel && device.mtu() + HEADERS > use.bufferBytes) {
        faults.add(
            name
                + " has an MTU of "
                + device.mtu()
                + " and netmap buffers of "
                + use.bufferBytes
                + " bytes: ip link set "
                + name
                + " mtu "
                + (use.bufferBytes - HEADERS)
                + ", or load netmap with a larger buf_size");
      }
      addLink(faults);
      return faults;
    } catch (ErrnoException e) {
      throw new NetmapException("look at " + name, e.errno(), e);
    }
  }

  private void addOffloads(List<String> faults) throws ErrnoException {
    Set<NetOffload> wrong = device.offloads();
    wrong.retainAll(unwanted());
    if (!wrong.isEmpty()) {
      faults.add(
          name
              + " has offloads on that netmap can't work with, frames get lost or are damaged: "
              + "ethtool -K "
              + name
              + wrong.stream()
                  .map(offload -> " " + offload.word() + " off")
                  .collect(Collectors.joining()));
    }
  }

  /**
   * The kernel's host rings drop what a device is to complete; the emulated ones complete it.
   * Joined frames fit no buffer, and a tag that the device took out is lost, to XDP and to netmap's
   * native drivers.
   */
  private Set<NetOffload> unwanted() throws ErrnoException {
    Set<NetOffload> unwanted = EnumSet.of(NetOffload.LRO);
    // A veth has no hardware that joins or strips; its peer's frames are mended.
    boolean virtual = !use.kernel && device.driver().equals("veth");
    if (!virtual) {
      unwanted.add(NetOffload.GRO);
      unwanted.add(NetOffload.RX_VLAN);
    }
    if (use.kernel) {
      unwanted.add(NetOffload.TX_VLAN);
      if (use.hostRings) {
        unwanted.addAll(
            EnumSet.of(
                NetOffload.RX_CHECKSUM,
                NetOffload.TX_CHECKSUM,
                NetOffload.SCATTER_GATHER,
                NetOffload.TSO,
                NetOffload.GSO));
      }
    }
    return unwanted;
  }

  private boolean needsPromiscuous() throws ErrnoException {
    // What a veth's peer sends arrives, whomever it is for.
    return use.bridged
        && !promiscuousByUs
        && !device.isPromiscuous()
        && !device.driver().equals("veth");
  }

  private void addLink(List<String> faults) throws ErrnoException {
    if (!device.isUp()) {
      faults.add(name + " is down: ip link set " + name + " up");
    } else if (!device.isRunning()) {
      faults.add(name + " has no link: look at its cable, or its peer (ip link show " + name + ")");
    }
  }

  /**
   * Puts right what is ours to change: offloads, promiscuous mode, a device that is down. An MTU is
   * the network's, and a cable is not ours.
   *
   * @return what was changed, a line each; {@link #faults} tells what is left
   */
  public List<String> fix() throws NetmapException {
    List<String> changes = new ArrayList<>();
    try {
      fixOffloads(changes);
      if (needsPromiscuous()) {
        PacketSocket holder = PacketSocket.promiscuous(device);
        promiscuousByUs = true;
        undo.push(
            () -> {
              promiscuousByUs = false;
              holder.close();
            });
        changes.add(name + " is promiscuous now");
      }
      if (!device.isUp()) {
        device.setUp(true);
        undo.push(() -> device.setUp(false));
        changes.add(name + " is up now");
      }
      return changes;
    } catch (ErrnoException e) {
      close();
      throw new NetmapException("set up " + name, e.errno(), e);
    }
  }

  private void fixOffloads(List<String> changes) throws ErrnoException {
    Set<NetOffload> before = device.offloads();
    Set<NetOffload> wrong = EnumSet.copyOf(unwanted());
    wrong.retainAll(before);
    for (NetOffload offload : wrong) {
      try {
        device.setOffload(offload, false);
      } catch (ErrnoException e) {
        // It stays among the faults; with a driver that can't, nobody can.
        LOG.log(System.Logger.Level.DEBUG, e.getMessage());
      }
    }
    // Without checksums there is no TSO: more may have changed than was asked.
    Set<NetOffload> changed = before;
    changed.removeAll(device.offloads());
    if (!changed.isEmpty()) {
      undo.push(() -> restore(changed));
      changes.add(
          name
              + changed.stream()
                  .map(NetOffload::word)
                  .collect(Collectors.joining(", ", ": ", " switched off")));
    }
  }

  private void restore(Set<NetOffload> offloads) throws ErrnoException {
    ErrnoException first = null;
    for (NetOffload offload : offloads) {
      try {
        device.setOffload(offload, true);
      } catch (ErrnoException e) {
        first = first == null ? e : first;
      }
    }
    if (first != null) {
      throw first;
    }
  }

  /** Restores what {@link #fix} changed; a second call does nothing. */
  @Override
  public void close() {
    for (Undo change = undo.poll(); change != null; change = undo.poll()) {
      try {
        change.run();
      } catch (ErrnoException e) {
        LOG.log(System.Logger.Level.INFO, name + " is not as it was before: " + e.getMessage());
      }
    }
  }
}
