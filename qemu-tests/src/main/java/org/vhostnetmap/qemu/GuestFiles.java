// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where the guest's kernel and root file system are: what {@code scripts/guest-image} prepares.
 *
 * @param vmlinux Debian's kernel, unpacked, for QEMU
 * @param uml user-mode Linux
 * @param initramfs the root file system of both
 * @param qemu the QEMU to start
 * @param environment what QEMU needs in its environment
 * @param msix whether this QEMU can give a vhost-user device MSI-X vectors under emulation
 */
public record GuestFiles(
    Path vmlinux,
    Path uml,
    Path initramfs,
    List<String> qemu,
    Map<String, String> environment,
    boolean msix) {

  /** The project's directory: the nearest one above the current with the script in it. */
  public static Path root() {
    Path here = Path.of("").toAbsolutePath();
    for (Path path = here; path != null; path = path.getParent()) {
      if (Files.isExecutable(path.resolve("scripts/guest-image"))) {
        return path;
      }
    }
    throw new IllegalStateException("no scripts/guest-image above " + here);
  }

  /** Runs the script, which does little the second time, and says where everything is. */
  public static GuestFiles prepare() throws IOException {
    Path root = root();
    var builder = new ProcessBuilder(root.resolve("scripts/guest-image").toString());
    Process script = builder.inheritIO().start();
    try {
      if (!script.waitFor(5, TimeUnit.MINUTES) || script.exitValue() != 0) {
        script.destroy();
        throw new IOException("scripts/guest-image failed");
      }
    } catch (InterruptedException e) {
      script.destroy();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    return in(root.resolve(".build/guest"));
  }

  private static GuestFiles in(Path directory) throws IOException {
    List<String> qemu = List.of("qemu-system-x86_64");
    Map<String, String> environment = Map.of();
    boolean msix = true;
    if (Vm.ACCELERATOR.equals("tcg") && qemuMajor() < 8) {
      Path copy = directory.resolve("qemu-system-x86_64");
      msix = MsixUnderTcg.copy(Path.of("/usr/bin/qemu-system-x86_64"), copy);
      if (msix) {
        // The copy can't find what lies beside the original.
        qemu = new ArrayList<>(List.of(copy.toString(), "-L", "/usr/share/qemu"));
        qemu.addAll(List.of("-L", "/usr/share/seabios", "-L", "/usr/lib/ipxe/qemu"));
        environment = Map.of("QEMU_MODULE_DIR", "/usr/lib/x86_64-linux-gnu/qemu");
      }
    }
    return new GuestFiles(
        directory.resolve("vmlinux"),
        directory.resolve("linux.uml"),
        directory.resolve("initramfs.cpio"),
        qemu,
        environment,
        msix);
  }

  private static int qemuMajor() throws IOException {
    Process process = new ProcessBuilder("qemu-system-x86_64", "--version").start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    Matcher version = Pattern.compile("version (\\d+)").matcher(said);
    if (!version.find()) {
      throw new IOException("what version is this QEMU? " + said);
    }
    return Integer.parseInt(version.group(1));
  }
}
