// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.fakes;

import static org.vhostnetmap.fakes.FrontendWire.NEED_REPLY;
import static org.vhostnetmap.fakes.FrontendWire.REQUEST;
import static org.vhostnetmap.fakes.FrontendWire.payload;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.SharedFile;
import org.vhostnetmap.linux.UnixConnection;

/// A front-end with a guest, played by test code: guest memory in a memfd, a [FakeDriver] on each
/// ring, and the very messages that QEMU 7.2 and user-mode Linux send, in their order (recorded
/// from the real ones).
///
/// ```
///   try (FakeFrontend guest = FakeFrontend.connect(path)) {
///     guest.bringUp(1);                       // connect and start, as QEMU does
///     guest.driver(1).send(frame);            // ring 1 is transmitq 0
///     guest.kick(1);
///     guest.awaitCall(0, 1000);               // ring 0 is receiveq 0
/// ```
///
/// Guest memory is one file in two regions with a hole between, as on a PC: `[0, 640 KiB)` and
/// `[768 KiB, end)`. Ring `i` and its buffers are in the `i`-th megabyte from 1 MiB on. One thread
/// at a time.
public final class FakeFrontend implements AutoCloseable {
  /** Message numbers, as in the vhost-user document. */
  public static final int GET_FEATURES = 1,
      SET_FEATURES = 2,
      SET_OWNER = 3,
      SET_MEM_TABLE = 5,
      SET_VRING_NUM = 8,
      SET_VRING_ADDR = 9,
      SET_VRING_BASE = 10,
      GET_VRING_BASE = 11,
      SET_VRING_KICK = 12,
      SET_VRING_CALL = 13,
      SET_VRING_ERR = 14,
      GET_PROTOCOL_FEATURES = 15,
      SET_PROTOCOL_FEATURES = 16,
      GET_QUEUE_NUM = 17,
      SET_VRING_ENABLE = 18,
      SEND_RARP = 19,
      SET_BACKEND_REQ_FD = 21,
      GET_MAX_MEM_SLOTS = 36,
      ADD_MEM_REG = 37,
      REM_MEM_REG = 38,
      SET_STATUS = 39,
      GET_STATUS = 40;

  /** Name of the memory file, as /proc/self/maps shows it. */
  public static final String MEMORY_NAME = "fake-guest";

  private static final long MIB = 1 << 20;
  private static final long LOW_END = 640 * 1024;
  private static final long HIGH_START = 768 * 1024;
  private static final long QEMU_ADDRESS = 0x7f00_0000_0000L;
  private static final long QEMU_PROTOCOL_FEATURES = 0x1fdff;
  private static final long UML_PROTOCOL_FEATURES = 1 << 3 | 1 << 5;
  private static final int NO_FD = 0x100;

  private final FrontendWire wire;
  private final List<Ring> rings = new ArrayList<>();
  private final int ringSize;
  private final long memoryBytes;
  private final Fd memory;
  private final Mapping mapping;
  private @Nullable Fd backendRequests;
  // QEMU 7.2 hides IN_ORDER (35) from its guest, and RING_PACKED (34) without packed=on.
  private long wantedFeatures = ~(3L << 34);
  private long features;
  private long protocolFeatures;
  private long addressOffset = QEMU_ADDRESS;
  private boolean slotsFilled;

  private static final class Ring {
    @Nullable Fd kick;
    @Nullable Fd call; // the end to read
    @Nullable Fd err;
    @Nullable FakeDriver driver;
    int base;
  }

  /**
   * Speaks over {@code connection}, which it takes over; room for {@code rings} rings of {@code
   * ringSize} entries.
   */
  public FakeFrontend(UnixConnection connection, int rings, int ringSize) throws IOException {
    this(connection, rings, ringSize, true);
  }

  /**
   * The same; when its memory is not {@code sealable}, nobody can keep the front-end from cutting
   * its file short, as with {@code memory-backend-file}.
   */
  public FakeFrontend(UnixConnection connection, int rings, int ringSize, boolean sealable)
      throws IOException {
    wire = new FrontendWire(connection);
    this.ringSize = ringSize;
    memoryBytes = (1 + rings) * MIB;
    memory = SharedFile.create(MEMORY_NAME, memoryBytes, sealable);
    mapping = Mapping.of(memory.value(), 0, memoryBytes, true);
    for (int i = 0; i < rings; i++) {
      this.rings.add(new Ring());
    }
  }

  /** Connects to a back-end that listens; room for 16 rings of 256 entries. */
  public static FakeFrontend connect(Path path) throws IOException {
    return new FakeFrontend(UnixConnection.connect(path), 16, 256);
  }

