// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class LineWriterTest {
  private static final Duration LONG = Duration.ofSeconds(20);

  @Test
  void linesArriveInOrderOneWriteEach() {
    var pipe = new Pipe();
    pipe.reader.countDown();
    var writer = new LineWriter(pipe, lost -> lost + " lost\n");
    writer.write("one\n");
    writer.write("two\n");
    assertTrue(writer.flush(LONG));
    assertEquals(List.of("one\n", "two\n"), pipe.writes);
  }

  @Test
  void aPipeThatNobodyReadsHoldsUpNobodyAndWhatIsLostIsCounted() throws Exception {
    var pipe = new Pipe();
    var writer = new LineWriter(pipe, lost -> lost + " lost\n");
    writer.write("first\n");
    pipe.full.await();
    for (int i = 0; i < LineWriter.CAPACITY + 7; i++) {
      writer.write(i + "\n"); // would hang here
    }
    assertFalse(writer.flush(Duration.ofMillis(20)), "said to be written, and nobody read it");

    pipe.reader.countDown();
    assertTrue(writer.flush(LONG));
    writer.write("later\n");
    assertTrue(writer.flush(LONG));
    assertEquals(LineWriter.CAPACITY + 3, pipe.writes.size());
    String lastKept = LineWriter.CAPACITY - 1 + "\n";
    assertEquals(
        List.of(lastKept, "7 lost\n", "later\n"),
        pipe.writes.subList(pipe.writes.size() - 3, pipe.writes.size()));
  }

  @Test
  void aStreamThatFailsEndsNothing() {
    var pipe = new Pipe();
    pipe.reader.countDown();
    pipe.broken = true;
    var writer = new LineWriter(pipe, lost -> lost + " lost\n");
    writer.write("unread\n");
    assertTrue(writer.flush(LONG));
    pipe.broken = false;
    writer.write("read\n");
    assertTrue(writer.flush(LONG));
    assertEquals(List.of("read\n"), pipe.writes);
  }

  /** Takes nothing until somebody reads. */
  private static final class Pipe extends OutputStream {
    private final CountDownLatch full = new CountDownLatch(1);
    private final CountDownLatch reader = new CountDownLatch(1);
    private final List<String> writes = Collections.synchronizedList(new ArrayList<>());
    private volatile boolean broken;

    @Override
    public void write(int b) {
      throw new UnsupportedOperationException("a byte alone");
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      full.countDown();
      try {
        reader.await();
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
      if (broken) {
        throw new IOException("on purpose");
      }
      writes.add(new String(bytes, offset, length, StandardCharsets.UTF_8));
    }
  }
}
