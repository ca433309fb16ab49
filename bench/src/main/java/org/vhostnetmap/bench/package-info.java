// SPDX-License-Identifier: Apache-2.0

/// Programs that measure: what a frame costs, and what it must not cost.
///
/// # Raw guests
///
/// Latency, processor time, the cost by the number of guests and pauses are measured with guests
/// that have no machine around them, the same for our back-end and for DPDK's:
///
/// ```
///   this process, processor 1                      back-end under test, processor 0
///   +---------+  unix socket: FakeFrontend         +---------------------------------+
///   | guest A |------------------------------------| port 0                          |
///   |  RawRing ==> guest memory (memfd), shared <= |    | wire, bridge, or testpmd io |
///   |          ==>                                 |    v                            |
///   | guest B |------------------------------------| port 1                          |
///   +---------+                                    +---------------------------------+
/// ```
///
/// A `RawGuest` lets `FakeFrontend` say what QEMU says, which both back-ends understand, and then
/// plays the driver by itself: one descriptor for each buffer, written once; a frame costs a few
/// plain stores, and nothing is allocated. It polls, so that what is measured is the back-end and
/// not how fast this process wakes up.
///
/// What can go wrong: the back-end hangs up or gives buffers back out of order (both end the
/// measurement with a sentence), frames get lost (they are counted and told), the machine does
/// something else meanwhile (windows of both back-ends alternate, medians are told with quartiles).
@org.jspecify.annotations.NullMarked
package org.vhostnetmap.bench;
