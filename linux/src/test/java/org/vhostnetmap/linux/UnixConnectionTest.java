// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UnixConnectionTest {
  private static final int[] NO_FDS = {};

  private UnixConnection left;
  private UnixConnection right;
  private final List<Fd> received = new ArrayList<>();
  private final byte[] buffer = new byte[64 * 1024];

  @BeforeEach
  void connect() throws Exception {
    UnixConnection[] pair = UnixConnection.pair();
    left = pair[0];
    right = pair[1];
  }

  @AfterEach
  void close() {
    left.close();
    right.close();
    received.forEach(Fd::close);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 7, 8, 9, 63, 64, 65, 252, 253})
  void carriesFilesInTheirOrder(int count) throws Exception {
    List<Fd> files = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      files.add(SharedFile.create("carried", i + 1));
    }
    int[] numbers = files.stream().mapToInt(Fd::value).toArray();
    assertEquals(3, left.send(new byte[] {7, 8, 9}, 0, 3, numbers));
    files.forEach(Fd::close);

    assertEquals(3, right.receive(buffer, 0, buffer.length, received));
    assertEquals(9, buffer[2]);
    assertEquals(count, received.size());
    for (int i = 0; i < count; i++) {
      assertEquals(i + 1, FileStatus.sizeOf(received.get(i).value()));
    }
  }

  /** With memory that the collector frees, as jnr-posix has it, this ends the JVM. */
  @Test
  void theCollectorFreesNothingThatTheKernelWritesTo() throws Exception {
    Thread collector =
        Thread.ofPlatform()
            .start(
                () -> {
                  while (!Thread.currentThread().isInterrupted()) {
                    System.gc();
                  }
                });
    try (Fd file = SharedFile.create("carried", 5)) {
      for (int i = 0; i < 2000; i++) {
        assertEquals(3, left.send(new byte[] {1, 2, 3}, 0, 3, new int[] {file.value()}));
        assertEquals(3, right.receive(buffer, 0, buffer.length, received));
        assertEquals(3, buffer[2]);
        assertEquals(5, FileStatus.sizeOf(received.getFirst().value()));
        received.removeFirst().close();
      }
    } finally {
      collector.interrupt();
      collector.join();
    }
  }

  @Test
  void leavesClosingToACloserWhenItHasOne() throws Exception {
    long before = OpenFiles.files();
    right.closedBy(new Closer("closer"));
    try (Fd file = EventFd.create()) {
      left.send(new byte[1], 0, 1, new int[] {file.value(), file.value()});
    }
    right.receive(buffer, 0, 1, received);
    received.forEach(Fd::close);
    right.close();
    right.close();
    Awaitility.await().until(() -> OpenFiles.files() == before - 1);
  }

  @Test
  void receivesFilesWithTheBytesTheyCameWith() throws Exception {
    try (Fd first = SharedFile.create("first", 1);
        Fd second = SharedFile.create("second", 2)) {
      left.send(new byte[] {1, 1}, 0, 2, new int[] {first.value()});
      left.send(new byte[] {2, 2}, 0, 2, new int[] {second.value()});
    }
    assertEquals(2, right.receive(buffer, 0, 2, received));
    assertEquals(1, received.size());
    assertEquals(2, right.receive(buffer, 0, buffer.length, received));
    assertEquals(2, received.size());
    assertEquals(2, FileStatus.sizeOf(received.get(1).value()));
  }

  @Test
  void receivedFilesAreNotInherited() throws Exception {
    try (Fd file = EventFd.create()) {
      left.send(new byte[1], 0, 1, new int[] {file.value()});
    }
    right.receive(buffer, 0, 1, received);
    String info = Files.readString(Path.of("/proc/self/fdinfo/" + received.get(0).value()));
    assertTrue(info.contains("flags:\t02004002"), info);
  }

  @Test
  void saysThatNothingIsThereAndThenThatTheStreamEnded() throws Exception {
    assertEquals(0, right.receive(buffer, 0, buffer.length, received));
    left.close();
    assertEquals(-1, right.receive(buffer, 0, buffer.length, received));
  }

  @Test
  void receivesIntoTheMiddleOfABuffer() throws Exception {
    left.send(new byte[] {0, 5, 6, 0}, 1, 2, NO_FDS);
    assertEquals(2, right.receive(buffer, 100, 10, received));
    assertEquals(0, buffer[99]);
    assertEquals(5, buffer[100]);
    assertEquals(6, buffer[101]);
    assertEquals(0, buffer[102]);
  }

  @Test
  void sendTakesWhatFitsAndThenNothing() throws Exception {
    long sent = 0;
    int taken;
    try (Fd file = EventFd.create()) {
      do {
        taken = left.send(buffer, 0, buffer.length, new int[] {file.value()});
        sent += taken;
      } while (taken > 0);
    }
    long got = 0;
    int more;
    do {
      more = right.receive(buffer, 0, buffer.length, received);
      got += more;
    } while (more > 0);
    assertEquals(sent, got);
  }

  @Test
  void sendingToOneWhoLeftIsAnErrorAndNoSignal() {
    right.close();
    ErrnoException gone =
        assertThrows(ErrnoException.class, () -> left.send(new byte[1], 0, 1, NO_FDS));
    assertEquals(Errno.EPIPE, gone.errno());
  }

  @Test
  void refusesToMoveNothing() {
    assertThrows(IllegalArgumentException.class, () -> left.send(buffer, 0, 0, NO_FDS));
    assertThrows(IllegalArgumentException.class, () -> left.receive(buffer, 0, 0, received));
  }

  @Test
  void refusesMoreDescriptorsThanAMessageCanHave() {
    int[] many = new int[UnixConnection.MAX_FDS + 1];
    assertThrows(IllegalArgumentException.class, () -> left.send(buffer, 0, 1, many));
  }

  @Test
  void knowsItsPeer() throws Exception {
    assertEquals(ProcessHandle.current().pid(), left.peer().pid());
    assertTrue(left.peer().uid() >= 0);
  }

  @Test
  void closeLeavesNothingOpen() throws Throwable {
    OpenFiles.assertNoneLeftBy(
        () -> {
          for (UnixConnection connection : UnixConnection.pair()) {
            connection.close();
            connection.close();
          }
        });
  }

  @Test
  void adoptingWhatIsNoDescriptorClosesNothingElse() throws Exception {
    Fd closed = EventFd.create();
    closed.close();
    assertThrows(ErrnoException.class, () -> UnixConnection.adopt(closed));
  }
}
