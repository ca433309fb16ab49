// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

/** The requests of NIOCCTRL: {@code NETMAP_REQ_*}, with the size of the structure each carries. */
enum RequestType {
  REGISTER(1, 56),
  PORT_INFO_GET(2, 32),
  VALE_ATTACH(3, 64),
  VALE_DETACH(4, 8),
  VALE_LIST(5, 8),
  PORT_HDR_SET(6, 8),
  PORT_HDR_GET(7, 8),
  VALE_NEWIF(8, 16),
  VALE_DELIF(9, 0),
  POOLS_INFO_GET(12, 64);

  private final int code;
  private final int bodyBytes;

  RequestType(int code, int bodyBytes) {
    this.code = code;
    this.bodyBytes = bodyBytes;
  }

  /** The number in nr_reqtype. */
  int code() {
    return code;
  }

  /** Size of the body; 0 where there must be none. */
  int bodyBytes() {
    return bodyBytes;
  }
}
