// SPDX-License-Identifier: Apache-2.0

/** The netmap API. Knows nothing of virtio. */
@org.jspecify.annotations.NullMarked
module org.vhostnetmap.netmap {
  requires static transitive org.jspecify;
  requires transitive org.vhostnetmap.linux;

  exports org.vhostnetmap.netmap;
  exports org.vhostnetmap.netmap.emulated;
  exports org.vhostnetmap.netmap.emulated.nic;
  exports org.vhostnetmap.netmap.offload;
  exports org.vhostnetmap.netmap.kernel;
}
