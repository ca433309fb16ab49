// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux.libc;

import jnr.ffi.annotations.In;
import jnr.ffi.annotations.Out;

/// The C library, by its own names; section 2 or 3 of the manual tells what each does.
///
/// Raw memory is a `long` host address, so that jnr neither copies nor allocates. Byte arrays are
/// copied by jnr and are for small structures of the control plane. A result of -1 means: ask
/// [Native#errno()] before any other call.
public interface LibC {
  /** man 2 open. */
  int open(@In String path, int flags, int mode);

  /** man 2 close. */
  int close(int fd);

  /** man 2 read. */
  long read(int fd, long buffer, long count);

  /** man 2 write. */
  long write(int fd, long buffer, long count);

  /** man 2 writev. */
  long writev(int fd, long iovecs, int count);

  /** man 2 readv. */
  long readv(int fd, long iovecs, int count);

  /** man 2 preadv2; flag RWF_NOWAIT makes one call non-blocking whatever the open file's flags. */
  long preadv2(int fd, long iovecs, int count, long offset, int flags);

  /** man 2 dup3. */
  int dup3(int from, int to, int flags);

  /** man 2 poll, a struct of eight bytes for each descriptor. */
  int poll(@In @Out byte[] pollfds, long count, int timeoutMillis);

  /** man 2 fcntl. */
  int fcntl(int fd, int command, int argument);

  /** man 2 ioctl, with a structure that goes in and comes out. */
  int ioctl(int fd, long request, @In @Out byte[] argument);

  /** man 2 ioctl, with a structure at an address, one that points at others; or with a number. */
  int ioctl(int fd, long request, long argument);

  /** man 2 mmap. Six primitive arguments: wrong unless {@code jnr.ffi.x86asm.enabled} is false. */
  long mmap(long address, long length, int protection, int flags, int fd, long offset);

  /** man 2 munmap. */
  int munmap(long address, long length);

  /** man 2 memfd_create. */
  int memfd_create(@In String name, int flags);

  /** man 2 ftruncate. */
  int ftruncate(int fd, long length);

  /** man 2 fchmod. */
  int fchmod(int fd, int mode);

  /** man 2 statx; chosen over fstat because its structure is the same on every architecture. */
  int statx(int directory, @In String path, int flags, int mask, @Out byte[] statx);

  /** man 2 sched_setaffinity; {@code size} is that of the mask, thread 0 is the calling one. */
  int sched_setaffinity(int thread, long size, @In byte[] mask);

  /** man 2 sched_getaffinity. */
  int sched_getaffinity(int thread, long size, @Out byte[] mask);

  /** man 2 eventfd. */
  int eventfd(int initial, int flags);

  /** man 2 epoll_create1. */
  int epoll_create1(int flags);

  /** man 2 epoll_ctl. */
  int epoll_ctl(int epoll, int operation, int fd, long event);

  /** man 2 epoll_wait. */
  int epoll_wait(int epoll, long events, int maxEvents, int timeoutMillis);

  /** man 2 epoll_pwait2; glibc 2.35 and later. */
  int epoll_pwait2(int epoll, long events, int maxEvents, long timespec, long signalMask);

  /** man 2 socket. */
  int socket(int domain, int type, int protocol);

  /** man 2 socketpair. */
  int socketpair(int domain, int type, int protocol, @Out int[] fds);

  /** man 2 accept4. */
  int accept4(int fd, long address, long addressLength, int flags);

  /** man 2 send. */
  long send(int fd, long buffer, long count, int flags);

  /** man 2 recv. */
  long recv(int fd, long buffer, long count, int flags);

  /** man 2 sendto. */
  long sendto(
      int fd, @In byte[] message, long length, int flags, @In byte[] address, int addressLength);

  /** man 2 getsockopt. */
  int getsockopt(int fd, int level, int option, @Out byte[] value, @In @Out int[] length);

  /** man 2 getsockname. */
  int getsockname(int fd, @Out byte[] address, @In @Out int[] length);

  /** man 2 syscall, for bpf(2), which has no function of its own. */
  long syscall(long number, int command, @In @Out byte[] attributes, int size);

  /** man 2 bind. */
  int bind(int fd, @In byte[] address, int addressLength);

  /** man 2 setsockopt. */
  int setsockopt(int fd, int level, int option, @In byte[] value, int length);

  /** man 2 recvmsg; {@code message} is a struct msghdr. */
  long recvmsg(int fd, long message, int flags);

  /** man 2 sendmsg. */
  long sendmsg(int fd, long message, int flags);

  /** man 2 recvmmsg; {@code messages} is an array of struct mmsghdr, {@code timeout} may be 0. */
  int recvmmsg(int fd, long messages, int count, int flags, long timeout);

  /** man 2 sendmmsg. */
  int sendmmsg(int fd, long messages, int count, int flags);
}
