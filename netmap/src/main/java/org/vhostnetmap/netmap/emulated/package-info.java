// SPDX-License-Identifier: Apache-2.0

/// The emulated netmap: the kernel's side, in this process, for hosts without the module. Same
/// ports, same memory layout, same rules, so that the same [org.vhostnetmap.netmap.NetmapRing]
/// walks both.
///
/// ```
///   user:    NetmapPort (EmulatedPort)       rings of one open, its fd, its extra buffers
///               |  txSync / rxSync
///   core:    Kring  -------- checks head and cur, one at a time; hwcur, hwtail
///               |  sync(kring)
///   port:    Adapter ------- config, krings, register, txSync, rxSync, notify   (docs/porting.md)
///               |
///            a NIC (emulated.nic), a VALE switch, a pipe, a monitor
///
///   memory:  Pool = one memfd   [ netmap_if ... | rings ... | buffers 0, 1, 2 ... ]
///                                    |               |              ^
///                                    +-- ring_ofs ---+-- buf_idx ---+
/// ```
///
/// **Registration** goes as netmap's own netmap_do_regif does: update config, set ring id, finalize
/// memory, create krings, create rings, get krings (exclusive or shared), new netmap_if, buffer
/// table, register(on), count the user, publish. Each step pushes its undo. A failure runs what was
/// pushed, in reverse; so does close. What only the first user of a port does, only its last one
/// undoes, whichever open that is.
///
/// **Who owns which memory.** A [org.vhostnetmap.netmap.emulated.Pool] owns file and mapping while
/// somebody is in it; everybody else borrows addresses. A buffer is at every instant in exactly one
/// place: a slot of a ring, a list of extra buffers, or the free list
/// ([org.vhostnetmap.netmap.emulated.Pool#census] counts). Who moves a frame without a copy
/// exchanges the buffers of two slots. A ring's slots from head to tail are its user's, all others
/// its adapter's, and change hands only inside a sync. Krings belong to their adapter, an adapter
/// to those who hold references, and goes with the last one.
///
/// **Threads.** One lock per device guards the control plane: lookups, opens, closes, adapters
/// coming and going. A sync holds its kring's monitor and nothing else; it may take a second one
/// where a frame goes straight into another ring (sender's TX, then receiver's RX; host RX, then
/// NIC TX), never the other way round. Modes are changed under both. No sync takes the device's
/// lock.
///
/// **Waiting.** A port has one descriptor: an epoll of what its adapters know to be readable, and
/// an eventfd for news inside this process. A wake-up costs a system call only when somebody has
/// armed, and only the first one since.
///
/// **What can go wrong.** A user shows indexes that no user of his rings can have: the ring goes
/// back to where the device is ("ring reinit"), is counted and complained about, five lines a
/// second at most; nothing is sent or released. (The kernel's netmap repairs only indexes outside
/// the ring; with others it goes on, and stale frames reappear. That is the one place where this
/// differs on purpose.) A slot names no buffer: its frame is dropped and counted, no address is
/// ever made of it. A list of extra buffers loops, or runs into a ring: what others name stays
/// theirs. Buffers that nobody names any more are lost until the last user of the memory leaves,
/// which is said in the log. A port's NIC goes away: its adapter tells a failure, the port is
/// closed by its user and opened anew.
package org.vhostnetmap.netmap.emulated;