  /** Takes only these features, of those offered. */
  public FakeFrontend wanting(long featureBits) {
    wantedFeatures = featureBits;
    return this;
  }

  /** The socket, for messages of one's own. */
  public FrontendWire wire() {
    return wire;
  }

  /** The memory file; stays this object's. */
  public int memoryFd() {
    return memory.value();
  }

  /** Size of the memory file. */
  public long memoryBytes() {
    return memoryBytes;
  }

  /** Virtio features that were negotiated. */
  public long features() {
    return features;
  }

  /** Protocol features that were negotiated. */
  public long protocolFeatures() {
    return protocolFeatures;
  }

  private boolean has(int protocolBit) {
    return (protocolFeatures >>> protocolBit & 1) != 0;
  }

  // Messages

  /** Sends a request without payload and gives the u64 of its reply. */
  public long ask(int number) throws IOException {
    wire.send(number, REQUEST, new byte[0]);
    return wire.receiveU64(number);
  }

  /**
   * Sends a request; waits for the acknowledgement, and gives it, if that was negotiated; else 0.
   */
  public long tell(int number, byte[] payload, int... fds) throws IOException {
    wire.send(number, has(3) ? NEED_REPLY : REQUEST, payload, fds);
    return has(3) ? wire.receiveU64(number) : 0;
  }

  /** Sends a request and waits for nothing. */
  public void say(int number, byte[] payload, int... fds) throws IOException {
    wire.send(number, REQUEST, payload, fds);
  }

  /** A payload of one u64. */
  public static byte[] u64(long value) {
    return payload(8, to -> to.putLong(value));
  }

  /** A payload of a ring's index and a number. */
  public static byte[] state(int ring, int number) {
    return payload(8, to -> to.putInt(ring).putInt(number));
  }

  /** A region as ADD_MEM_REG and REM_MEM_REG want it. */
  public static byte[] singleRegion(long guest, long size, long user, long offset) {
    return payload(
        40, to -> to.putLong(0).putLong(guest).putLong(size).putLong(user).putLong(offset));
  }

  /** Waits until everything said so far has been served. */
  public void barrier() throws IOException {
    ask(GET_FEATURES);
  }

  // QEMU 7.2

  /** Connects and starts as QEMU does, with all its queue pairs enabled. */
  public FakeFrontend bringUp(int queuePairs) throws IOException {
    connectAsQemu(queuePairs);
    startAsQemu(queuePairs);
    barrier();
    return this;
  }

  /** QEMU's messages at connect and realize. */
  public void connectAsQemu(int queuePairs) throws IOException {
    for (int pair = 0; pair < queuePairs; pair++) {
      features = ask(GET_FEATURES) & wantedFeatures;
      if (hasProtocolFeatures()) {
        protocolFeatures = 0;
        long offered = ask(GET_PROTOCOL_FEATURES);
        say(SET_PROTOCOL_FEATURES, u64(offered & QEMU_PROTOCOL_FEATURES));
        protocolFeatures = offered & QEMU_PROTOCOL_FEATURES;
        connectExtras(pair);
      }
      if (pair == 0) {
        say(SET_OWNER, new byte[0]);
      }
      ask(GET_FEATURES);
      for (int ring = 2 * pair; ring < 2 * pair + 2; ring++) {
        setCall(ring);
        rings.get(ring).err = replace(rings.get(ring).err, EventFd.create());
        say(SET_VRING_ERR, u64(ring), number(rings.get(ring).err));
      }
    }
    enableAsQemu(1, queuePairs);
  }

  private boolean hasProtocolFeatures() {
    return (features >>> 30 & 1) != 0;
  }

  private void connectExtras(int pair) throws IOException {
    if (pair == 0 && has(0)) {
      ask(GET_QUEUE_NUM);
    }
    if (has(15)) {
      ask(GET_MAX_MEM_SLOTS);
    }
    if (pair == 0 && has(5)) {
      UnixConnection[] channel = UnixConnection.pair();
      backendRequests = Fd.duplicate(channel[0].fd());
      tell(SET_BACKEND_REQ_FD, new byte[0], channel[1].fd());
      channel[0].close();
      channel[1].close();
    }
  }

  private void enableAsQemu(int enabledPairs, int queuePairs) throws IOException {
    if (hasProtocolFeatures()) {
      for (int ring = 0; ring < 2 * queuePairs; ring++) {
        say(SET_VRING_ENABLE, state(ring, ring < 2 * enabledPairs ? 1 : 0));
      }
    }
  }

