// SPDX-License-Identifier: Apache-2.0

/** Ports, bursts, forwarding, workers: where guests and netmap meet. */
@org.jspecify.annotations.NullMarked
module org.vhostnetmap.bridge {
  requires static transitive org.jspecify;
  requires transitive org.vhostnetmap.linux;
  requires transitive org.vhostnetmap.vhost;
  requires transitive org.vhostnetmap.virtqueue;
  requires transitive org.vhostnetmap.netmap;

  exports org.vhostnetmap.bridge;
}
