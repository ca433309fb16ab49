// SPDX-License-Identifier: Apache-2.0

/// Real front-ends for the tests of a vhost-user network back-end. None of it knows our own program
/// except [org.vhostnetmap.qemu.BackendProcess]; it serves to test any other as well.
///
/// ```
///   JVM of the test                        network namespace, unnamed, ends with its holder
///   ┌───────────────┐  starts, signals   ┌────────────────────────────────────────────┐
///   │ BackendProcess├───────────────────▶│ back-end ── TAP 10.x.x.1 ── ping, httpd, ... │
///   │ Vm  UmlVm     │                    └───▲────────────────────────────────────────┘
///   │ VirtioUser    │  starts                │ vhost-user socket, shared memory, eventfds
///   │               ├───────────────▶ QEMU / user-mode Linux / testpmd
///   │ GuestShell    │◀──serial line──▶ agent in the guest, a shell
///   │ Qmp           │◀──unix socket──▶ QEMU's monitor
///   └───────────────┘
/// ```
///
/// **A guest** boots in about 3 seconds under emulation: QEMU starts the unpacked kernel by PVH,
/// the root file system is an uncompressed initramfs with busybox, the virtio modules, ethtool and
/// iproute2, iperf3 (`scripts/guest-image` makes both). On its second serial line an agent runs
/// commands: `RUN nonce seconds base64` in, `BEGIN nonce`, base64, `END nonce status` out. The
/// kernel's own messages go to the first line, so nothing can mix.
///
/// **A driver without a guest.** [org.vhostnetmap.qemu.QtestMachine] is a QEMU whose processor
/// halts in a ROM; the test plays the driver: [org.vhostnetmap.qemu.QtestVirtioNet] for the
/// device's registers, [org.vhostnetmap.qemu.QtestRing] for the rings, over
/// [org.vhostnetmap.qemu.Qtest], some 50 us for each access. Nothing is checked on the way, so a
/// test can lie about everything a guest can lie about, through the real front-end.
///
/// **The wire.** [org.vhostnetmap.qemu.Capture] records what arrives at the far end of a cable, and
/// [org.vhostnetmap.qemu.WireReport] has tshark, which is none of ours, work out every checksum.
///
/// **Ownership.** Whoever starts an object closes it; `close()` ends the process by its own id and
/// removes its directory. A namespace holds no name and no mount: it is gone with its holder. When
/// the JVM ends without having closed, a shutdown hook kills the children; when it is killed, the
/// namespaces go by themselves and QEMU is left over.
///
/// **What can go wrong.** QEMU before 8.0 without KVM dies when a vhost-user network device starts
/// with MSI-X: see `MsixUnderTcg`. QEMU as a vhost-user client ends at once when nobody listens,
/// even with `reconnect`: start the back-end first. A guest that no longer answers gives an
/// IOException with the command's text; its console is in [org.vhostnetmap.qemu.Vm#console].
package org.vhostnetmap.qemu;
