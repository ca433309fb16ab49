// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import org.vhostnetmap.linux.Affinity;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.PortName;
import org.vhostnetmap.netmap.RegisterRequest;

/** What a user can do about a port that can't be opened: errors of the host, explained. */
final class Advice {
  private static final int ENOTSOCK = 88;

  private Advice() {}

  /**
   * Two ports on one socket or TAP, or a group that is not there: refused before anything is
   * opened.
   */
  static void refuseContradictions(Options options) throws Failure {
    Set<Object> taken = new HashSet<>();
    for (PortSpec port : options.ports()) {
      Object place =
          switch (port.plain()) {
            case PortSpec.Vhost vhost -> vhost.path().toAbsolutePath().normalize();
            case PortSpec.Tap tap -> tap.name();
            case PortSpec.Netmap netmap when !netmap.name().isMonitor() -> rings(netmap.name());
            case PortSpec.Netmap _ -> new Object();
            case PortSpec.Adopted _, PortSpec.Null _, PortSpec.Pktgen _, PortSpec.Tuned _ ->
                new Object();
          };
      if (!taken.add(place)) {
        throw new Failure(ExitStatus.CONFIG, place + " is given to two ports; each needs its own");
      }
    }
    String group = options.socketGroup();
    try {
      if (group != null) {
        FileSystems.getDefault().getUserPrincipalLookupService().lookupPrincipalByGroupName(group);
      }
    } catch (UserPrincipalNotFoundException e) {
      throw new Failure(ExitStatus.CONFIG, "--socket-group: there is no group " + group, e);
    } catch (IOException e) {
      throw new Failure(ExitStatus.OS_ERROR, "can't look up the group " + group, e);
    }
  }

  /** A processor for a worker that is not there, or that we may not use. */
  static void refuseProcessors(Options options) throws Failure, ErrnoException {
    for (int cpu : options.cpus()) {
      if (!Affinity.isAvailable(cpu)) {
        String there = line("/sys/devices/system/cpu/online");
        throw new Failure(
            ExitStatus.NO_INPUT,
            "--cpus: processor %d is not there, or not for this process (there are %s)"
                .formatted(cpu, there));
      }
    }
  }

  private static String line(String file) {
    try {
      return Files.readString(Path.of(file)).strip();
    } catch (IOException e) {
      return "unknown ones";
    }
  }

  static Failure on(PortSpec port, ErrnoException e) {
    return switch (port.plain()) {
      case PortSpec.Vhost vhost -> onSocket(vhost.path(), e);
      case PortSpec.Tap tap -> onTap(tap.name(), e);
      case PortSpec.Adopted adopted -> onFd(adopted.fd(), e);
      case PortSpec.Netmap _, PortSpec.Null _, PortSpec.Pktgen _, PortSpec.Tuned _ ->
          Failure.of(e, "");
    };
  }

  private static String rings(PortName name) {
    RegisterRequest request = name.request();
    return request.mode() == PortMode.ALL_NIC
        ? name.name()
        : name.name() + " " + request.mode() + " " + request.ringId();
  }

  /** A port that netmap refused; the exception's words tell the reason. */
  static Failure onNetmap(PortSpec.Netmap port, NetmapException e) {
    return new Failure(status(e), port.text() + ": " + e.getMessage(), e);
  }

  /** There is no netmap such as was asked for. */
  static Failure onNetmapDevice(NetmapException e) {
    ExitStatus status =
        status(e) == ExitStatus.NO_PERMISSION ? ExitStatus.NO_PERMISSION : ExitStatus.UNAVAILABLE;
    return new Failure(status, "--netmap=kernel: " + e.getMessage(), e);
  }

  private static ExitStatus status(NetmapException e) {
    return switch (e.errno()) {
      case Errno.ENXIO, Errno.ENODEV -> ExitStatus.NO_INPUT;
      case Errno.EINVAL, Errno.EOPNOTSUPP -> ExitStatus.CONFIG;
      default -> Failure.status(e.errno());
    };
  }

  static Failure onControl(Path path, IOException e) {
    return e instanceof ErrnoException errno
        ? onSocket(path, errno)
        : new Failure(ExitStatus.CANT_CREATE, "no control socket: " + e.getMessage(), e);
  }

  private static Failure onSocket(Path path, ErrnoException e) {
    Path folder = Objects.requireNonNullElse(path.toAbsolutePath().getParent(), path);
    return switch (e.errno()) {
      case Errno.EADDRINUSE ->
          isSocket(path)
              ? failure(
                  ExitStatus.TEMPORARY,
                  "socket in use: another process listens on %s; end it or choose another path",
                  path,
                  e)
              : failure(
                  ExitStatus.CANT_CREATE,
                  "%s exists and is no socket; choose another path",
                  path,
                  e);
      case Errno.ENOENT, Errno.ENOTDIR ->
          failure(ExitStatus.NO_INPUT, "no folder %s; make it first", folder, e);
      case Errno.EPERM, Errno.EACCES ->
          failure(ExitStatus.NO_PERMISSION, "no right to make a socket in %s", folder, e);
      default -> Failure.of(e, "");
    };
  }

  private static Failure onTap(String name, ErrnoException e) {
    return switch (e.errno()) {
      case Errno.EPERM, Errno.EACCES ->
          failure(
              ExitStatus.NO_PERMISSION,
              "no right to open the TAP %1$s; run as root (CAP_NET_ADMIN), or have it made for you:"
                  + " sudo ip tuntap add dev %1$s mode tap user $USER",
              name,
              e);
      case Errno.EBUSY ->
          failure(ExitStatus.TEMPORARY, "another program has the TAP %s open", name, e);
      case Errno.EINVAL ->
          failure(ExitStatus.CONFIG, "the interface %s is there, and no TAP", name, e);
      case Errno.ENOENT, Errno.ENODEV, Errno.ENXIO ->
          failure(
              ExitStatus.UNAVAILABLE,
              "can't open the TAP %s: no /dev/net/tun; try modprobe tun",
              name,
              e);
      default -> Failure.of(e, "");
    };
  }

  private static Failure onFd(int fd, ErrnoException e) {
    return switch (e.errno()) {
      case Errno.EBADF ->
          failure(
              ExitStatus.NO_INPUT,
              "--fd=%d is not open; the parent process must pass it on",
              fd,
              e);
      case ENOTSOCK -> failure(ExitStatus.CONFIG, "--fd=%d is no unix stream socket", fd, e);
      default -> Failure.of(e, "");
    };
  }

  private static Failure failure(ExitStatus status, String format, Object what, ErrnoException e) {
    return new Failure(status, format.formatted(what), e);
  }

  private static boolean isSocket(Path path) {
    try {
      Object mode = Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
      return ((Integer) mode & 0170000) == 0140000; // S_IFMT, S_IFSOCK
    } catch (IOException e) {
      return true; // gone meanwhile: so it was in use
    }
  }
}
