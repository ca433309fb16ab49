// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.nio.file.Path;
import java.util.List;

/**
 * A virtio-net device of a {@link Vm} whose data plane is a vhost-user back-end. Start from {@link
 * #of} and change what the case needs.
 *
 * @param socket the vhost-user socket
 * @param server QEMU listens and the back-end connects
 * @param reconnectSeconds QEMU as a client tries again after that time; 0: never
 * @param queuePairs more than one turns multi-queue on
 * @param vectors MSI-X vectors: 2n+2 gives each queue its own, 2 shares one, 0 means INTx
 * @param bootRom iPXE sits on the card and boots from it
 * @param mac the guest's hardware address
 * @param properties further properties of virtio-net-pci, such as {@code host_mtu=1400}
 */
public record Nic(
    Path socket,
    boolean server,
    int reconnectSeconds,
    int queuePairs,
    int vectors,
    boolean bootRom,
    String mac,
    List<String> properties) {

  /** One queue pair with a vector for each queue, QEMU as the client, no boot ROM. */
  public static Nic of(Path socket, String mac) {
    return new Nic(socket, false, 0, 1, 4, false, mac, List.of());
  }

  /** QEMU listens on the socket and waits for the back-end to connect. */
  public Nic listening() {
    return new Nic(socket, true, 0, queuePairs, vectors, bootRom, mac, properties);
  }

  /** QEMU connects again when the back-end went away. */
  public Nic reconnecting(int seconds) {
    return new Nic(socket, server, seconds, queuePairs, vectors, bootRom, mac, properties);
  }

  /** That many queue pairs, with a vector for each queue. */
  public Nic queuePairs(int pairs) {
    return new Nic(
        socket, server, reconnectSeconds, pairs, 2 * pairs + 2, bootRom, mac, properties);
  }

  /** That many MSI-X vectors. */
  public Nic vectors(int count) {
    return new Nic(socket, server, reconnectSeconds, queuePairs, count, bootRom, mac, properties);
  }

  /** With iPXE on the card. */
  public Nic withBootRom() {
    return new Nic(socket, server, reconnectSeconds, queuePairs, vectors, true, mac, properties);
  }

  /** Further properties of virtio-net-pci, in QEMU's own words. */
  public Nic with(String... more) {
    return new Nic(
        socket, server, reconnectSeconds, queuePairs, vectors, bootRom, mac, List.of(more));
  }

  /** QEMU's options for the device number {@code index}: its id is net0, net1, ... */
  List<String> arguments(int index) {
    String chardev = "socket,id=chr" + index + ",path=" + socket;
    chardev +=
        server
            ? ",server=on,wait=on"
            : reconnectSeconds > 0 ? ",reconnect=" + reconnectSeconds : "";
    String device = "virtio-net-pci,id=net" + index + ",netdev=peer" + index + ",mac=" + mac;
    device += ",mq=" + (queuePairs > 1 ? "on" : "off") + ",vectors=" + vectors;
    device += bootRom ? ",bootindex=" + (index + 1) : ",romfile=";
    for (String property : properties) {
      device += "," + property;
    }
    String netdev = "vhost-user,id=peer" + index + ",chardev=chr" + index + ",queues=" + queuePairs;
    return List.of("-chardev", chardev, "-netdev", netdev, "-device", device);
  }
}
