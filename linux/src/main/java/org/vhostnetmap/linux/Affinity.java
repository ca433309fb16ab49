// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import org.vhostnetmap.linux.libc.Native;

/** Which processors the calling thread runs on. Control plane: allocates. */
public final class Affinity {
  /** A {@code cpu_set_t}: 1024 processors, and the longest mask that each kernel takes. */
  private static final int MASK_BYTES = 128;

  /** Processors that can be named at all. */
  public static final int CPUS = MASK_BYTES * 8;

  private static final int CALLING_THREAD = 0;

  private Affinity() {}

  /**
   * Binds the calling thread to one processor.
   *
   * @throws ErrnoException EINVAL when there is no such processor, or this process may not use it
   */
  public static void bind(int cpu) throws ErrnoException {
    if (cpu < 0 || cpu >= CPUS) {
      throw new ErrnoException("sched_setaffinity CPU " + cpu, Errno.EINVAL);
    }
    byte[] mask = new byte[MASK_BYTES];
    mask[cpu / 8] = (byte) (1 << cpu % 8); // little-endian longs: bit n is processor n
    set(mask, "CPU " + cpu);
  }

  /** Whether the calling thread could be bound to a processor; where it runs stays as it is. */
  public static boolean isAvailable(int cpu) throws ErrnoException {
    byte[] before = new byte[MASK_BYTES];
    if (Native.C.sched_getaffinity(CALLING_THREAD, MASK_BYTES, before) < 0) {
      throw new ErrnoException("sched_getaffinity", Native.errno());
    }
    try {
      bind(cpu);
    } catch (ErrnoException refused) {
      if (refused.errno() == Errno.EINVAL) {
        return false;
      }
      throw refused;
    }
    set(before, "as before");
    return true;
  }

  private static void set(byte[] mask, String what) throws ErrnoException {
    if (Native.C.sched_setaffinity(CALLING_THREAD, MASK_BYTES, mask) < 0) {
      throw new ErrnoException("sched_setaffinity " + what, Native.errno());
    }
  }
}
