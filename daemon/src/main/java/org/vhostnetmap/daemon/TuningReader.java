// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.vhostnetmap.bridge.RateSetting;

/** Collects the settings of a port that make its {@link Tuning}. */
final class TuningReader {
  /** Powers of 1000, in this order. */
  static final String SCALES = "kMGT";

  private static final List<String> RATES = List.of("rate", "rate-frames", "burst", "burst-frames");
  private static final String OUT = "out-";
  private static final String COALESCE = "coalesce-us";
  private static final long MOST_COALESCE_MICROS = 1_000_000;
  private static final long MOST_BURST = 1_000_000_000;

  /** Which of these settings a kind of port takes. */
  enum Allowed {
    /** A guest takes all. */
    ALL,
    /** Limits both ways, but there is nobody to call. */
    RATES,
    /** It sends nothing. */
    OUT_RATES
  }

  private final PortSpecParser parser;
  private final Map<String, PortSpecParser.Setting> taken = new LinkedHashMap<>();

  TuningReader(PortSpecParser parser) {
    this.parser = parser;
  }

  /** Where in a text the settings begin that belong here, or its length. */
  static int start(String text) {
    for (int comma = text.indexOf(','); comma >= 0; comma = text.indexOf(',', comma + 1)) {
      int end = comma + 1;
      while (end < text.length() && text.charAt(end) != '=' && text.charAt(end) != ',') {
        end++;
      }
      if (isTuning(text.substring(comma + 1, end), Allowed.RATES)) {
        return comma;
      }
    }
    return text.length();
  }

  private static boolean isTuning(String key, Allowed allowed) {
    boolean out = key.startsWith(OUT);
    boolean rate = RATES.contains(out ? key.substring(OUT.length()) : key);
    return switch (allowed) {
      case ALL -> rate || key.equals(COALESCE);
      case RATES -> rate;
      case OUT_RATES -> rate && out;
    };
  }

  /** Takes a setting over; false when it is none of these. */
  boolean take(PortSpecParser.Setting setting, Allowed allowed) {
    boolean mine = isTuning(setting.key(), allowed);
    if (mine) {
      taken.put(setting.key(), setting);
    }
    return mine;
  }

  /** The settings that were taken, checked. */
  Tuning tuning() throws PortSyntaxException {
    return new Tuning(rate(""), rate(OUT), (int) number(COALESCE, 0, MOST_COALESCE_MICROS, 0));
  }

  private RateSetting rate(String prefix) throws PortSyntaxException {
    long bits = number(prefix + "rate", RateSetting.LEAST_BITS, RateSetting.MOST_BITS, 0);
    long frames = number(prefix + "rate-frames", 1, RateSetting.MOST_FRAMES, 0);
    needs(prefix + "burst", prefix + "rate");
    needs(prefix + "burst-frames", prefix + "rate-frames");
    long bytes = bits == 0 ? 0 : RateSetting.defaultBurstBytes(bits);
    long atOnce = frames == 0 ? 0 : RateSetting.defaultBurstFrames(frames);
    return new RateSetting(
        bits,
        number(prefix + "burst", 1, MOST_BURST, bytes),
        frames,
        number(prefix + "burst-frames", 1, MOST_BURST, atOnce));
  }

  private void needs(String key, String other) throws PortSyntaxException {
    PortSpecParser.Setting setting = taken.get(key);
    if (setting != null && !taken.containsKey(other)) {
      throw parser.error(setting.keyAt(), key + " goes with " + other + "=N");
    }
  }

  private long number(String key, long min, long max, long fallback) throws PortSyntaxException {
    PortSpecParser.Setting setting = taken.get(key);
    return setting == null ? fallback : scaled(setting, min, max);
  }

  /** A whole number, perhaps with one of {@link #SCALES} behind it. */
  private long scaled(PortSpecParser.Setting setting, long min, long max)
      throws PortSyntaxException {
    String value = setting.value();
    int last = value.length() - 1;
    int scale = last < 0 ? -1 : SCALES.indexOf(value.charAt(last));
    if (scale < 0) {
      return parser.number(setting, min, max);
    }
    long unit = 1;
    for (int i = 0; i <= scale; i++) {
      unit *= 1000;
    }
    var plain =
        new PortSpecParser.Setting(
            setting.key(), setting.keyAt(), value.substring(0, last), setting.valueAt(), true);
    long number = parser.number(plain, 1, max / unit + 1) * unit;
    if (number < min || number > max) {
      throw parser.error(
          setting.valueAt(), "%s lies between %d and %d".formatted(setting.key(), min, max));
    }
    return number;
  }
}
