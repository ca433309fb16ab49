// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

/**
 * Writes one JSON document (RFC 8259), name by name and value by value, on one line: {@code new
 * Json().object().name("a").value(1).end().toString()}.
 *
 * <p>It writes what it is told in the order it is told; only commas and escapes are its own
 * business. All output is ASCII, so that nothing a guest or a path contains can break a terminal or
 * a line.
 */
final class Json {
  private final StringBuilder out = new StringBuilder(1024);
  private final StringBuilder closers = new StringBuilder();
  private boolean comma;

  Json object() {
    return open('{', '}');
  }

  Json array() {
    return open('[', ']');
  }

  /** Ends the innermost object or array. */
  Json end() {
    out.append(closers.charAt(closers.length() - 1));
    closers.setLength(closers.length() - 1);
    comma = true;
    return this;
  }

  Json name(String name) {
    separate();
    quote(name);
    out.append(':');
    comma = false;
    return this;
  }

  Json value(String value) {
    separate();
    quote(value);
    comma = true;
    return this;
  }

  Json value(long value) {
    separate();
    out.append(value);
    comma = true;
    return this;
  }

  Json value(boolean value) {
    separate();
    out.append(value);
    comma = true;
    return this;
  }

  private Json open(char opener, char closer) {
    separate();
    out.append(opener);
    closers.append(closer);
    comma = false;
    return this;
  }

  private void separate() {
    if (comma) {
      out.append(',');
    }
  }

  private void quote(String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ' || c > '~') {
        out.append("\\u%04x".formatted((int) c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }

  /** The document; every object and array must have been ended. */
  @Override
  public String toString() {
    if (!closers.isEmpty()) {
      throw new IllegalStateException("not ended: " + closers);
    }
    return out.toString();
  }
}
