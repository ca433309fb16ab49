// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UnixConnectionTest {
  private UnixConnection left;
  private UnixConnection right;
  private final List<Fd> received = new ArrayList<>();
  private final byte[] buffer = new byte[4096];

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
  @ValueSource(ints = {0, 1, 2, 7, 8, 9, 64})
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

  @Test
  void saysThatNothingIsThereAndThenThatTheStreamEnded() throws Exception {
    assertEquals(0, right.receive(buffer, 0, buffer.length, received));
    left.close();
    assertEquals(-1, right.receive(buffer, 0, buffer.length, received));
  }

  @Test
  void knowsItsPeer() throws Exception {
    assertEquals(ProcessHandle.current().pid(), left.peer().pid());
    assertTrue(left.peer().uid() >= 0);
  }
}
