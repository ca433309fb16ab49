// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Mapping;
import org.vhostnetmap.linux.Memory;

class PartialChecksumTest {
  private static final int TCP = 6;
  private static final int UDP = 17;

  private final Random random = new Random(42);
  private Mapping memory;

  @BeforeEach
  void map() throws ErrnoException {
    memory = Mapping.anonymous(8192);
  }

  @AfterEach
  void unmap() {
    memory.close();
  }

  /** A frame, and where its parts begin. */
  private static final class Frame {
    final byte[] bytes;
    final int ip;
    final int segment;
    final int field;

    Frame(byte[] bytes, int ip, int segment, int field) {
      this.bytes = bytes;
      this.ip = ip;
      this.segment = segment;
      this.field = field;
    }

    int checksum() {
      return ByteBuffer.wrap(bytes).getShort(field) & 0xffff;
    }

    void setChecksum(int value) {
      ByteBuffer.wrap(bytes).putShort(field, (short) value);
    }
  }

  private Frame frame(int version, int protocol, int payload, int tags) {
    int ip = 14 + 4 * tags;
    int segment = ip + (version == 4 ? 24 : 40);
    int end = segment + (protocol == TCP ? 20 : 8) + payload;
    // As short frames on a wire: bytes behind the packet that are none of it.
    byte[] bytes = new byte[Math.max(60, end)];
    random.nextBytes(bytes);
    ByteBuffer fields = ByteBuffer.wrap(bytes);
    for (int i = 0; i < tags; i++) {
      fields.putShort(12 + 4 * i, (short) (i == 0 && tags > 1 ? 0x88a8 : 0x8100));
    }
    fields.putShort(ip - 2, (short) (version == 4 ? 0x0800 : 0x86dd));
    if (version == 4) {
      fields.put(ip, (byte) 0x46);
      fields.putShort(ip + 2, (short) (end - ip));
      fields.putShort(ip + 6, (short) 0x4000);
      fields.put(ip + 9, (byte) protocol);
    } else {
      fields.put(ip, (byte) 0x60);
      fields.putShort(ip + 4, (short) (end - segment));
      fields.put(ip + 6, (byte) protocol);
    }
    Frame frame = new Frame(bytes, ip, segment, segment + (protocol == TCP ? 16 : 6));
    frame.setChecksum(fold(pseudo(frame, version, protocol, end - segment)));
    return frame;
  }

  private static long words(byte[] bytes, int from, int to) {
    long sum = 0;
    for (int i = from; i < to; i++) {
      sum += (bytes[i] & 0xffL) << ((i - from) % 2 == 0 ? 8 : 0);
    }
    return sum;
  }

  private static long pseudo(Frame frame, int version, int protocol, int length) {
    int from = frame.ip + (version == 4 ? 12 : 8);
    return words(frame.bytes, from, from + (version == 4 ? 8 : 32)) + protocol + length;
  }

  private static int fold(long sum) {
    return sum > 0xffff ? fold((sum & 0xffff) + (sum >> 16)) : (int) sum;
  }

  private boolean complete(Frame frame) {
    Memory.copyFromArray(frame.bytes, 0, memory.address() + 1, frame.bytes.length);
    boolean was = PartialChecksum.complete(memory.address() + 1, frame.bytes.length);
    Memory.copyToArray(memory.address() + 1, frame.bytes, 0, frame.bytes.length);
    return was;
  }

  @ParameterizedTest
  @CsvSource({"4,6,0", "4,17,0", "6,6,0", "6,17,0", "4,6,1", "6,17,1", "4,17,2", "6,6,2"})
  void completesSoThatTheWholeSumsUp(int version, int protocol, int tags) {
    for (int payload = 0; payload < 1400; payload += 7) {
      Frame frame = frame(version, protocol, payload, tags);
      byte[] before = frame.bytes.clone();
      assertTrue(complete(frame));
      int length = (protocol == TCP ? 20 : 8) + payload;
      long sum =
          pseudo(frame, version, protocol, length)
              + words(frame.bytes, frame.segment, frame.segment + length);
      assertEquals(0xffff, fold(sum));
      Frame old = new Frame(before, frame.ip, frame.segment, frame.field);
      old.setChecksum(frame.checksum());
      assertArrayEquals(before, frame.bytes, "nothing but the checksum changes");
    }
  }

  @Test
  void leavesACompleteOneAsItIs() {
    for (int payload = 0; payload < 1400; payload++) {
      Frame frame = frame(4, TCP, payload, 0);
      complete(frame);
      int whole = frame.checksum();
      complete(frame);
      assertEquals(whole, frame.checksum());
    }
  }

  @Test
  void anUdpChecksumOfZeroIsWrittenAsItsOtherForm() {
    Frame frame = frame(4, UDP, 2, 0);
    int partial = frame.checksum();
    int ofOnes = 0;
    for (int payload = 0; payload < 0x10000; payload++) {
      ByteBuffer.wrap(frame.bytes).putShort(frame.segment + 8, (short) payload);
      frame.setChecksum(partial);
      assertTrue(complete(frame));
      assertNotEquals(0, frame.checksum());
      ofOnes += frame.checksum() == 0xffff ? 1 : 0;
    }
    assertTrue(ofOnes > 0);
  }

  @Test
  void leavesFragmentsAndWhatIsCutShort() {
    Frame fragment = frame(4, TCP, 100, 0);
    ByteBuffer.wrap(fragment.bytes).putShort(fragment.ip + 6, (short) 0x2000);
    assertFalse(complete(fragment));
    Frame later = frame(4, UDP, 100, 0);
    ByteBuffer.wrap(later.bytes).putShort(later.ip + 6, (short) 0x0001);
    assertFalse(complete(later));
    Frame tooLong = frame(6, UDP, 100, 0);
    ByteBuffer.wrap(tooLong.bytes).putShort(tooLong.ip + 4, (short) 109);
    assertFalse(complete(tooLong));
    Frame tooShort = frame(4, TCP, 0, 0);
    ByteBuffer.wrap(tooShort.bytes).putShort(tooShort.ip + 2, (short) 43);
    assertFalse(complete(tooShort));
  }

  @Test
  void readsNothingBehindAnyFrame() {
    // The frame ends where the mapping does; a byte more would end the process.
    long end = memory.address() + memory.length();
    for (int i = 0; i < 20_000; i++) {
      int length = random.nextInt(100);
      Frame whole =
          frame(random.nextBoolean() ? 4 : 6, random.nextBoolean() ? TCP : UDP, 20, i % 4);
      int cut = Math.min(length, whole.bytes.length);
      Memory.copyFromArray(whole.bytes, 0, end - cut, cut);
      assertFalse(PartialChecksum.complete(end - cut, cut) && cut < 34);
    }
  }
}
