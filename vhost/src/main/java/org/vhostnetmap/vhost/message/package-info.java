// SPDX-License-Identifier: Apache-2.0
/// The messages of vhost-user as they are on the wire: what there is ([FrontendRequest]), how each
/// payload lies in bytes (one record each), and how a message is gathered from a stream that may
/// split anywhere ([MessageReader]). No policy: what a message does is the business of the room
/// above.
///
/// ```
///    u32 request   u32 flags               u32 size   payload (size bytes)
///   |------------|-----------------------|----------|----------------------....|
///                 bits 0-1 version = 1
///                 bit  2   reply
///                 bit  3   need_reply       native endianness, no padding
/// ```
///
/// File descriptors come beside the first byte. A [Message] owns those it brought until somebody
/// takes them out; what nobody took is closed with the message, on every path. Nothing here is
/// sized by a number that a peer sent: a header that announces more than the largest payload known
/// is a [ProtocolFault] before a byte of it is read.
package org.vhostnetmap.vhost.message;
