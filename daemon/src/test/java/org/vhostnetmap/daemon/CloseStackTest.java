// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class CloseStackTest {
  private final List<String> closed = new ArrayList<>();

  @Test
  void closesInReverseOrderAndGoesOnAfterAFailure() {
    var open = new CloseStack();
    open.add(() -> closed.add("first"));
    open.add(
        () -> {
          throw new IllegalStateException("on purpose");
        });
    open.add(() -> closed.add("last"));
    open.close();
    open.close();
    assertEquals(List.of("last", "first"), closed);
  }

  @Test
  void whatComesAfterTheEndIsClosedAtOnce() {
    var open = new CloseStack();
    open.close();
    assertThrows(IllegalStateException.class, () -> open.add(() -> closed.add("late")));
    assertEquals(List.of("late"), closed);
  }
}
