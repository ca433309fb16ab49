// SPDX-License-Identifier: Apache-2.0

/// The program: from a command line to a bridge that runs, and back to nothing.
///
/// ```
///   argv --> CommandReader --> Command
///                                 |
///            +--------------------+---------------------+
///            v                    v                     v
///          Daemon           StatusCommand      help, example, version,
///   signals, systemd, end    ControlClient      capabilities: print, end
///            |                    :
///          Wiring ......... control socket .... ControlServer --> StatusReport --> StatusJson, StatusText
///            |
///     Bridge <-- GuestPort + VhostUserBackend, TapPort, NullPort, PktgenPort
/// ```
///
/// `Options` and `PortSpec` say what was asked for, checked as far as that goes without the
/// machine; `Wiring` is the only class that knows all rooms, and `Advice` turns what the machine
/// then refuses into one line that says what to do. A kind of port is added in `PortSpec`,
/// `PortSpecParser`, `Wiring`, `Advice` and `HelpText`; the compiler finds the places, since
/// `PortSpec` is sealed.
///
/// **Threads.** The main thread puts everything together and then waits. The control thread (the
/// `EventLoop`) owns sockets and sessions; workers of the bridge own the frames. A question by the
/// control socket is answered on the control thread, which lets the workers stand still between two
/// bursts meanwhile: the figures add up exactly, and asking costs microseconds.
///
/// **Ownership.** What was opened is in one `CloseStack` and is closed in the reverse order by the
/// shutdown hook: control socket, bridge (workers stop; then each port stops listening, lets its
/// front-end go, unmaps), control thread. Then the process halts with 0, since the JVM's own answer
/// to SIGTERM would be 143. If that takes more than two seconds, it halts with 70. A signal that
/// comes during the start closes what is there and refuses what would come.
///
/// **What can go wrong.** A failure to start is a `Failure`: a status of sysexits.h and one line.
/// After the start nothing that a guest or a front-end does ends the process; only a `--fd` that
/// was connected does when its front-end hangs up, for no other can come. Clients of the control
/// socket are as hostile as front-ends: half a line, an answer never read, a thousand connections
/// at once cost one timer each and hold up nobody. Standard error that nobody reads holds up nobody
/// either, neither the control thread nor a worker that tells why it gave up a port: lines go
/// through the bounded queue of a `LineWriter`, and those beyond it are counted.
package org.vhostnetmap.daemon;
