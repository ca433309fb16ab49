// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import org.junit.jupiter.api.Test;

class ErrnoTest {
  @Test
  void describesByNameAndMeaning() {
    assertEquals("EBUSY (Device or resource busy)", Errno.describe(Errno.EBUSY));
    assertEquals("errno 12345", Errno.describe(12345));
  }

  @Test
  void everyConstantHasTheNumberOfItsName() throws Exception {
    for (Field field : Errno.class.getFields()) {
      if (Modifier.isStatic(field.getModifiers())) {
        String described = Errno.describe(field.getInt(null));
        assertTrue(described.startsWith(field.getName() + " ("), field + " is " + described);
      }
    }
  }
}
