// SPDX-License-Identifier: Apache-2.0

/** Starts real front-ends (QEMU, user-mode Linux, DPDK) against a vhost-user back-end. */
@org.jspecify.annotations.NullMarked
module org.vhostnetmap.qemu {
  requires static transitive org.jspecify;

  exports org.vhostnetmap.qemu;
}
