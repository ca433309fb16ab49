// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.libc.Native;

/** A unix stream socket that waits for front-ends. Never blocks; one thread at a time. */
public final class UnixListener implements AutoCloseable {
  private static final int OWNER_ONLY = 0700;

  private final JnrSocket socket;
  private final @Nullable Path path;
  private final @Nullable FileStatus bound;

  private UnixListener(JnrSocket socket, @Nullable Path path, @Nullable FileStatus bound) {
    this.socket = socket;
    this.path = path;
    this.bound = bound;
  }

  /**
   * Listens at {@code path}. The file is never open to more than {@code mode} (such as 0600)
   * allows, and to nobody but the owner until it belongs to {@code group} (a name or number; null:
   * as the system gives it). A socket on which nobody listens any more is removed first.
   *
   * @throws ErrnoException EADDRINUSE when somebody listens there or the path is something else
   *     than a socket
   */
  public static UnixListener bind(Path path, int mode, @Nullable String group)
      throws ErrnoException {
    Sockets.requireShort(path);
    removeStale(path);
    JnrSocket socket = JnrSocket.listen(path, group == null ? mode : mode & OWNER_ONLY);
    try {
      share(path, mode, group);
      return new UnixListener(socket, path, FileStatus.of(path));
    } catch (ErrnoException e) {
      socket.close();
      delete(path);
      throw e;
    }
  }

  /** Takes over a socket that somebody else bound; its file stays at close. */
  public static UnixListener adopt(Fd fd) throws ErrnoException {
    try {
      Fd.setNonBlocking(fd.value());
    } catch (ErrnoException e) {
      fd.close();
      throw e;
    }
    return new UnixListener(JnrSocket.of(fd), null, null);
  }

  /**
   * The next front-end, or null when none waits.
   *
   * @throws ErrnoException EMFILE when this process has too many files open: who waits goes on
   *     waiting, so that a watch of {@link #fd} comes back at once
   */
  public @Nullable UnixConnection accept() throws ErrnoException {
    int accepted =
        Native.C.accept4(socket.value(), 0, 0, Sockets.SOCK_CLOEXEC | Sockets.SOCK_NONBLOCK);
    if (accepted >= 0) {
      return UnixConnection.adopt(new Fd(accepted));
    }
    int error = Native.errno();
    if (error == Errno.EAGAIN || error == Errno.EINTR || error == Errno.ECONNABORTED) {
      return null;
    }
    throw new ErrnoException("accept" + (path == null ? "" : " on " + path), error);
  }

  /** The descriptor to watch; stays this object's. */
  public int fd() {
    return socket.value();
  }

  /**
   * Stops listening and removes the file, if it is still the one that we made. A second call does
   * nothing.
   */
  @Override
  public void close() {
    if (socket.isOpen() && path != null && bound != null) {
      try {
        if (FileStatus.of(path).sameFile(bound)) {
          Files.deleteIfExists(path);
        }
      } catch (IOException e) {
        System.getLogger(UnixListener.class.getName())
            .log(System.Logger.Level.DEBUG, "socket file left behind", e);
      }
    }
    socket.close();
  }

  private static void share(Path path, int mode, @Nullable String group) throws ErrnoException {
    try {
      if (group != null) {
        PosixFileAttributeView attributes =
            Objects.requireNonNull(Files.getFileAttributeView(path, PosixFileAttributeView.class));
        attributes.setGroup(
            path.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByGroupName(group));
      }
      Files.setAttribute(path, "unix:mode", mode);
    } catch (UserPrincipalNotFoundException e) {
      throw new ErrnoException("no group " + group + " for socket " + path, Errno.EINVAL);
    } catch (IOException e) {
      throw failure("give socket " + path + " its mode and group", e);
    }
  }

  private static void delete(Path path) {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      System.getLogger(UnixListener.class.getName())
          .log(System.Logger.Level.WARNING, "socket file left behind", e);
    }
  }

  /**
   * Removes a socket that nobody listens on. Two programs that come to the same stale socket in the
   * same moment could still remove each other's; the second look at the inode makes that unlikely.
   */
  private static void removeStale(Path path) throws ErrnoException {
    FileStatus before;
    try {
      before = FileStatus.of(path);
    } catch (ErrnoException e) {
      return; // Nothing there, or no right to see it, which bind tells as well.
    }
    if (!before.isSocket()) {
      throw new ErrnoException(path + " exists and is not a socket", Errno.EADDRINUSE);
    }
    int error = UnixConnection.probe(path);
    if (error != Errno.ECONNREFUSED && error != Errno.ENOENT) {
      throw new ErrnoException("somebody listens on socket " + path, Errno.EADDRINUSE);
    }
    try {
      if (FileStatus.of(path).sameFile(before)) {
        Files.deleteIfExists(path);
      }
    } catch (ErrnoException e) {
      // Gone meanwhile.
    } catch (IOException e) {
      throw failure("remove stale socket " + path, e);
    }
  }

  /** java.nio tells no error number: what is left of its kind. */
  private static ErrnoException failure(String what, IOException cause) {
    ErrnoException failure =
        new ErrnoException(
            what, cause instanceof AccessDeniedException ? Errno.EACCES : Errno.EPERM);
    failure.initCause(cause);
    return failure;
  }
}
