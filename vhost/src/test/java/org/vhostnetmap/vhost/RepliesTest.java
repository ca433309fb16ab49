// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.fakes.FakeFrontend.state;
import static org.vhostnetmap.fakes.FakeFrontend.u64;
import static org.vhostnetmap.fakes.FrontendWire.NEED_REPLY;
import static org.vhostnetmap.fakes.FrontendWire.REQUEST;

import java.io.IOException;
import java.util.HexFormat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FrontendWire;

/** Replies to the byte (vhost-user document, "Communication" and REPLY_ACK). */
class RepliesTest {
  private static final byte[] NOTHING = {};
  private static final long REPLY_ACK = 1 << 3;

  private TestPort port;
  private FrontendWire wire;

  @BeforeEach
  void open() throws IOException {
    port = TestPort.of(2);
    wire = port.wire();
  }

  @AfterEach
  void close() throws IOException {
    wire.close();
    port.close();
  }

  private void assertReply(int number, int flags, byte[] payload, String hex) throws IOException {
    wire.send(number, flags, payload);
    byte[] expected = HexFormat.of().parseHex(hex.replace(" ", ""));
    assertArrayEquals(expected, wire.receiveBytes(expected.length));
    assertSilence();
  }

  private void assertSilence() throws IOException {
    // Whatever else were to come would come before the answer to this.
    wire.send(40, REQUEST, NOTHING);
    wire.receiveReply(40);
    assertFalse(wire.hasInput(0));
  }

  private void negotiate(long protocolFeatures) throws IOException {
    wire.send(16, REQUEST, u64(protocolFeatures));
  }

  @ParameterizedTest
  @ValueSource(ints = {REQUEST, NEED_REPLY})
  void ownRepliesComeOnceAndWithFlagsFive(int flags) throws IOException {
    negotiate(REPLY_ACK);
    assertReply(1, flags, NOTHING, "01000000 05000000 08000000 00804078 0d000000");
    assertReply(15, flags, NOTHING, "0f000000 05000000 08000000 3da0010000000000");
    assertReply(17, flags, NOTHING, "11000000 05000000 08000000 0200000000000000");
    assertReply(36, flags, NOTHING, "24000000 05000000 08000000 fd01000000000000");
    assertReply(40, flags, NOTHING, "28000000 05000000 08000000 0000000000000000");
    assertReply(11, flags, state(3, 77), "0b000000 05000000 08000000 03000000 00000000");
    wire.send(2, REQUEST, u64(1L << 32 | 1L << 34));
    assertReply(11, flags, state(3, 77), "0b000000 05000000 08000000 03000000 00800080");
  }

  @Test
  void acknowledgesOnlyWhenAsked() throws IOException {
    negotiate(REPLY_ACK);
    assertReply(3, NEED_REPLY, NOTHING, "03000000 05000000 08000000 0000000000000000");
    wire.send(3, REQUEST, NOTHING);
    assertSilence();
  }

  @Test
  void acknowledgesNothingBeforeItIsNegotiated() throws IOException {
    wire.send(3, NEED_REPLY, NOTHING);
    assertSilence();
  }

  @Test
  void acknowledgesTheVeryMessageThatNegotiatesIt() throws IOException {
    assertReply(16, NEED_REPLY, u64(REPLY_ACK), "10000000 05000000 08000000 0000000000000000");
  }

  @Test
  void refusesByNonZeroAcknowledgement() throws IOException {
    negotiate(REPLY_ACK);
    assertReply(8, NEED_REPLY, state(0, 32769), "08000000 05000000 08000000 0100000000000000");
    assertReply(8, NEED_REPLY, state(4, 256), "08000000 05000000 08000000 0100000000000000");
    assertReply(20, NEED_REPLY, u64(67), "14000000 05000000 08000000 0100000000000000");
    assertReply(20, NEED_REPLY, u64(65536), "14000000 05000000 08000000 0100000000000000");
    assertReply(16, NEED_REPLY, u64(1 << 14), "10000000 05000000 08000000 0100000000000000");
    assertReply(23, NEED_REPLY, state(0, 1), "17000000 05000000 08000000 0100000000000000");
    assertEquals(6, port.status().counters().refusedRequests());
  }

  @Test
  void dropsWhoWouldNotLearnOfARefusal() throws IOException {
    wire.send(8, REQUEST, state(4, 256)); // a ring that does not exist
    assertTrue(wire.hungUp());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 46, 1000, 0x7fffffff, -1, -2147483648})
  void unknownRequestsAreRefusedOrIgnored(int number) throws IOException {
    wire.send(number, REQUEST, new byte[100]);
    negotiate(REPLY_ACK);
    wire.send(number, NEED_REPLY, new byte[3]);
    assertEquals(1, wire.receiveU64(number));
    assertSilence();
    assertEquals(2, port.status().counters().unknownRequests());
  }

  @Test
  void configReadsFailTheDocumentsWay() throws IOException {
    assertReply(24, REQUEST, new byte[12 + 8], "18000000 05000000 00000000");
  }

  @ParameterizedTest
  @ValueSource(longs = {68, 1500, 65535})
  void takesAnMtu(long mtu) throws IOException {
    wire.send(20, REQUEST, u64(mtu));
    assertSilence();
    assertEquals(mtu, port.status().mtu());
  }

  @Test
  void announcesTheMacInNetworkOrderOnADeviceThatNeverRan() throws IOException {
    wire.send(19, REQUEST, HexFormat.of().parseHex("5254001234560000"));
    assertSilence();
    assertEquals(java.util.List.of("announce 525400123456"), port.plane.events());
  }

  @Test
  void withholdsFeaturesOkAfterFeaturesThatWereNotOffered() throws IOException {
    negotiate(1 << 16);
    wire.send(2, REQUEST, u64(1L << 57));
    wire.send(39, REQUEST, u64(0xb));
    wire.send(40, REQUEST, NOTHING);
    assertEquals(0x3, wire.receiveU64(40));
    wire.send(39, REQUEST, u64(0));
    wire.send(2, REQUEST, u64(1L << 32));
    wire.send(39, REQUEST, u64(0xb));
    wire.send(40, REQUEST, NOTHING);
    assertEquals(0xb, wire.receiveU64(40));
  }

  @Test
  void servesNothingThatWasNotOffered() throws IOException {
    negotiate(REPLY_ACK);
    for (int number : new int[] {25, 35}) {
      wire.send(number, NEED_REPLY, new byte[number == 25 ? 12 : 8]);
      assertEquals(1, wire.receiveU64(number), "request " + number);
    }
    for (int number : new int[] {28, 30, 31, 41, 43, 44, 45, 26}) {
      try (TestPort other = TestPort.of(1);
          FrontendWire lost = other.wire()) {
        int size = number == 31 ? 24 : number == 41 ? 16 : number == 45 ? 8 : 0;
        lost.send(number, REQUEST, new byte[size]);
        assertTrue(lost.hungUp(), "request " + number + " has no way to say no");
      }
    }
  }
}
