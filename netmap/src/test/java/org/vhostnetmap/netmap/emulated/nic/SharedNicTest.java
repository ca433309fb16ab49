// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.netmap.NetworkNamespace.command;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.linux.Bpf;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetworkNamespace;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/** The host's network goes on through its rings while its NIC is in netmap mode, and after. */
class SharedNicTest {
  private static final String NIC_IP = "192.0.2.1";
  private static final String PEER_IP = "192.0.2.2";

  @AfterEach
  void forget() {
    System.clearProperty(NicHook.WAY);
  }

  private interface Body {
    void run(Peer peer) throws Exception;
  }

  /** This thread's namespace has {@code nic} with an address, the peer is at the other end. */
  private static void onACable(String hook, Body body) throws Exception {
    System.setProperty(NicHook.WAY, hook);
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("nic", "wire");
          command("ip", "link", "set", "nic", "address", "02:00:00:00:00:01");
          command("ip", "addr", "add", NIC_IP + "/24", "dev", "nic");
          command("ip", "addr", "add", "fd00::1/64", "dev", "nic", "nodad");
          command("ip", "link", "set", "lo", "up");
          try (Peer peer = new Peer("wire", "02:00:00:00:00:02", PEER_IP + "/24")) {
            peer.run(() -> command("ip", "addr", "add", "fd00::2/64", "dev", "wire", "nodad"));
            body.run(peer);
          }
        });
  }

  private static NicQueues.Factory way(String name) {
    if (name.equals("packet")) {
      return PacketQueues.FACTORY;
    }
    try {
      Bpf.createXskMap(1).close();
    } catch (ErrnoException e) {
      Assumptions.abort("no right to use AF_XDP: " + e.getMessage());
    }
    return new XdpFactory();
  }

  @ParameterizedTest
  @CsvSource({"xdp,tcx", "xdp,tc", "packet,tcx", "packet,tc"})
  void pingAndTcpBothWaysAsIfNothingWereBetween(String way, String hook) throws Exception {
    onACable(
        hook,
        peer -> {
          try (SharedNic shared = new SharedNic("nic", way(way))) {
            assertTrue(peer.pings(NIC_IP), "ping to the NIC's own address");
            assertTrue(peer.pings("fd00::1"), "the same by IPv6");
            command("ping", "-c", "1", "-W", "1", PEER_IP);
            byte[] data = new byte[2_000_000];
            new Random(1).nextBytes(data);
            assertArrayEquals(data, peerSends(peer, data));
            assertArrayEquals(data, peerReceives(peer, data));
            assertTrue(shared.port.failure().isEmpty());
          }
          HostPathTest.assertNothingLeft();
          assertTrue(peer.pings(NIC_IP), "ping after close");
        });
  }

  private static byte[] peerSends(Peer peer, byte[] data) throws Exception {
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getByName(NIC_IP))) {
      FutureTask<Void> sending = peer.start(() -> send(NIC_IP, server.getLocalPort(), data));
      byte[] received = receive(server);
      sending.get(30, TimeUnit.SECONDS);
      return received;
    }
  }

  private static byte[] peerReceives(Peer peer, byte[] data) throws Exception {
    ServerSocket server = peer.run(() -> new ServerSocket(0, 1, InetAddress.getByName(PEER_IP)));
    try (server) {
      FutureTask<byte[]> receiving = peer.start(() -> receive(server));
      send(PEER_IP, server.getLocalPort(), data);
      return receiving.get(30, TimeUnit.SECONDS);
    }
  }

  private static Void send(String address, int port, byte[] data) throws IOException {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(address, port), 10_000);
      socket.getOutputStream().write(data);
    }
    return null;
  }

  private static byte[] receive(ServerSocket server) throws IOException {
    server.setSoTimeout(10_000);
    try (Socket socket = server.accept()) {
      socket.setSoTimeout(10_000);
      return socket.getInputStream().readAllBytes();
    }
  }

  /** A device without XDP of its own: what the host receives meets the generic hook again. */
  @ParameterizedTest
  @ValueSource(strings = {"tcx", "tc"})
  void genericXdpDoesNotSeeTheHostsOwnFrames(String hook) throws Exception {
    System.setProperty(NicHook.WAY, hook);
    NicQueues.Factory way = way("xdp");
    NetworkNamespace.run(
        () -> {
          NetworkNamespace.veth("low", "wire");
          command("ip", "link", "add", "nic", "link", "low", "type", "macvlan", "mode", "bridge");
          command("ip", "link", "set", "nic", "addrgenmode", "none", "up");
          command("ip", "addr", "add", NIC_IP + "/24", "dev", "nic");
          try (Peer peer = new Peer("wire", "02:00:00:00:00:02", PEER_IP + "/24")) {
            try (SharedNic shared = new SharedNic("nic", way)) {
              assertTrue(peer.pings(NIC_IP));
              assertTrue(shared.port.failure().isEmpty());
            }
            assertTrue(peer.pings(NIC_IP), "ping after close");
            // Before the cable goes, which takes the device with it.
            HostPathTest.assertNothingLeft();
          }
        });
  }

  @ParameterizedTest
  @CsvSource({"xdp,tcx", "xdp,tc", "packet,tc"})
  void theHostRoutesBetweenTwoNicsInNetmapMode(String way, String hook) throws Exception {
    onACable(
        hook,
        peer -> {
          NetworkNamespace.veth("nic2", "wire2");
          command("ip", "addr", "add", "198.51.100.1/24", "dev", "nic2");
          Files.writeString(Path.of("/proc/sys/net/ipv4/ip_forward"), "1");
          peer.run(() -> command("ip", "route", "add", "198.51.100.0/24", "via", NIC_IP));
          try (Peer far = new Peer("wire2", "02:00:00:00:00:04", "198.51.100.2/24");
              SharedNic one = new SharedNic("nic", way(way));
              SharedNic two = new SharedNic("nic2", way(way))) {
            far.run(() -> command("ip", "route", "add", "192.0.2.0/24", "via", "198.51.100.1"));
            assertTrue(peer.pings("198.51.100.2"), "through the host, by both NICs");
            assertTrue(one.port.failure().isEmpty() && two.port.failure().isEmpty());
          }
        });
  }

  @ParameterizedTest
  @CsvSource({"xdp,tcx", "xdp,tc", "packet,tcx", "packet,tc"})
  void killedWithNineItLeavesNothingAndTheHostAnswersWithinTwoSeconds(String way, String hook)
      throws Exception {
    way(way);
    onACable(
        hook,
        peer -> {
          Process process = sharing("nic", way, hook);
          try {
            assertTrue(peer.pings(NIC_IP), "ping through the host rings");
            if (hook.equals("tc")) {
              assertTrue(command("tc", "qdisc", "show", "dev", "nic").contains("clsact"));
            }
            long start = System.nanoTime();
            process.destroyForcibly();
            Awaitility.await()
                .atMost(Duration.ofSeconds(5))
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> peer.pings(NIC_IP));
            long millis = (System.nanoTime() - start) / 1_000_000;
            assertTrue(millis < 2000, millis + " ms until the host answered");
            Awaitility.await()
                .atMost(Duration.ofSeconds(2))
                .untilAsserted(HostPathTest::assertNothingLeft);
            assertFalse(command("ip", "link", "show", "nic").contains("xdp"));
            assertEquals(0, guardians());
          } finally {
            process.destroyForcibly().waitFor();
          }
        });
  }

  /** Shells that still wait for something of ours at a NIC of this test's name. */
  private static long guardians() throws IOException {
    try (Stream<Path> processes = Files.list(Path.of("/proc"))) {
      return processes.filter(process -> isGuardian(process)).count();
    }
  }

  private static boolean isGuardian(Path process) {
    try {
      String line = Files.readString(process.resolve("cmdline"), StandardCharsets.ISO_8859_1);
      Path net = Files.readSymbolicLink(process.resolve("ns/net"));
      Path ours = Files.readSymbolicLink(Path.of("/proc/thread-self/ns/net"));
      return line.contains("clsact") && net.equals(ours);
    } catch (IOException notAProcess) {
      return false;
    }
  }

  /** The command that starts {@link SharedNic} as a program of its own. */
  private static List<String> program(String nic, String way, String option) throws Exception {
    String path =
        Stream.of("jdk.module.path", "java.class.path", "surefire.test.class.path")
            .map(property -> System.getProperty(property, ""))
            .reduce("", (all, one) -> all + ":" + one);
    String own =
        Path.of(SharedNic.class.getProtectionDomain().getCodeSource().getLocation().toURI())
            .toString();
    String tests = own.replace("/classes", "/test-classes");
    return List.of(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--enable-native-access=ALL-UNNAMED",
        option,
        "-cp",
        tests + ":" + own + path,
        SharedNic.class.getName(),
        nic,
        way);
  }

  private static Process sharing(String nic, String way, String hook) throws Exception {
    Process process =
        new ProcessBuilder(program(nic, way, "-D" + NicHook.WAY + "=" + hook))
            .redirectErrorStream(true)
            .start();
    StringBuilder said = new StringBuilder();
    BufferedReader output =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      if (line.equals("ready")) {
        return process;
      }
      said.append(line).append('\n');
    }
    throw new AssertionError("the program that shares a NIC: " + said);
  }

  @ParameterizedTest
  @CsvSource({"xdp,tcx,200", "packet,tcx,40", "packet,tc,10"})
  void manyOpensLeaveNothingBehind(String way, String hook, int rounds) throws Exception {
    onACable(
        hook,
        peer -> {
          RegisterRequest all = RegisterRequest.of("nic").with(PortMode.NIC_AND_HOST, 0);
          try (NetmapDevice device = SharedNic.device(way(way))) {
            device.register(all).close();
            long files = entries("/proc/self/fd");
            long mappings = lines("/proc/self/maps");
            long threads = entries("/proc/self/task");
            for (int i = 0; i < rounds; i++) {
              device.register(all).close();
            }
            assertTrue(entries("/proc/self/fd") <= files + 2, "descriptors");
            assertTrue(lines("/proc/self/maps") <= mappings + 20, "mappings");
            assertTrue(entries("/proc/self/task") <= threads + 4, "threads");
          }
          HostPathTest.assertNothingLeft();
          assertTrue(peer.pings(NIC_IP));
        });
  }

  private static long entries(String directory) throws IOException {
    try (Stream<Path> entries = Files.list(Path.of(directory))) {
      return entries.count();
    }
  }

  private static long lines(String file) throws IOException {
    try (Stream<String> lines = Files.lines(Path.of(file))) {
      return lines.count();
    }
  }

  @ParameterizedTest
  @CsvSource({"xdp,tcx", "packet,tcx", "packet,tc"})
  void aDeviceThatIsDeletedUnderTrafficFailsThePortAndLeavesNothing(String way, String hook)
      throws Exception {
    onACable(
        hook,
        peer -> {
          long files = entries("/proc/self/fd");
          try (SharedNic shared = new SharedNic("nic", way(way))) {
            FutureTask<Object> traffic =
                peer.start(
                    () ->
                        new ProcessBuilder("ping", "-q", "-f", "-w", "3", NIC_IP)
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .redirectErrorStream(true)
                            .start()
                            .waitFor());
            Awaitility.await()
                .atMost(Duration.ofSeconds(3))
                .until(() -> shared.port.hostTxRings().getFirst().head() > 20);
            command("ip", "link", "del", "nic");
            Awaitility.await()
                .atMost(Duration.ofSeconds(2))
                .until(() -> shared.port.failure().isPresent());
            String reason = shared.port.failure().orElseThrow();
            assertTrue(reason.contains("gone"), reason);
            traffic.get(10, TimeUnit.SECONDS);
          }
          assertTrue(entries("/proc/self/fd") <= files + 2, "descriptors");
          String links = command("ip", "link", "show");
          assertFalse(links.contains("nmhost"), links);
          assertEquals(0, guardians());
        });
  }

  /** No right to use bpf(2), so AF_PACKET and the tc program; in a container, say. */
  @Test
  void worksInAUserNamespaceWithoutRightsOutside() throws Exception {
    String java = String.join(" ", program("nic", "packet", "-Xshare:auto"));
    String script =
        """
        ip link add nic type veth peer name wire || exit 77
        ip link set lo up
        ip addr add 192.0.2.1/24 dev nic
        ip link set nic up
        unshare -n sleep 60 & peer=$!
        until test "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/$$/ns/net)"; do :; done
        ip link set wire netns $peer
        nsenter -t $peer -n ip addr add 192.0.2.2/24 dev wire
        nsenter -t $peer -n ip link set wire up
        JAVA > "$OUT" 2>&1 & java=$!
        tries=0
        until grep -q ready "$OUT"; do
          tries=$((tries + 1)); test $tries -lt 600 || break
          nsenter -t $peer -n ping -c 1 -W 0.1 192.0.2.99 > /dev/null
        done
        cat "$OUT"
        nsenter -t $peer -n ping -c 1 -W 2 192.0.2.1 > /dev/null && echo answers through the rings
        kill -9 $java
        nsenter -t $peer -n ping -c 20 -i 0.1 -w 2 192.0.2.1 | grep -q "bytes from" && echo answers after
        tc filter show dev nic egress | grep -q . || echo nothing left
        kill $peer
        """;
    Path out = Files.createTempFile("shared-nic", ".out");
    try {
      ProcessBuilder builder =
          new ProcessBuilder("unshare", "-r", "-n", "sh", "-c", script.replace("JAVA", java));
      builder.environment().put("OUT", out.toString());
      Process process = builder.redirectErrorStream(true).start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      int exit = process.waitFor();
      Assumptions.assumeTrue(
          exit != 77 && !said.contains("unshare:"), "no user namespace with a veth: " + said);
      assertTrue(said.contains("AF_PACKET") && said.contains("tc"), said);
      assertFalse(said.contains("tcx"), said);
      assertTrue(said.contains("answers through the rings"), said);
      assertTrue(said.contains("answers after"), said);
      assertTrue(said.contains("nothing left"), said);
    } finally {
      Files.deleteIfExists(out);
    }
  }
}
