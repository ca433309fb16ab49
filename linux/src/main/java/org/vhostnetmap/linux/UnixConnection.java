// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jnr.posix.CmsgHdr;
import jnr.posix.MsgHdr;
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

  private static final int SCM_RIGHTS = 1;
  private static final int MSG_CTRUNC = 0x8;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;
  private static final int END_OF_STREAM = -1;

  /** Most bytes that one call moves; more is for the next call. */
  private static final int BUFFER_BYTES = 16 * 1024;

  /** One for each thread: connections come and go, and what they leave is freed late. */
  private static final ThreadLocal<ByteBuffer> BYTES =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(BUFFER_BYTES));

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
    ByteBuffer bytes = BYTES.get();
    bytes.clear().limit(Math.min(length, BUFFER_BYTES));
    MsgHdr message = Native.posix().allocateMsgHdr();
    message.setIov(new ByteBuffer[] {bytes});
    message.allocateControl(MAX_FDS * Integer.BYTES);
    int got = Native.posix().recvmsg(socket.value(), message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0) {
      return nothing("recvmsg", Native.errno());
    }
    List<Fd> received = descriptors(message);
    if ((message.getFlags() & MSG_CTRUNC) != 0) {
      received.forEach(Fd::close);
      throw new ErrnoException(
          "more file descriptors in a message than can be taken", Errno.EMSGSIZE);
    }
    fds.addAll(received);
    bytes.get(0, buffer, offset, got);
    return got == 0 ? END_OF_STREAM : got;
  }

  /** 0 for errors that mean "later". */
  private static int nothing(String what, int error) throws ErrnoException {
    if (error == Errno.EAGAIN || error == Errno.EINTR) {
      return 0;
    }
    throw new ErrnoException(what, error);
  }

  private List<Fd> descriptors(MsgHdr message) {
    List<Fd> fds = new ArrayList<>();
    if (message.getControlLen() == 0) {
      return fds;
    }
    for (CmsgHdr control : message.getControls()) {
      if (control.getLevel() == Sockets.SOL_SOCKET && control.getType() == SCM_RIGHTS) {
        ByteBuffer data = control.getData().order(ByteOrder.nativeOrder());
        while (data.remaining() >= Integer.BYTES) {
          fds.add(new Fd(data.getInt(), closer));
        }
      }
    }
    return fds;
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
    ByteBuffer bytes = BYTES.get();
    bytes.clear().put(0, buffer, offset, Math.min(length, BUFFER_BYTES));
    bytes.limit(Math.min(length, BUFFER_BYTES));
    MsgHdr message = Native.posix().allocateMsgHdr();
    message.setIov(new ByteBuffer[] {bytes});
    if (fds.length > 0) {
      ByteBuffer data =
          ByteBuffer.allocateDirect(fds.length * Integer.BYTES).order(ByteOrder.nativeOrder());
      data.asIntBuffer().put(fds);
      CmsgHdr control = message.allocateControl(data.capacity());
      control.setLevel(Sockets.SOL_SOCKET);
      control.setType(SCM_RIGHTS);
      control.setData(data);
    }
    try {
      int sent = Native.posix().sendmsg(socket.value(), message, MSG_NOSIGNAL | MSG_DONTWAIT);
      return sent >= 0 ? sent : nothing("sendmsg", Native.errno());
    } finally {
      // jnr frees the message's memory with its object.
      Reference.reachabilityFence(message);
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
