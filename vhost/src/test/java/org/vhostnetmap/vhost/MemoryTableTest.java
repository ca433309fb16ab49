// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.fakes.FakeFrontend.*;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.vhostnetmap.fakes.Descriptors;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.fakes.FrontendWire;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.SharedFile;
import org.vhostnetmap.linux.UnixConnection;

/** T-mem: guest memory comes, changes and goes, and nothing that can't be mapped gets in. */
class MemoryTableTest {
  private static final long PAGE = 4096;
  private static final String FILE = "lattice";

  private TestPort port;
  private FakeFrontend qemu;

  @BeforeEach
  void open() throws IOException {
    port = TestPort.of(1);
    qemu = port.frontend();
    qemu.connectAsQemu(1);
    qemu.barrier();
  }

  @AfterEach
  void close() throws IOException {
    qemu.close();
    port.close();
  }

  private long add(long guest, long size, long user, long offset, int fd) throws IOException {
    return qemu.tell(ADD_MEM_REG, singleRegion(guest, size, user, offset), fd);
  }

  private int regions() {
    return port.status().memory().size();
  }

  /**
   * SET_MEM_TABLE with {@code count} in its head and these regions of guest, size, user, offset.
   */
  private long table(long count, int size, long[][] regions, int... fds) throws IOException {
    byte[] payload =
        FrontendWire.payload(
            size,
            to -> {
              to.putInt((int) count).putInt(0);
              for (long[] region : regions) {
                for (long number : region) {
                  to.putLong(number);
                }
              }
            });
    return qemu.tell(SET_MEM_TABLE, payload, fds);
  }

  @Test
  void refusesEveryRegionThatDoesNotFitItsFile() throws IOException {
    long[] sizes = {
      0,
      1,
      PAGE - 1,
      PAGE,
      PAGE + 1,
      3 * PAGE,
      3 * PAGE + 1,
      1L << 31,
      1L << 32,
      1L << 62,
      1L << 63,
      -1
    };
    long[] offsets = {0, 1, PAGE, 2 * PAGE, 3 * PAGE, 1L << 31, 1L << 32, 1L << 63, -1, -PAGE};
    int before = Descriptors.settledCount();
    int taken = 0;
    try (Fd file = SharedFile.create(FILE, 3 * PAGE)) {
      for (long size : sizes) {
        for (long offset : offsets) {
          boolean fits =
              size > 0
                  && size <= 3 * PAGE
                  && offset >= 0
                  && offset <= 3 * PAGE
                  && offset + size <= 3 * PAGE;
          long answer = add(0, size, 1 << 20, offset, file.value());
          assertEquals(fits ? 0 : 1, answer, "size " + size + " offset " + offset);
          if (fits) {
            taken++;
            assertEquals(0, qemu.tell(REM_MEM_REG, singleRegion(0, size, 1 << 20, offset)));
          }
          assertEquals(0, regions());
        }
      }
    }
    assertTrue(taken > 5, "some fit");
    assertEquals(before, Descriptors.settledCount());
    assertEquals(List.of(), Descriptors.mappingsOf(FILE));
  }

  @Test
  void refusesAddressesThatWrapOrOverlap() throws IOException {
    try (Fd file = SharedFile.create(FILE, 8 * PAGE)) {
      int fd = file.value();
      assertEquals(1, add(-PAGE, 2 * PAGE, 0, 0, fd), "guest address wraps");
      assertEquals(1, add(0, 2 * PAGE, -PAGE, 0, fd), "front-end address wraps");
      assertEquals(1, add(1L << 63, PAGE, 0, 0, fd));
      assertEquals(0, add(4 * PAGE, 2 * PAGE, 4 * PAGE, 0, fd));
      for (long start = 3; start <= 5; start++) {
        assertEquals(
            1,
            add(start * PAGE, 2 * PAGE, 100 * PAGE, 4 * PAGE, fd),
            "guest overlap at page " + start);
        assertEquals(
            1,
            add(100 * PAGE, 2 * PAGE, start * PAGE, 4 * PAGE, fd),
            "front-end overlap at page " + start);
      }
      assertEquals(0, add(2 * PAGE, 2 * PAGE, 6 * PAGE, 2 * PAGE, fd), "neighbours may touch");
      assertEquals(2, regions());
    }
  }

