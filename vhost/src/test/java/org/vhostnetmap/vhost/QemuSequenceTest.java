// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.fakes.FakeFrontend;

/** QEMU 7.2 as the front-end, message for message. */
class QemuSequenceTest {
  private TestPort port;

  @BeforeEach
  void open() throws IOException {
    port = TestPort.of(4);
  }

  @AfterEach
  void close() throws IOException {
    port.close();
  }

  @Test
  void connectsWithoutStartingAnything() throws IOException {
    try (FakeFrontend qemu = port.frontend()) {
      qemu.connectAsQemu(4);
      qemu.barrier();
      assertEquals(List.of(), port.plane.events());
      assertEquals("front-end connected, guest driver not up yet", port.status().text());
      assertEquals((int) ProcessHandle.current().pid(), port.status().frontendPid());
    }
  }

  @Test
  void startsAllPairsAndNamesWhatWasNegotiated() throws IOException {
    try (FakeFrontend qemu = port.frontend().bringUp(4)) {
      assertEquals(List.of(0, 1, 2, 3, 4, 5, 6, 7), port.plane.running());
      BackendStatus status = port.status();
      assertEquals("guest driver up", status.text());
      assertTrue(status.features().contains("VIRTIO_NET_F_MQ"), status.features()::toString);
      assertTrue(status.protocolFeatures().contains("VHOST_USER_PROTOCOL_F_STATUS"));
      assertEquals(15, status.driverStatus());
      assertEquals(2, status.memory().size());
      assertEquals(12, port.plane.state().headerLength());
      assertTrue(qemu.features() != 0);
    }
  }

  @Test
  void stopsRingByRingAndGoesOnWhereItWas() throws IOException {
    try (FakeFrontend qemu = port.frontend().bringUp(1)) {
      qemu.driver(1).send(new byte[60]);
      qemu.stopAsQemu(1);
      assertEquals(List.of(), port.plane.running());
      qemu.startAsQemu(1);
      qemu.barrier();
      assertEquals(List.of(0, 1), port.plane.running());
      assertFalse(port.plane.events().contains("told twice"));
    }
  }

  @Test
  void keepsThePortWhenTheFrontEndIsKilled() throws IOException {
    for (int i = 0; i < 5; i++) {
      try (FakeFrontend qemu = port.frontend().bringUp(2)) {
        assertEquals(List.of(0, 1, 2, 3), port.plane.running());
        assertTrue(qemu.features() != 0);
      }
      Waiting.until(() -> port.status().state() == BackendStatus.State.WAITING);
      assertEquals(List.of(), port.plane.running());
      assertEquals("waiting for a front-end on test.sock", port.status().text());
    }
    assertEquals(5, port.status().counters().frontends());
  }
}
