// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;
import org.vhostnetmap.linux.Memory;

/** T-toctou, by structure: no call into the queue reads a byte of guest memory twice. */
class ReadOnceTest {
  /** What the detector has to detect. */
  public static final class ReadsTwice implements LongSupplier {
    private final long address;

    /** Will read there. */
    public ReadsTwice(long address) {
      this.address = address;
    }

    @Override
    public long getAsLong() {
      return Memory.getLong(address) + Memory.getUnsignedShort(address + 6);
    }
  }

  @Test
  void readsEachByteOfTheGuestOnceForAnyRandomChain() throws ReflectiveOperationException {
    RecordingLoader loader = new RecordingLoader();
    Class<?> type = loader.loadClass("org.vhostnetmap.virtqueue.RandomChains");
    Constructor<?> make = type.getDeclaredConstructor(long.class);
    Method run = type.getDeclaredMethod("run", int.class);
    make.setAccessible(true);
    run.setAccessible(true);
    long before = RecordingMemory.reads();
    for (long seed = 0; seed < 300; seed++) {
      try (AutoCloseable chains = (AutoCloseable) make.newInstance(seed)) {
        run.invoke(chains, 50);
      } catch (InvocationTargetException e) {
        throw new AssertionError("seed " + seed, e.getCause());
      } catch (ReflectiveOperationException e) {
        throw e;
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    }
    assertTrue(RecordingMemory.reads() - before > 300 * 50 * 3, "the detector saw the reads");
  }

  @Test
  void wouldNoticeASecondRead() throws ReflectiveOperationException {
    Class<?> type = new RecordingLoader().loadClass(ReadsTwice.class.getName());
    try (HostMemory memory = new HostMemory(16)) {
      LongSupplier twice =
          assertInstanceOf(
              LongSupplier.class, type.getConstructor(long.class).newInstance(memory.address()));
      AssertionError noticed = assertThrows(AssertionError.class, twice::getAsLong);
      assertEquals(
          "second read of host address " + Long.toHexString(memory.address() + 6),
          noticed.getMessage());
    }
  }
}
