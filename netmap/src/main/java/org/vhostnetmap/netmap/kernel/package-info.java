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
/// recycled dirty: flags are cleared at the open.
///
/// **An interface that is down.** The kernel's netmap locks the rings of a NIC that goes down, and
/// whoever syncs or polls them then waits in the kernel until it is up again or gone; nothing ends
/// that wait, not even SIGKILL. So a thread that serves such a NIC can stand still (`ip link set
/// eth0 down` is enough), and a close of that port with it. There is no way to ask first: the rings
/// are locked before the interface's flags change. When the interface is taken away altogether,
/// syncs go on as errors, [org.vhostnetmap.netmap.NetmapPort#failure] tells it, and who deletes the
/// interface waits until the port is closed.
package org.vhostnetmap.netmap.kernel;
