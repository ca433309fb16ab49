// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.bridge.PktgenPort;
import org.vhostnetmap.netmap.PortName;
import org.vhostnetmap.netmap.PortNameException;

/**
 * Reads {@code KIND:[NAME][,SETTING]...}. A comma that belongs to a NAME is written twice, as in
 * QEMU's own options; a SETTING is a word, or {@code word=value}.
 */
final class PortSpecParser {
  private static final String KINDS =
      "vhost:PATH, netmap:NAME, valeX:NAME, tap:NAME, null: or pktgen:";
  private static final int LONGEST_SOCKET_PATH = 107; // sun_path has 108 bytes, the last one 0
  private static final int LONGEST_INTERFACE_NAME = 15; // IFNAMSIZ - 1

  /**
   * One setting; {@code value} is empty for a plain word, and then {@code valueAt} is where {@code
   * =} would stand.
   */
  record Setting(String key, int keyAt, String value, int valueAt, boolean hasValue) {}

  private final String text;
  private final TuningReader tuning = new TuningReader(this);
  private int at;

  PortSpecParser(String text) {
    this.text = text;
  }

  PortSpec parse() throws PortSyntaxException {
    PortSpec port = port();
    Tuning asked = tuning.tuning();
    return asked.equals(Tuning.NONE) ? port : new PortSpec.Tuned(port, asked);
  }

  private PortSpec port() throws PortSyntaxException {
    int colon = text.indexOf(':');
    if (colon < 0) {
      throw error(text.length(), "no kind of port; write " + KINDS);
    }
    if (text.startsWith("netmap") || text.startsWith("vale")) {
      return netmap();
    }
    at = colon + 1;
    return switch (text.substring(0, colon)) {
      case "vhost" -> vhost();
      case "tap" -> tap();
      case "null" -> nullPort();
      case "pktgen" -> pktgen();
      default -> throw error(0, "unknown kind of port; known are " + KINDS);
    };
  }

  private PortSpec vhost() throws PortSyntaxException {
    int start = at;
    Path path = path(name(), start);
    boolean connect = false;
    boolean announce = false;
    boolean mtu = false;
    boolean coalescing = false;
    boolean segmentation = true;
    boolean offloads = true;
    int queuePairs = 1;
    for (Setting setting : settings()) {
      switch (setting.key) {
        case "connect" -> connect = word(setting);
        case "announce" -> announce = word(setting);
        case "mtu" -> mtu = word(setting);
        case "gro" -> coalescing = onOff(setting);
        case "tso" -> segmentation = onOff(setting);
        case "offloads" -> offloads = onOff(setting);
        case "queues" -> queuePairs = (int) number(setting, 1, PortSpec.MAX_QUEUE_PAIRS);
        default ->
            tune(
                setting,
                TuningReader.Allowed.ALL,
                "connect, queues=N, announce, mtu, gro=on, tso=off, offloads=off");
      }
    }
    PortSpec.Offloads offered = offered(offloads, segmentation, coalescing);
    return new PortSpec.Vhost(path, connect, queuePairs, announce, mtu, offered);
  }

  /** Each needs the one before it. */
  private static PortSpec.Offloads offered(
      boolean checksums, boolean segmentation, boolean coalescing) {
    if (!checksums) {
      return PortSpec.Offloads.NONE;
    }
    if (!segmentation) {
      return PortSpec.Offloads.CHECKSUMS;
    }
    return coalescing ? PortSpec.Offloads.ALL_AND_GRO : PortSpec.Offloads.ALL;
  }

  private PortSpec netmap() throws PortSyntaxException {
    try {
      int comma = text.indexOf("," + PortSpec.HEADERS);
      int end = comma < 0 ? TuningReader.start(text) : Math.min(comma, TuningReader.start(text));
      PortName name = PortName.parse(text.substring(0, end));
      if (name.name().indexOf(',') >= 0) {
        throw error(
            text.indexOf(','),
            "settings of a netmap port are @options, as in @conf:slots=512; limits come by comma: rate=N");
      }
      at = end;
      boolean headers = false;
      for (Setting setting : settings()) {
        if (setting.key.equals(PortSpec.HEADERS) && text.startsWith("vale")) {
          headers = word(setting);
        } else {
          tune(setting, TuningReader.Allowed.RATES, "");
        }
      }
      return new PortSpec.Netmap(name, headers);
    } catch (PortNameException e) {
      throw error(e.position(), e.problem());
    }
  }

