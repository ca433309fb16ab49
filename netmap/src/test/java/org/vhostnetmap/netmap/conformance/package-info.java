// SPDX-License-Identifier: Apache-2.0

/// What any netmap device has to do, written once: tests of ring semantics, VALE, pipes, monitors,
/// NICs and host rings against [org.vhostnetmap.netmap.NetmapDevice]. The emulated device runs them
/// in every build; the kernel's in the guest of scripts/test-netmap-kernel. Where the two may
/// differ by right, the test says so.
package org.vhostnetmap.netmap.conformance;
