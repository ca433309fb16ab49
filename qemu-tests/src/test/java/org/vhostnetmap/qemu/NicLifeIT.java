// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The host's network device behind a netmap port goes away, comes back, changes; and the program
 * goes away without a word.
 *
 * <pre>
 *   namespace host: nic1 10.79.1.1 ==veth== 10.79.1.2 wire1, namespace peer 1
 *                   nic2           ==veth== 10.79.0.2 wire2, namespace peer 2
 *                   nic3           ==veth== 10.79.0.3 wire3, namespace peer 3
 * </pre>
 */
class NicLifeIT {
  private static final Duration SOON = Duration.ofSeconds(2);

  /** What a report of the status may take on a busy machine, on top. */
  private static final Duration SLACK = Duration.ofSeconds(1);

  private final List<AutoCloseable> closings = new ArrayList<>();
  private NetworkNamespace host;

  @BeforeEach
  void makeNamespace() throws IOException {
    boolean root = ProcessHandle.current().info().user().filter("root"::equals).isPresent();
    assumeTrue(root, "a cable between two namespaces takes root");
    host = keep(new NetworkNamespace());
  }

  @AfterEach
  void closeAll() throws Exception {
    for (AutoCloseable closing : closings.reversed()) {
      closing.close();
    }
  }

  private <T extends AutoCloseable> T keep(T closing) {
    closings.add(closing);
    return closing;
  }

  private NetworkNamespace peer(int number, String address) throws IOException {
    NetworkNamespace peer = keep(new NetworkNamespace());
    cable(number, peer, address);
    return peer;
  }

  private void cable(int number, NetworkNamespace peer, String address) throws IOException {
    host.connect("nic" + number, peer, "wire" + number);
    host.get("ip link set nic" + number + " up");
    peer.get(
        "ip addr add %s/24 dev wire%d; ip link set wire%d up".formatted(address, number, number));
  }

  private BackendProcess start(String... ports) throws IOException {
    return keep(BackendProcess.start(host, ports));
  }

  private static void await(Duration time, Callable<Boolean> condition) {
    Awaitility.await().atMost(time).pollInterval(Duration.ofMillis(50)).until(condition);
  }

  private static void assertPing(NetworkNamespace from, String address) throws IOException {
    Output ping = from.run("ping -c 20 -i 0.05 -w 10 " + address);
    assertTrue(ping.ok() && ping.text().contains(" 0% packet loss"), ping.text());
  }

  /** Everything that a program may leave in a network: devices, programs, hooks, routes. */
  private String traces() throws IOException {
    return host.get(
        "ip -o link | sed 's/state [A-Z]*//;s/qlen [0-9]*//'; tc qdisc; ip route;"
            + " for d in $(ip -o link | sed 's/^[0-9]*: //;s/[@:].*//'); do tc filter show dev $d ingress 2>/dev/null;"
            + " tc filter show dev $d egress 2>/dev/null; done; true");
  }

  @Test
  void afterAKillTheHostsAddressOnTheNicAnswersWithinTwoSecondsAndNothingIsLeft() throws Exception {
    NetworkNamespace peer = peer(1, "10.79.1.2");
    host.get("ip addr add 10.79.1.1/24 dev nic1");
    assertPing(peer, "10.79.1.1");
    String before = traces();
    BackendProcess backend = start("netmap:nic1*");
    assertPing(peer, "10.79.1.1");
    assertPing(host, "10.79.1.2");
    assertFalse(traces().equals(before), "nothing to clean up, so nothing is tested");
    backend.kill();
    long killed = System.nanoTime();
    await(SOON, () -> peer.run("ping -c 1 -W 0.2 10.79.1.1").ok());
    long millis = (System.nanoTime() - killed) / 1_000_000;
    System.out.println("after kill -9 the host answers again within " + millis + " ms");
    await(SOON, () -> traces().equals(before));
    assertPing(peer, "10.79.1.1");
  }