  /** QEMU's messages when the guest's driver says DRIVER_OK. */
  public void startAsQemu(int queuePairs) throws IOException {
    for (int pair = 0; pair < queuePairs; pair++) {
      enableAsQemu(queuePairs, queuePairs);
      say(SET_FEATURES, u64(features));
      if (has(16)) {
        say(SET_STATUS, u64(ask(GET_STATUS) | 0x8));
      }
      sendMemoryAsQemu(pair, pair == queuePairs - 1);
      for (int ring = 2 * pair; ring < 2 * pair + 2; ring++) {
        startRing(ring);
      }
    }
    if (has(16)) {
      say(SET_STATUS, u64(ask(GET_STATUS) | 0xf));
    }
  }

  /**
   * With slots: each region once per queue pair, at the first start only. Without: the table at
   * every start.
   */
  private void sendMemoryAsQemu(int pair, boolean last) throws IOException {
    if (!has(15)) {
      if (pair == 0) {
        sendMemoryTable();
      }
    } else if (!slotsFilled) {
      tell(ADD_MEM_REG, singleRegion(0, LOW_END, addressOffset, 0), memory.value());
      tell(ADD_MEM_REG, highRegion(), memory.value());
      slotsFilled = last;
    }
  }

  /** Unplugs the high region as QEMU 7.2 does, once for each queue pair; the acknowledgements. */
  public List<Long> unplugMemoryAsQemu(int queuePairs) throws IOException {
    List<Long> answers = new ArrayList<>();
    for (int pair = 0; pair < queuePairs; pair++) {
      answers.add(tell(REM_MEM_REG, highRegion()));
    }
    return answers;
  }

  private byte[] highRegion() {
    return singleRegion(
        HIGH_START, memoryBytes - HIGH_START, addressOffset + HIGH_START, HIGH_START);
  }

  /** SET_MEM_TABLE with both regions; the acknowledgement. */
  public long sendMemoryTable() throws IOException {
    byte[] table =
        payload(
            8 + 2 * 32,
            to -> {
              to.putInt(2).putInt(0);
              to.putLong(0).putLong(LOW_END).putLong(addressOffset).putLong(0);
              to.put(highRegion(), 8, 32);
            });
    return tell(SET_MEM_TABLE, table, memory.value(), memory.value());
  }

  /** NUM, BASE, ADDR, KICK, CALL of one ring, with a new driver unless it has one. */
  public void startRing(int ring) throws IOException {
    driver(ring);
    say(SET_VRING_NUM, state(ring, ringSize));
    say(SET_VRING_BASE, state(ring, rings.get(ring).base));
    say(SET_VRING_ADDR, address(ring, 0));
    setKick(ring);
    setCall(ring);
  }

  /** The payload of SET_VRING_ADDR for a ring's driver. */
  public byte[] address(int ring, long log) {
    FakeDriver driver = driver(ring);
    return payload(
        40,
        to ->
            to.putInt(ring)
                .putInt(0)
                .putLong(driver.descriptorTable() + addressOffset)
                .putLong(driver.usedRing() + addressOffset)
                .putLong(driver.availableRing() + addressOffset)
                .putLong(log));
  }

  /**
   * QEMU's messages when the guest's driver resets the device; the driver goes on at the index that
   * came back.
   */
  public void stopAsQemu(int queuePairs) throws IOException {
    if (has(16)) {
      say(SET_STATUS, u64(0));
    }
    for (int ring = 0; ring < 2 * queuePairs; ring++) {
      rings.get(ring).base = getBase(ring);
    }
  }

  /** GET_VRING_BASE of one ring. */
  public int getBase(int ring) throws IOException {
    say(GET_VRING_BASE, state(ring, 0));
    ByteBuffer reply =
        ByteBuffer.wrap(wire.receiveReply(GET_VRING_BASE)).order(ByteOrder.nativeOrder());
    if (reply.remaining() != 8 || reply.getInt() != ring) {
      throw new IOException("wrong ring in the reply to GET_VRING_BASE");
    }
    return reply.getInt();
  }

  // User-mode Linux

  /**
   * All messages of user-mode Linux's virtio_uml up to a running pair: pipes for calls, need_reply
   * on everything.
   */
  public void bringUpAsUml() throws IOException {
    addressOffset = 0; // its addresses are guest-physical ones
    say(SET_OWNER, new byte[0]);
    features = ask(GET_FEATURES) & wantedFeatures;
    long protocol = ask(GET_PROTOCOL_FEATURES) & UML_PROTOCOL_FEATURES;
    protocolFeatures = protocol; // it waits for the acknowledgement of this very message
    tell(SET_PROTOCOL_FEATURES, u64(protocol));
    Fd[] channel = Descriptors.pipe();
    backendRequests = channel[0];
    tell(SET_BACKEND_REQ_FD, new byte[0], channel[1].value());
    channel[1].close();
    tell(SET_FEATURES, u64(features));
    tell(SET_FEATURES, u64(features & ~(1L << 30)));
    byte[] table = payload(72, to -> to.putInt(1).putInt(0).putLong(0).putLong(memoryBytes));
    tell(SET_MEM_TABLE, table, memory.value());
    startPairAsUml();
  }