  @Test
  void refusesWhatIsNoWritableFile(@TempDir Path directory) throws IOException {
    Path plain = Files.write(directory.resolve("file"), new byte[(int) PAGE]);
    List<Fd> odd = new ArrayList<>();
    odd.add(Descriptors.open("/dev/null", Descriptors.READ_WRITE));
    odd.add(Descriptors.open("/dev/zero", Descriptors.READ_WRITE));
    odd.add(Descriptors.open(directory.toString(), Descriptors.READ_ONLY));
    odd.add(Descriptors.open(plain.toString(), Descriptors.READ_ONLY));
    odd.add(Descriptors.open(plain.toString(), Descriptors.PATH_ONLY));
    odd.add(EventFd.create());
    odd.addAll(List.of(Descriptors.pipe()));
    int before = Descriptors.settledCount();
    for (Fd fd : odd) {
      assertEquals(1, add(0, PAGE, 0, 0, fd.value()), fd.toString());
      assertEquals(1, table(1, 40, new long[][] {{0, PAGE, 0, 0}}, fd.value()), fd.toString());
      for (int request : new int[] {SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR}) {
        long refused = fd.equals(odd.get(5)) || odd.indexOf(fd) > 5 ? 0 : 1;
        assertEquals(
            refused, qemu.tell(request, u64(0), fd.value()), "request " + request + " with " + fd);
        qemu.setNone(request, 0);
      }
    }
    qemu.barrier();
    // The eventfds of ring 0 that came at connect went when they were replaced by nothing.
    Awaitility.await().untilAsserted(() -> assertEquals(before - 2, Descriptors.count()));
    odd.forEach(Fd::close);
    assertEquals(0, regions());
  }

  /** Files without content cost nothing; the address space that they take is everybody's. */
  @Test
  void refusesMoreThanFourTebibytesOfAPort() throws IOException {
    long tebibyte = 1L << 40;
    try (Fd file = SharedFile.create(FILE, 8 * tebibyte)) {
      assertEquals(1, add(0, 5 * tebibyte, 0, 0, file.value()));
      assertEquals(0, add(0, 3 * tebibyte, 0, 0, file.value()));
      assertEquals(1, add(3 * tebibyte, 2 * tebibyte, 3 * tebibyte, 0, file.value()));
      assertEquals(0, add(3 * tebibyte, tebibyte, 3 * tebibyte, 0, file.value()));
      assertEquals(
          1, table(1, 40, new long[][] {{0, 5 * tebibyte, 0, 0}}, file.value()), "at one go");
    }
  }

  /** /proc stands for every file system that asks somebody else at each access. */
  @Test
  void refusesFilesThatAreNotLocal() throws IOException {
    try (Fd file = Descriptors.open("/proc/self/comm", Descriptors.READ_WRITE)) {
      assertEquals(1, add(0, PAGE, 0, 0, file.value()));
      String trouble = String.valueOf(port.status().lastTrouble());
      assertTrue(trouble.contains("use memory-backend-memfd"), trouble);
    }
  }

  @Test
  void tableBringsOneToEightRegionsAndTheirDescriptors() throws IOException {
    try (Fd file = SharedFile.create(FILE, 64 * PAGE)) {
      long[][] nine = new long[9][];
      int[] fds = new int[9];
      for (int i = 0; i < 9; i++) {
        nine[i] = new long[] {i * PAGE, PAGE, (100 + i) * PAGE, i * PAGE};
        fds[i] = file.value();
      }
      for (int count = 1; count <= 8; count++) {
        assertEquals(
            0,
            table(
                count,
                8 + 32 * count,
                java.util.Arrays.copyOf(nine, count),
                java.util.Arrays.copyOf(fds, count)));
        assertEquals(count, regions());
        assertFalse(Descriptors.mappingsOf(FILE).isEmpty());
      }
      assertEquals(
          0, table(1, 72, new long[][] {nine[0]}, fds[0]), "user-mode Linux always sends 72 bytes");
      assertEquals(1, regions());
      assertEquals(1, table(2, 72, new long[][] {nine[0], nine[1]}, fds[0]), "a descriptor short");
      assertEquals(
          1, table(1, 40, new long[][] {nine[0]}, fds[0], fds[1]), "a descriptor too many");
      assertEquals(
          1, table(2, 72, new long[][] {nine[0], nine[0]}, fds[0], fds[0]), "twice the same");
      assertEquals(1, regions(), "what was there stays");
    }
  }