  @Test
  void aNicThatIsUnpluggedAndPluggedInUnderTrafficIsTakenAgainAndNoOtherPortNotices()
      throws Exception {
    NetworkNamespace first = peer(1, "10.79.0.1");
    NetworkNamespace second = peer(2, "10.79.0.2");
    peer(3, "10.79.0.3");
    BackendProcess backend = start("netmap:nic1", "netmap:nic2", "netmap:nic3");
    assertPing(first, "10.79.0.2");
    second.get("ping -q -i 0.01 -c 1000 -w 20 10.79.0.3 >/tmp/niclife-ping 2>&1 & echo");
    first.get("ping -q -f -c 1000000 10.79.0.2 >/dev/null 2>&1 & echo");
    for (int round = 1; round <= 3; round++) {
      int rounds = round;
      host.get("ip link del nic1");
      await(SOON, () -> !netmap(backend, "nic1").at("up").bool());
      String state = backend.port("nic1").at("state").string();
      assertTrue(state.startsWith("down: the interface nic1 is gone"), state);
      cable(1, first, "10.79.0.1");
      await(SOON.plus(SLACK), () -> netmap(backend, "nic1").at("up").bool());
      assertEquals(rounds, netmap(backend, "nic1").at("reattached").number());
      await(SOON, () -> first.run("ping -c 1 -W 0.2 10.79.0.2").ok());
    }
    assertEquals(0, netmap(backend, "nic2").at("reattached").number());
    await(
        Duration.ofSeconds(30),
        () -> second.get("cat /tmp/niclife-ping").contains("packets transmitted"));
    String others = second.get("cat /tmp/niclife-ping; rm /tmp/niclife-ping");
    assertTrue(others.contains("received, 0% packet loss"), others);
    assertEquals(0, backend.status().at("unexplained").number());
    System.out.println(backend.log());
  }

  private static Json netmap(BackendProcess backend, String nic) throws IOException {
    return backend.port(nic).at("netmap");
  }

  @Test
  void linkNameAndMtuMayChange() throws Exception {
    NetworkNamespace first = peer(1, "10.79.0.1");
    peer(2, "10.79.0.2");
    BackendProcess backend = start("netmap:nic1", "netmap:nic2");
    assertPing(first, "10.79.0.2");

    host.get("ip link set nic1 down");
    await(SOON, () -> !netmap(backend, "nic1").at("link").bool());
    assertTrue(netmap(backend, "nic1").at("up").bool());
    host.get("ip link set nic1 up");
    await(SOON, () -> netmap(backend, "nic1").at("link").bool());
    assertPing(first, "10.79.0.2");

    first.get("ip link set wire1 down");
    await(SOON, () -> !netmap(backend, "nic1").at("link").bool());
    first.get("ip link set wire1 up");
    await(SOON, () -> netmap(backend, "nic1").at("link").bool());
    assertPing(first, "10.79.0.2");
    assertEquals(0, netmap(backend, "nic1").at("reattached").number());

    host.get("ip link set nic1 mtu 1400");
    await(SOON, () -> netmap(backend, "nic1").at("mtu").number() == 1400);
    assertPing(first, "10.79.0.2");

    host.get("ip link set nic1 name other");
    await(SOON, () -> !netmap(backend, "nic1").at("up").bool());
    String state = backend.port("nic1").at("state").string();
    assertTrue(state.contains("was renamed to other"), state);
    assertTrue(host.get("ip link show other").contains("mtu 1400"), "the device is the host's");
    host.get("ip link set other name nic1");
    await(SOON.plus(SLACK), () -> netmap(backend, "nic1").at("up").bool());
    assertEquals(1, netmap(backend, "nic1").at("reattached").number());
    assertPing(first, "10.79.0.2");
    assertEquals(0, backend.status().at("unexplained").number());
  }

  @Test
  void aNicThatIsNotThereAtTheStartIsOneLineAndStatus66() throws Exception {
    host.run(BackendProcess.program() + " --version", Duration.ofMinutes(3)); // may build
    Output output = host.run(BackendProcess.program() + " netmap:nowhere null:");
    assertEquals(66, output.status(), output.text());
    assertTrue(output.text().contains("netmap:nowhere: "), output.text());
    long errors = output.text().lines().filter(line -> !line.contains("netmap: the ")).count();
    assertEquals(1, errors, output.text());
  }
}
