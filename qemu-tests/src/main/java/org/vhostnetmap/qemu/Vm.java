// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A QEMU guest: Debian's kernel, a busybox root file system in memory, and one or more virtio-net
 * devices on vhost-user sockets. Its processors are emulated (TCG), so it runs anywhere; {@code
 * VHOST_NETMAP_ACCEL=kvm} in the environment takes KVM instead.
 *
 * <p>{@link #close} ends QEMU and removes its sockets.
 */
public final class Vm implements AutoCloseable {
  /** {@code tcg}, or what the environment says. */
  static final String ACCELERATOR = System.getenv().getOrDefault("VHOST_NETMAP_ACCEL", "tcg");

  private static final Duration BOOT = Duration.ofSeconds(60);
  private static final Duration CONNECT = Duration.ofSeconds(20);

  private final Scratch scratch;
  private final ManagedProcess qemu;
  private final SocketChannel line;
  private final Qmp qmp;
  private final GuestShell shell;

  private Vm(Scratch scratch, ManagedProcess qemu) throws IOException {
    this.scratch = scratch;
    this.qemu = qemu;
    line = UnixStream.connect(scratch.path("shell"), qemu, CONNECT);
    shell = new GuestShell(Channels.newInputStream(line), Channels.newOutputStream(line));
    qmp = new Qmp(UnixStream.connect(scratch.path("qmp"), qemu, CONNECT));
  }

  /** A guest to be described further. */
  public static Builder builder(GuestFiles files) {
    return new Builder(files);
  }

  /** Describes a guest. */
  public static final class Builder {
    private final GuestFiles files;
    private final List<Nic> nics = new ArrayList<>();
    private final List<String> more = new ArrayList<>();
    private String machine = "q35";
    private String kernelOptions = "";
    private int memoryMib = 192;
    private int processors = 1;
    private boolean kernel = true;

    private Builder(GuestFiles files) {
      this.files = files;
    }

    /** Adds a network device. */
    public Builder nic(Nic nic) {
      nics.add(nic);
      return this;
    }

    /** {@code q35} (the default) or {@code pc}. */
    public Builder machine(String name) {
      machine = name;
      return this;
    }

    /** The guest's memory in MiB; 192 when not said. It is shared with the back-end. */
    public Builder memoryMib(int mib) {
      memoryMib = mib;
      return this;
    }

    /** Virtual processors; Linux takes no more queue pairs than that. */
    public Builder processors(int count) {
      processors = count;
      return this;
    }

    /** Words for the kernel's command line. */
    public Builder kernelOptions(String words) {
      kernelOptions = words;
      return this;
    }

    /** No Linux: SeaBIOS and what it finds to boot, such as iPXE on a card. */
    public Builder firmwareOnly() {
      kernel = false;
      return this;
    }

    /** Further arguments, in QEMU's own words. */
    public Builder arguments(String... arguments) {
      more.addAll(List.of(arguments));
      return this;
    }

    /**
     * Starts QEMU with the processors stopped, connects to it, and lets it run. Does not wait for
     * the guest: {@link Vm#awaitBoot} does.
     */
    public Vm start() throws IOException {
      var scratch = new Scratch();
      ManagedProcess qemu = null;
      try {
        qemu =
            ManagedProcess.start(command(scratch), files.environment(), scratch.path("qemu.log"));
        var vm = new Vm(scratch, qemu);
        vm.qmp.execute("cont");
        return vm;
      } catch (IOException | RuntimeException e) {
        if (qemu != null) {
          qemu.close();
        }
        scratch.close();
        throw e;
      }
    }

    /** Starts the guest and waits until its shell answers. */
    public Vm boot() throws IOException {
      Vm vm = start();
      try {
        vm.awaitBoot();
        return vm;
      } catch (IOException e) {
        String why = vm.console();
        vm.close();
        throw new IOException(e.getMessage() + "\nconsole:\n" + why, e);
      }
    }

    private List<String> command(Scratch scratch) {
      var words = new ArrayList<String>(files.qemu());
      words.addAll(List.of("-nodefaults", "-no-user-config", "-display", "none", "-S"));
      words.addAll(List.of("-machine", machine + ",memory-backend=memory,accel=" + ACCELERATOR));
      words.addAll(
          List.of(
              "-cpu",
              ACCELERATOR.equals("tcg") ? "max" : "host",
              "-smp",
              Integer.toString(processors)));
      words.addAll(List.of("-m", Integer.toString(memoryMib)));
      words.addAll(
          List.of("-object", "memory-backend-memfd,id=memory,share=on,size=" + memoryMib + "M"));
      words.addAll(socket(scratch, "console", "logfile=" + scratch.path("console.log")));
      words.addAll(List.of("-serial", "chardev:console"));
      words.addAll(socket(scratch, "shell", "logfile=" + scratch.path("shell.log")));
      words.addAll(List.of("-serial", "chardev:shell"));
      words.addAll(socket(scratch, "qmp", "id=qmp"));
      words.addAll(List.of("-mon", "chardev=qmp,mode=control"));
      if (kernel) {
        words.addAll(
            List.of(
                "-kernel", files.vmlinux().toString(), "-initrd", files.initramfs().toString()));
        words.addAll(
            List.of(
                "-append",
                "console=ttyS0 loglevel=5 shell=ttyS1 login=ttyS0 panic=-1 " + kernelOptions));
      }
      for (int i = 0; i < nics.size(); i++) {
        words.addAll(nics.get(i).arguments(i));
      }
      words.addAll(more);
      return words;
    }

    private static List<String> socket(Scratch scratch, String name, String more) {
      String id = more.startsWith("id=") ? "" : ",id=" + name;
      return List.of(
          "-chardev",
          "socket,path=" + scratch.path(name) + ",server=on,wait=off" + id + "," + more);
    }
  }

  /** Waits until the guest's shell answers, after a start or a reboot. */
  public void awaitBoot() throws IOException {
    shell.awaitReady(BOOT);
  }

  /** The guest's shell. */
  public GuestShell shell() {
    return shell;
  }

  /** QEMU's machine protocol. */
  public Qmp qmp() {
    return qmp;
  }

  /** Pulls the cable of device {@code index} or puts it back. */
  public void setLink(int index, boolean up) throws IOException {
    qmp.execute("set_link", Map.of("name", "net" + index, "up", up));
  }

  /** Presses the reset button. */
  public void reset() throws IOException {
    qmp.execute("system_reset");
  }

  /** The socket of a root shell for a person. */
  public Path consoleSocket() {
    return scratch.path("console");
  }

  /** What the kernel and the firmware said on the serial console. */
  public String console() throws IOException {
    Path log = scratch.path("console.log");
    return Files.exists(log) ? Files.readString(log, StandardCharsets.ISO_8859_1) : qemu.tail();
  }

  /** What QEMU itself complained of. */
  public String log() throws IOException {
    return qemu.log();
  }

  /** QEMU's process id. */
  public long pid() {
    return qemu.pid();
  }

  /** Whether QEMU still runs. */
  public boolean isAlive() {
    return qemu.isAlive();
  }

  /** Ends QEMU as a crash does, with SIGKILL. */
  public void kill() {
    qemu.kill();
    qemu.await(CONNECT);
  }

  @Override
  public void close() {
    try (scratch;
        qemu;
        line;
        qmp) {
      // Closed in reverse order, each even if another fails.
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