  @Test
  void takesADuplicateRegionAsDone() throws IOException {
    try (Fd file = SharedFile.create(FILE, 2 * PAGE);
        Fd stranger = SharedFile.create(FILE, 2 * PAGE)) {
      assertEquals(0, add(0, PAGE, 0, 0, file.value()));
      assertEquals(0, add(0, PAGE, 0, 0, file.value()));
      assertEquals(1, regions());
      assertEquals(1, add(0, PAGE, 0, PAGE, file.value()), "another part of the file");
      assertEquals(1, add(0, PAGE, 0, 0, stranger.value()), "another file");
    }
  }

  @Test
  void removesByAddressesAndSizeAlone() throws IOException {
    try (Fd file = SharedFile.create(FILE, 2 * PAGE)) {
      add(0, PAGE, 0, 0, file.value());
      add(PAGE, PAGE, PAGE, PAGE, file.value());
      assertEquals(0, qemu.tell(REM_MEM_REG, singleRegion(0, 2 * PAGE, 0, 0)));
      assertEquals(2, regions(), "another size is another region");
      assertEquals(
          0,
          qemu.tell(REM_MEM_REG, singleRegion(PAGE, PAGE, PAGE, 777), file.value()),
          "a stray descriptor");
      assertEquals(1, regions());
      assertEquals(0, qemu.tell(REM_MEM_REG, singleRegion(PAGE, PAGE, PAGE, PAGE)), "gone already");
      assertEquals(1, regions());
      assertEquals(1, port.status().counters().strayFds());
    }
  }

  @Test
  void regionsAreUnpluggedOncePerQueuePair() throws IOException {
    try (TestPort pairs = TestPort.of(4);
        FakeFrontend guest = pairs.frontend().bringUp(4)) {
      assertEquals(2, pairs.status().memory().size());
      assertEquals(List.of(0L, 0L, 0L, 0L), guest.unplugMemoryAsQemu(4));
      assertEquals(1, pairs.status().memory().size());
    }
  }

  /**
   * Whoever reads it in another thread meets no hole, at whatever point the front-end changes it.
   */
  @Test
  void isReadToTheLastMomentBeforeItIsTakenAway() throws IOException {
    UnixConnection[] pair = UnixConnection.pair();
    try (ReadingPlane plane = new ReadingPlane();
        VhostUserBackend backend = port.adopt(pair[0], plane, VhostUserBackend.PATIENCE)) {
      try (FakeFrontend guest = new FakeFrontend(pair[1], 2, 256)) {
        guest.bringUp(1);
        for (int i = 0; i < 200; i++) {
          guest.unplugMemoryAsQemu(1);
          guest.sendMemoryTable();
          guest.getBase(i % 2);
          guest.startRing(i % 2);
          guest.barrier();
        }
        long before = plane.rounds();
        Waiting.until(() -> plane.rounds() > before);
      }
      Waiting.until(() -> backend.status().state() == BackendStatus.State.ENDED);
      assertTrue(plane.isAlive());
    }
  }

  @Test
  void holds509Slots() throws IOException {
    try (Fd file = SharedFile.create(FILE, 512 * PAGE)) {
      for (int i = 0; i < 509; i++) {
        assertEquals(0, add(2L * i * PAGE, PAGE, 2L * i * PAGE, i * PAGE, file.value()));
      }
      assertEquals(1, add(2000 * PAGE, PAGE, 2000 * PAGE, 510 * PAGE, file.value()));
      assertEquals(509, regions());
      assertEquals(509, qemu.ask(GET_MAX_MEM_SLOTS));
    }
  }

