// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.util.Base64;

/**
 * QEMU's qtest protocol: reads and writes I/O ports, device registers and guest memory from
 * outside, as if the processor did. One command per line, one answer per line ({@code OK}, {@code
 * OK value}, {@code FAIL why}).
 *
 * <p>Addresses are guest-physical; numbers are as the guest's processor would see them
 * (little-endian on x86). Memory beyond RAM is no error: it reads as ones and swallows writes.
 * Every method waits for the answer, some 50 us, so that what it asked has happened. Thread-safe.
 */
public final class Qtest {
  private final BufferedReader in;
  private final OutputStream out;

  /** Talks to a QEMU that was started with {@code -qtest}, over these streams. */
  public Qtest(InputStream in, OutputStream out) {
    this.in = new BufferedReader(new InputStreamReader(in, US_ASCII));
    this.out = out;
  }

  /** Sends one command; what follows {@code OK}. */
  public synchronized String command(String words) throws IOException {
    out.write((words + "\n").getBytes(US_ASCII));
    out.flush();
    String answer = in.readLine();
    if (answer == null) {
      throw new IOException("QEMU is gone after: " + shortened(words));
    }
    if (!answer.startsWith("OK")) {
      throw new IOException(answer + " after: " + shortened(words));
    }
    return answer.substring(2).strip();
  }

  private static String shortened(String words) {
    return words.length() <= 80 ? words : words.substring(0, 80) + "...";
  }

  private long load(String command, long address) throws IOException {
    return Long.parseUnsignedLong(command(command + hex(address)).substring(2), 16);
  }

  private void store(String command, long address, long value) throws IOException {
    command(command + hex(address) + hex(value));
  }

  private static String hex(long value) {
    return " 0x" + Long.toHexString(value);
  }

  /** Reads a byte from an I/O port. */
  public int inb(int port) throws IOException {
    return (int) load("inb", port);
  }

  /** Reads 16 bits from an I/O port. */
  public int inw(int port) throws IOException {
    return (int) load("inw", port);
  }

  /** Reads 32 bits from an I/O port. */
  public int inl(int port) throws IOException {
    return (int) load("inl", port);
  }

  /** Writes a byte to an I/O port. */
  public void outb(int port, int value) throws IOException {
    store("outb", port, value & 0xff);
  }

  /** Writes 16 bits to an I/O port. */
  public void outw(int port, int value) throws IOException {
    store("outw", port, value & 0xffff);
  }

  /** Writes 32 bits to an I/O port. */
  public void outl(int port, int value) throws IOException {
    store("outl", port, value & 0xffffffffL);
  }

  /** Reads a byte of memory or a register. */
  public int readb(long address) throws IOException {
    return (int) load("readb", address);
  }

  /** Reads 16 bits of memory or a register. */
  public int readw(long address) throws IOException {
    return (int) load("readw", address);
  }

  /** Reads 32 bits of memory or a register. */
  public int readl(long address) throws IOException {
    return (int) load("readl", address);
  }

  /** Reads 64 bits of memory or a register. */
  public long readq(long address) throws IOException {
    return load("readq", address);
  }

  /** Writes a byte of memory or a register. */
  public void writeb(long address, int value) throws IOException {
    store("writeb", address, value & 0xff);
  }

  /** Writes 16 bits of memory or a register. */
  public void writew(long address, int value) throws IOException {
    store("writew", address, value & 0xffff);
  }

  /** Writes 32 bits of memory or a register. */
  public void writel(long address, int value) throws IOException {
    store("writel", address, value & 0xffffffffL);
  }

  /** Writes 64 bits of memory or a register. */
  public void writeq(long address, long value) throws IOException {
    store("writeq", address, value);
  }

  /** Reads {@code length} bytes of memory; at least one. */
  public byte[] read(long address, int length) throws IOException {
    return Base64.getDecoder().decode(command("b64read" + hex(address) + hex(length)));
  }

  /** Writes bytes to memory; at least one. */
  public void write(long address, byte... bytes) throws IOException {
    String text = Base64.getEncoder().encodeToString(bytes);
    command("b64write" + hex(address) + hex(bytes.length) + " " + text);
  }

  /** Fills memory with one byte's value. */
  public void memset(long address, long length, int value) throws IOException {
    command("memset" + hex(address) + hex(length) + hex(value & 0xff));
  }
}
