// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import java.util.HashMap;
import java.util.Map;

/**
 * {@code @conf}: numbers of rings and slots; honoured by netmap only when the open creates the
 * port. The special keys win over the general ones, whatever the order.
 */
final class PortConfiguration {
  private static final String KEYS =
      "rings tx_rings rx_rings host_rings host_tx_rings host_rx_rings slots tx_slots rx_slots";
  private static final int MOST_RINGS = 65535; // 16 bits each
  private static final int MOST_SLOTS = 1 << 20;

  private final Map<String, Integer> numbers = new HashMap<>();

  private PortConfiguration() {}

  static PortConfiguration of(PortOption option) throws PortNameException {
    var configuration = new PortConfiguration();
    for (PortOption.Value value : option.values("rings", KEYS)) {
      int max = value.key().endsWith("slots") ? MOST_SLOTS : MOST_RINGS;
      configuration.numbers.put(value.key(), option.number(value, max));
    }
    return configuration;
  }

  RegisterRequest on(RegisterRequest request) {
    return request
        .withRings(
            number("tx_rings", "rings"),
            number("rx_rings", "rings"),
            number("tx_slots", "slots"),
            number("rx_slots", "slots"))
        .withHostRings(
            number("host_tx_rings", "host_rings"), number("host_rx_rings", "host_rings"));
  }

  private int number(String key, String general) {
    return numbers.getOrDefault(key, numbers.getOrDefault(general, 0));
  }
}
