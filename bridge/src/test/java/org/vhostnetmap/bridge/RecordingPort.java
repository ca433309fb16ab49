// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.function.Consumer;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

/**
 * A port that plays the wire: sends what a test puts into it, keeps what reaches it, and has as
 * much room as the test says.
 */
final class RecordingPort extends Port implements Sink, Source {
  private static final int SLOT = 1 << 17;

  final QueueCounters in = new QueueCounters("in", true);
  final QueueCounters out = new QueueCounters("out", false);
  final List<byte[]> received = new ArrayList<>();
  final Deque<byte[]> toSend = new ConcurrentLinkedDeque<>();
  int room = Integer.MAX_VALUE;

  /** One flow out of several finds its ring full: frames whose number leaves this rest by three. */
  int fullFlow = -1;

  int flushes;
  boolean vanished; // the next peek lends frames whose memory has gone
  boolean sinkVanishes;
  boolean wishVanishes; // the page that says whether a notification is wanted

  /** What is done to each burst after it was filled. */
  volatile Consumer<Burst> retouch = burst -> {};

  int abandoned;
  private final Mapping memory;

  RecordingPort(String name) throws Exception {
    super(name);
    memory = Mapping.anonymous((long) SLOT * Burst.FRAMES);
  }

  @Override
  public void peek(Burst burst) {
    fill(burst);
    if (burst.count > 0) {
      retouch.accept(burst);
    }
  }

  private void fill(Burst burst) {
    int slot = 0;
    for (byte[] frame : toSend) {
      if (slot == Burst.FRAMES) {
        return;
      }
      long address = memory.address() + (long) SLOT * slot++;
      Memory.copyFromArray(frame, 0, address, frame.length);
      if (frame.length < Burst.SHORTEST_FRAME) {
        burst.length[burst.count] = frame.length;
        burst.refuse(burst.count, DropReason.TOO_SHORT);
        burst.count++;
      } else {
        burst.append(address, frame.length);
      }
    }
  }

  @Override
  public void count(Burst burst, int count) {
    in.count(burst, count);
  }

  @Override
  public void advance(Burst burst, int count) {
    for (int i = 0; i < count; i++) {
      toSend.remove();
    }
  }

  @Override
  public long offer(Burst burst, long frames) {
    long left = frames;
    long full = 0;
    for (; left != 0 && room > 0; left &= left - 1) {
      int i = Long.numberOfTrailingZeros(left);
      if (fullFlow >= 0 && burst.gather(i, 17, 1) % 3 == fullFlow) {
        full |= 1L << i;
        continue;
      }
      if (sinkVanishes) {
        throw new InternalError("as if a page had gone");
      }
      byte[] copy = new byte[burst.length[i]];
      try (Mapping place = Mapping.anonymous(SLOT)) {
        burst.copyTo(i, place.address());
        Memory.copyToArray(place.address(), copy, 0, copy.length);
      } catch (org.vhostnetmap.linux.ErrnoException e) {
        throw new IllegalStateException(e);
      }
      received.add(copy);
      out.frames++;
      out.bytes += copy.length;
      room--;
      burst.taken |= 1L << i;
    }
    return left | full;
  }

  @Override
  public void drop(DropReason reason, Burst burst, long frames) {
    out.drop(reason, Long.bitCount(frames));
  }

  @Override
  public DropReason fullReason() {
    return DropReason.QUEUE_FULL;
  }

  @Override
  public long flush() {
    flushes++;
    if (wishVanishes) {
      throw new InternalError("as if a page had gone");
    }
    return NOTHING_HELD;
  }

  @Override
  public int readyFd() {
    return -1;
  }

  @Override
  public long rest() {
    return 1_000_000;
  }

  @Override
  public void wake() {}

  @Override
  List<Source> sources() {
    return List.of(this);
  }

  @Override
  int busySources() {
    return 1;
  }

  @Override
  Sink sink() {
    return this;
  }

  @Override
  boolean memoryVanished() {
    return vanished;
  }

  @Override
  boolean abandonMemory() {
    abandoned++;
    return true;
  }

  /** The numbers of the frames that came, in their order. */
  List<Integer> numbers() {
    return received.stream().map(Frames::number).toList();
  }

  /** The numbers of the frames that came, each once. */
  Set<Integer> distinct() {
    return new TreeSet<>(numbers());
  }

  @Override
  PortStatus status(int macAddresses) {
    return new PortStatus(
        name(),
        "test",
        "",
        macAddresses,
        List.of(in.status(), out.status()),
        Optional.empty(),
        Optional.empty());
  }

  @Override
  public void close() {
    memory.close();
  }
}
