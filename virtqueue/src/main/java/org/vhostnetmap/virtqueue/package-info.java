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
///                          <--- call? -----      publish:  used.idx, then look whether the driver wants a call
/// ```
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
/// the write of our own event word and the second look at the available index. Without the two full
/// fences a wake-up is lost about once a minute under load.
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
