// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.Netmap;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortName;

/**
 * A million numbered frames through everything there is, and back: nothing is lost, doubled or
 * overtaken where nobody overruns anybody.
 *
 * <pre>
 *   here -- pipe {1 }1 -- bridge -- vale0:a  vale0:b -- bridge -- netmap:v0 ==veth== netmap:v1
 *                                                                                       |
 *                                   the host answers (ICMP echo) -- netmap:v1^ -- bridge
 * </pre>
 */
final class MillionFramesTest {
  private static final int FRAMES = 1_000_000;

  /** Fewer than the shortest queue on the way holds: a veth end has 256 places. */
  private static final int WINDOW = 128;

  private static final int FRAME_BYTES = 60;
  private static final int ICMP = 34;
  private static final int NUMBER = 42;
  private static final long PATIENCE_NANOS = 20_000_000_000L;

  @Test
  void aMillionFramesGoThroughPipeValeNicAndHostAndComeBackInOrder() throws Exception {
    Namespace.run(
        () -> {
          Namespace.sh(
              "ip link set lo up; ip link add v0 type veth peer name v1;"
                  + " ip link set v0 addrgenmode none; ip link set v1 addrgenmode none address 02:00:00:00:00:01;"
                  + " ip link set v0 up; ip addr add 10.9.0.1/24 dev v1; ip link set v1 up;"
                  + " ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev v1");
          try (NetmapDevice device = Netmap.emulated();
              Lan pipeToVale = new Lan();
              Lan valeToNic = new Lan();
              Lan nicToHost = new Lan()) {
            add(nicToHost, device, "netmap:v1");
            add(nicToHost, device, "netmap:v1^");
            add(valeToNic, device, "vale0:b");
            add(valeToNic, device, "netmap:v0");
            add(pipeToVale, device, "netmap:here}1");
            add(pipeToVale, device, "vale0:a");
            nicToHost.start();
            valeToNic.start();
            pipeToVale.start();
            try (NetmapPort here = device.register(PortName.parse("netmap:here{1").request())) {
              sendAndReceive(here);
            }
            for (Lan lan : new Lan[] {pipeToVale, valeToNic, nicToHost}) {
              BridgeStatus status = lan.status();
              assertEquals(0, status.dropped(), status::toString);
              assertTrue(status.delivered() >= 2L * FRAMES, status::toString);
            }
            QueueStatus host = nicToHost.queue("netmap:v1^", "out0");
            assertEquals(host.frames(), host.moved(), "NIC to host moves without a copy");
          }
        });
  }

  private static void add(Lan lan, NetmapDevice device, String name) throws Exception {
    var request = PortName.parse(name).request();
    lan.add(
        new NetmapBridgePort(
            name, lan.bridge, lan.loop, device, request, new NicSettings(false, false, true)));
  }

  private static void sendAndReceive(NetmapPort here) {
    byte[] frame = echoRequest();
    NetmapRing tx = here.txRings().getFirst();
    NetmapRing rx = here.rxRings().getFirst();
    int sent = 0;
    int received = 0;
    long start = System.nanoTime();
    long lastNews = start;
    while (received < FRAMES) {
      int before = received;
      here.rxSync();
      for (int space = rx.space(); space > 0; space--) {
        received += check(rx, received);
        rx.advanceTo(rx.after(rx.head(), 1));
      }
      int room = Math.min(Math.min(tx.space(), FRAMES - sent), WINDOW - (sent - received));
      for (; room > 0; room--) {
        number(frame, sent++);
        Memory.copyFromArray(frame, 0, tx.buffer(tx.head()), FRAME_BYTES);
        tx.set(tx.head(), FRAME_BYTES, 0);
        tx.advanceTo(tx.after(tx.head(), 1));
      }
      here.txSync();
      if (received > before) {
        lastNews = System.nanoTime();
      } else {
        assertTrue(
            System.nanoTime() - lastNews < PATIENCE_NANOS,
            sent + " sent, " + received + " came back, then nothing");
        LockSupport.parkNanos(20_000);
      }
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    System.out.printf("%d frames there and back in %.1f s%n", FRAMES, seconds);
  }

  /** 1 for the echo reply that comes next; 0 for what is no reply; a failure for any other. */
  private static int check(NetmapRing rx, int expected) {
    byte[] frame = new byte[rx.length(rx.head())];
    Memory.copyToArray(rx.buffer(rx.head()), frame, 0, frame.length);
    if (frame.length < FRAME_BYTES || frame[12] != 8 || frame[23] != 1 || frame[ICMP] != 0) {
      return 0;
    }
    assertEquals(expected, ByteBuffer.wrap(frame).getInt(NUMBER));
    return 1;
  }

  private static byte[] echoRequest() {
    byte[] frame = new byte[FRAME_BYTES];
    String head =
        "020000000001"
            + "020000000002"
            + "0800"
            + "4500002e"
            + "00004000"
            + "40010000"
            + "0a090002"
            + "0a090001"
            + "08000000"
            + "12340001";
    byte[] bytes = HexFormat.of().parseHex(head);
    System.arraycopy(bytes, 0, frame, 0, bytes.length);
    ByteBuffer.wrap(frame).putShort(24, (short) checksum(frame, 14, 34));
    return frame;
  }

  private static void number(byte[] frame, int number) {
    ByteBuffer bytes = ByteBuffer.wrap(frame);
    bytes.putInt(NUMBER, number).putShort(ICMP + 2, (short) 0);
    bytes.putShort(ICMP + 2, (short) checksum(frame, ICMP, FRAME_BYTES));
  }

  private static int checksum(byte[] frame, int from, int to) {
    int sum = 0;
    for (int at = from; at < to; at += 2) {
      sum += ((frame[at] & 0xff) << 8) + (frame[at + 1] & 0xff);
    }
    sum = (sum & 0xffff) + (sum >>> 16);
    return ~((sum & 0xffff) + (sum >>> 16)) & 0xffff;
  }
}
