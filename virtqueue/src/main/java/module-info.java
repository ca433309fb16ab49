// SPDX-License-Identifier: Apache-2.0

/** Virtqueues, device side, and guest memory. No sockets, no threads. */
@org.jspecify.annotations.NullMarked
module org.vhostnetmap.virtqueue {
  requires static transitive org.jspecify;
  requires org.vhostnetmap.linux;

  exports org.vhostnetmap.virtqueue;
}
