// SPDX-License-Identifier: Apache-2.0

/// Virtqueues as a device sees them, over the memory of a guest that may be hostile.
///
/// ```
///   driver (guest)                               device (this room)
///   --------------                               ------------------
///   fills a descriptor chain
///   avail.ring[idx % size] = head
///   avail.idx++            ---- kick? ---->      peek:     heads -> chains -> segments, all bounds-checked
///                                                          (nothing is consumed, nothing is written)
///                                                complete: used.ring[idx % size] = head, bytes written
///                          <--- call? -----      publish:  used.idx
///                                                wantsCall: after a full fence, one for all queues of a round
/// ```
///
/// That is a split ring. A packed ring ([org.vhostnetmap.virtqueue.PackedVirtqueue]) is one ring of
/// descriptors, which the driver makes available and the device makes used in the same slots; who
/// may have a slot is told by two of its flags against a counter that flips with each lap:
///
/// ```
///   slot      0         1         2         3         4
///         [ used    | used    | chain A ->  A's end | not yet  ]      a lap where the counter is 1
///   AVAIL     1         1         1         1         0 (left from the lap before)
///   USED      1         1         0         0         0
///                               ^ slot: next to take and to give back; both, because no chain is
///                                 kept. complete(A) writes slot 2 only, and goes on at slot 4.
/// ```
///
/// The driver looks at one slot only, the first that it does not know to be used. So `complete`
/// keeps the first element of a burst back, and `publish` stores it behind all others: that one
/// store shows all of them. Where VIRTIO_F_IN_ORDER was negotiated and nothing was written (a
/// transmitq) it is the only one, with the id of the last chain.
///
/// A slot behind the head of a chain whose flags are wrong is a fault, not something to wait for:
/// 2.8.6 wants them right in all of a list, and the head is made available last. (DPDK and QEMU do
/// not look at them, and would take what the driver has not given.)
///
/// **Where a packed ring stands** is told by SET_VRING_BASE only; nothing in the ring says it for
/// sure. So a packed ring does not survive its back-end: to the next one QEMU tells the place of
/// the last start (a split ring goes on at its used index). Stopped by the front-end it goes on.
///
/// **Who owns which memory.** The descriptor table, the available ring and the buffers that lie
/// between `used.idx` and `avail.idx` belong to the device *by the spec* and to nobody in truth:
/// the guest can write to all of them at any time. So every field is read once into a local,
/// checked, and never read again. The used ring is the device's to write. The mappings under all of
/// it belong to the vhost room; who has no `close()` borrows.
///
/// **Three kinds of number.** A *guest address* is what descriptors hold (guest-physical). A
/// *front-end address* is what the front-end says of its own address space (rings). A *host
/// address* is what `Memory` takes. Only [org.vhostnetmap.virtqueue.GuestMemory] turns the first
/// two into the third.
///
/// **Looking ahead.** `peek` may be called again and again; only `complete` consumes, and it can't
/// be undone. So a frame that finds no room stays where it was, and a burst that is given up in the
/// middle leaves a ring as if it had not begun.
///
/// **Memory order.** virtio 1.3, 2.7.13: the available index is loaded with acquire before the
/// entries it covers; the used index is published after the entries it covers; a full fence stands
/// between that store and the read of the event word (`used_event` or `avail.flags`), and between
/// the write of our own event word and the second look at the available index. (Packed, 2.8.21 and
/// 2.8.22: flags, id and length of a run of descriptors, then an acquire fence, then addresses; the
/// first element released after the others; the same two fences at the event suppression
/// structures.) Without the two full fences a wake-up is lost about once a minute under load.
///
/// **What can go wrong.** A guest that breaks the rules of its ring raises
/// [org.vhostnetmap.virtqueue.GuestFault], with a reason: the ring is out of use until the next
/// reset; nothing else is. A page that vanishes raises `InternalError` out of any method here, or,
/// when compiled code made the access, a moment later: `complete` and `publish` may have counted
/// what memory never showed, and `peek` may raise a fault over the garbage that it got (seen with
/// both compilers). So a queue over memory that vanished is thrown away and a new one takes over
/// the ring, as after a reconnect. A queue over other memory that was merely at work when the error
/// arrived stays right: it repeats its burst.
package org.vhostnetmap.virtqueue;
