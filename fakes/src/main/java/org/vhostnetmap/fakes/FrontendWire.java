// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.fakes;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.UnixConnection;

/**
 * A front-end's end of the socket: bytes and descriptors, good or bad. Written from the vhost-user
 * document alone; shares no codec with the back-end. Waits for answers, up to five seconds.
 */
public final class FrontendWire implements AutoCloseable {
  /** Flags of a request. */
  public static final int REQUEST = 0x1;

  /** Flags of a request that wants an acknowledgement. */
  public static final int NEED_REPLY = 0x9;

  private static final int REPLY = 0x5;
  private static final int HEADER = 12;
  private static final int PATIENCE_MILLIS = 5_000;
  private static final long TOKEN = 1;

  private final UnixConnection connection;
  private final Epoll epoll;

  /** Takes {@code connection} over. */
  public FrontendWire(UnixConnection connection) throws IOException {
    this.connection = connection;
    epoll = new Epoll(1);
    epoll.add(connection.fd(), Epoll.IN, TOKEN);
  }

  /** Connects to a back-end that listens. */
  public static FrontendWire connect(Path path) throws IOException {
    return new FrontendWire(UnixConnection.connect(path));
  }

  /**
   * A payload of {@code size} bytes, zero but for what {@code writer} puts in, in the byte order of
   * the wire.
   */
  public static byte[] payload(int size, Consumer<ByteBuffer> writer) {
    byte[] bytes = new byte[size];
    writer.accept(ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()));
    return bytes;
  }

  /** The bytes of one message. */
  public static byte[] message(int number, int flags, byte[] payload) {
    byte[] message = new byte[HEADER + payload.length];
    ByteBuffer.wrap(message)
        .order(ByteOrder.nativeOrder())
        .putInt(number)
        .putInt(flags)
        .putInt(payload.length)
        .put(payload);
    return message;
  }

  /** Sends whole. */
  public void send(int number, int flags, byte[] payload, int... fds) throws IOException {
    sendBytes(message(number, flags, payload), fds);
  }

  /** Sends any bytes at all, the descriptors with the first. */
  public void sendBytes(byte[] bytes, int... fds) throws IOException {
    int sent = 0;
    while (sent < bytes.length) {
      int now = connection.send(bytes, sent, bytes.length - sent, sent == 0 ? fds : new int[0]);
      if (now == 0) {
        await(Epoll.OUT, "the back-end reads nothing");
      }
      sent += now;
    }
  }

  /** What fits into the socket now; for front-ends that never read. */
  public int sendSome(byte[] bytes) throws IOException {
    return connection.send(bytes, 0, bytes.length, new int[0]);
  }

  private void await(int events, String complaint) throws IOException {
    epoll.modify(connection.fd(), events, TOKEN);
    int ready = epoll.await(PATIENCE_MILLIS);
    epoll.modify(connection.fd(), Epoll.IN, TOKEN);
    if (ready == 0) {
      throw new IOException(complaint);
    }
  }

  /** Exactly {@code count} bytes. EOFException when the back-end hung up. */
  public byte[] receiveBytes(int count) throws IOException {
    byte[] bytes = new byte[count];
    int have = 0;
    List<Fd> fds = new ArrayList<>();
    while (have < count) {
      int got = connection.receive(bytes, have, count - have, fds);
      if (got < 0) {
        throw new EOFException("the back-end hung up");
      }
      if (got == 0) {
        await(Epoll.IN, "no answer");
      }
      have += got;
    }
    fds.forEach(Fd::close);
    return bytes;
  }

  /** The payload of the reply to {@code number}; insists on flags 0x5 as QEMU does. */
  public byte[] receiveReply(int number) throws IOException {
    ByteBuffer header = ByteBuffer.wrap(receiveBytes(HEADER)).order(ByteOrder.nativeOrder());
    int answered = header.getInt();
    int flags = header.getInt();
    int size = header.getInt();
    if (answered != number || flags != REPLY) {
      throw new IOException(
          "reply " + answered + " flags 0x" + Integer.toHexString(flags) + " to request " + number);
    }
    return size == 0 ? new byte[0] : receiveBytes(size);
  }

  /** The u64 in the reply to {@code number}. */
  public long receiveU64(int number) throws IOException {
    byte[] reply = receiveReply(number);
    if (reply.length != Long.BYTES) {
      throw new IOException("reply of " + reply.length + " bytes to request " + number);
    }
    return ByteBuffer.wrap(reply).order(ByteOrder.nativeOrder()).getLong();
  }

  /** Whether anything has come within {@code millis}: bytes, or the end. */
  public boolean hasInput(int millis) {
    return epoll.await(millis) > 0;
  }

  /** Throws away what has come so far; EOFException when the back-end hung up. */
  public void discardInput() throws IOException {
    byte[] waste = new byte[4096];
    List<Fd> fds = new ArrayList<>();
    int got;
    do {
      got = connection.receive(waste, 0, waste.length, fds);
    } while (got > 0);
    fds.forEach(Fd::close);
    if (got < 0) {
      throw new EOFException("the back-end hung up");
    }
  }

  /**
   * Waits until the back-end hangs up; throws away what it still said. False after five seconds.
   */
  public boolean hungUp() {
    byte[] waste = new byte[4096];
    try {
      while (true) {
        List<Fd> fds = new ArrayList<>();
        int got = connection.receive(waste, 0, waste.length, fds);
        fds.forEach(Fd::close);
        if (got < 0) {
          return true;
        }
        if (got == 0 && !hasInput(PATIENCE_MILLIS)) {
          return false;
        }
      }
    } catch (IOException e) {
      return true; // reset, since it closed with our bytes unread
    }
  }

  /** Hangs up. */
  @Override
  public void close() {
    epoll.close();
    connection.close();
  }
}
