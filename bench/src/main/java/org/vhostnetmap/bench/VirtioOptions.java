// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.util.List;

/** What a virtio-user front-end is to negotiate: the same for both back-ends. */
record VirtioOptions(boolean packed, boolean inOrder, boolean mergeable, int pairs) {
  /** Entries of a ring: what QEMU has if nobody says otherwise. */
  static final int QUEUE_SIZE = 256;

  /** For words and tables. */
  String rings() {
    return (packed ? "packed" : "split") + (inOrder ? "+in_order" : "");
  }

  String buffers() {
    return mergeable ? "mergeable" : "plain";
  }

  List<String> words() {
    return List.of(rings(), buffers(), pairs + (pairs == 1 ? "pair" : "pairs"));
  }

  /** The rest of the device's name after its path. */
  String device() {
    return ",queue_size=%d,queues=%d,packed_vq=%d,in_order=%d,mrg_rxbuf=%d"
        .formatted(QUEUE_SIZE, pairs, packed ? 1 : 0, inOrder ? 1 : 0, mergeable ? 1 : 0);
  }
}
