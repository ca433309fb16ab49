// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.vhostnetmap.fakes.FakeDriver.Piece;
import org.vhostnetmap.fakes.FakeDriver.Used;
import org.vhostnetmap.fakes.FakeRing;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.SharedFile;

/**
 * Runs in a process of its own, which a mistake would kill: takes guest memory away under each call
 * into a queue, and gives it back. Argument: how many good rounds to run first, so that the
 * compilers have or have not seen the code.
 */
final class VanishingMemoryMain {
  private static final int SIZE = 256;
  private static final int BYTES = 1 << 16;
  private static final int FAULTS_PER_CALL = 100;

  private enum Call {
    CONSTRUCTOR,
    PEEK,
    PEEK_INDIRECT,
    COMPLETE,
    PUBLISH,
    WANT_KICKS,
    REFUSE_KICKS,
    HAS_AVAILABLE
  }

  private final Fd file = SharedFile.create("vanishing", BYTES);
  private final Mapping mapping = Mapping.of(file.value(), 0, BYTES, true);
  private final FakeRing driver;
  private final GuestMemory memory =
      GuestMemory.of(List.of(new GuestMemory.Region(0, 0, BYTES, mapping.address())));
  private final Chains chains = new Chains();
  private final RingFormat format;
  private final boolean eventIndex;
  private Virtqueue queue;
  private int late;

  private VanishingMemoryMain(RingFormat format, boolean eventIndex) throws IOException {
    this.format = format;
    this.eventIndex = eventIndex;
    driver = TestRing.driver(format, mapping.address(), 0, BYTES, SIZE);
    if (eventIndex) {
      driver.withEventIndex();
    }
    queue = takeOver((int) driver.base());
  }

  private Virtqueue takeOver(int base) {
    return Virtqueue.open(
        new Virtqueue.Setup(
            format,
            SIZE,
            driver.host(driver.descriptorArea()),
            driver.host(driver.driverArea()),
            driver.host(driver.deviceArea()),
            base,
            Direction.READABLE,
            eventIndex,
            true,
            false),
        memory);
  }

  /** Prints one line per kind of ring; leaves with 1 when something was not as it should be. */
  public static void main(String[] arguments) throws Exception {
    int warmUp = Integer.parseInt(arguments[0]);
    boolean good = true;
    for (int kind = 0; kind < 4; kind++) {
      RingFormat format = kind < 2 ? RingFormat.SPLIT : RingFormat.PACKED;
      boolean eventIndex = kind % 2 == 1;
      VanishingMemoryMain main = new VanishingMemoryMain(format, eventIndex);
      for (int i = 0; i < warmUp; i++) {
        main.round(i % 8 == 0);
      }
      int missed = 0;
      for (int i = 0; i < FAULTS_PER_CALL; i++) {
        for (Call call : Call.values()) {
          boolean thrown = main.vanishUnder(call);
          if (!thrown) {
            missed++;
            System.out.println("no InternalError from " + call);
          }
          main.round(i % 2 == 0);
        }
      }
      System.out.println(
          format
              + " event index "
              + eventIndex
              + ": missed "
              + missed
              + ", delivered late "
              + main.late);
      good &= missed == 0;
    }
    System.exit(good ? 0 : 1);
  }

  /** Three chains through the ring, from the driver and back to it. */
  private void round(boolean indirect) throws GuestFault {
    int[] heads = new int[3];
    for (int i = 0; i < 3; i++) {
      Piece[] pieces = {
        new Piece(driver.buffer(8), 8, false), new Piece(driver.buffer(1500), 1500, false)
      };
      heads[i] = indirect ? driver.postIndirect(pieces) : driver.post(pieces);
    }
    require(queue.wantKicks(), "wantKicks sees the chains");
    chains.clear();
    require(queue.peek(chains, 8) == 3, "three chains are there");
    require(chains.length[2] == 1508, "and whole");
    queue.complete(chains, 3);
    queue.publish();
    queue.refuseKicks();
    for (int head : heads) {
      require(new Used(head, 0).equals(driver.takeUsed()), "the driver gets them back");
    }
    require(!queue.hasAvailable(), "nothing is left");
  }

  private boolean vanishUnder(Call call) throws Exception {
    int posted = 0;
    if (call != Call.HAS_AVAILABLE) {
      driver.send(new byte[] {1, 2, 3}, new byte[] {4});
      posted = 1;
    }
    if (call == Call.PEEK_INDIRECT) {
      driver.postIndirect(new Piece(driver.arena(), 10, false), new Piece(0, 10, false));
      posted = 2;
    }
    if (call == Call.COMPLETE) {
      driver.send(new byte[] {5}); // a packed ring keeps the first element until publish
      posted = 2;
    }
    if (call == Call.COMPLETE || call == Call.PUBLISH) {
      chains.clear();
      require(queue.peek(chains, 8) == posted, "the chains are there");
    }
    if (call == Call.PUBLISH) {
      queue.complete(chains, 1);
    }
    int[] before = state();
    byte[] contents = new byte[BYTES];
    Memory.copyToArray(mapping.address(), contents, 0, BYTES);
    SharedFile.truncate(file.value(), 0);
    boolean thrown = throwsInternalError(call);
    SharedFile.truncate(file.value(), BYTES);
    Memory.copyFromArray(contents, 0, mapping.address(), BYTES);
    if (!Arrays.equals(before, state())) {
      // Compiled code runs on for a moment before the error arrives, so these two may count as done
      // what memory does not show.
      require(call == Call.COMPLETE || call == Call.PUBLISH, call + " changed the queue");
      late++;
    }
    // As a reconnect does: what the driver saw used counts, and the memory is as it was before.
    boolean completed = call == Call.COMPLETE || call == Call.PUBLISH;
    queue = takeOver((int) driver.base());
    require(completed || Arrays.equals(before, state()), "the ring is where it was");
    drain(posted);
    return thrown;
  }

  private int[] state() {
    return new int[] {queue.base(), queue.usedIndex()};
  }

  /** Whatever state the call left: the rest goes the normal way. */
  private void drain(int posted) throws GuestFault {
    chains.clear();
    int count = queue.peek(chains, 8);
    queue.complete(chains, count);
    queue.publish();
    for (int i = 0; i < posted; i++) {
      require(driver.takeUsed() != null, "the driver gets chain " + i + " back");
    }
  }

  private boolean throwsInternalError(Call call) {
    try {
      try {
        make(call);
      } catch (GuestFault garbage) {
        // The error is under way while the check of what the skipped load left raised this.
        require(call != Call.REFUSE_KICKS, "nothing to check there");
      }
      SharedFile.seals(file.value()); // a late error arrives at the latest with a system call
      return false;
    } catch (InternalError expected) {
      return true;
    }
  }

  private void make(Call call) throws GuestFault {
    switch (call) {
      case CONSTRUCTOR -> takeOver(0); // of a packed ring the base that makes it look
      case PEEK, PEEK_INDIRECT -> {
        chains.clear();
        queue.peek(chains, 8);
      }
      case COMPLETE -> queue.complete(chains, 2);
      case PUBLISH -> queue.publish();
      case WANT_KICKS -> queue.wantKicks();
      case REFUSE_KICKS -> queue.refuseKicks();
      case HAS_AVAILABLE -> queue.hasAvailable();
    }
  }

  private static void require(boolean condition, String what) {
    if (!condition) {
      throw new IllegalStateException("not so: " + what);
    }
  }
}
