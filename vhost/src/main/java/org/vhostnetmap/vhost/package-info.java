// SPDX-License-Identifier: Apache-2.0
/// vhost-user, back-end side: front-ends come and go, rings start and stop, and somebody else moves
/// the frames.
///
/// ```
///   front-end (QEMU, user-mode Linux, virtio-user)                       the guest's driver
///        | unix socket: messages, descriptors                              | rings, in shared memory
///   VhostUserBackend  one port: listen, connect or adopt; outlives front-ends
///        | one at a time                                                   |
///   Session           bytes to messages, replies, deadlines                |
///        |                                                                 |
///   Requests          one case per message                                 |
///        |                                                                 |
///   Device            features, status byte; decides what may run          |
///        |        \                                                        |
///   Ring x 2N      MemoryTable     addresses to mappings                   |
///        |                                                                 |
///   DataPlane.run(DeviceState)  -- Vring, Vring, ... --> workers ----------+
/// ```
///
/// # What a ring goes through
///
/// Two switches that know nothing of each other, and a ring runs when both are on and nothing is
/// broken:
///
/// ```
///             SET_VRING_KICK                           SET_VRING_ENABLE 1, or SET_FEATURES without bit 30
///   stopped ------------------> started       disabled ------------------------------------------> enabled
///      ^   GET_VRING_BASE,         |             ^             SET_VRING_ENABLE 0, RESET_OWNER,       |
///      +-- SET_STATUS 0 -----------+             +------------ RESET_DEVICE --------------------------+
///
///   started and enabled: RUNNING --- GuestFault, ring outside memory ---> BROKEN (reason kept, err descriptor signalled)
///                           ^------- next SET_VRING_KICK, reset, reconnect ----+
/// ```
///
/// - A ring starts at SET_VRING_KICK, whether or not a kick ever comes: one may have come before,
///   or got lost.
/// - A disabled ring is not touched at all, not even to throw transmitted frames away as the
///   document allows: user-mode Linux gives the ring's pages to others after SET_VRING_ENABLE 0,
///   and never sends GET_VRING_BASE. What a guest left on a transmit ring is thrown away, and
///   counted, when the ring is enabled again without having been started anew.
/// - SET_STATUS 0 stops all rings but keeps their indices, for QEMU 7.2 asks for them afterwards.
/// - The used index is never told; it is read from the ring at each start.
///
/// # Who owns what
///
/// Who has `close()` owns, who has not borrows. A message owns its descriptors until they are taken
/// out, and closes the rest on every path. A `Ring` owns its kick, call and err descriptors; a
/// `MemoryTable` its mappings and their descriptors, which two tables may share while one takes the
/// other's place; a `Session` the connection and the `Device`. The data plane borrows, through
/// [DeviceState], and has let go of all that is not in the list when [DataPlane#run] returns. So
/// everything is taken away in one order: rings out of the data plane, then descriptors, then
/// memory, then the connection. One thing changes under a running ring: an eventfd to call by takes
/// the number of the one before it, in one step; any other change of it makes the ring rest.
///
/// # Threads
///
/// All in the one thread of the `EventLoop`, which never waits for a peer. From other threads:
/// [Vring#call], [Vring#fail], the questions of [VhostUserBackend]. One session can't hold up
/// another: a message that stays unfinished, or a reply that stays unread, for
/// [VhostUserBackend#PATIENCE] costs its sender the connection.
///
/// # What can go wrong
///
/// | who | what | then |
/// |---|---|---|
/// | guest | breaks a rule of its ring (`GuestFault`) | that ring stops with a reason, until the next start or reset |
/// | front-end | asks what can't be done | "no" by acknowledgement; without one it would go on in a wrong belief, and is dropped |
/// | front-end | breaks a rule of the protocol | it is dropped, the port waits for the next |
/// | front-end | cuts its memory file short | prevented by a seal where the file takes one; else `InternalError` in a worker, [VhostUserBackend#ownsFaultedMemory] finds the guilty port, which drops it |
/// | front-end | makes a call descriptor blocking again, and full | a watch frees who is stuck in it (linux, `SignalWatch`), the front-end is dropped, and its port rests for ten seconds (docs/decisions/0005-hostile-descriptors.md) |
/// | host | out of descriptors or mappings | the request is refused, other ports run on |
///
/// Not served yet, and their place left clear in `Requests` and [Offer]: migration (dirty log),
/// in-flight, post-copy, device state.
package org.vhostnetmap.vhost;
