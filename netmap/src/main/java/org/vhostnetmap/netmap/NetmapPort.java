// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import java.util.List;
import java.util.Optional;
import org.vhostnetmap.linux.Memory;

/**
 * One open of a netmap port, with the rings it binds. Each ring is walked and synced by one thread
 * at a time; TX rings and RX rings may belong to different threads. A program that shares one
 * direction's rings among threads opens one ring pair per thread.
 */
public interface NetmapPort extends AutoCloseable {
  /** What was asked for. */
  RegisterRequest request();

  /** How the port is served, for people: which way, and why no better one. */
  default String description() {
    return request().name();
  }

  /**
   * Slots that one frame may take in the bound TX rings (NS_MOREFRAG). What is longer is lost, or
   * worse, sent in pieces: a NIC without code of its own for chains takes 1.
   */
  default int longestChain() {
    String name = request().name();
    boolean chains = name.indexOf(':') >= 0 || name.indexOf('{') >= 0 || name.indexOf('}') >= 0;
    return chains ? 64 : 1;
  }

  /** What the device answered. */
  PortInfo info();

  /** Bound TX rings of the NIC (or VALE port, pipe), in order of their number. */
  List<NetmapRing> txRings();

  /** Bound RX rings of the NIC. */
  List<NetmapRing> rxRings();

  /** Bound host TX rings: what is put here the host's stack receives. */
  List<NetmapRing> hostTxRings();

  /** Bound host RX rings: what the host's stack transmits. */
  List<NetmapRing> hostRxRings();

  /**
   * NIOCTXSYNC: sends what lies before head in all bound TX rings, host's too, and moves tail.
   * Never blocks, reports no error; slots the device can't send come back and are counted by the
   * device.
   */
  void txSync();

  /** NIOCRXSYNC: gives released slots back and moves tail over what came, in all bound RX rings. */
  void rxSync();

  /**
   * A descriptor that becomes readable, for poll and epoll, when a bound RX ring may have news, or
   * a bound TX ring that was full may have room. Borrowed. News may be false; after it sync and
   * look. Only reliable between {@link #arm} and {@link #disarm}.
   */
  int fd();

  /**
   * The caller is about to sleep on {@link #fd}: from now on news is told there. Sync and look once
   * more before sleeping.
   */
  void arm();

  /** The caller is awake: news need not be told any more. */
  void disarm();

  /** Address of buffer {@code index} of this port's memory, 0 when there is none. */
  long buffer(long index);

  /** First of the extra buffers, linked through their first 4 bytes, or 0: {@code ni_bufs_head}. */
  long extraBuffers();

  /**
   * How many buffers hang on {@link #extraBuffers}: a device gives fewer than were asked for rather
   * than none.
   */
  default int countExtraBuffers() {
    int count = 0;
    long at = buffer(extraBuffers());
    // A list that loops is no list: the bound is the most buffers a memory has here.
    while (at != 0 && count < 1 << 24) {
      count++;
      at = buffer(Memory.getUnsignedInt(at));
    }
    return count;
  }

  /** Puts a list back: what hangs on it at {@link #close} is freed. */
  void setExtraBuffers(long head);

  /**
   * Why the port can't move frames any more (its NIC went away), or empty while it can. A port that
   * failed stays so; close it and open anew.
   */
  Optional<String> failure();

  /** Frames that the device had to drop on this port's rings, each with its reason in words. */
  List<DeviceDrops> drops();

  /** Frames that a device, not its user, dropped. */
  record DeviceDrops(String reason, long frames) {}

  /** Gives rings and buffers back. No ring of it may be touched any more. */
  @Override
  void close();
}
