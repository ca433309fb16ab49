// SPDX-License-Identifier: Apache-2.0

/// Pipes of the emulated netmap: two ports whose rings are cross-linked, without loss and without a
/// copy.
///
/// ```
///     base{id                                   base}id
///   TX ring 0 --------- PipeLane --------->   RX ring 0
///   slot k: buffer 7   <--- exchange --->     slot k: buffer 99       when the sender syncs
///   slot k: buffer 7   <--- exchange --->     slot k: buffer 99       when the reader releases it
///   RX ring 0 <-------- PipeLane ----------   TX ring 0
/// ```
///
/// The frame's buffer goes to the reader and comes back when it is released (or another one, which
/// the reader put there). The sender's tail moves only then, so nothing is ever lost: a slow reader
/// makes the sender wait. Only whole packets are shown to the reader.
///
/// **Bases.** A NIC, a VALE port, or any other name. Pipes use their base's memory, so frames can
/// be moved between a NIC's rings and a pipe's without a copy. A base that is no port gets a memory
/// of its own and lives as long as its pipes; it can't be opened itself, where netmap makes a
/// persistent port of it.
///
/// **Life.** Both ends exist as soon as one is opened, so frames wait for a reader that comes later
/// and stay when the reader closes: [org.vhostnetmap.netmap.emulated.pipe.Pipe] tells who holds
/// whom. What is in a closed end's hands is there for its next user.
///
/// **Who owns which memory.** Every slot of all four rings always names a buffer of its own, all
/// distinct, also while a frame is on its way: that is why buffers are exchanged, where netmap
/// copies slots and remembers who may free them.
///
/// **Threads.** Each end's sync holds only its own kring's monitor. What the other one may touch is
/// told by two indexes, each written by one side.
///
/// **What can go wrong.** A slot that names no buffer goes through as an empty one, is counted, and
/// comes back as it was. A user that names a buffer of somebody else in the same memory can read
/// and write it: one memory is one circle of trust, as in netmap.
package org.vhostnetmap.netmap.emulated.pipe;
