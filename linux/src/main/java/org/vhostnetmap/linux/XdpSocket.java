// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.libc.Native;

/// An AF_XDP socket: one queue of an interface whose frames lie in memory of the caller's, the
/// UMEM. Documentation/networking/af_xdp.rst of the kernel is its manual.
///
/// ```
///   fill     (we write)   chunks for the kernel to receive into       --+   chunk k lies at umem + k * chunk bytes;
///   receive  (we read)    frames that came, in those chunks           <-+   received data begins HEADROOM into it
///   transmit (we write)   frames to send                              --+
///   completion (we read)  frames sent: their chunks are ours again    <-+
/// ```
///
/// Behind it are two sockets of one UMEM, one that receives and one that sends: whoever waits for
/// frames would be told of each frame sent otherwise, at a tenth of the cost of sending it.
///
/// Nothing arrives before a program sends it here: an XSKMAP and a [Bpf] link see to that. The UMEM
/// stays the caller's, and the kernel may write into every chunk that it was given until [#close]
/// has returned. The rings belong to one thread for receiving and one for transmitting; the rest is
/// control plane.
public final class XdpSocket implements AutoCloseable {
  /** Where in its chunk a received frame begins, in bytes: XDP_PACKET_HEADROOM. */
  public static final int HEADROOM = 256;

  /** Bind flag of the second socket of a UMEM. */
  private static final int XDP_SHARED_UMEM = 1;

  /** Bind flag: copy, even where the driver could do without. */
  public static final int XDP_COPY = 2;

  /** Bind flag: fail where the driver can't do without copying. */
  public static final int XDP_ZEROCOPY = 4;

  /** Bind flag: the kernel may sleep, and says so in the rings' flags. */
  public static final int XDP_USE_NEED_WAKEUP = 8;

  private static final int AF_XDP = 44;
  private static final int SOCK_RAW = 3;
  private static final int SOL_XDP = 283;
  private static final int XDP_MMAP_OFFSETS = 1;
  private static final int XDP_RX_RING = 2;
  private static final int XDP_TX_RING = 3;
  private static final int XDP_UMEM_REG = 4;
  private static final int XDP_UMEM_FILL_RING = 5;
  private static final int XDP_UMEM_COMPLETION_RING = 6;
  private static final int XDP_STATISTICS = 7;
  private static final int XDP_OPTIONS = 8;
  private static final int XDP_MAX_TX_SKB_BUDGET = 9;
  private static final long PGOFF_RX_RING = 0;
  private static final long PGOFF_TX_RING = 0x80000000L;
  private static final long PGOFF_FILL_RING = 0x100000000L;
  private static final long PGOFF_COMPLETION_RING = 0x180000000L;
  private static final int OFFSETS_BYTES = 128;
  private static final int ADDRESS_SHIFT = 3;
  private static final int FRAME_SHIFT = 4;

  private static final int SO_BUSY_POLL = 46;
  private static final int SO_PREFER_BUSY_POLL = 69;
  private static final int SO_BUSY_POLL_BUDGET = 70;
  private static final int MSG_DONTWAIT = 0x40;

  private final Fd fd;
  private final Fd sender;
  private final List<Mapping> mappings;
  private final XdpProducer fill;
  private final XdpConsumer completion;
  private final XdpConsumer receive;
  private final XdpProducer transmit;

  /**
   * Memory for frames.
   *
   * @param address host address, on a page boundary
   * @param bytes size, a multiple of {@code chunkBytes}
   * @param chunkBytes bytes per frame: a power of two from 2048 to the size of a page
   */
  public record Umem(long address, long bytes, int chunkBytes) {}

  /**
   * What the kernel dropped or refused, since the socket was made.
   *
   * @param rxDropped frames that did not fit a chunk, and others it could not place
   * @param rxInvalid entries of the fill ring that name no chunk
   * @param txInvalid entries of the transmit ring that name no frame
   * @param rxRingFull frames that found the receive ring full
   * @param fillRingEmpty times that a frame found no chunk in the fill ring
   */
  public record Statistics(
      long rxDropped, long rxInvalid, long txInvalid, long rxRingFull, long fillRingEmpty) {}

  private XdpSocket(Fd fd, Fd sender, List<Mapping> mappings, int slots) throws ErrnoException {
    this.fd = fd;
    this.sender = sender;
    this.mappings = mappings;
    ByteBuffer offsets = offsets(fd.value());
    receive = consumer(offsets, 0, PGOFF_RX_RING, slots, FRAME_SHIFT);
    transmit = producer(sender, offsets, 32, PGOFF_TX_RING, slots, FRAME_SHIFT);
    fill = producer(fd, offsets, 64, PGOFF_FILL_RING, slots, ADDRESS_SHIFT);
    completion = consumer(offsets, 96, PGOFF_COMPLETION_RING, slots, ADDRESS_SHIFT);
  }

