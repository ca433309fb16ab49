// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.vhostnetmap.linux.Errno;

/** The grammar is netmap's own: libnetmap.h, and the table of its ctrl-api-test. */
class PortNameTest {
  @ParameterizedTest
  @CsvSource({
    // text, kernel name, mode, ring, flags, memory
    "netmap:eth0, eth0, ALL_NIC, 0, 0, 0",
    "netmap:eth0-1, eth0, ONE_NIC, 1, 0, 0",
    "netmap:eth0-4094, eth0, ONE_NIC, 4094, 0, 0",
    "netmap:eth0/x, eth0, ALL_NIC, 0, 800, 0",
    "netmap:eth0/z, eth0, ALL_NIC, 0, 400, 0",
    "netmap:eth0/r, eth0, ALL_NIC, 0, 200, 0",
    "netmap:eth0/t, eth0, ALL_NIC, 0, 100, 0",
    "netmap:eth0/rt, eth0, ALL_NIC, 0, 300, 0",
    "netmap:eth0/R, eth0, ALL_NIC, 0, 2000, 0",
    "netmap:eth0-2/Tx, eth0, ONE_NIC, 2, 4800, 0",
    "netmap:eth0-2/x, eth0, ONE_NIC, 2, 800, 0",
    "netmap:eth0*, eth0, NIC_AND_HOST, 0, 0, 0",
    "netmap:eth0*/x, eth0, NIC_AND_HOST, 0, 800, 0",
    "netmap:eth0^, eth0, HOST, 0, 0, 0",
    "netmap:eth0^3, eth0, ONE_HOST, 3, 0, 0",
    "netmap:eth0^3/x@7, eth0, ONE_HOST, 3, 800, 7",
    "netmap:eth0@2, eth0, ALL_NIC, 0, 0, 2",
    "netmap:eth0@2/R, eth0, ALL_NIC, 0, 2000, 2",
    "netmap:eth0@2/R@2, eth0, ALL_NIC, 0, 2000, 2",
    "netmap:eth0@65535, eth0, ALL_NIC, 0, 0, 65535",
    "netmap:14, 14, ALL_NIC, 0, 0, 0",
    "netmap:eth0.100, eth0.100, ALL_NIC, 0, 0, 0",
    "netmap:eth0&, eth0&, ALL_NIC, 0, 0, 0",
    "netmap:pipe{0, pipe{0, ALL_NIC, 0, 0, 0",
    "netmap:pipe}in, pipe}in, ALL_NIC, 0, 0, 0",
    "netmap:pipe{in-7, pipe{in, ONE_NIC, 7, 0, 0",
    "netmap:br0{3, br0{3, ALL_NIC, 0, 0, 0",
    "vale0:0, vale0:0, ALL_NIC, 0, 0, 0",
    "vale:0, vale:0, ALL_NIC, 0, 0, 0",
    "valeXXX:YYY-4, valeXXX:YYY, ONE_NIC, 4, 0, 0",
    "vale0:vm1/Tx, vale0:vm1, ALL_NIC, 0, 4800, 0",
    "vale0:0{0, vale0:0{0, ALL_NIC, 0, 0, 0",
    "vale1:a{1, vale1:a{1, ALL_NIC, 0, 0, 0",
    "netmap:vale0:0, vale0:0, ALL_NIC, 0, 0, 0",
    "vale0:valets, vale0:valets, ALL_NIC, 0, 0, 0"
  })
  void readsNameModeRingFlagsAndMemory(
      String text, String kernelName, PortMode mode, int ring, String flags, int memory)
      throws PortNameException {
    RegisterRequest request = PortName.parse(text).request();
    assertEquals(kernelName, request.name());
    assertEquals(mode, request.mode());
    assertEquals(ring, request.ringId());
    assertEquals(Long.parseLong(flags, 16), request.flags());
    assertEquals(memory, request.memoryId());
    assertEquals(0, request.extraBuffers());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        // text; tx rings, rx rings, host tx, host rx, tx slots, rx slots
        "vale0:vm1@conf:rings=2,slots=256; 2,2,0,0,256,256",
        "vale0:vm1@conf=2; 2,2,0,0,0,0",
        "vale0:vm1@conf:rx-slots=64,slots=256,tx_rings=3; 3,0,0,0,256,64",
        "netmap:eth0*@conf:host-rings=4; 0,0,4,4,0,0",
        "netmap:eth0*/x@conf:host_tx-rings=4,host-rx-rings=1; 0,0,4,1,0,0",
        "netmap:a{1@3@conf:slots=128; 0,0,0,0,128,128"
      })
  void readsNumbersOfRingsAndSlots(String text, String numbers) throws PortNameException {
    RegisterRequest request = PortName.parse(text).request();
    assertEquals(
        numbers,
        "%d,%d,%d,%d,%d,%d"
            .formatted(
                request.txRings(),
                request.rxRings(),
                request.hostTxRings(),
                request.hostRxRings(),
                request.txSlots(),
                request.rxSlots()));
  }

  @Test
  void readsTheOtherOptions() throws PortNameException {
    PortName name =
        PortName.parse(
            "netmap:eth0/x@share=vale0:a@extmem:buf-num=9,file=/m/f@offset:bits=8,initial=4");
    assertEquals("vale0:a", name.share());
    assertEquals(new PortName.ExternalMemory("/m/f", 0, 0, 0, 0, 9, 0), name.externalMemory());
    assertEquals(new PortName.Offset(4, 8), name.offset());
    assertNull(PortName.parse("netmap:eth0").share());
    assertEquals("x{1", PortName.parse("vale0:a@share=netmap:x{1").share());
    assertEquals(
        new PortName.ExternalMemory("/m/f", 0, 0, 0, 0, 0, 0),
        PortName.parse("netmap:eth0@extmem=/m/f").externalMemory());
    assertEquals(new PortName.Offset(64, 0), PortName.parse("netmap:eth0@offset=64").offset());
  }

  /** The caret stands below the character that is wrong; at the end: something is missing. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '"',
      value = {
        "eth0; 4; netmap:NAME or valeX:NAME",
        "eth0:1; 0; netmap:NAME or valeX:NAME",
        "netmap5:eth0; 6; between netmap and its colon",
        "netmap:; 7; name of the port is missing",
        "netmap:^; 7; name of the port is missing",
        "netmap:{; 7; name of the port is missing",
        "netmap:{1; 7; name of the port is missing",
        "vale0:; 6; name of the port is missing",
        "netmap:vale0:; 13; name of the port is missing",
        "netmap:eth0:1; 11; can't be part",
        "vale0:a:b; 7; can't be part",
        "vale0:vale1:x; 11; can't be part",
        "netmap:eth 0; 10; can't be part",
        "netmap:abcdefghijklmnop; 22; at most 15 characters",
        "vale0:abcdefghijklmnop; 21; at most 15 characters",
        "vale_of_tears_16:a; 15; at most 15 characters",
        "vale-0:a; 4; letters, digits and underscores",
        "netmap:pipe{; 12; id of the pipe is missing",
        "netmap:pipe{-1; 12; id of the pipe is missing",
        "netmap:pipe{1}2; 13; letters, digits and underscores",
        "netmap:eth0-; 12; number of a ring",
        "netmap:br-lan; 10; rename it",
        "netmap:eth0-4095; 12; from 0 to 4094",
        "netmap:eth0^99999999999; 12; from 0 to 4094",
        "netmap:eth0-1x; 13; /flags or @options",
        "netmap:eth0**; 12; /flags or @options",
        "netmap:eth0*^; 12; /flags or @options",
        "netmap:eth0/; 12; flags are missing",
        "netmap:eth0/xy; 13; unknown flag",
        "netmap:eth0/x/r; 13; unknown flag",
        "netmap:eth0@; 12; an option or the number of a memory",
        "netmap:eth0/x@; 14; an option or the number of a memory",
        "netmap:eth0@0; 12; from 1 to 65535",
        "netmap:eth0@65536; 12; from 1 to 65535",
        "netmap:eth0@2/R@3; 16; the memory is 2 already",
        "netmap:eth0@netmap:lo/R; 12; unknown option",
        "vale0:0/Tx@opt; 11; unknown option",
        "netmap:eth0@conf; 16; needs a value",
        "netmap:eth0@conf:; 17; needs a value",
        "netmap:eth0@conf:rings; 22; value is missing",
        "netmap:eth0@conf:rings=; 23; value is missing",
        "netmap:eth0@conf:ring=1; 17; unknown key",
        "netmap:eth0@conf:rings=1,; 25; unknown key",
        "netmap:eth0@conf:rings=1,rings=2; 25; given twice",
        "netmap:eth0@conf:tx-rings=1,tx_rings=2; 28; given twice",
        "netmap:eth0@conf:rings=1k; 24; whole number",
        "netmap:eth0@conf:rings=-1; 23; whole number",
        "netmap:eth0@conf:rings=65536; 23; at most 65535",
        "netmap:eth0@conf:rings=2/x; 24; flags come before the options",
        "netmap:eth0@conf:rings=2@conf:slots=9; 25; given twice",
        "netmap:eth0@conf=1@7; 19; unknown option",
        "netmap:eth0@share=; 18; needs a value",
        "netmap:eth0@share=eth1; 22; netmap:NAME or valeX:NAME",
        "netmap:eth0@share=netmap:eth1/x; 29; only a port's name",
        "netmap:eth0@extmem:buf-num=3; 28; the file is missing",
        "netmap:eth0@offset:bits=3; 25; initial offset is missing"
      })
  void pointsAtTheCharacterThatIsWrong(String text, int position, String words) {
    var problem = assertThrows(PortNameException.class, () -> PortName.parse(text));
    assertTrue(problem.problem().contains(words), problem.problem());
    assertEquals(position, problem.position(), problem.getMessage());
    String message = "in port name \"%s\", character %d: ".formatted(text, position + 1);
    assertEquals(message + problem.problem(), problem.getMessage());
  }

  @Test
  void refusesANameThatTheKernelHasNoRoomFor() {
    String long64 = "vale0123456789:p{" + "1".repeat(47);
    var problem = assertThrows(PortNameException.class, () -> PortName.parse(long64));
    assertEquals(63, problem.position());
  }

  @Test
  void tellsKindsOfPortsApart() throws PortNameException {
    assertTrue(PortName.parse("vale0:a").isVale());
    assertTrue(PortName.parse("netmap:vale0:a{1").isVale());
    assertFalse(PortName.parse("netmap:eth0").isVale());
    assertFalse(PortName.parse("netmap:vale0").isVale());
    assertTrue(PortName.parse("netmap:a{1").isPipe());
    assertTrue(PortName.parse("netmap:a}1").isPipe());
    assertFalse(PortName.parse("netmap:a").isPipe());
    assertEquals("eth0", PortName.parse("netmap:eth0{1-2/x").base());
    assertEquals("vale0:a", PortName.parse("vale0:a}1").base());
    assertEquals("eth0", PortName.parse("netmap:eth0*").base());
    for (String flag : List.of("r", "t", "z")) {
      assertTrue(PortName.parse("netmap:eth0/" + flag).isMonitor());
    }
    assertFalse(PortName.parse("netmap:eth0/xRT").isMonitor());
  }

  @Test
  void asksTheDeviceForTheMemoryToShare() throws Exception {
    NetmapDevice device = new MemoryOfPorts(7);
    assertEquals(7, PortName.parse("vale0:a@share=netmap:eth0").request(device).memoryId());
    assertEquals(7, PortName.parse("vale0:a@7@share=netmap:eth0").request(device).memoryId());
    assertEquals(3, PortName.parse("vale0:a@3").request(device).memoryId());
    PortName two = PortName.parse("vale0:a@3@share=netmap:eth0");
    assertEquals(
        Errno.EINVAL, assertThrows(NetmapException.class, () -> two.request(device)).errno());
  }

  @Test
  void refusesWithAReasonWhatNoDeviceServes() throws Exception {
    for (String option : List.of("extmem=/f", "offset=64")) {
      PortName name = PortName.parse("netmap:eth0@" + option);
      var refusal = assertThrows(NetmapException.class, () -> name.request(new MemoryOfPorts(1)));
      assertEquals(Errno.EOPNOTSUPP, refusal.errno());
      String words = String.valueOf(refusal.getMessage());
      assertTrue(words.contains("@" + option.split("=", -1)[0] + " is not served"), words);
    }
  }

  /** A device that only knows one memory. */
  private record MemoryOfPorts(int memoryId) implements NetmapDevice {
    @Override
    public String description() {
      return "one memory";
    }

    @Override
    public NetmapPort register(RegisterRequest request) throws NetmapException {
      throw new NetmapException("nothing to register", Errno.ENXIO);
    }

    @Override
    public PortInfo info(String name, int ofMemory) {
      assertEquals("eth0", name);
      return new PortInfo(1, 1, 1, 1, 256, 256, memoryId, 4096);
    }

    @Override
    public int attach(RegisterRequest request) {
      return 0;
    }

    @Override
    public void detach(String name) {}

    @Override
    public List<ValePort> valePorts() {
      return List.of();
    }

    @Override
    public void setHeaderLength(String name, int bytes) {}

    @Override
    public int headerLength(String name) {
      return 0;
    }

    @Override
    public void close() {}
  }
}
