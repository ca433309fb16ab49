// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.netmap.Netmap;

class CommandReaderTest {
  private static Options options(String... args) throws Failure {
    return assertInstanceOf(Command.Run.class, CommandReader.read(args)).options();
  }

  @Test
  void optionsHaveTheDefaultsThatTheHelpTells() throws Failure {
    assertEquals(
        new Options(
            List.of(new PortSpec.Null()),
            0600,
            null,
            Level.INFO,
            0,
            List.of(),
            200,
            Netmap.Mode.AUTO,
            false,
            null),
        options("null:"));
    for (String told :
        List.of("(0600)", "else it sleeps (200)", "if there (auto)", "debug (info)")) {
      assertTrue(HelpText.TEXT.contains(told), told);
    }
  }

  @Test
  void everyOptionArrivesWhicheverWayItIsWritten() throws Failure {
    Options options =
        options(
            "--socket-mode=0660",
            "tap:t0",
            "--socket-group",
            "kvm",
            "--log-level=DEBUG",
            "--workers=2",
            "null:",
            "--cpus=5,2-3",
            "--poll-us=0",
            "--netmap=emulated",
            "--fix-nic",
            "--control=/tmp/c.sock");
    assertEquals(
        new Options(
            List.of(new PortSpec.Tap("t0"), new PortSpec.Null()),
            0660,
            "kvm",
            Level.DEBUG,
            2,
            List.of(5, 2, 3),
            0,
            Netmap.Mode.EMULATED,
            true,
            Path.of("/tmp/c.sock")),
        options);
  }

  @Test
  void socketPathAndFdArePortsAndComeFirst() throws Failure {
    assertEquals(
        List.of(
            new PortSpec.Vhost(Path.of("/tmp/a,b"), false, 1, false, false, PortSpec.Offloads.ALL),
            new PortSpec.Null()),
        options("null:", "--socket-path=/tmp/a,b").ports());
    assertEquals(List.of(new PortSpec.Adopted(3)), options("--fd=3").ports());
  }

  @Test
  void printCapabilitiesIgnoresAllElse() throws Failure {
    assertInstanceOf(
        Command.PrintCapabilities.class,
        CommandReader.read("--nonsense", "--print-capabilities", "what:ever"));
  }

  @Test
  void subcommandsAreTold() throws Failure {
    assertEquals(new Command.Status(false, null), CommandReader.read("status"));
    assertEquals(
        new Command.Status(true, Path.of("/c")),
        CommandReader.read("status", "--json", "--control=/c"));
    assertEquals(
        new Command.Example(Command.Example.Kind.QEMU, "/p"),
        CommandReader.read("example", "qemu", "--socket-path", "/p"));
    assertInstanceOf(Command.Help.class, CommandReader.read("status", "--help"));
    assertInstanceOf(Command.Help.class, CommandReader.read("-h"));
    assertInstanceOf(Command.Version.class, CommandReader.read("--version"));
  }

  @Test
  void thereAreAsManyWorkersAsProcessorsForThemUnlessToldOtherwise() throws Failure {
    assertEquals(3, options("null:", "--cpus=0,2,4").workers());
    assertEquals(2, options("null:", "--cpus=0,2,4", "--workers=2").workers());
    var e = assertThrows(Failure.class, () -> options("null:", "--cpus=0", "--workers=2"));
    assertEquals(ExitStatus.CONFIG, e.status());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "--nonsense null:",
        "--socket-path=/a --fd=3",
        "--fd=-1",
        "--fd=x",
        "--socket-path=",
        "--socket-mode=0888 null:",
        "--socket-mode=07777 null:",
        "--log-level=loud null:",
        "--workers=0 null:",
        "--workers=65 null:",
        "--cpus= null:",
        "--cpus=1, null:",
        "--cpus=3-2 null:",
        "--cpus=1,0-1 null:",
        "--cpus=0-64 null:",
        "--cpus=2000 null:",
        "--cpus=x null:",
        "--poll-us=-1 null:",
        "--poll-us null:",
        "--control",
        "--log-level=info --log-level=debug null:",
        "status null:",
        "status --fd=3",
        "example",
        "example xen",
        "example qemu libvirt"
      })
  void aWrongCommandLineIsRefusedWithOneLine(String line) {
    String[] args = line.isEmpty() ? new String[0] : line.split(" ", -1);
    var e = assertThrows(Failure.class, () -> CommandReader.read(args));
    assertEquals(ExitStatus.USAGE, e.status());
    String first = e.getMessage().lines().findFirst().orElseThrow();
    assertTrue(!first.isBlank() && first.length() < 160, first);
  }
}
