// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;

/**
 * Where control sockets are when nobody says otherwise: one folder per user, one socket per process
 * in it.
 */
final class ControlPath {
  private static final String FOLDER = "vhost-netmap";
  private static final String SUFFIX = ".sock";

  private ControlPath() {}

  /** The folder for the user {@code uid}, which need not exist. */
  static Path folder(Map<String, String> environment, int uid) {
    String runtime = environment.get("XDG_RUNTIME_DIR");
    if (runtime != null && runtime.startsWith("/") && Files.isDirectory(Path.of(runtime))) {
      return Path.of(runtime, FOLDER);
    }
    return uid == 0 ? Path.of("/run", FOLDER) : Path.of("/tmp", FOLDER + "-" + uid);
  }

  /** The folder for the user of this process. */
  private static Path folder() throws IOException {
    return folder(System.getenv(), ourUid());
  }

  /**
   * Every folder where a process of the user {@code uid} may have put its socket, ours first: a
   * service is started without the XDG_RUNTIME_DIR that a login has, and the other way round.
   */
  static List<Path> folders(Map<String, String> environment, int uid) {
    var folders = new LinkedHashSet<Path>();
    folders.add(folder(environment, uid));
    folders.add(Path.of("/run/user/" + uid, FOLDER));
    folders.add(Path.of("/run", FOLDER));
    folders.add(Path.of("/tmp", FOLDER + "-" + uid));
    return List.copyOf(folders);
  }

  /** Every folder where a process of this user may have put its socket. */
  static List<Path> folders() throws IOException {
    return folders(System.getenv(), ourUid());
  }

  /**
   * Where this process is to put its socket; makes the folder if need be. Refuses a folder that
   * somebody else made, which below /tmp anybody could.
   */
  static Path forThisProcess() throws IOException {
    Path folder = folder();
    try {
      Files.createDirectory(
          folder,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (FileAlreadyExistsException e) {
      if (!isOurs(folder)) {
        throw new IOException(folder + " belongs to somebody else", e);
      }
    }
    return folder.resolve(ProcessHandle.current().pid() + SUFFIX);
  }

  /**
   * The sockets in {@code folder}, those of processes that died without cleaning up included; none
   * in a folder that somebody else made.
   */
  static List<Path> sockets(Path folder) throws IOException {
    var sockets = new ArrayList<Path>();
    if (!isOurs(folder)) {
      return sockets;
    }
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, "*" + SUFFIX)) {
      entries.forEach(sockets::add);
    } catch (NoSuchFileException e) {
      return List.of();
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
    sockets.sort(null);
    return sockets;
  }

  /** Whether the process that made the socket has ended, as far as the name tells. */
  static boolean isLeftBehind(Path socket) {
    String name = String.valueOf(socket.getFileName());
    String pid = name.substring(0, Math.max(0, name.length() - SUFFIX.length()));
    return pid.matches("[1-9][0-9]{0,9}") && ProcessHandle.of(Long.parseLong(pid)).isEmpty();
  }

  private static boolean isOurs(Path folder) throws IOException {
    try {
      return Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS) && uid(folder) == ourUid();
    } catch (NoSuchFileException e) {
      return false; // gone between two looks
    }
  }

  private static int ourUid() throws IOException {
    return uid(Path.of("/proc/self"));
  }

  private static int uid(Path path) throws IOException {
    return (Integer) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
  }
}
