// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.vale;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.emulated.DropReason;
import org.vhostnetmap.netmap.offload.OffloadFault;
import org.vhostnetmap.netmap.offload.Pieces;
import org.vhostnetmap.netmap.offload.Segmenter;
import org.vhostnetmap.netmap.offload.VnetHeader;

/// Frames between ports whose virtio-net headers, or buffers, differ in length.
///
/// ```
///   sender  receiver
///     0       10, 12    a header of zeroes comes first
///   10, 12     0        it goes; what it asked for is done here: checksum, segments
///   10, 12    12, 10    its first 10 bytes stay, num_buffers is zero or goes
/// ```
///
/// One frame at a time: [#clear], [#add], [#begin], [#write].
final class Converter {
  /** Longest frame that segmentation makes: netmap's NM_BDG_MFS_DEFAULT. */
  private static final int LONGEST_SEGMENT = 1514;

  private final Pieces frame = new Pieces(64);
  private final Pieces written = new Pieces(64);
  private final VnetHeader asked = new VnetHeader();
  private final Segmenter segmenter = new Segmenter();

  private int sendersHeader;
  private int receiversHeader;
  private int body;
  private int slots;
  private boolean segments;
  private boolean checksum;
  private DropReason fault = DropReason.NO_HEADER;

  void clear() {
    frame.clear();
  }

  void add(long address, int length) {
    frame.add(address, length);
  }

  /**
   * Looks what is to be done with the frame.
   *
   * @param header bytes of the sender's header, which lie in the first piece
   * @return slots that it will take, or -1: {@link #fault} tells
   */
  int begin(Outlet outlet, int header) {
    sendersHeader = header;
    receiversHeader = outlet.port().headerLength();
    body = frame.total() - header;
    segments = false;
    checksum = false;
    if (header > 0 && receiversHeader == 0) {
      OffloadFault wrong = offloads(outlet);
      if (wrong != null) {
        fault = DropReason.BAD_OFFLOAD;
        return -1;
      }
    }
    int usable = outlet.usableBytes();
    slots = segments ? segmenter.segments() : (receiversHeader + body + usable - 1) / usable;
    if (!segments && slots > outlet.longestChain()) {
      fault = DropReason.FRAGMENTED;
      return -1;
    }
    return slots;
  }

  private @Nullable OffloadFault offloads(Outlet outlet) {
    asked.read(frame.firstAddress());
    if (asked.asksNothing()) {
      return null;
    }
    OffloadFault wrong = asked.check(body);
    if (wrong != null) {
      return wrong;
    }
    segments = asked.segments();
    checksum = !segments;
    if (!segments) {
      return null;
    }
    frame.rewind();
    frame.skip(sendersHeader);
    return segmenter.begin(frame, body, asked, Math.min(LONGEST_SEGMENT, outlet.usableBytes()));
  }

  /** Why it can't be passed on. */
  DropReason fault() {
    return fault;
  }

  /**
   * Writes the frame into as many slots as {@link #begin} said.
   *
   * @return the slot after them
   */
  int write(Outlet outlet, int firstSlot) {
    return segments ? writeSegments(outlet, firstSlot) : writeStream(outlet, firstSlot);
  }

  private int writeSegments(Outlet outlet, int firstSlot) {
    int slot = firstSlot;
    for (int i = 0; i < slots; i++) {
      long to = outlet.data(slot);
      int length = 0;
      if (to == 0) {
        segmenter.skip();
      } else {
        length = segmenter.next(to);
      }
      outlet.set(slot, length, Delivery.fragments(1));
      slot = outlet.next(slot);
    }
    return slot;
  }

  private int writeStream(Outlet outlet, int firstSlot) {
    written.clear();
    frame.rewind();
    frame.skip(sendersHeader);
    int slot = firstSlot;
    int left = body;
    for (int i = 0; i < slots; i++) {
      int header = i == 0 ? receiversHeader : 0;
      int data = Math.min(left, outlet.usableBytes() - header);
      long to = outlet.data(slot);
      if (to == 0) {
        frame.skip(data);
      } else {
        writeHeader(to, header);
        frame.copy(to + header, data);
        written.add(to + header, data);
      }
      left -= data;
      int more = i + 1 < slots ? NetmapAbi.NS_MOREFRAG : 0;
      outlet.set(slot, to == 0 ? 0 : header + data, Delivery.fragments(slots) | more);
      slot = outlet.next(slot);
    }
    // A receiver that broke one of its slots gets no checksum either.
    if (checksum && written.total() == body) {
      written.complete(asked);
    }
    return slot;
  }

  private void writeHeader(long to, int header) {
    if (header == 0) {
      return;
    }
    Memory.fill(to, header, 0);
    if (sendersHeader != 0) {
      Memory.copy(frame.firstAddress(), to, VnetHeader.BYTES);
    }
  }
}
