// SPDX-License-Identifier: Apache-2.0

/**
 * vhost-user, back-end side, and the virtio-net device as the specification sees it. Knows nothing
 * of frames.
 */
@org.jspecify.annotations.NullMarked
module org.vhostnetmap.vhost {
  requires static transitive org.jspecify;
  requires transitive org.vhostnetmap.linux;
  requires transitive org.vhostnetmap.virtqueue;

  exports org.vhostnetmap.vhost;
  exports org.vhostnetmap.vhost.feature;
  exports org.vhostnetmap.vhost.message;
}
