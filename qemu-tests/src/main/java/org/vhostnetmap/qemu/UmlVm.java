// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * A user-mode Linux guest with one virtio-net device on a vhost-user socket. Its front-end,
 * virtio_uml in the kernel itself, is another implementation than QEMU's: call descriptors are
 * pipes, and a ring is stopped by SET_VRING_ENABLE only. Same root file system and shell as {@link
 * Vm}.
 */
public final class UmlVm implements AutoCloseable {
  private static final Duration BOOT = Duration.ofSeconds(30);

  private final Scratch scratch;
  private final ManagedProcess uml;
  private final GuestShell shell;

  private UmlVm(Scratch scratch, ManagedProcess uml) {
    this.scratch = scratch;
    this.uml = uml;
    shell = new GuestShell(uml.process().getInputStream(), uml.process().getOutputStream());
  }

  /** Starts a guest whose device is on {@code socket}, and waits until its shell answers. */
  public static UmlVm boot(GuestFiles files, Path socket) throws IOException {
    var scratch = new Scratch();
    ManagedProcess uml = null;
    try {
      List<String> command =
          List.of(
              files.uml().toString(),
              "mem=96M",
              "initrd=" + files.initramfs(),
              "virtio_uml.device=" + socket + ":1",
              "uml_dir=" + scratch.path("uml") + "/",
              "con=null",
              "con0=null",
              "ssl0=null",
              "ssl1=fd:0,fd:1",
              "shell=ttyS1",
              "panic=-1");
      uml = ManagedProcess.startPiped(command, Map.of(), scratch.path("uml.log"));
      var vm = new UmlVm(scratch, uml);
      vm.shell.awaitReady(BOOT);
      return vm;
    } catch (IOException | RuntimeException e) {
      String why = "";
      if (uml != null) {
        why = uml.tail();
        uml.kill();
        uml.close();
      }
      scratch.close();
      throw new IOException("user-mode Linux: " + e.getMessage() + "\n" + why, e);
    }
  }

  /** The guest's shell. */
  public GuestShell shell() {
    return shell;
  }

  /** Process id of the guest's kernel. */
  public long pid() {
    return uml.pid();
  }

  /** Ends the guest; its processes are children of its kernel and go with it. */
  @Override
  public void close() {
    uml.kill();
    uml.await(BOOT);
    uml.close();
    scratch.close();
  }
}
