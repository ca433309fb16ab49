// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A cable whose far end sees every frame as it was on the wire: offloads are off there, so nothing
 * is put together before tcpdump looks, and nothing that the far end sends is left to be done.
 *
 * <pre>
 *   guest -- vhost-netmap -- netmap:nm0 ================ nm1   10.78.0.3, fd78::3; VLAN 5: 10.79.0.3
 *                      \                               /       httpd, iperf3 -s, tcpdump
 *                       tap0 -- br0 -- nm0 ===========
 *            namespace host                              namespace peer
 * </pre>
 */
final class OffloadLab implements AutoCloseable {
  static final int FILE_BYTES = 4_000_000;
  static final String NIC = "netmap:nm0";
  static final String TAP = "tap:tap0";

  /** How a machine can be reached: plainly, by IPv6, and in a VLAN. */
  enum Way {
    IPV4("10.78.0.%d", "10.78.0.%d"),
    IPV6("fd78::%d", "[fd78::%d]"),
    VLAN("10.79.0.%d", "10.79.0.%d");

    private final String address;
    private final String url;

    Way(String address, String url) {
      this.address = address;
      this.url = url;
    }

    String address(int number) {
      return address.formatted(number);
    }

    String file(int number) {
      return "http://" + url.formatted(number) + ":8000/data";
    }
  }

  static final int PEER = 3;
  private static final Duration TRANSFER = Duration.ofSeconds(60);

  final GuestFiles files;
  final NetworkNamespace host;
  final NetworkNamespace peer;
  private final Scratch scratch = new Scratch();
  private final List<Runnable> closings = new ArrayList<>();
  private final String sum;
  private @Nullable BackendProcess backend;
  private final boolean peerTags;
  private int captures;

  /** The cable, and at its near end what {@code port} needs: the NIC itself, or a bridge to it. */
  OffloadLab(String port) throws IOException {
    files = GuestFiles.prepare();
    host = new NetworkNamespace();
    peer = new NetworkNamespace();
    host.connect("nm0", peer, "nm1");
    for (String feature : new String[] {"tx", "sg", "tso", "gso", "gro", "txvlan", "rxvlan"}) {
      host.run("ethtool -K nm0 " + feature + " off");
      peer.run("ethtool -K nm1 " + feature + " off");
    }
    if (port.equals(TAP)) {
      host.get("ip tuntap add tap0 mode tap; ip link add br0 type bridge");
      host.get("for i in tap0 nm0; do ip link set $i master br0; done");
      host.get("for i in tap0 br0; do ip link set $i up; done");
    }
    host.get("ip link set nm0 up");
    address(peer::get, "nm1", PEER);
    peerTags = peer.run("ip link add link nm1 name v5 type vlan id 5").ok();
    if (peerTags) {
      tag(peer::get, PEER);
    } else {
      System.out.println("no VLANs in this kernel: only guests exchange tagged frames");
    }
    Path web = scratch.path("www");
    Files.createDirectory(web);
    peer.get("head -c " + FILE_BYTES + " /dev/urandom >" + web.resolve("data"));
    sum = peer.get("sha256sum <" + web.resolve("data"));
    serve("busybox", "httpd", "-f", "-p", "[::]:8000", "-h", web.toString());
    serve("iperf3", "-s");
  }

  private void serve(String... command) throws IOException {
    Path log = scratch.path(command[0] + ".log");
    ManagedProcess server = ManagedProcess.start(peer.inside(List.of(command)), Map.of(), log);
    closings.add(server::close);
  }

  /** Something that runs a command, here or in a guest. */
  @FunctionalInterface
  private interface Commands {
    String get(String command) throws IOException;
  }

  private static void address(Commands at, String device, int number) throws IOException {
    at.get("ip addr add " + Way.IPV4.address(number) + "/24 dev " + device);
    String ip =
        at.get("ls /opt/bin/ip 2>/dev/null || echo ip"); // busybox prefers its own, a lesser one
    at.get(ip + " addr add " + Way.IPV6.address(number) + "/64 dev " + device + " nodad");
    at.get("ip link set " + device + " up");
  }

  private static void tag(Commands at, int number) throws IOException {
    at.get("ip addr add " + Way.VLAN.address(number) + "/24 dev v5; ip link set v5 up");
  }

  /** Starts the back-end; {@code vhost:a} means a socket in the lab's directory. */
  void start(String... ports) throws IOException {
    backend = start(host, ports);
  }

  /** Starts another one at the far end of the cable, with a TAP beside {@code nm1} in a bridge. */
  void startAtThePeer(String... ports) throws IOException {
    peer.get("ip tuntap add tap1 mode tap; ip link add br1 type bridge");
    peer.get("for i in tap1 nm1; do ip link set $i master br1; done");
    peer.get("for i in tap1 br1; do ip link set $i up; done");
    closings.add(start(peer, ports)::close);
  }

  private BackendProcess start(NetworkNamespace where, String... ports) throws IOException {
    List<String> words = new ArrayList<>();
    for (String port : ports) {
      words.add(port.startsWith("vhost:") ? "vhost:" + scratch.path(port.substring(6)) : port);
    }
    return BackendProcess.start(where, words.toArray(String[]::new));
  }

