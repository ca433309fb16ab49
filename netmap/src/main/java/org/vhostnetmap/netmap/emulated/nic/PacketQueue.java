// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.BitSet;
import org.vhostnetmap.linux.ClassicBpf;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.linux.PacketSocket;
import org.vhostnetmap.netmap.emulated.Kring;
import org.vhostnetmap.netmap.emulated.Pool;

/**
 * One hardware queue by AF_PACKET: a socket for each direction, so that the two threads of a ring
 * pair don't meet.
 */
final class PacketQueue implements AutoCloseable {
  /** As much as a ring of 1024 slots holds, by the kernel's way of counting. */
  private static final int BUFFER_BYTES = 4 << 20;

  /** How much of a frame a filter keeps: all of it. */
  private static final int WHOLE = 1 << 18;

  private final NetDevice device;
  private final PacketSocket in;
  private final PacketSocket out;
  private final PacketReceiver receiver;
  private final PacketTransmitter transmitter;
  private volatile boolean gone;

  private PacketQueue(NetDevice device, PacketSocket in, PacketSocket out, Kring rx, Pool pool)
      throws ErrnoException {
    this.device = device;
    this.in = in;
    this.out = out;
    receiver = new PacketReceiver(in.fd(), rx.slots, pool, this::checkDevice);
    try {
      transmitter = new PacketTransmitter(out.fd(), true, null, this::checkDevice);
    } catch (ErrnoException e) {
      receiver.close();
      throw e;
    }
  }

  /** Throws when there is no right to do any of this. */
  static void probe(NetDevice device) throws ErrnoException {
    PacketSocket.sender(device, BUFFER_BYTES).close();
  }

  /** Takes what comes by queue {@code number}. */
  static PacketQueue open(NetDevice device, int number, QueueMapping mapping, Kring rx, Pool pool)
      throws ErrnoException {
    PacketSocket in =
        PacketSocket.receiver(device, filter(NicHook.mark(device), number, mapping), BUFFER_BYTES);
    try {
      PacketSocket out = PacketSocket.sender(device, BUFFER_BYTES);
      try {
        return new PacketQueue(device, in, out, rx, pool);
      } catch (ErrnoException e) {
        out.close();
        throw e;
      }
    } catch (ErrnoException e) {
      in.close();
      throw e;
    }
  }

  /** Not what our own host rings send to the stack; of the rest, what came by the queue. */
  private static ClassicBpf filter(int mark, int number, QueueMapping mapping) {
    ClassicBpf filter = new ClassicBpf().load(ClassicBpf.MARK);
    filter.jumpIfEqual(mark, 0, 1).answer(0);
    BitSet one = new BitSet();
    one.set(number);
    int[] values = mapping.values(one);
    boolean listed = !mapping.byExclusion(one);
    if (values.length > 0) {
      filter.load(ClassicBpf.QUEUE);
      for (int i = 0; i < values.length; i++) {
        filter.jumpIfEqual(values[i], values.length - i, 0);
      }
      filter.answer(listed ? 0 : WHOLE);
    }
    return filter.answer(listed || values.length == 0 ? WHOLE : 0);
  }

  PacketReceiver receiver() {
    return receiver;
  }

  PacketTransmitter transmitter() {
    return transmitter;
  }

  /** An error said that the device is down, or gone. */
  private void checkDevice() {
    try {
      device.name();
    } catch (ErrnoException e) {
      gone |= e.errno() == Errno.ENODEV;
    }
  }

  /** Whether there is no such device any more; looks. */
  boolean isGone() {
    checkDevice();
    return gone;
  }

  /** Frames that found no room in the kernel. */
  long dropped() {
    return in.dropped();
  }

  @Override
  public void close() {
    in.close();
    out.close();
    receiver.close();
    transmitter.close();
  }
}
