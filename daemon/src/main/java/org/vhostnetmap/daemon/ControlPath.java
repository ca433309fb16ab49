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
import java.util.List;
import java.util.Map;

/**
 * Where control sockets are when nobody says otherwise: one folder per user, one socket per process
 * in it.
 */
final class ControlPath {
  private static final String SUFFIX = ".sock";

  private ControlPath() {}

  /** The folder for the user {@code uid}, which need not exist. */
  static Path folder(Map<String, String> environment, int uid) {
    String runtime = environment.get("XDG_RUNTIME_DIR");
    if (runtime != null && runtime.startsWith("/") && Files.isDirectory(Path.of(runtime))) {
      return Path.of(runtime, "vhost-netmap");
    }
    return uid == 0 ? Path.of("/run/vhost-netmap") : Path.of("/tmp/vhost-netmap-" + uid);
  }

  /** The folder for the user of this process. */
  static Path folder() throws IOException {
    return folder(System.getenv(), uid(Path.of("/proc/self")));
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
      if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
          || uid(folder) != uid(Path.of("/proc/self"))) {
        throw new IOException(folder + " belongs to somebody else", e);
      }
    }
    return folder.resolve(ProcessHandle.current().pid() + SUFFIX);
  }

  /** The sockets in {@code folder}, those of processes that died without cleaning up included. */
  static List<Path> sockets(Path folder) throws IOException {
    var sockets = new ArrayList<Path>();
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

  private static int uid(Path path) throws IOException {
    return (Integer) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
  }
}
