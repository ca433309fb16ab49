// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.RingMemory;

/** A port with a netmap TX ring, and behind it a kernel that keeps what was sent. */
final class RingPort extends Port {
  final QueueCounters out = new QueueCounters("out", false);
  private final RingMemory memory;
  private final NetmapRing kernel;
  private final NetmapSink sink;
  private final List<byte[]> sent = new ArrayList<>();
  private int sentTo;
  private int headAt;

  /** Whether the kernel takes nothing for now. */
  volatile boolean stopped;

  RingPort(String name, int slots, int bufferBytes, int longest) throws Exception {
    super(name);
    memory = new RingMemory(slots, bufferBytes);
    kernel = memory.ring();
    sink = new NetmapSink(memory.ring(), this::sync, out, longest);
  }

  private synchronized void sync() {
    if (stopped) {
      return;
    }
    memory.giveAll();
    kernel.reload();
    headAt = kernel.head();
    for (; sentTo != headAt; sentTo = kernel.after(sentTo, 1)) {
      byte[] part = new byte[kernel.length(sentTo)];
      Memory.copyToArray(kernel.buffer(sentTo), part, 0, part.length);
      sent.add(part);
      if ((kernel.flags(sentTo) & NetmapAbi.NS_MOREFRAG) != 0) {
        sent.add(null);
      }
    }
  }

  /** What was sent since the last time, each frame put together from its slots. */
  synchronized List<byte[]> take() {
    List<byte[]> frames = new ArrayList<>();
    for (int i = 0; i < sent.size(); i++) {
      byte[] whole = sent.get(i);
      while (i + 1 < sent.size() && sent.get(i + 1) == null) {
        byte[] next = sent.get(i + 2);
        byte[] both = java.util.Arrays.copyOf(whole, whole.length + next.length);
        System.arraycopy(next, 0, both, whole.length, next.length);
        whole = both;
        i += 2;
      }
      frames.add(whole);
    }
    sent.clear();
    return frames;
  }

  @Override
  List<Source> sources() {
    return List.of();
  }

  @Override
  int busySources() {
    return 0;
  }

  @Override
  Sink sink() {
    return sink;
  }

  @Override
  PortStatus status(int macAddresses) {
    return new PortStatus(
        name(),
        "test",
        "",
        macAddresses,
        List.of(out.status()),
        Optional.empty(),
        Optional.empty());
  }

  @Override
  public void close() {
    memory.close();
  }
}
