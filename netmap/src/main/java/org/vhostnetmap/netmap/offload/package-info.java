// SPDX-License-Identifier: Apache-2.0

/// Checksums and segmentation in software: what a port without offloads needs when a frame comes
/// with a virtio-net header that asks for them.
///
/// ```
///   virtio_net_hdr ---- read once ----> VnetHeader ---- check(length) ----> OffloadFault: dropped
///                                          |
///             +----------------------------+----------------------------+
///             | NEEDS_CSUM, no GSO                                      | GSO
///             v                                                         v
///   copy, then Pieces.complete            Segmenter: PacketHeaders (a private copy), then
///   (sum from csum_start on)              one frame per next(), each with all its checksums
/// ```
///
/// **Who owns which memory.** Nobody here: [org.vhostnetmap.netmap.offload.Pieces] lends the frame
/// from whoever checked its addresses, and the caller gives an address with room for what comes
/// out. Scratch space is on the heap, made once.
///
/// **What can go wrong.** The header and the frame come from a guest that may be hostile and may
/// change them while we look. So each field of the virtio-net header is read once, all headers of
/// the packet are parsed in a private copy, and no length is ever taken from shared memory again.
/// What does not fit together is an [org.vhostnetmap.netmap.offload.OffloadFault], for a counter;
/// nothing throws.
///
/// **Where we differ from netmap's own code.** Segments have the sender's gso_size (netmap's have
/// 1514 bytes whatever it says), IPv6 extension headers are understood, CWR is told once. A packet
/// of type UDP is cut into datagrams, as netmap does it, not into IP fragments.
package org.vhostnetmap.netmap.offload;
