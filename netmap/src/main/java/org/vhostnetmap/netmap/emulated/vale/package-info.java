// SPDX-License-Identifier: Apache-2.0

/// VALE switches of the emulated netmap: ports that learn where addresses are, and copy each frame
/// once, from the sender's buffer into the receiver's.
///
/// ```
///   sender's thread, in txsync                                  receiver's thread, in rxsync
///   TX ring [hwcur, rhead)                                      RX ring
///     |  pieces: address, length, checked once                    ^
///     v                                                           |
///   Batch --- LearningTable: a port for each frame                |
///     |                                                           |
///     +--> Delivery, port by port, under that ring's lock:        |
///            as it is (headers equal)      --- copy --> slots from hwtail on, then hwtail moves
///            Converter (headers differ)    --- checksum, segments --^      one notification
///
///   vale0:vm1 --+             +-- vale0:eth0    AttachedRings: a NIC's, walked by a thread
///   vale0:vm2 --+-- switch ---+                 like any user of netmap would
///                             +-- vale0:eth0^   the same for the NIC's host rings
/// ```
///
/// **The rules** (facts of netmap, tested by the conformance suite on both devices): unknown,
/// multicast and broadcast addresses go to all other ports, to ring 0; a known one to the ring of
/// the sender's number, modulo the receiver's. A frame for the port that it came from is dropped. A
/// full ring loses frames, never holds up the sender: all slots are back in the same sync. A frame
/// may span all slots of a ring and goes whole or not at all. The table has 1024 places and forgets
/// by collision.
///
/// **Who owns which memory.** Each port has a memory of its own; a port that was opened in
/// another's (`@N`) shares that. The sender reads its own buffers and writes those that the
/// receiver's free slots name, which nobody but the receiver can change. Batches live with the
/// sender's krings; the table of ports is an immutable picture that each batch takes once.
///
/// **Threads.** A sender holds its TX kring's monitor, then one receiving ring's at a time. No one
/// takes a sender's while holding a receiver's, so there is no circle. Ports come and go under the
/// device's lock, which senders never take: a port that leaves closes its outlets first, and that
/// waits for a sender that is at it.
///
/// **What can go wrong.** A slot names no buffer, or is too long: the frame is dropped and counted
/// at its sender. The receiver scribbled over its slots: frames for it lose their content, others
/// are not affected. A virtio-net header that asks for the impossible: dropped and counted, see
/// [org.vhostnetmap.netmap.offload]. Each dropped frame has one reason, at the ring that was to
/// blame. A NIC that went away keeps its place, which takes no frames; when a NIC of that name
/// comes, it is plugged in again ([org.vhostnetmap.netmap.emulated.vale.AttachedNic]).
///
/// **Where we differ from netmap.** A port that leaves is forgotten by the table at once. Frames
/// longer than what segmentation makes of them never happen, because gso_size is honoured. There
/// may be 256 switches, not 8. Persistent ports (NEWIF) and polling mode are not there.
package org.vhostnetmap.netmap.emulated.vale;
