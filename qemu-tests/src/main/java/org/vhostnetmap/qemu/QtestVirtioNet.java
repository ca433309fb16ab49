// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import java.io.IOException;

/**
 * The first virtio-net device of a {@link QtestMachine}, driven register by register (virtio 1.3,
 * 4.1): a driver that does what the test says and nothing of its own accord, so that it may break
 * any rule.
 *
 * <p>One that keeps the rules calls {@link #reset}, {@link #negotiate}, {@link #enableQueue} for
 * each ring, {@link #driverOk}, and {@link #kick}.
 */
public final class QtestVirtioNet {
  /** The ring on which the device gives the guest its frames. */
  public static final int RECEIVEQ = 0;

  /** The ring on which the guest gives the device its frames. */
  public static final int TRANSMITQ = 1;

  /** VIRTIO_NET_F_MRG_RXBUF. */
  public static final long MRG_RXBUF = 1L << 15;

  /** VIRTIO_NET_F_CSUM, HOST_TSO4, HOST_TSO6 and HOST_ECN: what a driver leaves to the device. */
  public static final long LEAVES_OFFLOADS = 1L | 1L << 11 | 1L << 12 | 1L << 13;

  /** VIRTIO_F_INDIRECT_DESC. */
  public static final long INDIRECT_DESC = 1L << 28;

  /** VIRTIO_F_EVENT_IDX. */
  public static final long EVENT_IDX = 1L << 29;

  /** VIRTIO_F_VERSION_1. */
  public static final long VERSION_1 = 1L << 32;

  /** Device status: the driver is ready (virtio 1.3, 2.1). */
  public static final int DRIVER_OK = 4;

  /** Device status: features are agreed. */
  public static final int FEATURES_OK = 8;

  /** Device status: the driver found the device, and knows how to drive it. */
  public static final int ACKNOWLEDGE_AND_DRIVER = 3;

  private static final int CONFIG_ADDRESS = 0xcf8;
  private static final int CONFIG_DATA = 0xcfc;
  private static final int VIRTIO_NET = 0x1041_1af4;
  private static final int COMMAND = 4;
  private static final int MEMORY_AND_BUS_MASTER = 6;
  private static final int BAR0 = 0x10;
  private static final int CAPABILITIES = 0x34;
  private static final int VENDOR_CAPABILITY = 9;
  private static final int COMMON_CFG = 1;
  private static final int NOTIFY_CFG = 2;

  /** Free in a machine without firmware: between RAM and the interrupt controllers. */
  private static final long BAR_ADDRESS = 0xe000_0000L;

  // struct virtio_pci_common_cfg (4.1.4.3)
  private static final int DRIVER_FEATURE_SELECT = 8;
  private static final int DRIVER_FEATURE = 12;
  private static final int DEVICE_STATUS = 20;
  private static final int QUEUE_SELECT = 22;
  private static final int QUEUE_SIZE = 24;
  private static final int QUEUE_ENABLE = 28;
  private static final int QUEUE_NOTIFY_OFF = 30;
  private static final int QUEUE_DESC = 32;
  private static final int QUEUE_DRIVER = 40;
  private static final int QUEUE_DEVICE = 48;

  private final Qtest qtest;
  private final int slot;
  private long common;
  private long notify;
  private int notifyMultiplier;

  private QtestVirtioNet(Qtest qtest, int slot) {
    this.qtest = qtest;
    this.slot = slot;
  }

  /** Finds the device on PCI bus 0 and gives its registers an address. */
  public static QtestVirtioNet find(Qtest qtest) throws IOException {
    for (int slot = 0; slot < 32; slot++) {
      var device = new QtestVirtioNet(qtest, slot);
      if (device.config(0) == VIRTIO_NET) {
        device.enable();
        return device;
      }
    }
    throw new IOException("no modern virtio-net device on PCI bus 0");
  }

  private int config(int register) throws IOException {
    qtest.outl(CONFIG_ADDRESS, 0x8000_0000 | slot << 11 | register);
    return qtest.inl(CONFIG_DATA);
  }

  private void config(int register, int value) throws IOException {
    qtest.outl(CONFIG_ADDRESS, 0x8000_0000 | slot << 11 | register);
    qtest.outl(CONFIG_DATA, value);
  }

