// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.io.IOException;
import java.nio.file.Path;
import jnr.unixsocket.UnixServerSocketChannel;
import jnr.unixsocket.UnixSocketAddress;
import jnr.unixsocket.UnixSocketChannel;
import org.vhostnetmap.linux.libc.Native;

/**
 * A descriptor that a jnr-unixsocket channel owns, or a plain one. jnr's channel shuts the
 * connection down when it is closed, tells an error's words and not its number, and leaves its
 * descriptor to child processes; this class makes up for all three.
 */
final class JnrSocket implements AutoCloseable {
  private final Fd fd;
  private final AutoCloseable owner;

  private JnrSocket(Fd fd, AutoCloseable owner) {
    this.fd = fd;
    this.owner = owner;
  }

  static JnrSocket of(Fd fd) {
    return new JnrSocket(fd, fd);
  }

  /** A listening socket whose file never had more rights than {@code mode}. */
  static JnrSocket listen(Path path, int mode) throws ErrnoException {
    Sockets.requireShort(path);
    Native.load();
    UnixServerSocketChannel channel;
    try {
      channel = UnixServerSocketChannel.open();
    } catch (IOException e) {
      throw failure("socket", e);
    }
    JnrSocket socket = new JnrSocket(new Fd(channel.getFD()), channel);
    try {
      // The new file takes over the mode of the socket, less the umask: so does Linux, though no
      // manual tells.
      if (Native.C.fchmod(channel.getFD(), mode) < 0) {
        throw new ErrnoException("fchmod the socket of " + path, Native.errno());
      }
      bind(channel, path);
      socket.prepare();
      return socket;
    } catch (ErrnoException e) {
      socket.close();
      throw e;
    }
  }

  private static void bind(UnixServerSocketChannel channel, Path path) throws ErrnoException {
    try {
      channel.socket().bind(new UnixSocketAddress(path.toString()));
    } catch (IOException e) {
      throw failure("bind socket " + path, e);
    }
  }

  /** A connected socket; EAGAIN where the listener's queue is full, for this never waits. */
  static JnrSocket connect(Path path) throws ErrnoException {
    Sockets.requireShort(path);
    Native.load();
    UnixSocketChannel channel;
    try {
      channel = UnixSocketChannel.open();
    } catch (IOException e) {
      throw failure("socket", e);
    }
    JnrSocket socket = new JnrSocket(new Fd(channel.getFD()), channel);
    try {
      socket.prepare();
      connect(channel, path);
      return socket;
    } catch (ErrnoException e) {
      socket.close();
      throw e;
    }
  }

  private static void connect(UnixSocketChannel channel, Path path) throws ErrnoException {
    try {
      channel.configureBlocking(false);
      if (!channel.connect(new UnixSocketAddress(path.toString()))) {
        throw new ErrnoException("connect to socket " + path, Errno.EAGAIN);
      }
    } catch (ErrnoException e) {
      throw e;
    } catch (IOException e) {
      throw failure("connect to socket " + path, e);
    }
  }

  private void prepare() throws ErrnoException {
    Fd.setCloseOnExec(fd.value());
    Fd.setNonBlocking(fd.value());
  }

  /** To be called at once: this thread's last failed call still has the number. */
  private static ErrnoException failure(String what, IOException cause) {
    ErrnoException failure = new ErrnoException(what, Native.errno());
    failure.initCause(cause);
    return failure;
  }

  int value() {
    return fd.value();
  }

  boolean isOpen() {
    return fd.isOpen();
  }

  @Override
  public void close() {
    if (owner == fd) {
      fd.close();
    } else if (fd.release() >= 0) {
      try {
        owner.close();
      } catch (Exception e) {
        System.getLogger(JnrSocket.class.getName())
            .log(System.Logger.Level.DEBUG, "closing a socket", e);
      }
    }
  }
}
