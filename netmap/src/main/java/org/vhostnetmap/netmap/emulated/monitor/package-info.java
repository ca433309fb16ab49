// SPDX-License-Identifier: Apache-2.0

/// Monitors of the emulated netmap: a look at the frames of a port that somebody else has open.
///
/// ```
///        the port's user                          the monitor's user
///    TX kring      RX kring                          RX kring n
///       |             |                                  ^
///   WatchedRing   WatchedRing   stand where the sync was | rxsync: shows what is filled
///       |   \         |   \                              |
///       |    +--------|----+------ copy or swap --> MonitorRing n   (a lock of its own)
///       v             v
///   the port's own sync
/// ```
///
/// **Copy monitors** (`/r`, `/t`, `/rt`) see a frame when its sync begins (TX) or ends (RX), and
/// have a memory of their own. What has come to the port and its user has not fetched they see at
/// their own sync. **Zero-copy monitors** (`/z`) get the frame's buffer itself once it has been
/// used: read and released, or sent. The port's slot gets the monitor's empty one. They share the
/// port's memory; a second one gets what the first one has released, and so on.
///
/// A monitor's ring n sees ring n of the port. It sends nothing. When it is full the newest frames
/// stay, the others are lost and counted; the port never notices.
///
/// **Threads.** A sync of the port holds its kring's monitor and then, shortly, the MonitorRing's
/// lock. The reader holds its own kring's monitor, and never while somebody with a MonitorRing's
/// lock waits for it. A reader that looks into the port's RX ring takes that kring's monitor after
/// its own; nobody takes them the other way round.
///
/// **What can go wrong.** The port's last user leaves: the monitor sees no more frames, `failure()`
/// says why, and the port of the same name that comes next is not monitored. A monitor's user that
/// scribbles over its ring loses frames; a zero-copy monitor shares the port's memory and is
/// trusted with it, as in netmap.
package org.vhostnetmap.netmap.emulated.monitor;
