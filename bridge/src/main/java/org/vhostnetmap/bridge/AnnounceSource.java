// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/**
 * RARP frames for a guest that moved here and does not announce itself (VHOST_USER_SEND_RARP), as
 * one more source of its port: they are learned from and flooded like any other frame. The control
 * thread asks, a worker sends.
 */
final class AnnounceSource implements Source {
  private static final int FRAME_BYTES = 60;
  private static final int SLOTS = 8;

  /**
   * Broadcast, then after the source address: RARP over Ethernet for IPv4, "request reverse" (RFC
   * 903).
   */
  private static final byte[] RARP = {(byte) 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3};

  private static final int SENDER = 22;
  private static final int TARGET = 32;

  private final QueueCounters counters;
  private final Fd ready;
  private final Mapping slots;
  private int asked; // announcements that wait; under the monitor
  private int first;

  AnnounceSource(QueueCounters counters) throws ErrnoException {
    this.counters = counters;
    ready = EventFd.create();
    try {
      slots = Mapping.anonymous(4096);
    } catch (ErrnoException failed) {
      ready.close();
      throw failed;
    }
  }

  /**
   * Control thread: announces an address once. Beyond eight that wait, more are pointless and are
   * left out.
   *
   * @param macAddress48 first byte in bits 47 to 40
   */
  synchronized void announce(long macAddress48) {
    if (asked == SLOTS) {
      return;
    }
    long frame = address(asked++);
    Memory.fill(frame, FRAME_BYTES, 0);
    Memory.fill(frame, 6, 0xff);
    Memory.copyFromArray(RARP, 0, frame + 12, RARP.length);
    for (int b = 0; b < 6; b++) {
      int value = (int) (macAddress48 >>> (40 - 8 * b));
      Memory.putByte(frame + 6 + b, value);
      Memory.putByte(frame + SENDER + b, value);
      Memory.putByte(frame + TARGET + b, value);
    }
    EventFd.signal(ready.value());
  }

  private long address(int distance) {
    return slots.address() + 64L * ((first + distance) % SLOTS);
  }

  @Override
  public synchronized void peek(Burst burst) {
    for (int i = 0; i < asked; i++) {
      burst.append(address(i), FRAME_BYTES);
    }
  }

  @Override
  public void count(Burst burst, int count) {
    counters.count(burst, count);
  }

  @Override
  public synchronized void advance(Burst burst, int count) {
    first = (first + count) % SLOTS;
    asked -= count;
  }

  @Override
  public int readyFd() {
    return ready.value();
  }

  @Override
  public synchronized long rest() {
    return asked > 0 ? 0 : UNTIL_READY;
  }

  @Override
  public boolean isBusy() {
    return false;
  }

  @Override
  public void wake() {
    EventFd.drain(ready.value());
  }

  void close() {
    ready.close();
    slots.close();
  }
}
