// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.lang.invoke.VarHandle;
import java.nio.MappedByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * A guest that keeps the rules, on another port of the same back-end: receives a steady stream of
 * generated frames, and gives each buffer back at once, while others misbehave.
 */
final class GoodNeighbour implements AutoCloseable {
  /** Two seconds of generated frames fit in, so that a busy machine makes it lose nothing. */
  private static final int RECEIVE_SIZE = 1024;

  private static final int GENERATED = 64;
  private static final long STEP_NANOS = 2_000_000;

  private final QtestGuest guest;
  private final MappedByteBuffer ram;
  private final BlockingQueue<byte[]> frames = new LinkedBlockingQueue<>();
  private final AtomicLong received = new AtomicLong();
  private final Thread thread;
  private volatile boolean stopped;
  private int seen;

  GoodNeighbour(Path socket, byte[] mac) throws IOException {
    guest = new QtestGuest(socket, mac, RECEIVE_SIZE);
    ram = guest.machine.ram();
    guest.start(QtestGuest.FEATURES);
    thread = Thread.ofPlatform().daemon().name("good neighbour").start(this::receive);
  }

  private void receive() {
    while (!stopped) {
      int used = ram.getShort((int) guest.receive.used() + 2);
      VarHandle.acquireFence();
      while ((short) seen != used) {
        seen += frame();
      }
      LockSupport.parkNanos(STEP_NANOS);
    }
  }

  /** Takes one frame out of as many buffers as it lies in; the number of buffers. */
  private int frame() {
    int buffers = ram.getShort(buffer(seen) + 10);
    byte[] frame = new byte[0];
    for (int i = 0; i < buffers; i++) {
      int header = i == 0 ? QtestGuest.HEADER : 0;
      int at = frame.length;
      int length = ram.getInt(element(seen + i) + 4) - header;
      frame = Arrays.copyOf(frame, at + length);
      ram.get(buffer(seen + i) + header, frame, at, length);
    }
    for (int i = 0; i < buffers; i++) {
      giveBack(seen + i);
    }
    received.incrementAndGet();
    if (frame.length != GENERATED) {
      frames.add(frame);
    }
    return buffers;
  }

  private int element(int index) {
    return (int) guest.receive.used() + 4 + 8 * (index & RECEIVE_SIZE - 1);
  }

  private int buffer(int index) {
    return (int) QtestGuest.receiveBuffer(ram.getInt(element(index)));
  }

  private void giveBack(int index) {
    // All buffers were posted at the start, so the next free entry is as far ahead as the ring is
    // long: the one at the same place.
    int head = ram.getInt(element(index));
    int available = (int) guest.receive.available();
    ram.putShort(available + 4 + 2 * (index & RECEIVE_SIZE - 1), (short) head);
    VarHandle.releaseFence();
    ram.putShort(available + 2, (short) (index + 1 + RECEIVE_SIZE));
  }

  byte[] mac() {
    return guest.mac();
  }

  void send(byte[] frame) throws IOException {
    guest.send(frame);
  }

  /** Frames it has received, of all kinds. */
  long received() {
    return received.get();
  }

  /** The next frame that was not generated. */
  byte[] next() throws IOException {
    try {
      byte[] frame = frames.poll(10, TimeUnit.SECONDS);
      if (frame == null) {
        throw new IOException("no frame arrives at the good neighbour");
      }
      return frame;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /** Forgets frames that nobody asked for. */
  void forget() {
    frames.clear();
  }

  @Override
  public void close() {
    stopped = true;
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    guest.close();
  }
}
