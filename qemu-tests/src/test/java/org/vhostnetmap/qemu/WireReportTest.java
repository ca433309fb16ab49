// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/** The judge judged: frames whose checksums were worked out by hand, and the same spoiled. */
class WireReportTest {
  /** An Ethernet frame, IPv4, one UDP datagram from 10.0.0.1:1000 to 10.0.0.2:2000, "ab". */
  private static final String FRAME =
      "020000000002"
          + "020000000001"
          + "0800"
          + "4500001e000040004011"
          + "26cd"
          + "0a000001"
          + "0a000002"
          + "03e807d0000a"
          + "7ebd"
          + "6162";

  private static final int IP_CHECKSUM = 24;
  private static final int UDP_CHECKSUM = 40;

  private static WireReport read(byte[]... frames) throws IOException {
    assumeTrue(onPath("tshark"), "no tshark here; scripts/test installs it");
    try (var scratch = new Scratch()) {
      Path file = scratch.path("capture");
      Files.write(file, file(frames));
      return WireReport.of(file);
    }
  }

  private static boolean onPath(String program) {
    for (String directory : System.getenv("PATH").split(":", -1)) {
      if (Files.isExecutable(Path.of(directory, program))) {
        return true;
      }
    }
    return false;
  }

  /** The classic format of libpcap: magic, version 2.4, Ethernet; before each frame its length. */
  private static byte[] file(byte[]... frames) {
    ByteBuffer file = ByteBuffer.allocate(10_000).order(ByteOrder.LITTLE_ENDIAN);
    file.putInt(0xa1b2c3d4).putShort((short) 2).putShort((short) 4);
    file.putLong(0).putInt(262_144).putInt(1);
    for (byte[] frame : frames) {
      file.putLong(0).putInt(frame.length).putInt(frame.length).put(frame);
    }
    byte[] bytes = new byte[file.position()];
    file.flip().get(bytes);
    return bytes;
  }

  private static byte[] frame() {
    return HexFormat.of().parseHex(FRAME);
  }

  private static byte[] spoiled(int at) {
    byte[] frame = frame();
    frame[at] ^= 1;
    return frame;
  }

  @Test
  void goodFramesAreCounted() throws Exception {
    WireReport report = read(frame(), frame());
    assertEquals(2, report.frames());
    assertEquals(4, report.good(), report::toString);
    assertEquals(frame().length, report.longest());
    assertTrue(report.bad().isEmpty(), report::toString);
  }

  @Test
  void eachWrongChecksumIsNamed() throws Exception {
    WireReport report = read(frame(), spoiled(IP_CHECKSUM), spoiled(UDP_CHECKSUM));
    assertEquals(2, report.bad().size(), report::toString);
    assertTrue(report.bad().get(0).startsWith("ip.checksum.status"), report::toString);
    assertTrue(report.bad().get(0).contains("frame 2"), report::toString);
    assertTrue(report.bad().get(1).startsWith("udp.checksum.status"), report::toString);
    assertTrue(report.bad().get(1).contains("frame 3"), report::toString);
  }
}
