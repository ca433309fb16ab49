// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice.ValePort;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

final class KernelDeviceTest {
  private final FakeKernel kernel = new FakeKernel();

  private static ByteBuffer fields(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static String name(byte[] bytes, int offset, int length) {
    return new String(bytes, offset, length, StandardCharsets.US_ASCII).replaceAll("\0.*", "");
  }

  private static final RegisterRequest FULL =
      new RegisterRequest(
          "eth7", PortMode.ONE_NIC, 3, NetmapAbi.NR_EXCLUSIVE, 9, 10, 11, 12, 13, 14, 15, 16);

  @Test
  void putsEachFieldOfRegisterWhereTheAbiHasIt() throws Exception {
    kernel.answer = (k, code, address) -> -Errno.ENXIO;
    KernelDevice device = KernelDevice.open(kernel);
    assertThrows(NetmapException.class, () -> device.register(FULL));
    ByteBuffer header = fields(kernel.header);
    assertEquals(14, header.getShort(0), "nr_version");
    assertEquals(1, header.getShort(2), "nr_reqtype");
    assertEquals(0, header.getInt(4), "nr_reserved");
    assertEquals("eth7", name(kernel.header, 8, 64));
    assertEquals(0, header.getLong(72), "nr_options");
    ByteBuffer body = fields(kernel.body);
    assertEquals(10, body.getInt(16), "nr_tx_slots");
    assertEquals(11, body.getInt(20), "nr_rx_slots");
    assertEquals(12, body.getShort(24), "nr_tx_rings");
    assertEquals(13, body.getShort(26), "nr_rx_rings");
    assertEquals(14, body.getShort(28), "nr_host_tx_rings");
    assertEquals(15, body.getShort(30), "nr_host_rx_rings");
    assertEquals(9, body.getShort(32), "nr_mem_id");
    assertEquals(3, body.getShort(34), "nr_ringid");
    assertEquals(4, body.getInt(36), "nr_mode");
    assertEquals(16, body.getInt(40), "nr_extra_bufs");
    assertEquals(0x20800, body.getLong(48), "nr_flags: exclusive, and no transmitting by poll");
  }

  @Test
  void readsTheAnswerOfRegister() throws Exception {
    kernel.answer = FakeKernel.registers(6);
    try (NetmapPort port = KernelDevice.open(kernel).register(RegisterRequest.of("eth7"))) {
      assertEquals(new PortInfo(1, 2, 3, 4, 8, 9, 6, FakeKernel.REGION_BYTES), port.info());
      assertEquals(1, port.txRings().size());
      assertEquals(1, port.rxRings().size());
      assertEquals(List.of(), port.hostTxRings());
      assertEquals(List.of(), port.hostRxRings());
      assertEquals(8, port.txRings().get(0).slots());
    }
  }

  @Test
  void clearsTheFlagsThatAFormerUserLeft() throws Exception {
    kernel.answer = FakeKernel.registers(6);
    try (NetmapPort port = KernelDevice.open(kernel).register(RegisterRequest.of("eth7"))) {
      long ring = kernel.mapped.get(0).address() + FakeKernel.TX_OFFSET;
      assertEquals(0, Memory.getUnsignedInt(ring + 32), port.info()::toString);
    }
  }

  @Test
  void mapsAMemoryOnceOnAPortOfItsOwn() throws Exception {
    kernel.answer = FakeKernel.registers(6);
    KernelDevice device = KernelDevice.open(kernel);
    try (NetmapPort one = device.register(RegisterRequest.of("eth7"))) {
      assertEquals(7, fields(kernel.body).getInt(36), "mode NULL");
      try (NetmapPort other = device.register(RegisterRequest.of("eth8"))) {
        assertEquals(one.buffer(2), other.buffer(2));
      }
    }
    assertEquals(1, kernel.mapped.size());
    assertTrue(kernel.opened.stream().noneMatch(Fd::isOpen));
  }

  @Test
  void leavesNothingOpenWhenRefused() throws Exception {
    kernel.answer = (k, code, address) -> -Errno.EBUSY;
    KernelDevice device = KernelDevice.open(kernel);
    RegisterRequest request = RegisterRequest.of("eth7").withFlags(NetmapAbi.NR_EXCLUSIVE);
    NetmapException e = assertThrows(NetmapException.class, () -> device.register(request));
    assertEquals(Errno.EBUSY, e.errno());
    assertTrue(e.toString().contains("eth7: some of its rings are in use"), e.toString());
    assertTrue(kernel.opened.stream().noneMatch(Fd::isOpen));
  }

  @Test
  void refusesAnAnswerThatPointsOutsideTheMemory() throws Exception {
    kernel.answer =
        (k, code, address) -> {
          int result = FakeKernel.registers(6).answer(k, code, address);
          Memory.putLong(Memory.getLong(address + 80), FakeKernel.REGION_BYTES);
          return result;
        };
    KernelDevice device = KernelDevice.open(kernel);
    assertThrows(NetmapException.class, () -> device.register(RegisterRequest.of("eth7")));
    assertTrue(kernel.opened.stream().noneMatch(Fd::isOpen));
  }

  @Test
  void tellsTheKernelNoHeadBeyondTail() throws Exception {
    kernel.answer = FakeKernel.registers(6);
    RegisterRequest request = RegisterRequest.of("eth7").withFlags(NetmapAbi.NR_EXCLUSIVE);
    try (NetmapPort port = KernelDevice.open(kernel).register(request)) {
      long address = kernel.mapped.get(0).address() + FakeKernel.TX_OFFSET;
      NetmapRing ring = port.txRings().get(0);
      ring.advanceTo(3);
      port.txSync();
      Memory.putInt(address + NetmapAbi.RING_TAIL, 5);
      ring.advanceTo(6);
      port.txSync();
      assertEquals(3, Memory.getUnsignedInt(address + NetmapAbi.RING_HEAD));
      assertEquals(3, Memory.getUnsignedInt(address + NetmapAbi.RING_CUR));
      assertEquals(3, ring.head());
      assertEquals(1, port.drops().get(0).frames());
      Memory.putInt(address + NetmapAbi.RING_HEAD, 1 << 20);
      ring.advanceTo(4);
      Memory.putInt(address + NetmapAbi.RING_CUR, 77);
      port.txSync();
      assertEquals(4, Memory.getUnsignedInt(address + NetmapAbi.RING_CUR), "a scribble put right");
      assertEquals(0x6994L, kernel.codes.getLast());
    }
  }

  @Test
  void fallsBackToTheOlderRequests() throws Exception {
    kernel.knowsCtrl = false;
    kernel.answer = (k, code, address) -> code == NetmapCalls.NIOCREGIF ? -Errno.ENXIO : 0;
    KernelDevice device = KernelDevice.open(kernel);
    assertTrue(device.description().contains("NIOCREGIF"), device.description());
    RegisterRequest request =
        new RegisterRequest(
            "eth7", PortMode.ONE_NIC, 3, NetmapAbi.NR_EXCLUSIVE, 9, 10, 11, 12, 13, 0, 0, 16);
    assertThrows(NetmapException.class, () -> device.register(request));
    ByteBuffer nmreq = fields(kernel.header);
    assertEquals("eth7", name(kernel.header, 0, 16));
    assertEquals(14, nmreq.getInt(16), "nr_version");
    assertEquals(10, nmreq.getInt(28), "nr_tx_slots");
    assertEquals(11, nmreq.getInt(32), "nr_rx_slots");
    assertEquals(12, nmreq.getShort(36), "nr_tx_rings");
    assertEquals(13, nmreq.getShort(38), "nr_rx_rings");
    assertEquals(0x1003, nmreq.getShort(40), "nr_ringid with NETMAP_NO_TX_POLL");
    assertEquals(0, nmreq.getShort(42), "nr_cmd");
    assertEquals(9, nmreq.getShort(46), "nr_arg2, the memory");
    assertEquals(16, nmreq.getInt(48), "nr_arg3, extra buffers");
    assertEquals(0x804, nmreq.getInt(52), "nr_flags");
  }

  @Test
  void asksOldModulesForPipesByNumber() throws Exception {
    kernel.knowsCtrl = false;
    kernel.answer = (k, code, address) -> code == NetmapCalls.NIOCREGIF ? -Errno.ENXIO : 0;
    KernelDevice device = KernelDevice.open(kernel);
    assertThrows(NetmapException.class, () -> device.register(RegisterRequest.of("eth7}12")));
    assertEquals("eth7", name(kernel.header, 0, 16));
    assertEquals(0x100c, fields(kernel.header).getShort(40), "nr_ringid");
    assertEquals(6, fields(kernel.header).getInt(52), "NR_REG_PIPE_SLAVE");
  }

  @Test
  void touchesNoMemoryOnceClosed() throws Exception {
    kernel.answer = FakeKernel.registers(6);
    NetmapPort port = KernelDevice.open(kernel).register(RegisterRequest.of("eth7"));
    port.close();
    port.close();
    assertEquals(0, port.extraBuffers());
    assertEquals(0, port.buffer(2));
    port.setExtraBuffers(3);
    assertTrue(port.failure().isPresent());
  }

  @Test
  void saysWhenTheModuleSpeaksNeither() {
    kernel.knowsCtrl = false;
    kernel.knowsLegacy = false;
    NetmapException e = assertThrows(NetmapException.class, () -> KernelDevice.open(kernel));
    assertEquals(Errno.EINVAL, e.errno());
    assertTrue(kernel.opened.stream().noneMatch(Fd::isOpen));
  }

  @Test
  void refusesANameThatNetmapWouldCut() throws Exception {
    KernelDevice device = KernelDevice.open(kernel);
    String name = "e".repeat(64);
    NetmapException e =
        assertThrows(NetmapException.class, () -> device.register(RegisterRequest.of(name)));
    assertEquals(Errno.ENAMETOOLONG, e.errno());
  }

  @Test
  void asksForWhatAPortIsLike() throws Exception {
    kernel.answer =
        (k, code, address) -> {
          long body = Memory.getLong(address + 80);
          assertEquals(5, Memory.getUnsignedShort(body + 24), "nr_mem_id");
          Memory.putLong(body, 1L << 33);
          Memory.putInt(body + 8, 256);
          Memory.putInt(body + 12, 512);
          Memory.putLong(body + 16, 0x0004_0003_0002_0001L);
          return 0;
        };
    PortInfo info = KernelDevice.open(kernel).info("eth7", 5);
    assertEquals(new PortInfo(1, 2, 3, 4, 256, 512, 5, 1L << 33), info);
    assertEquals(2, kernel.reqtype());
  }

  @Test
  void plugsInAndUnplugs() throws Exception {
    kernel.answer =
        (k, code, address) -> {
          Memory.putInt(Memory.getLong(address + 80) + 56, 3);
          return 0;
        };
    KernelDevice device = KernelDevice.open(kernel);
    RegisterRequest both = RegisterRequest.of("vale0:eth7").with(PortMode.NIC_AND_HOST, 0);
    assertEquals(3, device.attach(both));
    assertEquals(3, kernel.reqtype());
    assertEquals(3, fields(kernel.body).getInt(36), "nr_mode");
    kernel.answer = (k, code, address) -> 0;
    device.detach("vale0:eth7");
    assertEquals(4, kernel.reqtype());
    assertEquals("vale0:eth7", name(kernel.header, 8, 64));
  }

  @Test
  void listsPortsOfAllSwitches() throws Exception {
    Queue<ValePort> left =
        new ArrayDeque<>(
            List.of(
                new ValePort("vale0:a", 0, 0),
                new ValePort("vale0:b", 0, 4),
                new ValePort("valeX:c", 2, 1)));
    kernel.answer =
        (k, code, address) -> {
          ValePort port = left.poll();
          if (port == null) {
            return -Errno.ENOENT;
          }
          byte[] name = port.name().getBytes(StandardCharsets.US_ASCII);
          Memory.copyFromArray(name, 0, address + 8, name.length);
          Memory.putShort(Memory.getLong(address + 80), port.bridgeIndex());
          Memory.putInt(Memory.getLong(address + 80) + 4, port.portIndex());
          return 0;
        };
    List<ValePort> wanted = List.copyOf(left);
    assertEquals(wanted, KernelDevice.open(kernel).valePorts());
    assertEquals(2, fields(kernel.body).getShort(0), "asks on in the last switch");
    assertEquals(2, fields(kernel.body).getInt(4), "behind the last port");
  }

  @Test
  void setsAndGetsTheHeaderLength() throws Exception {
    KernelDevice device = KernelDevice.open(kernel);
    device.setHeaderLength("vale0:a", 12);
    assertEquals(6, kernel.reqtype());
    assertEquals(12, fields(kernel.body).getInt(0));
    kernel.answer =
        (k, code, address) -> {
          Memory.putInt(Memory.getLong(address + 80), 10);
          return 0;
        };
    assertEquals(10, device.headerLength("vale0:a"));
    assertEquals(7, kernel.reqtype());
  }

  @Test
  void createsAndDeletesPersistentPorts() throws Exception {
    KernelDevice device = KernelDevice.open(kernel);
    device.createInterface(RegisterRequest.of("v0").withRings(2, 3, 64, 128).inMemory(4));
    assertEquals(8, kernel.reqtype());
    assertEquals(64, fields(kernel.body).getInt(0));
    assertEquals(128, fields(kernel.body).getInt(4));
    assertEquals(2, fields(kernel.body).getShort(8));
    assertEquals(3, fields(kernel.body).getShort(10));
    assertEquals(4, fields(kernel.body).getShort(12));
    device.deleteInterface("v0");
    assertEquals(9, kernel.reqtype());
    assertEquals(0, fields(kernel.header).getLong(80), "no body");
  }

  @Test
  void asksForTheLayoutOfAMemory() throws Exception {
    kernel.answer =
        (k, code, address) -> {
          long body = Memory.getLong(address + 80);
          Memory.putLong(body, 1000);
          Memory.putShort(body + 8, 7);
          for (int pool = 0; pool < 3; pool++) {
            Memory.putLong(body + 16 + pool * 16L, 100L * pool);
            Memory.putInt(body + 24 + pool * 16L, 10 + pool);
            Memory.putInt(body + 28 + pool * 16L, 20 + pool);
          }
          return 0;
        };
    MemoryPools pools = KernelDevice.open(kernel).pools("eth7");
    assertEquals(12, kernel.reqtype());
    assertEquals(7, pools.memoryId());
    assertEquals(new MemoryPools.Pool(0, 10, 20), pools.interfaces());
    assertEquals(new MemoryPools.Pool(100, 11, 21), pools.rings());
    assertEquals(new MemoryPools.Pool(200, 12, 22), pools.buffers());
    assertFalse(kernel.opened.getLast().isOpen());
  }
}
