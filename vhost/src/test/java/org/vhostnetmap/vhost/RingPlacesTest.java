// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.vhostnetmap.fakes.FakeFrontend.*;

import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.fakes.FrontendWire;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.SharedFile;

/** Where a ring may be: wholly inside one region, event words included, and aligned. */
class RingPlacesTest {
  private static final long USER = 1L << 40;
  private static final long BYTES = 4 * 4096;
  private static final int SIZE = 8;
  private static final long DESCRIPTORS = 16 * SIZE;
  private static final long AVAILABLE = 6 + 2 * SIZE;
  private static final long USED = 6 + 8 * SIZE;

  private TestPort port;
  private FakeFrontend qemu;
  private Fd file;

  @BeforeEach
  void open() throws IOException {
    port = TestPort.of(1);
    qemu = port.frontend();
    qemu.connectAsQemu(1);
    file = SharedFile.create("places", BYTES);
    qemu.tell(ADD_MEM_REG, singleRegion(0, BYTES, USER, 0), file.value());
    qemu.say(SET_VRING_NUM, state(0, SIZE));
  }

  @AfterEach
  void close() throws IOException {
    file.close();
    qemu.close();
    port.close();
  }

  private BackendStatus.RingState startedAt(long descriptors, long available, long used)
      throws IOException {
    byte[] address =
        FrontendWire.payload(
            40, to -> to.putInt(0).putInt(0).putLong(descriptors).putLong(used).putLong(available));
    assertEquals(0, qemu.tell(SET_VRING_ADDR, address));
    qemu.setKick(0);
    qemu.barrier();
    BackendStatus.RingState state = port.status().rings().getFirst().state();
    qemu.getBase(0);
    qemu.say(SET_VRING_NUM, state(0, SIZE));
    return state;
  }

  @Test
  void runsAtBothEndsOfARegion() throws IOException {
    assertEquals(BackendStatus.RingState.RUNNING, startedAt(USER, USER + 512, USER + 1024));
    long end = USER + BYTES;
    assertEquals(BackendStatus.RingState.RUNNING, startedAt(end - DESCRIPTORS, USER, USER + 512));
    assertEquals(BackendStatus.RingState.RUNNING, startedAt(USER, end - AVAILABLE, USER + 512));
    assertEquals(BackendStatus.RingState.RUNNING, startedAt(USER, USER + 512, end - USED - 2));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, 1L << 63, USER - 16, USER + BYTES, USER + BYTES - 16, -16})
  void breaksOutsideOrOverTheEdge(long where) throws IOException {
    assertEquals(BackendStatus.RingState.BROKEN, startedAt(where, USER, USER + 512));
    assertEquals(BackendStatus.RingState.BROKEN, startedAt(USER, where, USER + 512));
    assertEquals(BackendStatus.RingState.BROKEN, startedAt(USER, USER + 512, where));
  }

  @Test
  void countsTheEventWords() throws IOException {
    long end = USER + BYTES;
    assertEquals(BackendStatus.RingState.BROKEN, startedAt(USER, end - AVAILABLE + 2, USER + 512));
    assertEquals(BackendStatus.RingState.BROKEN, startedAt(USER, USER + 512, end - USED + 2));
  }

  @Test
  void insistsOnAlignment() throws IOException {
    for (int off : new int[] {1, 2, 4, 8}) {
      assertEquals(BackendStatus.RingState.BROKEN, startedAt(USER + off, USER + 512, USER + 1024));
    }
    assertEquals(BackendStatus.RingState.BROKEN, startedAt(USER, USER + 513, USER + 1024));
    assertEquals(BackendStatus.RingState.RUNNING, startedAt(USER, USER + 514, USER + 1024));
    for (int off : new int[] {1, 2, 3}) {
      assertEquals(BackendStatus.RingState.BROKEN, startedAt(USER, USER + 512, USER + 1024 + off));
    }
  }

  @Test
  void doesNotReachAcrossTwoRegions() throws IOException {
    try (Fd more = SharedFile.create("places", BYTES)) {
      assertEquals(
          0, qemu.tell(ADD_MEM_REG, singleRegion(BYTES, BYTES, USER + BYTES, 0), more.value()));
      assertEquals(BackendStatus.RingState.BROKEN, startedAt(USER + BYTES - 16, USER, USER + 512));
      assertEquals(BackendStatus.RingState.RUNNING, startedAt(USER + BYTES, USER, USER + 512));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 256, 32768})
  void takesPowersOfTwo(int size) throws IOException {
    assertEquals(0, qemu.tell(SET_VRING_NUM, state(0, size)));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 32769, 65536, Integer.MIN_VALUE, -1})
  void refusesSizesThatNoRingHas(int size) throws IOException {
    assertEquals(1, qemu.tell(SET_VRING_NUM, state(0, size)));
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 255, 257, 32767})
  void refusesOtherSizesAsSoonAsTheFormatIsKnown(int size) throws IOException {
    assertEquals(0, qemu.tell(SET_VRING_NUM, state(0, size)), "it may become a packed ring");
    qemu.tell(SET_FEATURES, u64(1L << 32 | 1L << 34));
    assertEquals(0, qemu.tell(SET_VRING_NUM, state(0, size)), "of a packed ring");
    qemu.tell(SET_FEATURES, u64(1L << 32));
    assertEquals(1, qemu.tell(SET_VRING_NUM, state(0, size)), "of a split ring");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3, 65536, -1})
  void impossibleSizeFromTheGuestCostsItTheRingAndNotTheConnection(int size) throws IOException {
    qemu.say(SET_VRING_NUM, state(0, size)); // QEMU asks for no acknowledgement here
    assertEquals(BackendStatus.RingState.BROKEN, startedAt(USER, USER + 512, USER + 1024));
    assertEquals(BackendStatus.RingState.RUNNING, startedAt(USER, USER + 512, USER + 1024));
  }
}
