// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.vhostnetmap.vhost.feature.ProtocolFeature.VHOST_USER_PROTOCOL_F_REPLY_ACK;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Notifier;
import org.vhostnetmap.vhost.feature.FeatureSet;
import org.vhostnetmap.vhost.feature.ProtocolFeature;
import org.vhostnetmap.vhost.message.FdRule;
import org.vhostnetmap.vhost.message.FrontendRequest;
import org.vhostnetmap.vhost.message.Header;
import org.vhostnetmap.vhost.message.MemoryRegion;
import org.vhostnetmap.vhost.message.MemoryTableMessage;
import org.vhostnetmap.vhost.message.Message;
import org.vhostnetmap.vhost.message.ProtocolFault;
import org.vhostnetmap.vhost.message.Reply;
import org.vhostnetmap.vhost.message.VringAddress;
import org.vhostnetmap.vhost.message.VringFd;
import org.vhostnetmap.vhost.message.VringState;

/**
 * What each message does: one case per request, one call on the {@link Device}, and the exact
 * reply. Strictly one message at a time, in order; front-ends use GET_FEATURES as a barrier.
 * Control thread only.
 */
final class Requests {
  private static final System.Logger LOG = System.getLogger(Requests.class.getName());

  private static final long DONE = 0;
  private static final long REFUSED = 1;

  private final String name;
  private final Offer offer;
  private final Device device;
  private final PortCounters counters;

  Requests(String name, Offer offer, Device device, PortCounters counters) {
    this.name = name;
    this.offer = offer;
    this.device = device;
    this.counters = counters;
  }

  /**
   * Does what the message asks, and closes the descriptors that nobody wanted.
   *
   * @return the bytes to send back, or null when none are due
   * @throws ProtocolFault when the front-end is to be dropped
   */
  byte @Nullable [] handle(Message message) throws ProtocolFault {
    LOG.log(System.Logger.Level.DEBUG, "{0}: {1}", name, message);
    int number = message.header().number();
    byte[] reply;
    try (message) {
      reply = serve(message);
      counters.strayFds += message.fdCount();
    } catch (Refusal refusal) {
      return refused(message, refusal);
    }
    // A request that has a reply of its own gets that one only (trap 11). Whether REPLY_ACK is
    // negotiated is asked after
    // serving: user-mode Linux wants the acknowledgement of SET_PROTOCOL_FEATURES itself.
    return reply != null || !wantsAcknowledgement(message) ? reply : Reply.u64(number, DONE);
  }

  private boolean wantsAcknowledgement(Message message) {
    return message.header().needReply()
        && device.protocolFeatures().has(VHOST_USER_PROTOCOL_F_REPLY_ACK);
  }

  private byte @Nullable [] refused(Message message, Refusal refusal) throws ProtocolFault {
    String what = Header.nameOf(message.header().number()) + ": " + refusal.getMessage();
    FrontendRequest request = message.request();
    counters.refusedRequests++;
    if (request == FrontendRequest.VHOST_USER_GET_CONFIG) {
      counters.trouble(name, what);
      return Reply.empty(request.number()); // the document's way to say no here
    }
    boolean ownReply = request != null && request.hasOwnReply();
    if (!ownReply && wantsAcknowledgement(message)) {
      counters.trouble(name, what);
      return Reply.u64(message.header().number(), REFUSED);
    }
    if (refusal.isVisible()) {
      counters.trouble(name, what);
      return null;
    }
    throw new ProtocolFault(what);
  }

  private byte @Nullable [] serve(Message message) throws Refusal, ProtocolFault {
    FrontendRequest request = message.request();
    if (request == null) {
      return unknown(message);
    }
    requireOffered(request);
    requireFds(request, message);
    int number = request.number();
    return switch (request) {
      case VHOST_USER_GET_FEATURES -> Reply.u64(number, offer.features().bits());
      case VHOST_USER_GET_PROTOCOL_FEATURES -> Reply.u64(number, offer.protocolFeatures().bits());
      case VHOST_USER_GET_QUEUE_NUM ->
          Reply.u64(number, offer.queuePairs()); // pairs, not rings (trap 23)
      case VHOST_USER_GET_MAX_MEM_SLOTS -> Reply.u64(number, offer.maxMemorySlots());
      case VHOST_USER_GET_STATUS -> Reply.u64(number, device.status());
      case VHOST_USER_GET_VRING_BASE -> stopRing(number, message);
      default -> {
        obey(request, message);
        yield null;
      }
    };
  }

