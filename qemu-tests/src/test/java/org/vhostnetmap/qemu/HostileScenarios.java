// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;

/**
 * What holds after every scenario: the back-end lives, the neighbour on the next port lost nothing,
 * no frame went uncounted, and after a reset the hostile guest's own device passes frames again.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class HostileScenarios {
  Neighbourhood place;
  QtestGuest guest;

  HostileScenarios() throws IOException {
    place = new Neighbourhood();
    guest = place.hostile;
  }

  @BeforeAll
  void nobodyWasHarmedYet() throws IOException {
    place.assertUnharmed();
  }

  @AfterEach
  void nobodyWasHarmedAndTheDeviceHealsAtReset() throws IOException {
    try {
      place.assertUnharmed();
      place.heal();
      place.assertUnharmed();
    } catch (IOException | RuntimeException | AssertionError e) {
      System.out.println(place.backend.port("hostile") + "\n" + guest.machine.log());
      place.close(); // so that the next scenario does not fail for this one
      place = new Neighbourhood();
      guest = place.hostile;
      throw e;
    }
  }

  @AfterAll
  void moveOut() {
    place.close();
  }
}
