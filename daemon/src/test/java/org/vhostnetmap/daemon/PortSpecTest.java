// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.bridge.RateSetting;

class PortSpecTest {
  @Test
  void aVhostPortListensWithOnePairUnlessToldOtherwise() throws PortSyntaxException {
    assertEquals(
        new PortSpec.Vhost(Path.of("/tmp/a.sock"), false, 1, false, false, PortSpec.Offloads.ALL),
        PortSpec.parse("vhost:/tmp/a.sock"));
  }

  @Test
  void aVhostPortTakesItsSettingsInAnyOrder() throws PortSyntaxException {
    var all =
        new PortSpec.Vhost(
            Path.of("/tmp/a.sock"), true, 8, true, true, PortSpec.Offloads.CHECKSUMS);
    assertEquals(all, PortSpec.parse("vhost:/tmp/a.sock,connect,queues=8,announce,mtu,tso=off"));
    assertEquals(
        all, PortSpec.parse("vhost:/tmp/a.sock,tso=off,mtu,announce,queues=8,connect,offloads=on"));
  }

  @Test
  void withoutOffloadsThereIsNoSegmentationEither() throws PortSyntaxException {
    assertEquals(
        PortSpec.parse("vhost:a,offloads=off"), PortSpec.parse("vhost:a,tso=off,offloads=off"));
    assertEquals(
        PortSpec.parse("vhost:a,tso=off"), PortSpec.parse("vhost:a,gro=on,tso=off"), "no GRO");
  }

  @Test
  void limitsAreReadWithTheirUnitsAndTheUsualBursts() throws PortSyntaxException {
    Tuning tuning =
        PortSpec.parse(
                "vhost:/a,rate=100M,mtu,out-rate-frames=10k,out-burst-frames=7,coalesce-us=20")
            .tuned();
    assertEquals(new RateSetting(100_000_000, 131_072, 0, 0), tuning.sends());
    assertEquals(new RateSetting(0, 0, 10_000, 7), tuning.receives());
    assertEquals(20, tuning.coalesceMicros());
    assertEquals(Tuning.NONE, PortSpec.parse("vhost:/a,coalesce-us=0").tuned());
  }

  @Test
  void aDoubledCommaBelongsToThePath() throws PortSyntaxException {
    assertEquals(
        new PortSpec.Vhost(
            Path.of("/tmp/a,connect"), false, 1, false, false, PortSpec.Offloads.ALL),
        PortSpec.parse("vhost:/tmp/a,,connect"));
  }

