// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.linux.Memory;

/** User-mode Linux as the front-end: pipes, need_reply everywhere, no GET_VRING_BASE. */
class UmlSequenceTest {
  private TestPort port;
  private FakeFrontend uml;

  @BeforeEach
  void open() throws IOException {
    port = TestPort.of(1);
    uml = port.frontend();
    uml.bringUpAsUml();
  }

  @AfterEach
  void close() throws IOException {
    uml.close();
    port.close();
  }

  @Test
  void isOfferedWhatItsGuestCanTake() {
    assertEquals(
        0, uml.features() & (1L << 21 | 1L << 22 | 1L << 3), "no GUEST_ANNOUNCE, no MQ, no MTU");
    assertEquals(1 << 3 | 1 << 5, uml.protocolFeatures());
  }

  @Test
  void runsWithPipesForCalls() throws IOException {
    assertEquals(List.of(0, 1), port.plane.running());
    assertTrue(port.plane.ring(0).call());
    assertTrue(uml.awaitCall(0, 1000));
  }

  @Test
  void callsIntoAFullPipeDoNotWait() throws IOException {
    for (int i = 0; i < 20_000; i++) {
      assertTrue(port.plane.ring(0).call());
    }
    assertTrue(uml.awaitCall(0, 0));
  }

  @Test
  void ringsAreNotTouchedAfterTheyWereDisabled() throws IOException {
    uml.stopAsUml();
    assertEquals(List.of(), port.plane.running());
    // The pages belong to somebody else now.
    long page = uml.driver(1).host(uml.driver(1).descriptorTable());
    Memory.fill(page, 16 * 256 + 3000, 0x5a);
    uml.barrier();
    port.status();
    for (int i = 0; i < 16 * 256 + 3000; i++) {
      assertEquals(0x5a, Memory.getUnsignedByte(page + i));
    }
  }

  @Test
  void startsAgainOnTheSameConnection() throws IOException {
    for (int i = 0; i < 20; i++) {
      uml.stopAsUml();
      uml.startPairAsUml();
      assertEquals(List.of(0, 1), port.plane.running());
      assertEquals(0, port.plane.ring(1).queue().base());
    }
    assertEquals(0, port.status().counters().refusedRequests());
  }
}
