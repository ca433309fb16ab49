// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a port is doing, for people and for programs: a copy of one moment.
 *
 * @param state in one word
 * @param text in plain words
 * @param frontendPid process of the front-end, 0 when there is none or it can't be seen
 * @param features virtio features in use, by name
 * @param protocolFeatures protocol features in use, by name
 * @param driverStatus virtio status byte, when the front-end tells it
 * @param mtu told by VHOST_USER_NET_SET_MTU, 0 when never
 * @param memory regions of the guest's memory
 * @param memorySealed nobody can take pages of that memory away under the guest
 * @param rings in ascending order of index
 * @param counters of the port's life
 * @param lastTrouble why the last front-end was dropped or refused something, or null
 */
public record BackendStatus(
    State state,
    String text,
    int frontendPid,
    List<String> features,
    List<String> protocolFeatures,
    int driverStatus,
    int mtu,
    List<Region> memory,
    boolean memorySealed,
    List<Ring> rings,
    Counters counters,
    @Nullable String lastTrouble) {

  /** Keeps its own copies. */
  public BackendStatus {
    features = List.copyOf(features);
    protocolFeatures = List.copyOf(protocolFeatures);
    memory = List.copyOf(memory);
    rings = List.copyOf(rings);
  }

  /** How far the port has come. */
  public enum State {
    /** Nobody is connected. */
    WAITING,
    /** A front-end is connected, no ring runs. */
    CONNECTED,
    /** At least one ring runs. */
    UP,
    /** At least one ring was stopped because the guest broke it. */
    BROKEN,
    /** Closed, or adopted and the other side has gone. */
    ENDED
  }

  /** How far a ring has come. */
  public enum RingState {
    /** No start since the last stop. */
    STOPPED,
    /** Started and switched off: it is not touched. */
    DISABLED,
    /** The data plane has it. */
    RUNNING,
    /** Stopped with a reason until the next start or reset. */
    BROKEN
  }

  /**
   * One region of the guest's memory.
   *
   * @param guestAddress guest-physical
   * @param size in bytes
   */
  public record Region(long guestAddress, long size) {}

  /**
   * One ring.
   *
   * @param index 2i receiveq i, 2i + 1 transmitq i
   * @param state in one word
   * @param text in plain words
   * @param size entries, 0 before it was told
   * @param availableIndex next to take; only nearly right while the ring runs
   * @param usedIndex next to give back; only nearly right while the ring runs
   * @param hasKick the guest can kick; else the ring is polled
   * @param hasCall the guest can be called
   * @param calls how often it was
   * @param faults how often the ring broke
   * @param discarded chains that the guest sent on a disabled transmit ring
   * @param fault why it is stopped, or null
   */
  public record Ring(
      int index,
      RingState state,
      String text,
      int size,
      int availableIndex,
      int usedIndex,
      boolean hasKick,
      boolean hasCall,
      long calls,
      long faults,
      long discarded,
      @Nullable String fault) {}

  /**
   * Counts since the port was made.
   *
   * @param frontends that were served
   * @param refusedFrontends that came while another was being served
   * @param protocolFaults front-ends that were dropped
   * @param refusedRequests requests that were answered with "no"
   * @param unknownRequests requests that the document does not know
   * @param strayFds descriptors that came where none belonged
   * @param penances front-ends that made a thread of ours wait, after which the port took a rest
   */
  public record Counters(
      long frontends,
      long refusedFrontends,
      long protocolFaults,
      long refusedRequests,
      long unknownRequests,
      long strayFds,
      long penances) {}
}
