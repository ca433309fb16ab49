// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Reads JSON to the letter of RFC 8259 (whole numbers only), to check the writer: objects become
 * maps, arrays lists, numbers longs. A name twice in one object is refused.
 */
final class StrictJson {
  private final String text;
  private int at;

  private StrictJson(String text) {
    this.text = text;
  }

  static Object parse(String text) {
    var reader = new StrictJson(text);
    Object value = reader.value();
    if (reader.at != text.length()) {
      throw reader.error("something follows");
    }
    return value;
  }

  /** A document that is an object. */
  @SuppressWarnings("unchecked") // values of a parsed object are what they are
  static Map<String, Object> object(String text) {
    return (Map<String, Object>) parse(text.strip());
  }

  /** The list of objects called {@code name}. */
  @SuppressWarnings("unchecked")
  static List<Map<String, Object>> objects(Map<String, Object> object, String name) {
    return (List<Map<String, Object>>) Objects.requireNonNull(object.get(name));
  }

  /** The object called {@code name}. */
  @SuppressWarnings("unchecked")
  static Map<String, Object> inner(Map<String, Object> object, String name) {
    return (Map<String, Object>) Objects.requireNonNull(object.get(name));
  }

  private Object value() {
    char c = peek();
    return switch (c) {
      case '{' -> map();
      case '[' -> list();
      case '"' -> string();
      case 't' -> word("true", true);
      case 'f' -> word("false", false);
      default -> number();
    };
  }

  private Map<String, Object> map() {
    var map = new LinkedHashMap<String, Object>();
    at++;
    if (take('}')) {
      return map;
    }
    do {
      String name = string();
      need(':');
      if (map.put(name, value()) != null) {
        throw error("twice: " + name);
      }
    } while (take(','));
    need('}');
    return map;
  }

  private List<Object> list() {
    var list = new ArrayList<Object>();
    at++;
    if (take(']')) {
      return list;
    }
    do {
      list.add(value());
    } while (take(','));
    need(']');
    return list;
  }

  private String string() {
    need('"');
    var string = new StringBuilder();
    while (!take('"')) {
      char c = peek();
      at++;
      if (c < ' ') {
        throw error("a control character");
      }
      string.append(c == '\\' ? escape() : c);
    }
    return string.toString();
  }

  private char escape() {
    char c = peek();
    at++;
    if (c == 'u') {
      String digits = text.substring(at, at + 4);
      at += 4;
      return (char) Integer.parseInt(digits, 16);
    }
    if ("\"\\/".indexOf(c) < 0) {
      throw error("escape " + c);
    }
    return c;
  }

  private Object word(String word, Object value) {
    if (!text.startsWith(word, at)) {
      throw error("no word");
    }
    at += word.length();
    return value;
  }

  private Long number() {
    int start = at;
    take('-');
    boolean zero = take('0');
    int digits = at;
    while (at < text.length() && Character.isDigit(text.charAt(at))) {
      at++;
    }
    if (zero == (at > digits)) {
      throw error("no number");
    }
    return Long.parseLong(text.substring(start, at));
  }

  private char peek() {
    if (at >= text.length()) {
      throw error("ends too early");
    }
    return text.charAt(at);
  }

  private boolean take(char c) {
    boolean found = at < text.length() && text.charAt(at) == c;
    at += found ? 1 : 0;
    return found;
  }

  private void need(char c) {
    if (!take(c)) {
      throw error("no " + c);
    }
  }

  private IllegalArgumentException error(String problem) {
    return new IllegalArgumentException(problem + " at " + at + " of " + text);
  }
}
