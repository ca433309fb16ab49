// SPDX-License-Identifier: Apache-2.0
/// What the kernel gives: system calls and raw memory, and no policy. Whether an error matters is
/// the caller's business.
///
/// ```
///   control thread (EventLoop)                       worker threads (their own Epoll)
///      |                                                |
///      | UnixListener, UnixConnection: front-ends       | EventFd: kicks and calls     no allocation,
///      | SharedFile, FileStatus, Mapping: their memory  | Tap: frames                  no exception:
///      | Tap.open, Sockets, Fd                          | Memory: every byte shared    -errno or false
///      v                                                v
///   jnr-unixsocket, jnr-ffi (libc.LibC)               jnr-ffi (calls only)   java.lang.foreign (memory only)
/// ```
///
/// **Two ways into native land, never mixed.** jnr makes system calls; java.lang.foreign, in the
/// one class [Memory], touches memory. A jnr `Pointer` or a libc copy on a page that its owner took
/// away kills the process; an access by [Memory] raises an [InternalError] that a worker survives.
///
/// **Who owns what.** An [Fd] owns its number and closes it once; an `int fd` is only lent. What a
/// method returns is the caller's to close; what it is given stays the giver's, but for `adopt` and
/// the constructor of [Fd], which take over. A [Mapping] owns its range of addresses: after close
/// any use of them is undefined, so its owner first makes sure that no worker is still in there.
/// Nothing that the kernel is told the address of is left to the garbage collector.
///
/// **Threads.** [EventLoop] is the one control thread: descriptors, timers and tasks run one after
/// the other, and none may wait. What throws there is logged and removed; the loop goes on.
/// [Fd#close], [EventFd] and the static methods of [Tap] may be called from anywhere, the rest
/// belongs to one thread at a time.
///
/// **What strangers gave.** A descriptor that came over a socket is an open file shared with its
/// giver, who may make a write to it wait ([Notifier], and the watch behind [EventFd]) or its close
/// ([Closer]): docs/decisions/0005-hostile-descriptors.md.
///
/// **What can go wrong.** [ErrnoException] is the host's fault, and tells the call, its object and
/// the error by name. Two things happen to the unwary: a number that is closed while another thread
/// still uses it may by then be somebody else's file; and a descriptor that the front-end gave
/// shares its flags with the front-end, so that O_NONBLOCK set by us can be undone by it.
///
/// **jnr and its sixth argument.** jnr-ffi's x86-64 stubs pass garbage for the sixth of six
/// primitive arguments, which is mmap's offset. [org.vhostnetmap.linux.libc.Native] switches them
/// off before jnr loads.
package org.vhostnetmap.linux;