  @Test
  void changesUnderRunningRingsWhileTheyRest() throws IOException {
    qemu.startAsQemu(1);
    qemu.barrier();
    port.plane.events();
    Vring before = port.plane.ring(1);
    try (Fd file = SharedFile.create(FILE, PAGE)) {
      assertEquals(0, add(1L << 40, PAGE, 1L << 40, 0, file.value()));
    }
    assertEquals(List.of("run []", "run [0, 1]"), port.plane.events());
    assertFalse(before.equals(port.plane.ring(1)), "a new ring, over the new memory");
    assertTrue(port.plane.state().memory().translate(1L << 40, PAGE) != 0);
  }

  @Test
  void aRefusedChangeLeavesRunningRingsAlone() throws IOException {
    qemu.startAsQemu(1);
    qemu.barrier();
    port.plane.events();
    assertEquals(1, table(1, 40, new long[][] {{0, 1L << 50, 0, 0}}, qemu.memoryFd()));
    assertEquals(List.of(), port.plane.events());
    assertEquals(2, regions());
  }

  @Test
  void aRingWhoseMemoryIsTakenAwayBreaksUntilItComesBack() throws IOException {
    qemu.startAsQemu(1);
    try (Fd file = SharedFile.create(FILE, PAGE)) {
      assertEquals(0, table(1, 40, new long[][] {{0, PAGE, 0, 0}}, file.value()));
    }
    assertEquals(List.of(), port.plane.running());
    assertEquals(BackendStatus.State.BROKEN, port.status().state());
    String text = port.status().text();
    assertTrue(text.startsWith("ring 0 stopped: not wholly inside one memory region"), text);
    assertEquals(0, qemu.sendMemoryTable());
    assertEquals(List.of(0, 1), port.plane.running());
  }

  @Test
  void theSameTableAgainKeepsItsMappings() throws IOException {
    qemu.sendMemoryTable();
    long[] before = hostAddresses();
    for (int i = 0; i < 10; i++) {
      assertEquals(0, qemu.sendMemoryTable());
    }
    assertEquals(2, before.length);
    org.junit.jupiter.api.Assertions.assertArrayEquals(before, hostAddresses());
  }

  private long[] hostAddresses() throws IOException {
    qemu.startRing(0);
    qemu.barrier();
    long[] addresses =
        port.plane.state().memory().regions().stream().mapToLong(r -> r.hostAddress()).toArray();
    qemu.getBase(0);
    return addresses;
  }

  @Test
  void sealsAFileThatTakesSeals() throws IOException {
    qemu.sendMemoryTable();
    assertTrue(port.status().memorySealed());
    assertEquals(SharedFile.SEAL_SHRINK, SharedFile.seals(qemu.memoryFd()));
  }

  @Test
  void knowsWhoseFileWasCutShort() throws IOException {
    try (Fd file = SharedFile.create(FILE, 4 * PAGE)) {
      add(0, 4 * PAGE, 0, 0, file.value());
      assertFalse(port.status().memorySealed());
      assertFalse(port.backend.ownsFaultedMemory());
      SharedFile.truncate(file.value(), PAGE);
      assertTrue(port.backend.ownsFaultedMemory());
    }
    port.backend.memoryVanished();
    assertTrue(qemu.wire().hungUp());
    assertFalse(port.backend.ownsFaultedMemory());
    assertTrue(String.valueOf(port.status().lastTrouble()).contains("cut short"));
    assertEquals(List.of(), Descriptors.mappingsOf(FILE));
  }

  @Test
  void ringsWhoseFileIsAlreadyCutDropTheFrontEndAndNothingElse() throws IOException {
    try (Fd file = SharedFile.create(FILE, 64 * PAGE)) {
      add(0, 64 * PAGE, 0, 0, file.value());
      qemu.say(SET_VRING_NUM, state(0, 256));
      byte[] at =
          FrontendWire.payload(
              40, to -> to.putInt(0).putInt(0).putLong(PAGE).putLong(16 * PAGE).putLong(32 * PAGE));
      qemu.say(SET_VRING_ADDR, at);
      qemu.barrier();
      SharedFile.truncate(file.value(), 0);
      qemu.setKick(0);
      assertTrue(qemu.wire().hungUp());
    }
    try (FakeFrontend next = port.frontend().bringUp(1)) {
      assertEquals(List.of(0, 1), port.plane.running());
      assertTrue(next.features() != 0);
    }
  }
}
