// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Two guests and a TAP on one bridge, while a third front-end misbehaves. */
class BridgeIT {
  /** The slowest of 20 pings in milliseconds; none may be lost. */
  private static double slowestPing(GuestShell guest, String address) throws Exception {
    String text = guest.get("ping -c 20 -i 0.1 -w 20 " + address);
    assertTrue(text.contains(" 0% packet loss"), text);
    Matcher times = Pattern.compile("= [0-9.]+/[0-9.]+/([0-9.]+) ms").matcher(text);
    assertTrue(times.find(), text);
    return Double.parseDouble(times.group(1));
  }

  @Test
  void twoGuestsAndTheTapReachEachOtherWhileAThirdSocketHoldsAHalfMessage() throws Exception {
    try (var lab = new Lab()) {
      lab.start("vhost:a", "vhost:b", "vhost:c", "tap:tap0");
      GuestShell first = lab.boot(1, lab.nic(1, "a")).shell();
      try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(lab.path("c")))) {
        channel.write(
            ByteBuffer.wrap(new byte[] {1, 0, 0, 0, 1})); // GET_FEATURES, not to be continued
        GuestShell second = lab.boot(2, lab.nic(2, "b")).shell();
        lab.assertTraffic(first, 1);
        lab.assertTraffic(second, 2);
        assertTrue(first.run("ping -c 1 -w 10 " + Lab.address(2)).ok());
        double across = slowestPing(first, Lab.address(2));
        double toTap = slowestPing(second, Lab.HOST);
        System.out.println(
            "with a half message on a third socket: slowest ping of 20 guest to guest "
                + across
                + " ms, guest to TAP "
                + toTap
                + " ms");
        assertTrue(across < 1000 && toTap < 1000, across + ", " + toTap);
        second.get("wget -q -O /tmp/other http://" + Lab.address(1) + ":8000/data");
        assertEquals(first.get("sha256sum </tmp/www/data"), second.get("sha256sum </tmp/other"));
      }
      lab.assertTraffic(first, 1);
      assertEquals(0, lab.backend().status().at("unexplained").number());
    }
  }
}