  BackendProcess backend() {
    if (backend == null) {
      throw new IllegalStateException("no back-end yet");
    }
    return backend;
  }

  /** What the guest's port tells of one of its queues. */
  Json queue(String name) throws IOException {
    for (Json queue : backend().port("vhost").at("queues").list()) {
      if (queue.at("name").string().equals(name)) {
        return queue;
      }
    }
    throw new IOException("no queue " + name);
  }

  /** Boots guest {@code number} of QEMU on the socket {@code name}. */
  GuestShell qemu(int number, String name, String... properties) throws IOException {
    assumeTrue(files.msix(), "this QEMU can't do MSI-X without KVM and could not be patched");
    Nic nic = Nic.of(scratch.path(name), "52:54:00:78:00:%02x".formatted(number)).with(properties);
    Vm vm = Vm.builder(files).nic(nic).boot();
    closings.add(vm::close);
    return ready(vm.shell(), number);
  }

  /** Boots guest {@code number} of user-mode Linux on the socket {@code name}. */
  GuestShell uml(int number, String name) throws IOException {
    UmlVm vm = UmlVm.boot(files, scratch.path(name));
    closings.add(vm::close);
    return ready(vm.shell(), number);
  }

  private static GuestShell ready(GuestShell guest, int number) throws IOException {
    guest.get("load-modules extra");
    address(guest::get, "eth0", number);
    guest.get("/opt/bin/ip link add link eth0 name v5 type vlan id 5");
    tag(guest::get, number);
    guest.get("mkdir -p /tmp/www; httpd -p 8000 -h /tmp/www; iperf3 -s -D");
    return guest;
  }

  /** TSO and what it rests on, as the guest itself decides; false when the device has none. */
  static boolean segmentation(GuestShell guest, boolean on) throws IOException {
    String word = on ? "on" : "off";
    guest.run("ethtool -K eth0 tx " + word + " sg " + word + "; ethtool -K eth0 tso " + word);
    String now = guest.get("ethtool -k eth0 | grep tcp-segmentation-offload:");
    return now.contains(": on");
  }

  /** The ways to the peer: a kernel need not know VLANs. */
  List<Way> waysToPeer() {
    return peerTags ? List.of(Way.values()) : List.of(Way.IPV4, Way.IPV6);
  }

  /** Moves the file to the peer and back by each way; it has to arrive whole. */
  void assertFilesArrive(GuestShell guest, int number) throws IOException {
    for (Way way : waysToPeer()) {
      Output ping = guest.run("ping -c 2 -w 10 " + way.address(PEER));
      assertTrue(ping.ok(), () -> way + ": " + ping.text());
      guest.run("wget -q -O /tmp/www/data " + way.file(PEER), TRANSFER).orThrow();
      assertEquals(sum, guest.get("sha256sum </tmp/www/data"), way + ", to the guest");
      String back = "busybox wget -q -O - " + way.file(number) + " | sha256sum";
      assertEquals(sum, peer.run(back, TRANSFER).orThrow(), way + ", from the guest");
    }
  }

  /** A file of one guest's own, by {@code ways} to another guest and back. */
  static void assertGuestsExchange(
      GuestShell one, int oneNumber, GuestShell other, int otherNumber, Way... ways)
      throws IOException {
    one.get("head -c " + FILE_BYTES + " /dev/urandom >/tmp/www/data");
    String sum = one.get("sha256sum </tmp/www/data");
    for (Way way : ways) {
      Output ping = one.run("ping -c 2 -w 10 " + way.address(otherNumber));
      assertTrue(ping.ok(), () -> way + ": " + ping.text());
      other.run("wget -q -O /tmp/www/data " + way.file(oneNumber), TRANSFER).orThrow();
      assertEquals(sum, other.get("sha256sum </tmp/www/data"), way + ", there");
      one.run("wget -q -O /tmp/www/data " + way.file(otherNumber), TRANSFER).orThrow();
      assertEquals(sum, one.get("sha256sum </tmp/www/data"), way + ", and back");
    }
  }

  /** Starts to record what the guest's frames look like when they come out of the cable. */
  Capture capture() throws IOException {
    return Capture.start(peer, "nm1", scratch.path("wire" + captures++));
  }

  /** Mbit/s of payload for some seconds, measured by the receiver. */
  static long throughput(GuestShell client, String server, boolean download) throws IOException {
    String command = "iperf3 -J -t 2 -O 1 -c " + server + (download ? " -R" : "");
    Output output = client.run(command, Duration.ofSeconds(40));
    Json answer = Json.parse(output.orThrow());
    return answer.at("end", "sum_received", "bits_per_second").number() / 1_000_000;
  }

  @Override
  public void close() {
    for (Runnable closing : closings.reversed()) {
      closing.run();
    }
    if (backend != null) {
      backend.close();
    }
    host.close();
    peer.close();
    scratch.close();
  }
}
