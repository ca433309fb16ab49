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
import java.util.function.UnaryOperator;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;

/**
 * What every black-box test needs: a namespace with {@code tap0} (10.77.0.1) and a web server on
 * it, a back-end in that namespace, and guests numbered from 1 (10.77.0.11, ...).
 */
final class Lab implements AutoCloseable {
  static final String HOST = "10.77.0.1";
  private static final int TRANSFER = 1_000_000;

  final GuestFiles files;
  final NetworkNamespace host;
  private final Scratch scratch = new Scratch();
  private final Path web = scratch.path("www");
  private final List<Runnable> closings = new ArrayList<>();
  private final ManagedProcess server;
  private final String sum;
  private @Nullable BackendProcess backend;

  Lab() throws IOException {
    files = GuestFiles.prepare();
    host = new NetworkNamespace();
    host.tap("tap0", HOST + "/24");
    Files.createDirectory(web);
    host.get("head -c " + TRANSFER + " /dev/urandom >" + web.resolve("data"));
    sum = host.get("sha256sum <" + web.resolve("data"));
    List<String> httpd =
        List.of("busybox", "httpd", "-f", "-p", HOST + ":8000", "-h", web.toString());
    server = ManagedProcess.start(host.inside(httpd), Map.of(), scratch.path("httpd.log"));
  }

  /** The web server's directory on the host. */
  Path web() {
    return web;
  }

  Path path(String name) {
    return scratch.path(name);
  }

  /**
   * Starts the back-end with these ports; {@code vhost:a} means a socket in the lab's directory.
   */
  BackendProcess start(String... ports) throws IOException {
    String[] words = ports.clone();
    for (int i = 0; i < words.length; i++) {
      words[i] = words[i].startsWith("vhost:") ? "vhost:" + path(words[i].substring(6)) : words[i];
    }
    BackendProcess started = BackendProcess.start(host, words);
    backend = started;
    return started;
  }

  BackendProcess backend() {
    if (backend == null) {
      throw new IllegalStateException("no back-end yet");
    }
    return backend;
  }

  /** A card for guest {@code number} on the socket {@code name}. */
  Nic nic(int number, String name) {
    return Nic.of(path(name), "52:54:00:77:00:%02x".formatted(number));
  }

  /** Boots guest {@code number} with one card, and gives it its address. */
  Vm boot(int number, Nic nic, UnaryOperator<Vm.Builder> more) throws IOException {
    assumeTrue(
        nic.vectors() == 0 || files.msix(),
        "this QEMU can't do MSI-X without KVM and could not be patched");
    Vm vm = more.apply(Vm.builder(files).nic(nic)).boot();
    closings.add(vm::close);
    address(vm.shell(), number);
    return vm;
  }

  Vm boot(int number, Nic nic) throws IOException {
    return boot(number, nic, builder -> builder);
  }

  UmlVm bootUml(int number, String socket) throws IOException {
    UmlVm vm = UmlVm.boot(files, path(socket));
    closings.add(vm::close);
    address(vm.shell(), number);
    return vm;
  }

  /** Is run when the lab is closed, the last first. */
  void atTheEnd(Runnable closing) {
    closings.add(closing);
  }

  static String address(int number) {
    return "10.77.0." + (10 + number);
  }

  /** Gives the guest's card its address and brings it up; a web server serves what it fetches. */
  static void address(GuestShell guest, int number) throws IOException {
    guest.get("ip addr add " + address(number) + "/24 dev eth0; ip link set eth0 up");
    guest.get("mkdir -p /tmp/www; pidof httpd || httpd -p 8000 -h /tmp/www");
  }

  /** Pings the host and moves 1 MB by TCP each way; the checksums have to be equal. */
  void assertTraffic(GuestShell guest, int number) throws IOException {
    assertPing(guest, HOST);
    guest.get("wget -q -O /tmp/www/data http://" + HOST + ":8000/data");
    assertEquals(sum, guest.get("sha256sum </tmp/www/data"), "host to guest");
    String back = "busybox wget -q -O - http://" + address(number) + ":8000/data | sha256sum";
    assertEquals(sum, host.get(back), "guest to host");
  }

  /** Waits for the first answer (ARP, a link that comes up), then expects three of three. */
  static void assertPing(GuestShell guest, String address) throws IOException {
    Output first = guest.run("ping -c 1 -w 10 " + address);
    assertTrue(first.ok(), first.text());
    Output three = guest.run("ping -c 3 -i 0.2 -w 10 " + address);
    assertTrue(three.text().contains(" 0% packet loss"), three.text());
  }

  /** Frames counted by a queue of the port whose name contains {@code port}. */
  long frames(String port, String queue) throws IOException {
    return counted(port, queue, "frames");
  }

  /** Bytes of the same; a frame of the host's may have 64 KiB. */
  long bytes(String port, String queue) throws IOException {
    return counted(port, queue, "bytes");
  }

  private long counted(String port, String queue, String what) throws IOException {
    for (Json found : backend().port(port).at("queues").list()) {
      if (found.at("name").string().equals(queue)) {
        return found.at(what).number();
      }
    }
    return 0;
  }

  /** Waits until the guest's driver is up behind the port whose name contains {@code port}. */
  void awaitUp(String port) {
    Awaitility.await(port + " is up")
        .atMost(Duration.ofSeconds(20))
        .pollInterval(Duration.ofMillis(100))
        .until(() -> backend().port(port).at("vhost", "state").string().equals("up"));
  }

  @Override
  public void close() {
    for (Runnable closing : closings.reversed()) {
      closing.run();
    }
    if (backend != null) {
      backend.close();
    }
    server.close();
    host.close();
    scratch.close();
  }
}
