// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class FrontendRequestTest {
  @Test
  void numbersRunFrom1To45WithoutGap() {
    int next = 1;
    for (FrontendRequest request : FrontendRequest.values()) {
      assertEquals(next++, request.number());
    }
    assertEquals(46, next);
  }

  @ParameterizedTest
  @EnumSource
  void isFoundByItsNumber(FrontendRequest request) {
    assertSame(request, FrontendRequest.of(request.number()));
    assertTrue(request.name().startsWith("VHOST_USER_"));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 46, -1, 256 + 5, 65536 + 5, Integer.MIN_VALUE + 5})
  void knowsNoOthers(int number) {
    assertNull(FrontendRequest.of(number));
  }

  @ParameterizedTest
  @EnumSource
  void noPayloadIsLongerThanTheBuffer(Payload payload) {
    assertTrue(!payload.allows(-1) && !payload.allows(Payload.LARGEST + 1));
  }
}