  /**
   * Makes a socket with its four rings; {@link #bind} comes next. The pages of {@code umem} are
   * pinned from now on.
   *
   * @param slots entries of each ring, a power of two
   */
  public static XdpSocket open(Umem umem, int slots) throws ErrnoException {
    Fd fd = socket();
    Fd sender = null;
    List<Mapping> mappings = new ArrayList<>(4);
    try {
      sender = socket();
      register(fd.value(), umem);
      for (int ring : new int[] {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING}) {
        set(fd.value(), SOL_XDP, ring, slots, "AF_XDP ring of " + slots);
      }
      set(sender.value(), SOL_XDP, XDP_TX_RING, slots, "AF_XDP ring of " + slots);
      return new XdpSocket(fd, sender, mappings, slots);
    } catch (ErrnoException e) {
      release(mappings, sender, fd);
      throw e;
    }
  }

  private static Fd socket() throws ErrnoException {
    int socket = Native.C.socket(AF_XDP, SOCK_RAW | Sockets.SOCK_CLOEXEC, 0);
    if (socket < 0) {
      throw new ErrnoException("AF_XDP socket", Native.errno());
    }
    return new Fd(socket);
  }

  private static void register(int socket, Umem umem) throws ErrnoException {
    byte[] registration = new byte[32];
    ByteBuffer fields = ByteBuffer.wrap(registration).order(ByteOrder.nativeOrder());
    fields.putLong(umem.address()).putLong(umem.bytes()).putInt(umem.chunkBytes());
    if (Native.C.setsockopt(socket, SOL_XDP, XDP_UMEM_REG, registration, registration.length) < 0) {
      int errno = Native.errno();
      String what = "AF_XDP memory of " + umem.bytes() + " bytes";
      throw new ErrnoException(
          errno == Errno.ENOBUFS
              ? what + " is more than RLIMIT_MEMLOCK leaves (ulimit -l, LimitMEMLOCK=)"
              : what,
          errno);
    }
  }

  private static ByteBuffer offsets(int socket) throws ErrnoException {
    byte[] offsets = new byte[OFFSETS_BYTES];
    int[] length = {OFFSETS_BYTES};
    if (Native.C.getsockopt(socket, SOL_XDP, XDP_MMAP_OFFSETS, offsets, length) < 0) {
      throw new ErrnoException("AF_XDP ring offsets", Native.errno());
    }
    if (length[0] != OFFSETS_BYTES) {
      throw new ErrnoException("AF_XDP of a kernel before Linux 5.4", Errno.EINVAL);
    }
    return ByteBuffer.wrap(offsets).order(ByteOrder.nativeOrder());
  }

  private XdpConsumer consumer(ByteBuffer offsets, int at, long file, int slots, int entryShift)
      throws ErrnoException {
    long base = map(fd, offsets, at, file, slots, entryShift);
    return new XdpConsumer(
        base + offsets.getLong(at),
        base + offsets.getLong(at + 8),
        base + offsets.getLong(at + 16),
        slots,
        entryShift);
  }

  private XdpProducer producer(
      Fd socket, ByteBuffer offsets, int at, long file, int slots, int entryShift)
      throws ErrnoException {
    long base = map(socket, offsets, at, file, slots, entryShift);
    return new XdpProducer(
        base + offsets.getLong(at),
        base + offsets.getLong(at + 8),
        base + offsets.getLong(at + 24),
        base + offsets.getLong(at + 16),
        slots,
        entryShift);
  }

  private long map(Fd socket, ByteBuffer offsets, int at, long file, int slots, int entryShift)
      throws ErrnoException {
    long bytes = offsets.getLong(at + 16) + ((long) slots << entryShift);
    Mapping mapping = Mapping.of(socket.value(), file, bytes, true);
    mappings.add(mapping);
    return mapping.address();
  }

  /**
   * Binds to a queue; without {@link #XDP_COPY} and {@link #XDP_ZEROCOPY} the kernel does without
   * copying where the driver can. A failed bind may be tried again.
   *
   * @throws ErrnoException EBUSY too for a while after another socket of this queue was closed
   */
  public void bind(int interfaceIndex, int queue, int flags) throws ErrnoException {
    bind(fd, interfaceIndex, queue, flags, 0);
    bind(sender, interfaceIndex, queue, XDP_SHARED_UMEM, fd.value());
  }

