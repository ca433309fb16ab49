// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.vhost.feature.VirtioFeature.*;

import org.junit.jupiter.api.Test;
import org.vhostnetmap.vhost.feature.FeatureSet;

/** Header length and offer: what follows from features, in one place each. */
class NetHeaderTest {
  @Test
  void isTwelveBytesWithAnyOfThreeFeaturesAndTenWithout() {
    for (int bits = 0; bits < 1 << 8; bits++) {
      long word =
          (bits & 1L) << 15
              | (bits >> 1 & 1L) << 32
              | (bits >> 2 & 1L) << 34
              | (long) (bits >> 3) << 26;
      assertEquals((bits & 7) == 0 ? 10 : 12, NetHeader.length(FeatureSet.virtio(word)));
    }
  }

  @Test
  void offerKeepsFrontEndsThatShowItToTheirGuestHappy() {
    FeatureSet<org.vhostnetmap.vhost.feature.VirtioFeature> one = Offer.net(1, false).features();
    assertFalse(
        one.has(VIRTIO_NET_F_MQ)
            || one.has(VIRTIO_NET_F_GUEST_ANNOUNCE)
            || one.has(VIRTIO_NET_F_MTU));
    assertTrue(Offer.net(2, false).features().has(VIRTIO_NET_F_MQ));
    assertTrue(Offer.net(1, true).features().has(VIRTIO_NET_F_GUEST_ANNOUNCE));
    assertTrue(Offer.net(1, false).with(VIRTIO_NET_F_MTU).features().has(VIRTIO_NET_F_MTU));
    for (int bit : new int[] {16, 17, 26, 33, 40, 57}) {
      assertEquals(0, Offer.net(8, true).features().bits() >>> bit & 1, "bit " + bit);
    }
    for (int bit : new int[] {9, 14, 17}) {
      assertEquals(
          0, Offer.net(8, true).protocolFeatures().bits() >>> bit & 1, "protocol bit " + bit);
    }
    assertThrows(IllegalArgumentException.class, () -> Offer.net(129, false));
  }

  @Test
  void offloadsAreOfferedAsOneWithWhatTheyRestOn() {
    long checksums = Offer.net(1, false).withChecksums().features().bits();
    long all = Offer.net(1, false).withOffloads().features().bits();
    long none = Offer.net(1, false).features().bits();
    assertEquals(0b11, checksums ^ none);
    // 7 to 9 and 11 to 13: TSO and ECN, not UFO (10, 14); 54 to 56: USO.
    assertEquals(0x3b80L | 7L << 54, all ^ checksums);
  }
}
