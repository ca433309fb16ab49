// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class JsonTest {
  @Test
  void readsNestedValues() {
    Json json =
        Json.parse(
            " {\"a\": [1, -2, {\"b\": \"x\\n\\u0041\\\"\"}], \"c\": true, \"d\": null, \"e\": 1.5e3}\n");
    assertEquals(-2, json.at("a", 1).number());
    assertEquals("x\nA\"", json.at("a", 2, "b").string());
    assertTrue(json.at("c").bool());
    assertEquals(1500, json.at("e").number());
    assertEquals(3, json.at("a").list().size());
    assertFalse(json.has("z"));
  }

  @Test
  void saysWhatIsMissing() {
    Json json = Json.parse("{\"a\": []}");
    assertThrows(IllegalArgumentException.class, () -> json.at("a", 0));
    assertThrows(IllegalArgumentException.class, () -> json.at("b"));
  }

  @Test
  void refusesWhatIsNoJson() {
    for (String text : new String[] {"", "{", "[1", "[1 2]", "{} x", "\"open"}) {
      assertThrows(IllegalArgumentException.class, () -> Json.parse(text), text);
    }
  }

  @Test
  void quotesSoThatItReadsBack() {
    String text = "a\"b\\c\nd\u0001";
    assertEquals(text, Json.parse(Json.quote(text)).string());
  }
}
