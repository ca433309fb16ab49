// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.feature;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.vhost.feature.VirtioFeature.*;

import java.util.List;
import org.junit.jupiter.api.Test;

class FeatureSetTest {
  @Test
  void bitsAreNumbersAndNotMasks() {
    FeatureSet<VirtioFeature> set =
        FeatureSet.of(VHOST_USER_F_PROTOCOL_FEATURES, VIRTIO_F_VERSION_1);
    assertEquals(0x1_4000_0000L, set.bits());
    assertTrue(set.has(VIRTIO_F_VERSION_1));
    // 30 taken for a mask would be bits 1 to 4.
    assertFalse(set.has(VIRTIO_NET_F_GUEST_CSUM));
    assertFalse(set.has(VIRTIO_NET_F_MTU));
  }

  @Test
  void keepsAndNamesBitsItDoesNotKnow() {
    FeatureSet<VirtioFeature> set = FeatureSet.virtio(1L << 63 | 1L << 15);
    assertEquals(List.of("VIRTIO_NET_F_MRG_RXBUF", "bit 63"), set.names());
    assertEquals(1L << 63, set.minus(FeatureSet.of(VIRTIO_NET_F_MRG_RXBUF)).bits());
  }

  @Test
  void kindsDifferEvenWithTheSameBits() {
    assertNotEquals(FeatureSet.virtio(8), FeatureSet.protocol(8));
    assertEquals(FeatureSet.virtio(8), FeatureSet.of(VIRTIO_NET_F_MTU));
    assertEquals(FeatureSet.virtio(0), FeatureSet.of(VIRTIO_NET_F_MTU).without(VIRTIO_NET_F_MTU));
    assertTrue(FeatureSet.virtio(9).hasAll(FeatureSet.virtio(8)));
  }

  @Test
  void noTwoFeaturesShareABit() {
    assertEquals(
        VirtioFeature.values().length,
        java.util.Arrays.stream(VirtioFeature.values()).mapToInt(Feature::bit).distinct().count());
    int next = 0;
    for (ProtocolFeature feature : ProtocolFeature.values()) {
      assertEquals(next++, feature.bit());
    }
  }
}
