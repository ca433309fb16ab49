// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

/** What {@code --help} prints. */
final class HelpText {
  private HelpText() {}

  static final String TEXT =
      """
      vhost-netmap: gives virtual machines a network, as a vhost-user back-end for virtio-net.

      Usage:  vhost-netmap [options] PORT...
              vhost-netmap status [--json] [--control PATH]
              vhost-netmap example libvirt|qemu [--socket-path PATH]

      Every PORT joins one learning bridge; two PORTs are a plain wire. A PORT is
        vhost:PATH[,connect][,queues=N][,announce][,mtu][,gro=on][,tso=off][,offloads=off]
                  [,coalesce-us=N]
                      a guest, by vhost-user over the unix socket PATH. We listen and QEMU connects
                      (chardev ...,reconnect=1); with connect, QEMU listens (chardev ...,server=on).
                      queues: queue pairs, 1 to 8 (1). announce, mtu: offer that feature
                      (mtu for QEMU's host_mtu=).
                      gro=on: TCP segments that come together go to the guest as one packet.
                      tso=off: no segmentation offload (TSO, USO) either way, for a guest that
                      switches its own off (XDP, ethtool); offloads=off: no checksums either.
                      coalesce-us: least time between two calls (interrupts) of one ring (0).
                      A comma in PATH is written twice.
        netmap:NIC    all rings of a NIC: netmap:eth0. With netmap's own suffixes: netmap:eth0-2 ring
                      pair 2, netmap:eth0^ the rings of the host's stack, netmap:eth0* both, so that
                      guests, host and NIC share one bridge; netmap:eth0/rt watches what goes through
        valeX:PORT[,vnet-hdr]
                      a port of a VALE switch: vale0:vm1@conf:slots=512; vnet-hdr: frames go with
                      virtio-net headers, so that offloads cross the switch
        netmap:a{1    one end of a netmap pipe, netmap:a}1 the other
                      (where the kernel has no netmap, we bring one along)
        tap:NAME      the host's network stack, by a TAP device (made if it is not there)
        null:         takes every frame and forgets it
        pktgen:[len=N][,rate=N][,flows=N]
                      sends frames of N bytes (64), N per second (as many as are taken), of N flows (1)
        vhost:, tap:, netmap: and vale: ports may be limited; what is over the limit is dropped:
        ,rate=BITS[,burst=BYTES][,rate-frames=N][,burst-frames=N]
                      a second, of what the port sends; k, M, G, T behind a number are powers of 1000
        ,out-rate=... and so on: the same of what is sent to the port (null: too)

      Options:
        --socket-path=PATH    the same as vhost:PATH
        --fd=N                a guest on a socket this process inherited, listening or connected
        --socket-mode=MODE    permissions of the sockets made here, octal (0600)
        --socket-group=GROUP  their group
        --workers=N           threads that move frames (as many as fit the ports and the CPUs)
        --cpus=LIST           a processor for each worker, such as 2,4-7; so many workers, too
        --poll-us=N           the longest pause between frames, in microseconds, that a worker may poll
                              through, as long as that pays; else it sleeps (200)
        --netmap=WHICH        kernel, emulated (ours, in this process) or auto: the kernel's if there (auto)
        --fix-nic             put right what netmap needs of a NIC (offloads, promiscuous mode, link)
        --log-level=LEVEL     error, warning, info or debug (info); debug shows each message
        --control=PATH        control socket ($XDG_RUNTIME_DIR/vhost-netmap/PID.sock, for root
                              /run/vhost-netmap/PID.sock, else /tmp/vhost-netmap-UID/PID.sock)
        --print-capabilities  a JSON object for management programs
        --help, --version

      Examples:
        A guest on a NIC:
          vhost-netmap vhost:/tmp/vm0.sock netmap:eth0
        and the guest's side (share=on matters: we see the guest's memory through it):
          qemu-system-x86_64 ... \\
            -object memory-backend-memfd,id=mem,size=512M,share=on -numa node,memdev=mem \\
            -chardev socket,id=c0,path=/tmp/vm0.sock,reconnect=1 \\
            -netdev vhost-user,id=n0,chardev=c0 -device virtio-net-pci,netdev=n0
        Two guests, the host and its NIC on one bridge, four queue pairs for the first:
          vhost-netmap vhost:/tmp/vm0.sock,queues=4 vhost:/tmp/vm1.sock netmap:eth0*
        How fast can this guest receive?
          vhost-netmap vhost:/tmp/vm0.sock pktgen:len=64
        What is going on?
          vhost-netmap status

      It stays in the foreground and ends cleanly on SIGTERM or SIGINT. Exit status: 0 ended as asked,
      64 usage, 66 a file, fd or NIC does not exist, 69 unavailable (no Java 25, no netmap), 70 a mistake
      of this program, 71 system error, 73 can't create a socket, 75 try again (address in use),
      77 no permission, 78 options that contradict each other.
      """;
}
