// SPDX-License-Identifier: Apache-2.0

/// What the parts of the hot paths cost, in nanoseconds a frame, on one thread: no cache line comes
/// from another processor, so these figures are the floor. What a frame costs beside a running
/// guest is what `scripts/bench` measures (docs/decisions/0008-hot-paths.md tells why they differ
/// so much).
package org.vhostnetmap.jmh;
