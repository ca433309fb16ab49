// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import java.util.ArrayList;
import java.util.List;

/**
 * One {@code @name}, {@code @name=value} or {@code @name:key=value,...} of a port name.
 *
 * @param text the whole port name
 * @param start where the option's name begins, behind the {@code @}
 * @param end where the option ends
 */
record PortOption(String text, int start, int end) {
  /** {@code key=text}, its value at {@code at}; in the key each {@code -} is an underscore. */
  record Value(String key, String text, int at) {}

  String name() {
    return text.substring(start, nameEnd());
  }

  private int nameEnd() {
    int at = start;
    while (at < end && text.charAt(at) != ':' && text.charAt(at) != '=') {
      at++;
    }
    return at;
  }

  /**
   * Its values; at least one.
   *
   * @param defaultKey the key that {@code @name=value} means
   * @param known the keys there are, with a space between them
   */
  List<Value> values(String defaultKey, String known) throws PortNameException {
    int at = nameEnd();
    if (at + 1 >= end) {
      throw error(end, "@" + name() + " needs a value, as in @" + name() + "=" + defaultKey);
    }
    if (text.charAt(at) == '=') {
      return List.of(new Value(defaultKey, text.substring(at + 1, end), at + 1));
    }
    List<Value> values = new ArrayList<>();
    while (at < end) {
      Value value = value(at + 1, known);
      if (values.stream().anyMatch(earlier -> earlier.key.equals(value.key))) {
        throw error(at + 1, "this key is given twice");
      }
      values.add(value);
      at = value.at + value.text.length();
    }
    return values;
  }

  private Value value(int keyAt, String known) throws PortNameException {
    int comma = text.indexOf(',', keyAt);
    int stop = comma < 0 || comma > end ? end : comma;
    int equals = text.indexOf('=', keyAt);
    int keyEnd = equals < 0 || equals > stop ? stop : equals;
    String key = text.substring(keyAt, keyEnd).replace('-', '_');
    if (key.isEmpty() || !List.of(known.split(" ", -1)).contains(key)) {
      throw error(keyAt, "unknown key; known are " + known.replace('_', '-').replace(" ", ", "));
    }
    if (keyEnd + 1 >= stop) {
      throw error(stop, "a value is missing, as in " + key.replace('_', '-') + "=1");
    }
    return new Value(key, text.substring(keyEnd + 1, stop), keyEnd + 1);
  }

  /** A value as a whole number of at most {@code max}. */
  int number(Value value, int max) throws PortNameException {
    long number = 0;
    for (int i = 0; i < value.text.length(); i++) {
      char c = value.text.charAt(i);
      if (c < '0' || c > '9') {
        throw error(
            value.at + i,
            c == '/' ? "flags come before the options" : "this is to be a whole number");
      }
      number = number * 10 + (c - '0');
      if (number > max) {
        throw error(value.at, "this number is at most " + max);
      }
    }
    return (int) number;
  }

  PortName.ExternalMemory externalMemory() throws PortNameException {
    String known = "file if_num if_size ring_num ring_size buf_num buf_size";
    String file = null;
    int[] numbers = new int[7];
    for (Value value : values("file", known)) {
      int key = List.of(known.split(" ", -1)).indexOf(value.key);
      if (key == 0) {
        file = value.text;
      } else {
        numbers[key] = number(value, Integer.MAX_VALUE);
      }
    }
    if (file == null) {
      throw error(end, "the file is missing, as in @extmem=/dev/shm/netmap");
    }
    return new PortName.ExternalMemory(
        file, numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6]);
  }

  PortName.Offset offset() throws PortNameException {
    int initial = -1;
    int bits = 0;
    for (Value value : values("initial", "initial bits")) {
      if (value.key.equals("initial")) {
        initial = number(value, 65535);
      } else {
        bits = number(value, 64);
      }
    }
    if (initial < 0) {
      throw error(end, "the initial offset is missing, as in @offset=64");
    }
    return new PortName.Offset(initial, bits);
  }

  private PortNameException error(int position, String problem) {
    return new PortNameException(text, position, problem);
  }
}
