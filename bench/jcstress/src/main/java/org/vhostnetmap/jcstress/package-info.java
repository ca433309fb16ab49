// SPDX-License-Identifier: Apache-2.0

/// Races between a driver and our device's side of a ring, played millions of times by jcstress.
///
/// ```
///   driver (written here, from the specification)        device (SplitVirtqueue, PackedVirtqueue)
///     fill the buffer, then the ring, then show it  ---->  see all of it or nothing
///     see all of it or nothing                      <----  fill the buffer, then the ring, then show it
///     show the wish, fence, look once more          <--->  show the work, fence, look at the wish
/// ```
///
/// The first two rows are publication: whoever sees the index (split) or the flags (packed) sees
/// what was written before. The third is going to sleep: at least one of the two must notice the
/// other, else a wake-up is lost and a guest hangs. On x86 it is the full fence that a test of the
/// third row misses at once; a missing release fence shows on weaker machines, or when the compiler
/// changes the order.
///
/// Memory is off-heap, as in the program, and shared through `Memory` alone. A state's ring is one
/// of [org.vhostnetmap.jcstress.StressRing]'s slots, which go round: far more than jcstress has
/// alive at a time.
@org.jspecify.annotations.NullMarked
package org.vhostnetmap.jcstress;
