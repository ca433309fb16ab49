// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A JSON value, read only: what QMP and {@code vhost-netmap status --json} answer with. */
public final class Json {
  private final @Nullable Object value;

  private Json(@Nullable Object value) {
    this.value = value;
  }

  /** Reads one value; anything but blanks behind it is an error. */
  public static Json parse(String text) {
    var reader = new Reader(text);
    Json json = reader.value();
    if (reader.peek() != Reader.END) {
      throw reader.unexpected();
    }
    return json;
  }

  /** {@code text} as a JSON string, with its quotes. */
  public static String quote(String text) {
    var out = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ') {
        out.append("\\u%04x".formatted((int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }

  /** Whether this is an object with that member. */
  public boolean has(String name) {
    return value instanceof Map<?, ?> map && map.containsKey(name);
  }

  /** Goes down by member names and array indices; throws when there is no such thing. */
  public Json at(Object... path) {
    Json at = this;
    for (Object step : path) {
      at = at.step(step);
    }
    return at;
  }

  private Json step(Object step) {
    Object next = null;
    if (value instanceof Map<?, ?> map && step instanceof String) {
      next = map.get(step);
    } else if (value instanceof List<?> list
        && step instanceof Integer index
        && index < list.size()) {
      next = list.get(index);
    }
    if (next instanceof Json json) {
      return json;
    }
    throw new IllegalArgumentException("no " + step + " in " + this);
  }

  /** The elements of an array. */
  public List<Json> list() {
    if (value instanceof List<?> list) {
      return list.stream().map(Json.class::cast).toList();
    }
    throw new IllegalArgumentException("no array: " + this);
  }

  /** The members of an object, in their order. */
  public Map<String, Json> members() {
    var members = new LinkedHashMap<String, Json>();
    if (value instanceof Map<?, ?> map) {
      map.forEach((name, json) -> members.put((String) name, (Json) json));
      return members;
    }
    throw new IllegalArgumentException("no object: " + this);
  }

  /** A string's text. */
  public String string() {
    if (value instanceof String string) {
      return string;
    }
    throw new IllegalArgumentException("no string: " + this);
  }

  /** A whole number. */
  public long number() {
    if (value instanceof Number number) {
      return number.longValue();
    }
    throw new IllegalArgumentException("no number: " + this);
  }

  /** A truth value. */
  public boolean bool() {
    return Boolean.TRUE.equals(value);
  }

  @Override
  public String toString() {
    return String.valueOf(value);
  }

  private static final class Reader {
    static final char END = '\0';

    private final String text;
    private int at;

    Reader(String text) {
      this.text = text;
    }

    char peek() {
      while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
        at++;
      }
      return at < text.length() ? text.charAt(at) : END;
    }

    IllegalArgumentException unexpected() {
      return new IllegalArgumentException("not JSON at " + at + ": " + text);
    }

    private boolean skip(char c) {
      if (peek() == c) {
        at++;
        return true;
      }
      return false;
    }

    private void expect(char c) {
      if (!skip(c)) {
        throw unexpected();
      }
    }

    Json value() {
      return switch (peek()) {
        case '{' -> new Json(object());
        case '[' -> new Json(array());
        case '"' -> new Json(string());
        default -> new Json(word());
      };
    }

    private Map<String, Json> object() {
      var members = new LinkedHashMap<String, Json>();
      expect('{');
      while (!skip('}')) {
        if (!members.isEmpty()) {
          expect(',');
        }
        peek();
        String name = string();
        expect(':');
        members.put(name, value());
      }
      return members;
    }

    private List<Json> array() {
      var elements = new ArrayList<Json>();
      expect('[');
      while (!skip(']')) {
        if (!elements.isEmpty()) {
          expect(',');
        }
        elements.add(value());
      }
      return elements;
    }

    private String string() {
      expect('"');
      var out = new StringBuilder();
      while (at < text.length() && text.charAt(at) != '"') {
        char c = text.charAt(at++);
        out.append(c == '\\' ? escaped() : c);
      }
      expect('"');
      return out.toString();
    }

    private char escaped() {
      char c = text.charAt(at++);
      if (c == 'u') {
        at += 4;
        return (char) Integer.parseInt(text, at - 4, at, 16);
      }
      int known = "nrtbf".indexOf(c);
      return known < 0 ? c : "\n\r\t\b\f".charAt(known);
    }

    private @Nullable Object word() {
      int start = at;
      while (at < text.length()
          && (Character.isLetterOrDigit(text.charAt(at)) || "+-.".indexOf(text.charAt(at)) >= 0)) {
        at++;
      }
      String word = text.substring(start, at);
      return switch (word) {
        case "true" -> true;
        case "false" -> false;
        case "null" -> null;
        case "" -> throw unexpected();
        default -> number(word);
      };
    }

    private static Object number(String word) {
      return word.matches("-?\\d{1,18}") ? (Object) Long.valueOf(word) : Double.valueOf(word);
    }
  }
}
