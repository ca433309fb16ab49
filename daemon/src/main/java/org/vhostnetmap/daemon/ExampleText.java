// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

/** What {@code example} prints: the guest's side of {@code vhost:PATH}, ready to paste. */
final class ExampleText {
  private ExampleText() {}

  static String of(Command.Example example) {
    String path = example.socketPath();
    return switch (example.kind()) {
      case QEMU -> QEMU.replace("PATH", path.replace(",", ",,"));
      case LIBVIRT ->
          LIBVIRT.replace(
              "PATH", path.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;"));
    };
  }

  private static final String QEMU =
      """
      # Add to the QEMU command line. share=on lets the back-end see the guest's memory;
      # reconnect=1 lets the back-end be restarted while the guest runs.
      -m 512M \\
      -object memory-backend-memfd,id=mem,size=512M,share=on -numa node,memdev=mem \\
      -chardev socket,id=c0,path=PATH,reconnect=1 \\
      -netdev vhost-user,id=n0,chardev=c0 \\
      -device virtio-net-pci,netdev=n0
      """;

  private static final String LIBVIRT =
      """
      <!-- Below <domain>: memory that the back-end can see. -->
      <memoryBacking>
        <source type='memfd'/>
        <access mode='shared'/>
      </memoryBacking>
      <!-- Below <devices>: libvirt's "client" connects to the back-end, which listens. -->
      <interface type='vhostuser'>
        <source type='unix' path='PATH' mode='client'>
          <reconnect enabled='yes' timeout='1'/>
        </source>
        <model type='virtio'/>
      </interface>
      """;
}
