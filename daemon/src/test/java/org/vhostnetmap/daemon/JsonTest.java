// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JsonTest {
  @Test
  void writesEveryKindOfValue() {
    Json json = new Json().object().name("a").value(1).name("b").array().value("x").value(true);
    String text = json.end().name("c").object().end().name("d").array().end().end().toString();
    assertEquals("{\"a\":1,\"b\":[\"x\",true],\"c\":{},\"d\":[]}", text);
    assertEquals(
        Map.of("a", 1L, "b", List.of("x", true), "c", Map.of(), "d", List.of()),
        StrictJson.parse(text));
  }

  @Test
  void anyTextComesBackAsItWas() {
    var all = new StringBuilder();
    for (char c = 0; c < 0x300; c++) {
      all.append(c);
    }
    all.append("\u2028\ud83d\ude00\uffff\"\\/");
    String text = new Json().array().value(all.toString()).end().toString();
    assertEquals(List.of(all.toString()), StrictJson.parse(text));
    assertTrue(text.chars().allMatch(c -> c >= ' ' && c <= '~'), "ASCII on one line");
  }

  @Test
  void extremeNumbersComeBackAsTheyWere() {
    String text =
        new Json().array().value(Long.MIN_VALUE).value(Long.MAX_VALUE).value(0).end().toString();
    assertEquals(List.of(Long.MIN_VALUE, Long.MAX_VALUE, 0L), StrictJson.parse(text));
  }

  @Test
  void aDocumentThatIsNotEndedIsNotGivenOut() {
    assertThrows(
        IllegalStateException.class, () -> new Json().object().name("a").array().end().toString());
  }

  @Test
  void theStrictReaderRefusesWhatIsNoJson() {
    for (String bad :
        List.of(
            "",
            "{",
            "{,}",
            "[1,]",
            "{\"a\":1,}",
            "[01]",
            "[\"\n\"]",
            "[1]x",
            "{\"a\":1,\"a\":2}",
            "'a'")) {
      assertThrows(IllegalArgumentException.class, () -> StrictJson.parse(bad), bad);
    }
  }
}
