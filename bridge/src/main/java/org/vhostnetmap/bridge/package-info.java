// SPDX-License-Identifier: Apache-2.0

/// Ports joined by workers: two ports are a plain wire, more are a learning bridge.
///
/// ```
///             Worker (one thread)
///   Source ---- peek ----> Burst ---- Forwarding ---- offer ----> Sink
///   (guest's transmitq,    (up to 32 frames        (guest's receiveqs, TAP, netmap
///    TAP, netmap rx ring)   lent in place)           tx ring: the one copy is made here)
///      ^                                                   |
///      +---- count, advance (consume, publish, call) <-----+---- flush (call)
/// ```
///
/// **The round.** A worker visits the sources it owns: peek a burst, offer it, consume what was
/// settled, notify once. Nothing is consumed before it is settled, so there is no undo: frames that
/// find no room on a wire simply stay in their source for a while, and a page that vanishes in the
/// middle of a copy costs only the frames of whoever took it away.
///
/// **Who owns which memory.** A source's frames belong to whoever filled them (a guest, the kernel,
/// a generator) and are only borrowed until advance; a sink's room likewise until the end of offer.
/// A port owns what it opened and closes it after the workers have forgotten it. Nobody here maps
/// guest memory.
///
/// Between two netmap rings of one memory nobody copies: sink and source exchange the buffers of
/// their slots ([org.vhostnetmap.bridge.NetmapBridgePort]), when no other sink is still to read the
/// frame.
///
/// **Offloads.** A guest leaves checksums and segmentation to us (virtio 1.3, 5.1.6.2), and so does
/// the host's stack behind a TAP. The source reads each virtio-net header once, validates it
/// against the packet ([org.vhostnetmap.bridge.OffloadCapture]) and notes it in the burst; a frame
/// that asks for nothing costs one test there and none later. Each sink looks whether any frame of
/// the burst asks for something:
///
/// ```
///   flags = 0, gso_type = NONE    -> as ever
///   the receiver took the feature -> whole, with its header (a guest's receiveq, a TAP,
///                                    a VALE port with headers)
///   it did not                    -> SoftwareOffload: checksum completed, or cut into segments,
///                                    straight into the receiver's buffers or slots
///   the header lies               -> dropped at its source: BAD_OFFLOAD
/// ```
///
/// hdr_len is never believed. A frame that is cut counts once and goes whole or not at all; its
/// segments have a counter of their own. Of headers of a driver that did not take CSUM nothing is
/// read. Frames that ask for something never move with their buffer. A guest may switch its receive
/// offloads off by the control queue without our being told: `tso=off` is for those.
///
/// **Threads.** One control thread (`EventLoop`) opens, closes and reports; workers move frames. A
/// source has one owner. A sink has a lock, taken once per burst. When ports change, the control
/// thread hands each worker a finished plan and waits until all of them have passed the point
/// between two rounds: after that no worker holds anything of the old plan in its hands, and memory
/// may be unmapped. Counters are read at that point too, which is why they add up exactly.
///
/// **Waiting.** A source is polled through the pauses between its frames while that pays
/// ([org.vhostnetmap.bridge.Polling]). Then its notifications are armed, it is looked at once more,
/// and it rests: epoll watches it, every 20 to 60 us while the worker is busy elsewhere, and for
/// ever when all rest. A round costs what the polled sources cost, however many rest.
///
/// **What can go wrong.** A guest breaks its ring: `GuestFault`, caught in the source or sink,
/// stops that ring. A page vanishes: `InternalError`; [org.vhostnetmap.bridge.Forwarding] finds the
/// guilty port by fstat and lets go of its front-end. A full sink: back-pressure on a wire for up
/// to 10 ms, else a counted drop. A NIC goes away: its port is down with a reason until it is back.
/// A mistake of ours: that one source is retired with a log line. Every dropped frame has exactly
/// one [org.vhostnetmap.bridge.DropReason], and `received + flood copies = delivered + dropped`,
/// always.
package org.vhostnetmap.bridge;
