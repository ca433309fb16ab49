// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import jnr.unixsocket.Credentials;
import jnr.unixsocket.UnixSocketChannel;
import jnr.unixsocket.UnixSocketOptions;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.libc.Native;

/**
 * A connected unix stream socket that also carries file descriptors. Never blocks; one thread at a
 * time.
 */
public final class UnixConnection implements AutoCloseable {
  /**
   * Most descriptors that one message can have ({@code SCM_MAX_FD}); there is room for all, since
   * the kernel would close in our thread what it has to cut off.
   */
  public static final int MAX_FDS = 253;

  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;
  private static final int END_OF_STREAM = -1;

  private final JnrSocket socket;
  private @Nullable Closer closer;

  private UnixConnection(JnrSocket socket) {
    this.socket = socket;
  }

  /**
   * Connects to who listens at {@code path}; EAGAIN when that one's queue is full, for this never
   * waits.
   */
  public static UnixConnection connect(Path path) throws ErrnoException {
    return new UnixConnection(JnrSocket.connect(path));
  }

  /** The error number that connecting would meet; 0 for none. */
  static int probe(Path path) {
    try {
      connect(path).close();
      return 0;
    } catch (ErrnoException e) {
      return e.errno();
    }
  }

  /** Takes over a connected socket. */
  public static UnixConnection adopt(Fd fd) throws ErrnoException {
    try {
      Fd.setNonBlocking(fd.value());
    } catch (ErrnoException e) {
      fd.close();
      throw e;
    }
    return new UnixConnection(JnrSocket.of(fd));
  }

  /** Two that are connected with each other. */
  public static UnixConnection[] pair() throws ErrnoException {
    int[] fds = new int[2];
    int type = Sockets.SOCK_STREAM | Sockets.SOCK_CLOEXEC | Sockets.SOCK_NONBLOCK;
    if (Native.C.socketpair(Sockets.AF_UNIX, type, 0, fds) < 0) {
      throw new ErrnoException("socketpair", Native.errno());
    }
    return new UnixConnection[] {
      new UnixConnection(JnrSocket.of(new Fd(fds[0]))),
      new UnixConnection(JnrSocket.of(new Fd(fds[1])))
    };
  }

  /**
   * From now on the connection, with all that is unread in it, and every descriptor that comes over
   * it are closed by {@code newCloser}.
   */
  public UnixConnection closedBy(Closer newCloser) {
    closer = newCloser;
    return this;
  }

  /** The descriptor to watch; stays this object's. */
  public int fd() {
    return socket.value();
  }

  /** The process at the other end. */
  public PeerCredentials peer() throws ErrnoException {
    try {
      Credentials peer =
          UnixSocketChannel.fromFD(socket.value()).getOption(UnixSocketOptions.SO_PEERCRED);
      return new PeerCredentials(peer.getPid(), peer.getUid(), peer.getGid());
    } catch (IOException e) {
      throw new ErrnoException("ask for the peer", Native.errno());
    }
  }

  /**
   * Receives what is there, at most {@code length} bytes, and appends the descriptors that came
   * with them to {@code fds}; they are the caller's to close.
   *
   * <p>The stream knows no messages: a call that asks for more than the rest of one gets the next
   * one's descriptors as well. Who has to know what came with what asks for no more than one
   * message.
   *
   * @return bytes, 0 when none is there now, -1 at end of stream
   * @throws ErrnoException EMSGSIZE when more descriptors came than this process may have open: the
   *     others are closed then
   */
  public int receive(byte[] buffer, int offset, int length, List<Fd> fds) throws ErrnoException {
    if (length == 0) {
      throw new IllegalArgumentException("no room to receive into");
    }
    UnixMessage message = UnixMessage.take();
    try {
      int got = message.receive(socket.value(), length, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
      if (got < 0) {
        return nothing("recvmsg", Native.errno());
      }
      List<Fd> received = message.descriptors(closer);
      if (message.isCut()) {
        received.forEach(Fd::close);
        throw new ErrnoException(
            "more file descriptors in a message than can be taken", Errno.EMSGSIZE);
      }
      fds.addAll(received);
      message.copyTo(buffer, offset, got);
      return got == 0 ? END_OF_STREAM : got;
    } finally {
      message.giveBack();
    }
  }

  /** 0 for errors that mean "later". */
  private static int nothing(String what, int error) throws ErrnoException {
    if (error == Errno.EAGAIN || error == Errno.EINTR) {
      return 0;
    }
    throw new ErrnoException(what, error);
  }

  /**
   * Sends what fits now, with duplicates of {@code fds} (those stay the caller's) along with the
   * first byte.
   *
   * @return bytes taken, 0 when none fits now (then no descriptor went either)
   */
  public int send(byte[] buffer, int offset, int length, int[] fds) throws ErrnoException {
    if (length == 0) {
      throw new IllegalArgumentException("a stream carries descriptors with a byte only");
    }
    if (fds.length > MAX_FDS) {
      throw new IllegalArgumentException(fds.length + " descriptors in one message");
    }
    UnixMessage message = UnixMessage.take();
    try {
      int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
      int sent = message.send(socket.value(), buffer, offset, length, fds, flags);
      return sent >= 0 ? sent : nothing("sendmsg", Native.errno());
    } finally {
      message.giveBack();
    }
  }

  /** Closes, at once or by {@link #closedBy}; a second call does nothing. */
  @Override
  public void close() {
    if (closer == null) {
      socket.close();
    } else {
      closer.run(socket::close);
    }
  }
}
