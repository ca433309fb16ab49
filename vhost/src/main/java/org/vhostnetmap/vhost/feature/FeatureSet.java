// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.feature;

import java.util.ArrayList;
import java.util.List;

/**
 * An immutable set of feature bits of one kind. Keeps bits that have no name here as well, so that
 * what a peer sent is never silently cut down.
 *
 * @param <F> {@link VirtioFeature} or {@link ProtocolFeature}
 */
public final class FeatureSet<F extends Enum<F> & Feature> {
  private final Class<F> kind;
  private final long bits;

  private FeatureSet(Class<F> kind, long bits) {
    this.kind = kind;
    this.bits = bits;
  }

  /** The set that a feature word of this kind stands for. */
  public static <F extends Enum<F> & Feature> FeatureSet<F> ofBits(Class<F> kind, long bits) {
    return new FeatureSet<>(kind, bits);
  }

  /** The set of a virtio feature word. */
  public static FeatureSet<VirtioFeature> virtio(long bits) {
    return new FeatureSet<>(VirtioFeature.class, bits);
  }

  /** The set of these virtio features. */
  public static FeatureSet<VirtioFeature> of(VirtioFeature... features) {
    return virtio(0).with(features);
  }

  /** The set of a protocol feature word. */
  public static FeatureSet<ProtocolFeature> protocol(long bits) {
    return new FeatureSet<>(ProtocolFeature.class, bits);
  }

  /** The set of these protocol features. */
  public static FeatureSet<ProtocolFeature> of(ProtocolFeature... features) {
    return protocol(0).with(features);
  }

  /** Whether {@code feature} is in. */
  public boolean has(F feature) {
    return (bits >>> feature.bit() & 1) != 0;
  }

  /** Whether all of {@code others} are in. */
  public boolean hasAll(FeatureSet<F> others) {
    return (others.bits & ~bits) == 0;
  }

  /** Whether nothing is in. */
  public boolean isEmpty() {
    return bits == 0;
  }

  /** This set and {@code features}. */
  @SafeVarargs
  public final FeatureSet<F> with(F... features) {
    long all = bits;
    for (F feature : features) {
      all |= 1L << feature.bit();
    }
    return new FeatureSet<>(kind, all);
  }

  /** This set but {@code feature}. */
  public FeatureSet<F> without(F feature) {
    return new FeatureSet<>(kind, bits & ~(1L << feature.bit()));
  }

  /** What is in here but not in {@code others}. */
  public FeatureSet<F> minus(FeatureSet<F> others) {
    return new FeatureSet<>(kind, bits & ~others.bits);
  }

  /** The 64-bit word that goes over the wire. */
  public long bits() {
    return bits;
  }

  /** The names in ascending order of bits; a bit without a name here is "bit 63". */
  public List<String> names() {
    List<String> names = new ArrayList<>();
    for (int bit = 0; bit < Long.SIZE; bit++) {
      if ((bits >>> bit & 1) != 0) {
        names.add(nameOf(bit));
      }
    }
    return names;
  }

  private String nameOf(int bit) {
    for (F feature : kind.getEnumConstants()) {
      if (feature.bit() == bit) {
        return feature.name();
      }
    }
    return "bit " + bit;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof FeatureSet<?> set && set.kind == kind && set.bits == bits;
  }

  @Override
  public int hashCode() {
    return Long.hashCode(bits);
  }

  @Override
  public String toString() {
    return "0x" + Long.toHexString(bits) + " " + names();
  }
}
