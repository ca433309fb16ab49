// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A QEMU without a guest: its processor halts at the first instruction of a ROM full of HLT, and
 * the test drives the devices over {@link Qtest}. No kernel, no disk, no KVM; up in a few tens of
 * milliseconds, and idle.
 *
 * <p>Memory: RAM from 0 to 768 KiB (no video card is in the way) and from 1 MiB to {@link
 * #RAM_END}, in one file shared with the back-end. {@link #close} ends QEMU.
 */
public final class QtestMachine implements AutoCloseable {
  /** Where RAM begins again behind the hole for ROMs. */
  public static final long HIGH_RAM = 0x10_0000;

  /** Where the first piece of RAM ends. */
  public static final long LOW_RAM_END = 0xc_0000;

  /** Where the last piece of RAM ends. */
  public static final long RAM_END = 64L << 20;

  private static final byte HLT = (byte) 0xf4;
  private static final int ROM_BYTES = 64 << 10;

  private final Scratch scratch;
  private final ManagedProcess qemu;
  private final Qtest qtest;

  private QtestMachine(Scratch scratch, ManagedProcess qemu) {
    this.scratch = scratch;
    this.qemu = qemu;
    qtest = new Qtest(qemu.process().getInputStream(), qemu.process().getOutputStream());
  }

  /**
   * Starts QEMU with one modern virtio-net device and waits until it has connected. The device has
   * no MSI-X: its interrupts go to a processor that never looks.
   */
  public static QtestMachine start(Nic nic) throws IOException {
    var scratch = new Scratch();
    ManagedProcess qemu = null;
    try {
      byte[] rom = new byte[ROM_BYTES];
      Arrays.fill(rom, HLT);
      Files.write(scratch.path("halt.rom"), rom);
      qemu = ManagedProcess.startPiped(command(scratch, nic), Map.of(), scratch.path("log"));
      var machine = new QtestMachine(scratch, qemu);
      machine.qtest.command("endianness");
      return machine;
    } catch (IOException | RuntimeException e) {
      String why = qemu == null ? "" : qemu.tail();
      if (qemu != null) {
        qemu.close();
      }
      scratch.close();
      throw new IOException("QEMU without a guest did not start: " + why, e);
    }
  }

  private static List<String> command(Scratch scratch, Nic nic) {
    var words = new ArrayList<String>(List.of("qemu-system-x86_64", "-nodefaults"));
    words.addAll(List.of("-no-user-config", "-display", "none", "-accel", "tcg"));
    words.addAll(List.of("-machine", "pc,memory-backend=memory", "-m", (RAM_END >> 20) + "M"));
    words.addAll(
        List.of(
            "-object", "memory-backend-memfd,id=memory,share=on,size=" + (RAM_END >> 20) + "M"));
    words.addAll(List.of("-bios", scratch.path("halt.rom").toString()));
    words.addAll(List.of("-qtest", "stdio", "-qtest-log", "none"));
    words.addAll(nic.vectors(0).arguments(0));
    return words;
  }

  /** The machine's buses and memory. */
  public Qtest qtest() {
    return qtest;
  }

  /**
   * The guest's RAM, mapped into this process: for changing it while the device works, faster than
   * any command. Guest address 0 is index 0, up to {@link #RAM_END}; little-endian.
   */
  public MappedByteBuffer ram() throws IOException {
    Path memory;
    try (Stream<Path> open = Files.list(Path.of("/proc/" + qemu.pid() + "/fd"))) {
      memory =
          open.filter(QtestMachine::isMemory)
              .findFirst()
              .orElseThrow(() -> new IOException("QEMU has no memfd"));
    }
    try (var channel =
        FileChannel.open(memory, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      MappedByteBuffer ram = channel.map(FileChannel.MapMode.READ_WRITE, 0, RAM_END);
      ram.order(ByteOrder.LITTLE_ENDIAN);
      return ram;
    }
  }

  private static boolean isMemory(Path fd) {
    try {
      return Files.readSymbolicLink(fd).toString().startsWith("/memfd:memory-backend-memfd");
    } catch (IOException e) {
      return false; // closed meanwhile
    }
  }

  /** What QEMU complained of. */
  public String log() throws IOException {
    return qemu.log();
  }

  /** Whether QEMU still runs. */
  public boolean isAlive() {
    return qemu.isAlive();
  }

  @Override
  public void close() {
    try (scratch;
        qemu) {
      qemu.process().getOutputStream().close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
