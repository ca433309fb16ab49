// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

/**
 * What one open of a port asks for: NIOCCTRL's REGISTER, {@code struct nmreq_register}. The numbers
 * of slots and rings are wishes, honoured only when the open creates the port; 0 means the port's
 * own.
 *
 * @param name as the kernel wants it: {@code eth0}, {@code vale0:p}, a pipe as base, brace, id;
 *     without {@code netmap:}
 * @param mode which rings to bind
 * @param ringId which one, for the modes of one ring pair; else 0
 * @param flags {@code NR_*} bits of {@link NetmapAbi}
 * @param memoryId the memory to use, 0 for the port's own
 * @param extraBuffers how many buffers to get beside those of the rings
 */
public record RegisterRequest(
    String name,
    PortMode mode,
    int ringId,
    long flags,
    int memoryId,
    int txSlots,
    int rxSlots,
    int txRings,
    int rxRings,
    int hostTxRings,
    int hostRxRings,
    int extraBuffers) {

  /** All NIC rings of a port, nothing special. */
  public static RegisterRequest of(String name) {
    return new RegisterRequest(name, PortMode.ALL_NIC, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  /** The same with another mode and ring number. */
  public RegisterRequest with(PortMode otherMode, int otherRingId) {
    return new RegisterRequest(
        name,
        otherMode,
        otherRingId,
        flags,
        memoryId,
        txSlots,
        rxSlots,
        txRings,
        rxRings,
        hostTxRings,
        hostRxRings,
        extraBuffers);
  }

  /** The same with more flags. */
  public RegisterRequest withFlags(long more) {
    return new RegisterRequest(
        name,
        mode,
        ringId,
        flags | more,
        memoryId,
        txSlots,
        rxSlots,
        txRings,
        rxRings,
        hostTxRings,
        hostRxRings,
        extraBuffers);
  }

  /** The same in another memory. */
  public RegisterRequest inMemory(int otherMemoryId) {
    return new RegisterRequest(
        name,
        mode,
        ringId,
        flags,
        otherMemoryId,
        txSlots,
        rxSlots,
        txRings,
        rxRings,
        hostTxRings,
        hostRxRings,
        extraBuffers);
  }

  /** The same with other numbers of slots and NIC rings. */
  public RegisterRequest withRings(int tx, int rx, int slotsOfTx, int slotsOfRx) {
    return new RegisterRequest(
        name,
        mode,
        ringId,
        flags,
        memoryId,
        slotsOfTx,
        slotsOfRx,
        tx,
        rx,
        hostTxRings,
        hostRxRings,
        extraBuffers);
  }

  /** The same with other numbers of host rings. */
  public RegisterRequest withHostRings(int tx, int rx) {
    return new RegisterRequest(
        name,
        mode,
        ringId,
        flags,
        memoryId,
        txSlots,
        rxSlots,
        txRings,
        rxRings,
        tx,
        rx,
        extraBuffers);
  }

  /** The same with extra buffers. */
  public RegisterRequest withExtraBuffers(int count) {
    return new RegisterRequest(
        name,
        mode,
        ringId,
        flags,
        memoryId,
        txSlots,
        rxSlots,
        txRings,
        rxRings,
        hostTxRings,
        hostRxRings,
        count);
  }

  /** Whether all of {@code bits} are set. */
  public boolean has(long bits) {
    return (flags & bits) == bits;
  }
}
