// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

/**
 * Work that a network device may do, or leave undone, on frames: each a word of {@code ethtool -k}
 * and of {@code ethtool -K}.
 */
public enum NetOffload {
  /** Checks checksums of received frames. */
  RX_CHECKSUM("rx", 0x14, 0x15, 0),
  /** Completes checksums of transmitted frames. */
  TX_CHECKSUM("tx", 0x16, 0x17, 0),
  /** Takes a frame in pieces. */
  SCATTER_GATHER("sg", 0x18, 0x19, 0),
  /** Cuts long TCP segments. */
  TSO("tso", 0x1e, 0x1f, 0),
  /** The stack cuts long segments as late as it can. */
  GSO("gso", 0x23, 0x24, 0),
  /** The stack joins received segments. */
  GRO("gro", 0x2b, 0x2c, 0),
  /** The device joins received segments. */
  LRO("lro", 0x25, 0x26, 1 << 15),
  /** Takes the VLAN tag out of received frames. */
  RX_VLAN("rxvlan", 0x25, 0x26, 1 << 8),
  /** Puts the VLAN tag into transmitted frames. */
  TX_VLAN("txvlan", 0x25, 0x26, 1 << 7);

  private final String word;
  final int get;
  final int set;

  /** Of the flags word, or 0 where the answer is a plain 0 or 1. */
  final int flag;

  NetOffload(String word, int get, int set, int flag) {
    this.word = word;
    this.get = get;
    this.set = set;
    this.flag = flag;
  }

  /** As the ethtool program calls it, such as {@code tso}. */
  public String word() {
    return word;
  }
}
