// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The forms of the device that a guest may be given: each has other ring or header layouts. */
class VariantsIT {
  /** Those of the negotiated features that change a layout. */
  private static final Set<String> LAYOUT =
      Set.of(
          "VIRTIO_F_VERSION_1",
          "VIRTIO_NET_F_MRG_RXBUF",
          "VIRTIO_F_EVENT_IDX",
          "VIRTIO_F_INDIRECT_DESC",
          "VIRTIO_F_RING_PACKED");

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          modern, one buffer for a frame;     mrg_rxbuf=off;    EVENT_IDX INDIRECT_DESC VERSION_1
          modern, flags in place of indices;  event_idx=off;    INDIRECT_DESC MRG_RXBUF VERSION_1
          modern, no tables;                  indirect_desc=off; EVENT_IDX MRG_RXBUF VERSION_1
          modern, long rings;                 rx_queue_size=1024,tx_queue_size=1024; EVENT_IDX INDIRECT_DESC MRG_RXBUF VERSION_1
          packed;                             packed=on;        EVENT_IDX INDIRECT_DESC MRG_RXBUF RING_PACKED VERSION_1
          packed, one buffer for a frame;     packed=on,mrg_rxbuf=off; EVENT_IDX INDIRECT_DESC RING_PACKED VERSION_1
          packed, flags in place of places;   packed=on,event_idx=off; INDIRECT_DESC MRG_RXBUF RING_PACKED VERSION_1
          packed, no tables, long rings;      packed=on,indirect_desc=off,rx_queue_size=1024,tx_queue_size=1024; EVENT_IDX MRG_RXBUF RING_PACKED VERSION_1
          legacy, 12 bytes of header;         disable-modern=on,disable-legacy=off; EVENT_IDX INDIRECT_DESC MRG_RXBUF
          legacy, 10 bytes of header;         disable-modern=on,disable-legacy=off,mrg_rxbuf=off; EVENT_IDX INDIRECT_DESC
          """)
  void trafficFlowsWhateverTheLayout(String name, String properties, String features)
      throws Exception {
    try (var lab = new Lab()) {
      lab.start("vhost:a", "tap:tap0");
      Nic nic = lab.nic(1, "a").vectors(0).with(properties);
      GuestShell guest = lab.boot(1, nic, builder -> builder.machine("pc")).shell();
      lab.assertTraffic(guest, 1);
      String negotiated =
          lab.backend().port("vhost:").at("vhost", "features").list().stream()
              .map(Json::string)
              .filter(LAYOUT::contains)
              .map(feature -> feature.replaceFirst("VIRTIO_(NET_)?F_", ""))
              .sorted()
              .collect(Collectors.joining(" "));
      assertEquals(features, negotiated);
      System.out.println(name + ": traffic with " + negotiated);
    }
  }
}