  /** Walks the vendor capabilities (4.1.4); all structures of QEMU's device are in one BAR. */
  private void enable() throws IOException {
    int next = config(CAPABILITIES) & 0xff;
    while (next != 0) {
      int head = config(next);
      int bar = config(next + 4) & 0xff;
      long structure = BAR_ADDRESS + (config(next + 8) & 0xffff_ffffL);
      int type = head >>> 24;
      if ((head & 0xff) == VENDOR_CAPABILITY && type == COMMON_CFG) {
        common = structure;
        config(BAR0 + 4 * bar, (int) BAR_ADDRESS);
        config(BAR0 + 4 * bar + 4, 0); // a BAR of 64 bits
      } else if ((head & 0xff) == VENDOR_CAPABILITY && type == NOTIFY_CFG) {
        notify = structure;
        notifyMultiplier = config(next + 16);
      }
      next = head >>> 8 & 0xff;
    }
    config(COMMAND, config(COMMAND) | MEMORY_AND_BUS_MASTER);
  }

  /** Resets the device, and waits until it says so, as a driver must (4.1.4.3.2). */
  public void reset() throws IOException {
    status(0);
    while (status() != 0) {
      Thread.onSpinWait();
    }
  }

  /** Accepts features; false when the device does not agree with them (3.1.1, step 5 and 6). */
  public boolean negotiate(long features) throws IOException {
    status(ACKNOWLEDGE_AND_DRIVER);
    qtest.writel(common + DRIVER_FEATURE_SELECT, 0);
    qtest.writel(common + DRIVER_FEATURE, (int) features);
    qtest.writel(common + DRIVER_FEATURE_SELECT, 1);
    qtest.writel(common + DRIVER_FEATURE, (int) (features >>> 32));
    status(ACKNOWLEDGE_AND_DRIVER | FEATURES_OK);
    return (status() & FEATURES_OK) != 0;
  }

  /** Places a ring and enables it; {@code size} and addresses may be anything. */
  public void enableQueue(int queue, int size, long descriptors, long available, long used)
      throws IOException {
    select(queue);
    qtest.writew(common + QUEUE_SIZE, size);
    address(QUEUE_DESC, descriptors);
    address(QUEUE_DRIVER, available);
    address(QUEUE_DEVICE, used);
    qtest.writew(common + QUEUE_ENABLE, 1);
  }

  /** Places and enables the ring where it was laid out. */
  public void enableQueue(int queue, QtestRing ring) throws IOException {
    enableQueue(queue, ring.size(), ring.descriptors(), ring.available(), ring.used());
  }

  private void address(int register, long value) throws IOException {
    qtest.writel(common + register, (int) value);
    qtest.writel(common + register + 4, (int) (value >>> 32));
  }

  /** Chooses the ring that the queue registers mean. */
  public void select(int queue) throws IOException {
    qtest.writew(common + QUEUE_SELECT, queue);
  }

  /** Writes the size register of one ring, at any time. */
  public void resizeQueue(int queue, int size) throws IOException {
    select(queue);
    qtest.writew(common + QUEUE_SIZE, size);
  }

  /** The device status byte. */
  public int status() throws IOException {
    return qtest.readb(common + DEVICE_STATUS);
  }

  /** Writes the device status byte. */
  public void status(int bits) throws IOException {
    qtest.writeb(common + DEVICE_STATUS, bits);
  }

  /** The driver is ready: QEMU hands the rings to the back-end. */
  public void driverOk() throws IOException {
    status(ACKNOWLEDGE_AND_DRIVER | FEATURES_OK | DRIVER_OK);
  }

  /** Takes DRIVER_OK back without a reset, which no driver may: QEMU stops the rings. */
  public void driverNotOk() throws IOException {
    status(ACKNOWLEDGE_AND_DRIVER | FEATURES_OK);
  }

  /** Tells the device of new buffers (4.1.4.4); the ring need not exist. */
  public void kick(int queue) throws IOException {
    select(queue);
    int offset = qtest.readw(common + QUEUE_NOTIFY_OFF);
    qtest.writew(notify + (long) offset * notifyMultiplier, queue);
  }
}
