// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

/** Which rings of a port one open binds: {@code nr_mode} of {@code struct nmreq_register}. */
public enum PortMode {
  /** All NIC rings (NR_REG_ALL_NIC); also of VALE ports and pipes. */
  ALL_NIC(1),
  /** All host rings, {@code ^} (NR_REG_SW). */
  HOST(2),
  /** All NIC and all host rings, {@code *} (NR_REG_NIC_SW). */
  NIC_AND_HOST(3),
  /** One NIC ring pair, {@code -N} (NR_REG_ONE_NIC). */
  ONE_NIC(4),
  /** No ring at all, only memory (NR_REG_NULL). */
  NULL(7),
  /** One host ring pair, {@code ^N} (NR_REG_ONE_SW). */
  ONE_HOST(8);

  private final int code;

  PortMode(int code) {
    this.code = code;
  }

  /** The number in nr_mode. */
  public int code() {
    return code;
  }

  /** Whether this mode binds NIC rings. */
  public boolean bindsNic() {
    return this == ALL_NIC || this == NIC_AND_HOST || this == ONE_NIC;
  }

  /** Whether this mode binds host rings. */
  public boolean bindsHost() {
    return this == HOST || this == NIC_AND_HOST || this == ONE_HOST;
  }
}