  @Test
  void pktgenReadsLengthRateAndFlows() throws PortSyntaxException {
    assertEquals(new PortSpec.Pktgen(64, 0, 1), PortSpec.parse("pktgen:"));
    assertEquals(
        new PortSpec.Pktgen(1514, 1000, 8), PortSpec.parse("pktgen:len=1514,rate=1000,flows=8"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "vhost:/tmp/a.sock",
        "vhost:/tmp/a,,b,connect,queues=2,announce,mtu",
        "vhost:relative",
        "vhost:relative,gro=on",
        "vhost:relative,tso=off",
        "vhost:relative,mtu,offloads=off",
        "tap:tap0",
        "tap:123456789012345",
        "netmap:eth0",
        "netmap:eth0*/x",
        "vale0:vm1@conf:rings=2,slots=256",
        "vale0:vm1@conf:rings=2,slots=256,vnet-hdr",
        "vale0:vm1,vnet-hdr,rate=1M",
        "netmap:a{1",
        "null:",
        "pktgen:",
        "pktgen:len=60",
        "pktgen:rate=5",
        "pktgen:len=1514,rate=1000000",
        "vhost:/tmp/a.sock,queues=2,rate=100M,burst=1M,rate-frames=10k,out-rate=1500k",
        "vhost:/tmp/a.sock,coalesce-us=50",
        "tap:tap0,rate=1G,out-rate-frames=1M,out-burst-frames=100",
        "netmap:eth0,rate=10G",
        "vale0:vm1@conf:rings=2,slots=256,out-rate=1T",
        "null:,out-rate=8k"
      })
  void theTextOfAPortReadsBackAsItself(String text) throws PortSyntaxException {
    assertEquals(text, PortSpec.parse(text).text());
  }

  /**
   * The last column is where the caret stands: the character that is wrong, or the end where one is
   * missing.
   */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "eth0                    | no kind of port        | 4",
        "vhost:a,tso=no          | on or off              | 12",
        "netmap:eth0,vnet-hdr    | unknown setting        | 12",
        "vhost:a,offloads        | on or off              | 16",
        "nic:eth0                | unknown kind           | 0",
        "netmap:                 | name of the port       | 7",
        "netmap:eth0-            | number of a ring       | 12",
        "netmap:eth0,queues=2    | are @options           | 11",
        "vale0:vm1/q             | unknown flag           | 10",
        "vale0                   | no kind of port        | 5",
        ":x                      | unknown kind           | 0",
        "vhost:                  | path of the socket     | 6",
        "vhost:,connect          | path of the socket     | 6",
        "vhost:/a,               | a setting is missing   | 9",
        "vhost:/a,connect,       | a setting is missing   | 17",
        "vhost:/a,queus=2        | unknown setting        | 9",
        "vhost:/a,connect=yes    | takes no value         | 16",
        "vhost:/a,queues         | needs a number         | 15",
        "vhost:/a,queues=        | needs a number         | 16",
        "vhost:/a,queues=0       | between 1 and 8        | 16",
        "vhost:/a,queues=9       | between 1 and 8        | 16",
        "vhost:/a,queues=99999999999999999999 | between 1 and 8 | 16",
        "vhost:/a,queues=1x      | whole number           | 17",
        "vhost:/a,queues=-1      | whole number           | 16",
        "vhost:/a,queues=1,queues=2 | given twice         | 18",
        "tap:                    | name of the TAP        | 4",
        "tap:a/b                 | interface name         | 5",
        "tap:1234567890123456    | at most 15             | 19",
        "tap:t0,queues=2         | unknown setting        | 7",
        "tap:t0,coalesce-us=2    | unknown setting        | 7",
        "null:,rate=1M           | unknown setting        | 6",
        "vhost:/a,rate=7k        | between 8000 and       | 14",
        "vhost:/a,rate=2T        | between 8000 and       | 14",
        "vhost:/a,rate=          | needs a number         | 14",
        "vhost:/a,rate=k         | needs a number         | 14",
        "vhost:/a,rate=1K        | whole number           | 15",
        "vhost:/a,rate=1.5M      | whole number           | 15",
        "vhost:/a,rate=1M,rate=2M | given twice           | 17",
        "vhost:/a,burst=1M       | goes with rate=N       | 9",
        "vhost:/a,rate=1M,burst-frames=5 | goes with rate-frames=N | 17",
        "vhost:/a,coalesce-us=2M | between 0 and          | 21",
        "netmap:eth0,rate=x      | whole number           | 17",
        "pktgen:out-rate=1M      | unknown setting        | 7",
        "null:x                  | nothing behind         | 5",
        "pktgen:len=59           | between 60 and 2048    | 11",
        "pktgen:len=2049         | between 60 and 2048    | 11",
        "pktgen:,len=64          | a setting is missing   | 7",
        "pktgen:64               | unknown setting        | 7",
      })
  void aWrongPortIsRefusedAtTheCharacterThatIsWrong(String text, String problem, int position) {
    var e = assertThrows(PortSyntaxException.class, () -> PortSpec.parse(text));
    assertTrue(e.problem().contains(problem), e.problem());
    assertEquals(position, e.position(), e.picture());
  }

  @Test
  void thePictureHasItsCaretBelowTheCharacter() {
    var e = assertThrows(PortSyntaxException.class, () -> PortSpec.parse("null:x"));
    String[] lines = e.picture().split("\n", -1);
    assertEquals(3, lines.length);
    assertEquals("x", lines[1].substring(lines[2].indexOf('^')));
  }

  @Test
  void aPathLongerThanASocketAddressIsRefused() throws PortSyntaxException {
    PortSpec.parse("vhost:/" + "a".repeat(106));
    var e =
        assertThrows(PortSyntaxException.class, () -> PortSpec.parse("vhost:/" + "a".repeat(107)));
    assertTrue(e.problem().contains("at most 107 bytes"), e.problem());
    assertThrows(PortSyntaxException.class, () -> PortSpec.parse("vhost:/" + "ä".repeat(54)));
  }
}