  private static void bind(Fd socket, int interfaceIndex, int queue, int flags, int umem)
      throws ErrnoException {
    byte[] address = new byte[16];
    ByteBuffer fields = ByteBuffer.wrap(address).order(ByteOrder.nativeOrder());
    fields.putShort((short) AF_XDP).putShort((short) flags).putInt(interfaceIndex).putInt(queue);
    fields.putInt(umem);
    if (Native.C.bind(socket.value(), address, address.length) < 0) {
      throw new ErrnoException(
          "bind AF_XDP to queue " + queue + " of interface " + interfaceIndex, Native.errno());
    }
  }

  /** Whether the driver reads and writes the UMEM itself, without the kernel's copying. */
  public boolean zeroCopy() throws ErrnoException {
    return get(fd, XDP_OPTIONS, 4, "AF_XDP options").getInt(0) != 0;
  }

  /** What the kernel dropped. */
  public Statistics statistics() throws ErrnoException {
    ByteBuffer in = get(fd, XDP_STATISTICS, 48, "AF_XDP statistics");
    ByteBuffer out = get(sender, XDP_STATISTICS, 48, "AF_XDP statistics");
    return new Statistics(
        in.getLong(0), in.getLong(8), out.getLong(16), in.getLong(24), in.getLong(32));
  }

  /**
   * How many frames one {@link #wakeTransmit} may send where the kernel copies; 32 unless said.
   * Linux 6.17 and later; false where that can't be changed.
   */
  public boolean setTransmitBudget(int frames) {
    return trySet(sender, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, frames);
  }

  /**
   * Lets {@link #wakeReceive} do the driver's receive work itself, up to {@code budget} frames.
   * Linux 5.11 and later; false where that can't be changed.
   */
  public boolean setBusyPoll(int micros, int budget) {
    return trySet(fd, Sockets.SOL_SOCKET, SO_PREFER_BUSY_POLL, 1)
        && trySet(fd, Sockets.SOL_SOCKET, SO_BUSY_POLL, micros)
        && trySet(fd, Sockets.SOL_SOCKET, SO_BUSY_POLL_BUDGET, budget);
  }

  private static boolean trySet(Fd socket, int level, int option, int value) {
    return Native.C.setsockopt(socket.value(), level, option, bytes(value), Integer.BYTES) == 0;
  }

  private static void set(int fd, int level, int option, int value, String what)
      throws ErrnoException {
    if (Native.C.setsockopt(fd, level, option, bytes(value), Integer.BYTES) < 0) {
      throw new ErrnoException(what, Native.errno());
    }
  }

  private static byte[] bytes(int value) {
    byte[] bytes = new byte[Integer.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).putInt(value);
    return bytes;
  }

  /** An option, followed by zeroes where the kernel knows less of it. */
  private static ByteBuffer get(Fd socket, int option, int length, String what)
      throws ErrnoException {
    byte[] bytes = new byte[length];
    if (Native.C.getsockopt(socket.value(), SOL_XDP, option, bytes, new int[] {length}) < 0) {
      throw new ErrnoException(what, Native.errno());
    }
    return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
  }

  /** The descriptor to watch: readable when a frame has come. Stays this object's. */
  public int fd() {
    return fd.value();
  }

  /** Chunks for the kernel to receive into. */
  public XdpProducer fill() {
    return fill;
  }

  /** Frames that came. */
  public XdpConsumer receive() {
    return receive;
  }

  /** Frames to send. */
  public XdpProducer transmit() {
    return transmit;
  }

  /** Frames that were sent. */
  public XdpConsumer completion() {
    return completion;
  }

  /**
   * Makes the kernel send what was published, or some of it; never waits. 0, or a negative error
   * number: {@code -EAGAIN} when there is more to send, {@code -EBUSY} when the device dropped a
   * frame or has no room, {@code -ENETDOWN} when it is down. Does not allocate.
   */
  public int wakeTransmit() {
    return Native.C.send(sender.value(), 0, 0, MSG_DONTWAIT) >= 0 ? 0 : -Native.errno();
  }

  /**
   * Makes a driver that sleeps look into the fill ring, and with {@link #setBusyPoll} receive;
   * never waits. 0, or a negative error number. Does not allocate.
   */
  public int wakeReceive() {
    return Native.C.recv(fd.value(), 0, 0, MSG_DONTWAIT) >= 0 ? 0 : -Native.errno();
  }

  /** Unbinds and forgets the UMEM, which the kernel writes into no more. */
  @Override
  public void close() {
    release(mappings, sender, fd);
  }

  /** A mapping keeps its socket alive, so the mappings go first. */
  private static void release(List<Mapping> mappings, @Nullable Fd sender, Fd fd) {
    mappings.forEach(Mapping::close);
    if (sender != null) {
      sender.close();
    }
    fd.close();
  }
}