  private PortSpec tap() throws PortSyntaxException {
    int start = at;
    String name = name();
    if (name.isEmpty()) {
      throw error(start, "the name of the TAP device is missing, as in tap:tap0");
    }
    if (name.length() > LONGEST_INTERFACE_NAME) {
      throw error(
          start + LONGEST_INTERFACE_NAME,
          "an interface name has at most " + LONGEST_INTERFACE_NAME + " characters");
    }
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      if (c <= ' ' || c > '~' || c == '/' || c == ':' || c == '%') {
        throw error(start + i, "this character can't be part of an interface name");
      }
    }
    onlyTuning(TuningReader.Allowed.RATES);
    return new PortSpec.Tap(name);
  }

  private PortSpec nullPort() throws PortSyntaxException {
    int start = at;
    if (!name().isEmpty()) {
      throw error(start, "null: takes nothing behind its colon");
    }
    onlyTuning(TuningReader.Allowed.OUT_RATES);
    return new PortSpec.Null();
  }

  private PortSpec pktgen() throws PortSyntaxException {
    int length = PortSpec.Pktgen.DEFAULT_LENGTH;
    long rate = 0;
    int flows = 1;
    // No NAME: the first setting follows the colon at once.
    for (Setting setting : at == text.length() ? List.<Setting>of() : settingsFrom(at)) {
      switch (setting.key) {
        case "len" ->
            length = (int) number(setting, PortSpec.Pktgen.MIN_LENGTH, PortSpec.Pktgen.MAX_LENGTH);
        case "rate" -> rate = number(setting, 1, 1_000_000_000L);
        case "flows" -> flows = (int) number(setting, 1, PktgenPort.FLOWS);
        default -> throw unknown(setting, "len=N, rate=N, flows=N");
      }
    }
    return new PortSpec.Pktgen(length, rate, flows);
  }

  /**
   * Reads on to the next single comma, which is left for {@link #settings}; a double one becomes
   * one.
   */
  private String name() {
    var name = new StringBuilder();
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c == ',') {
        if (at + 1 == text.length() || text.charAt(at + 1) != ',') {
          break;
        }
        at++;
      }
      name.append(c);
      at++;
    }
    return name.toString();
  }

  private Path path(String path, int start) throws PortSyntaxException {
    if (path.isEmpty()) {
      throw error(start, "the path of the socket is missing, as in vhost:/tmp/vm0.sock");
    }
    int bytes = path.getBytes(java.nio.charset.StandardCharsets.UTF_8).length;
    if (bytes > LONGEST_SOCKET_PATH) {
      throw error(
          start,
          "the path of a socket has at most %d bytes, this one %d"
              .formatted(LONGEST_SOCKET_PATH, bytes));
    }
    try {
      return Path.of(path);
    } catch (InvalidPathException e) {
      throw error(start, "no path can be written so: " + e.getReason());
    }
  }

  private List<Setting> settings() throws PortSyntaxException {
    return at == text.length() ? List.of() : settingsFrom(at + 1);
  }

  private void onlyTuning(TuningReader.Allowed allowed) throws PortSyntaxException {
    for (Setting setting : settings()) {
      tune(setting, allowed, "");
    }
  }

  private void tune(Setting setting, TuningReader.Allowed allowed, String others)
      throws PortSyntaxException {
    if (!tuning.take(setting, allowed)) {
      String rates =
          allowed == TuningReader.Allowed.OUT_RATES
              ? "out-rate=N, out-rate-frames=N"
              : "rate=N, rate-frames=N, out-rate=N, out-rate-frames=N";
      throw unknown(setting, others.isEmpty() ? rates : others + ", " + rates + ", coalesce-us=N");
    }
  }

  private List<Setting> settingsFrom(int start) throws PortSyntaxException {
    var settings = new ArrayList<Setting>();
    at = start;
    while (at <= text.length()) {
      int comma = text.indexOf(',', at);
      int end = comma < 0 ? text.length() : comma;
      int equals = text.substring(at, end).indexOf('=');
      int keyEnd = equals < 0 ? end : at + equals;
      if (keyEnd == at) {
        throw error(at, "a setting is missing here");
      }
      int valueAt = Math.min(keyEnd + 1, end);
      var setting =
          new Setting(
              text.substring(at, keyEnd), at, text.substring(valueAt, end), valueAt, equals >= 0);
      for (Setting earlier : settings) {
        if (earlier.key.equals(setting.key)) {
          throw error(at, setting.key + " is given twice");
        }
      }
      settings.add(setting);
      at = end + 1;
    }
    return settings;
  }

  private boolean word(Setting setting) throws PortSyntaxException {
    if (setting.hasValue) {
      throw error(setting.valueAt - 1, setting.key + " takes no value");
    }
    return true;
  }

  private boolean onOff(Setting setting) throws PortSyntaxException {
    return switch (setting.value) {
      case "on" -> true;
      case "off" -> false;
      default -> throw error(setting.valueAt, setting.key + " is on or off");
    };
  }

  long number(Setting setting, long min, long max) throws PortSyntaxException {
    if (setting.value.isEmpty()) {
      throw error(
          setting.valueAt, setting.key + " needs a number, as in " + setting.key + "=" + min);
    }
    long number = 0;
    for (int i = 0; i < setting.value.length(); i++) {
      int digit = setting.value.charAt(i) - '0';
      if (digit < 0 || digit > 9) {
        throw error(setting.valueAt + i, setting.key + " is a whole number");
      }
      number = Math.min(number * 10 + digit, max + 1);
    }
    if (number < min || number > max) {
      throw error(setting.valueAt, "%s lies between %d and %d".formatted(setting.key, min, max));
    }
    return number;
  }

  private PortSyntaxException unknown(Setting setting, String known) {
    return error(setting.keyAt, "unknown setting \"%s\"; known: %s".formatted(setting.key, known));
  }

  PortSyntaxException error(int position, String problem) {
    return new PortSyntaxException(text, position, problem);
  }
}
