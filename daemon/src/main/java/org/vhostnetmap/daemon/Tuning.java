// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import org.vhostnetmap.bridge.RateSetting;

/**
 * What a port may be told besides what it is: {@code rate=}, {@code burst=}, {@code rate-frames=},
 * {@code burst-frames=} of what it sends; the same with {@code out-} before it of what is sent to
 * it; {@code coalesce-us=}.
 *
 * @param sends the limit on what comes from the port
 * @param receives the limit on what goes to it
 * @param coalesceMicros least time between two calls of one ring of a guest
 */
record Tuning(RateSetting sends, RateSetting receives, int coalesceMicros) {
  static final Tuning NONE = new Tuning(RateSetting.NONE, RateSetting.NONE, 0);

  private static final long KILO = 1000;

  /** As settings of a port, each with its comma before it; bursts of the usual size left out. */
  String text() {
    return text("", sends)
        + text("out-", receives)
        + (coalesceMicros == 0 ? "" : ",coalesce-us=" + coalesceMicros);
  }

  private static String text(String prefix, RateSetting rate) {
    var text = new StringBuilder();
    if (rate.bitsPerSecond() != 0) {
      append(text, prefix + "rate", rate.bitsPerSecond());
      if (rate.burstBytes() != RateSetting.defaultBurstBytes(rate.bitsPerSecond())) {
        append(text, prefix + "burst", rate.burstBytes());
      }
    }
    if (rate.framesPerSecond() != 0) {
      append(text, prefix + "rate-frames", rate.framesPerSecond());
      if (rate.burstFrames() != RateSetting.defaultBurstFrames(rate.framesPerSecond())) {
        append(text, prefix + "burst-frames", rate.burstFrames());
      }
    }
    return text.toString();
  }

  private static void append(StringBuilder text, String key, long number) {
    long shown = number;
    int scale = 0;
    while (scale < TuningReader.SCALES.length() && shown % KILO == 0) {
      shown /= KILO;
      scale++;
    }
    text.append(',').append(key).append('=').append(shown);
    text.append(scale == 0 ? "" : TuningReader.SCALES.charAt(scale - 1));
  }
}
