// SPDX-License-Identifier: Apache-2.0

/// netmap rings: slots that name buffers, walked with head, cur and tail.
///
/// ```
///   netmap_ring  (256 bytes)  buf_ofs num_slots nr_buf_size ringid dir | head cur tail flags ts
///   netmap_slot[num_slots]    { buf_idx, len, flags, ptr }   16 bytes each
///        |
///        +-- buf_idx k  ->  buffer at ring + buf_ofs + k * nr_buf_size
///
///                head                    tail
///                 v                       v
///      ...kernel | slots of the user ... | kernel...      (indexes wrap at num_slots)
/// ```
///
/// **Who owns which memory.** Slots from head to tail - 1, and the buffers they name, belong to the
/// user program; all others belong to the kernel (or to whoever plays the kernel:
/// [org.vhostnetmap.netmap.RingMemory]), which touches the user's only inside a sync. One slot is
/// always the kernel's, so that head == tail means "none".
///
/// **What can go wrong.** The kernel trusts user indexes more than it should, and a ring may be
/// shared with a program that scribbles: [org.vhostnetmap.netmap.NetmapRing] checks every buffer
/// index before it becomes an address, and masks every index it reads back.
///
/// [org.vhostnetmap.netmap.Netmap] chooses the device: the kernel's
/// ([org.vhostnetmap.netmap.kernel]) or, where there is none, our own
/// ([org.vhostnetmap.netmap.emulated]). Both are a [org.vhostnetmap.netmap.NetmapDevice], both give
/// out a [org.vhostnetmap.netmap.NetmapPort] for each open, and the same ring code walks both.
package org.vhostnetmap.netmap;