  /** The requests without a reply of their own. */
  private void obey(FrontendRequest request, Message message) throws Refusal, ProtocolFault {
    switch (request) {
      case VHOST_USER_SET_FEATURES ->
          device.setFeatures(FeatureSet.virtio(message.payload().getLong()));
      case VHOST_USER_SET_PROTOCOL_FEATURES ->
          device.setProtocolFeatures(FeatureSet.protocol(message.payload().getLong()));
      case VHOST_USER_SET_OWNER -> {
        // The session began when the front-end connected.
      }
      case VHOST_USER_RESET_OWNER -> device.disableAllRings();
      case VHOST_USER_SET_MEM_TABLE -> setMemoryTable(message);
      case VHOST_USER_ADD_MEM_REG ->
          device.addMemory(MemoryRegion.readSingle(message.payload()), message.takeFd());
      case VHOST_USER_REM_MEM_REG ->
          device.removeMemory(MemoryRegion.readSingle(message.payload()));
      case VHOST_USER_SET_VRING_NUM, VHOST_USER_SET_VRING_BASE, VHOST_USER_SET_VRING_ENABLE ->
          setRing(request, VringState.read(message.payload()));
      case VHOST_USER_SET_VRING_ADDR -> {
        VringAddress address = VringAddress.read(message.payload());
        device.setAddress(device.ring(address.index()), address);
      }
      case VHOST_USER_SET_VRING_KICK, VHOST_USER_SET_VRING_CALL, VHOST_USER_SET_VRING_ERR ->
          setRingFd(request, message);
      case VHOST_USER_SEND_RARP -> device.announce(macAddress(message.payload().getLong()));
      case VHOST_USER_NET_SET_MTU -> device.setMtu(message.payload().getLong());
      case VHOST_USER_SET_BACKEND_REQ_FD -> device.setBackendRequests(message.takeFd());
      case VHOST_USER_RESET_DEVICE -> device.reset();
      case VHOST_USER_SET_STATUS -> device.setStatus(message.payload().getLong());
      // Migration (6, 7), post-copy (28-30), in-flight (31, 32) and device state (42, 43) will find
      // their cases here.
      default -> throw new Refusal("not served by this device");
    }
  }

  private byte @Nullable [] unknown(Message message) throws Refusal {
    counters.unknownRequests++;
    if (wantsAcknowledgement(message)) {
      throw new Refusal("unknown");
    }
    // Newer than the document we read, and nobody waits for an answer.
    LOG.log(System.Logger.Level.DEBUG, "{0}: ignored {1}", name, message);
    return null;
  }

  /**
   * Offered is enough: bit 30, and the rest with it, counts before it is acknowledged (trap 15).
   */
  private void requireOffered(FrontendRequest request) throws Refusal {
    ProtocolFeature feature = request.feature();
    if (feature != null && !offer.protocolFeatures().has(feature)) {
      throw new Refusal(feature + " was not offered");
    }
  }

  private static void requireFds(FrontendRequest request, Message message)
      throws Refusal, ProtocolFault {
    int wanted =
        switch (request.fds()) {
          case NONE -> 0;
          case ONE -> 1;
          case ONE_UNLESS_FLAGGED -> VringFd.read(message.peekPayload()).polling() ? 0 : 1;
          case PER_REGION -> MemoryTableMessage.read(message.peekPayload()).regions().size();
        };
    if (request.fds() != FdRule.NONE && message.fdCount() != wanted) {
      throw new Refusal(message.fdCount() + " file descriptors, not " + wanted);
    }
  }

  private void setMemoryTable(Message message) throws Refusal, ProtocolFault {
    List<MemoryRegion> regions = MemoryTableMessage.read(message.payload()).regions();
    List<Fd> fds = new ArrayList<>();
    while (message.fdCount() > 0) {
      fds.add(message.takeFd());
    }
    device.setMemory(regions, fds);
  }

  private void setRing(FrontendRequest request, VringState state) throws Refusal {
    Ring ring = device.ring(state.index());
    switch (request) {
      case VHOST_USER_SET_VRING_NUM -> device.setSize(ring, state.number());
      case VHOST_USER_SET_VRING_BASE -> device.setBase(ring, state.number());
      default -> device.enable(ring, state.number());
    }
  }

  private void setRingFd(FrontendRequest request, Message message) throws Refusal, ProtocolFault {
    Ring ring = device.ring(VringFd.read(message.payload()).index());
    boolean kick = request == FrontendRequest.VHOST_USER_SET_VRING_KICK;
    Notifier fd = message.fdCount() == 0 ? null : notifier(message.takeFd(), !kick);
    switch (request) {
      case VHOST_USER_SET_VRING_KICK -> device.start(ring, fd);
      case VHOST_USER_SET_VRING_CALL -> device.setCall(ring, fd);
      default -> device.setErr(ring, fd);
    }
  }

  private static Notifier notifier(Fd fd, boolean toSignal) throws Refusal {
    try {
      return Notifier.of(fd, toSignal);
    } catch (ErrnoException e) {
      throw new Refusal("unusable file descriptor: " + Objects.requireNonNull(e.getMessage()));
    }
  }

  private byte[] stopRing(int number, Message message) throws Refusal {
    VringState asked = VringState.read(message.payload());
    Ring ring = device.ring(asked.index());
    return Reply.vringState(number, new VringState(asked.index(), device.stop(ring)));
  }

  /** The low six bytes hold the address in memory order: its first byte is the word's lowest. */
  private static long macAddress(long word) {
    return Long.reverseBytes(word) >>> 16;
  }
}
