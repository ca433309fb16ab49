// SPDX-License-Identifier: Apache-2.0

/// The kernel's netmap, where its module is loaded.
///
/// ```
///   KernelDevice --- Control: CurrentControl (NIOCCTRL) or LegacyControl (NIOCREGIF)
///        |              | ControlMessage: header and body of one request in memory
///        | register     v
///        +------> open /dev/netmap, REGISTER ---> KernelPort: fd, rings, epoll
///                                                    |
///   Regions: one mapping per memory id <-------------+  netmap_if -> rings -> slots -> buffers
/// ```
///
/// One open of the device is one binding of a port's rings. Configuration goes through one ioctl,
/// frames through mapped memory and two ioctls without an argument. The kernel touches a ring only
/// inside a call of its owner: a sync, or a poll, which syncs too.
///
/// **Who owns which memory.** The kernel owns the region; a process sees it through [Regions],
/// which maps each memory once and gives it back after the last port in it. Of a bound ring the
/// slots from head to tail - 1 and their buffers are the user's.
///
/// **What can go wrong.** The kernel answers a number and tells the reason to its log; [Refusals]
/// turns request and number into words. Syncs report nothing, and a head beyond tail stops a ring
/// for good: the heads of rings we have alone are checked before each sync
/// ([org.vhostnetmap.netmap.NetmapRing#beforeSync]); a ring that is shared with another program
/// (opened without NR_EXCLUSIVE) is that program's to break, so nobody should. Ring memory is
/// recycled dirty: flags are cleared at the open. While an interface is down its rings are stopped
/// and syncs do nothing; when it is taken away altogether, the port goes on without a word and
/// keeps the interface half alive until it is closed, so whoever opens NICs watches rtnetlink.
package org.vhostnetmap.netmap.kernel;