  /** virtio_uml's find_vqs. */
  public void startPairAsUml() throws IOException {
    for (int ring = 0; ring < 2; ring++) {
      rings.get(ring).driver = null;
      driver(ring);
      Fd[] pipe = Descriptors.pipe();
      rings.get(ring).call = replace(rings.get(ring).call, pipe[0]);
      tell(SET_VRING_CALL, u64(ring), pipe[1].value());
      pipe[1].close();
      tell(SET_VRING_NUM, state(ring, ringSize));
      tell(SET_VRING_BASE, state(ring, 0));
      tell(SET_VRING_ADDR, address(ring, -1));
    }
    for (int ring = 0; ring < 2; ring++) {
      rings.get(ring).kick = replace(rings.get(ring).kick, EventFd.create());
      tell(SET_VRING_KICK, u64(ring), number(rings.get(ring).kick));
      tell(SET_VRING_ENABLE, state(ring, 1));
    }
  }

  /** virtio_uml's del_vqs: after this it gives the rings' pages to others. */
  public void stopAsUml() throws IOException {
    tell(SET_VRING_ENABLE, state(1, 0));
    tell(SET_VRING_ENABLE, state(0, 0));
    ask(GET_FEATURES);
  }

  // The guest

  /** The driver of a ring; 2i is receiveq i, 2i + 1 transmitq i. */
  public FakeDriver driver(int ring) {
    FakeDriver driver = rings.get(ring).driver;
    if (driver == null) {
      long guestBase = (1 + ring) * MIB;
      driver = new FakeDriver(mapping.address() + guestBase, guestBase, MIB, ringSize);
      if ((features >>> 29 & 1) != 0) {
        driver.withEventIndex();
      }
      rings.get(ring).driver = driver;
    }
    return driver;
  }

  /** A new driver on a ring, as after a reboot; the next start begins at index 0. */
  public void forgetDriver(int ring) {
    rings.get(ring).driver = null;
    rings.get(ring).base = 0;
  }

  /** Kicks the back-end. */
  public void kick(int ring) {
    EventFd.signal(number(rings.get(ring).kick));
  }

  /** Whether the guest is called for this ring within {@code millis}; takes the call away. */
  public boolean awaitCall(int ring, int millis) throws IOException {
    return await(rings.get(ring).call, millis);
  }

  /** Whether the back-end signals an error of this ring within {@code millis}. */
  public boolean awaitErr(int ring, int millis) throws IOException {
    return await(rings.get(ring).err, millis);
  }

  private static boolean await(@Nullable Fd fd, int millis) throws IOException {
    try (Epoll epoll = new Epoll(1)) {
      epoll.add(number(fd), Epoll.IN, 1);
      boolean came = epoll.await(millis) > 0;
      if (came) {
        Fd.setNonBlocking(number(fd));
        EventFd.drain(number(fd));
      }
      return came;
    }
  }

  /** SET_VRING_KICK with a new eventfd. */
  public void setKick(int ring) throws IOException {
    rings.get(ring).kick = replace(rings.get(ring).kick, EventFd.create());
    say(SET_VRING_KICK, u64(ring), number(rings.get(ring).kick));
  }

  /** SET_VRING_CALL with a new eventfd. */
  public void setCall(int ring) throws IOException {
    rings.get(ring).call = replace(rings.get(ring).call, EventFd.create());
    say(SET_VRING_CALL, u64(ring), number(rings.get(ring).call));
  }

  /** SET_VRING_KICK or SET_VRING_CALL without a descriptor: polling, or no calls. */
  public void setNone(int request, int ring) throws IOException {
    say(request, u64(ring | NO_FD));
  }

  private static Fd replace(@Nullable Fd old, Fd fresh) {
    if (old != null) {
      old.close();
    }
    return fresh;
  }

  private static int number(@Nullable Fd fd) {
    if (fd == null) {
      throw new IllegalStateException("this ring was never started");
    }
    return fd.value();
  }

  /** Hangs up, as when the process is killed: nothing is said. */
  @Override
  public void close() {
    wire.close();
    for (Ring ring : rings) {
      for (Fd fd : Arrays.asList(ring.kick, ring.call, ring.err)) {
        if (fd != null) {
          fd.close();
        }
      }
    }
    if (backendRequests != null) {
      backendRequests.close();
    }
    mapping.close();
    memory.close();
  }
}
