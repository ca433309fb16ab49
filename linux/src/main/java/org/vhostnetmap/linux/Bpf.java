// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.vhostnetmap.linux.libc.Native;

/**
 * bpf(2): maps, programs and links, for the few instructions that steer frames. Control plane. What
 * a method returns vanishes when its last descriptor is closed, by death of the process too; a link
 * keeps its program, and a program its maps.
 *
 * <p>A process without CAP_BPF and CAP_NET_ADMIN in the first user namespace gets {@code EPERM}: a
 * container's own namespace does not do.
 */
public final class Bpf {
  /** Program type: classifier of tc and tcx. */
  public static final int PROG_TYPE_SCHED_CLS = 3;

  /** Program type: XDP. */
  public static final int PROG_TYPE_XDP = 6;

  /** Attach type: XDP. */
  public static final int ATTACH_XDP = 37;

  /** Attach type: frames that come in, before tc; Linux 6.6 and later. */
  public static final int ATTACH_TCX_INGRESS = 46;

  /** Attach type: frames that go out, before tc; Linux 6.6 and later. */
  public static final int ATTACH_TCX_EGRESS = 47;

  /** Link flag for XDP: the stack's generic hook. */
  public static final int XDP_FLAGS_SKB_MODE = 2;

  /** Link flag for XDP: the driver's hook. */
  public static final int XDP_FLAGS_DRV_MODE = 4;

  private static final int MAP_CREATE = 0;
  private static final int MAP_UPDATE_ELEM = 2;
  private static final int MAP_DELETE_ELEM = 3;
  private static final int PROG_LOAD = 5;
  private static final int LINK_CREATE = 28;

  private static final int MAP_TYPE_XSKMAP = 17;
  private static final int NAME_BYTES = 16;
  private static final int LOG_BYTES = 65536;
  private static final int LOG_SHOWN = 2000;

  private static final int SYS_BPF = "aarch64".equals(System.getProperty("os.arch")) ? 280 : 321;

  private Bpf() {}

  /** An empty map from queue number to AF_XDP socket. */
  public static Fd createXskMap(int entries) throws ErrnoException {
    Attributes attributes = new Attributes(48);
    attributes.fields.putInt(0, MAP_TYPE_XSKMAP);
    attributes.fields.putInt(4, Integer.BYTES);
    attributes.fields.putInt(8, Integer.BYTES);
    attributes.fields.putInt(12, entries);
    return new Fd(call(MAP_CREATE, attributes, "bpf: create an XSKMAP of " + entries));
  }

  /** {@code map[key] = value}, both of 32 bits. */
  public static void update(int map, int key, int value) throws ErrnoException {
    element(MAP_UPDATE_ELEM, map, key, value, "bpf: set entry " + key + " of a map");
  }

  /** Takes an entry away; ENOENT when there is none. */
  public static void delete(int map, int key) throws ErrnoException {
    element(MAP_DELETE_ELEM, map, key, 0, "bpf: delete entry " + key + " of a map");
  }

  private static void element(int command, int map, int key, int value, String what)
      throws ErrnoException {
    try (Mapping scratch = Mapping.anonymous(4096)) {
      Memory.putInt(scratch.address(), key);
      Memory.putInt(scratch.address() + 8, value);
      Attributes attributes = new Attributes(32);
      attributes.fields.putInt(0, map);
      attributes.fields.putLong(8, scratch.address());
      attributes.fields.putLong(16, scratch.address() + 8);
      call(command, attributes, what);
    }
  }

  /**
   * Loads a program.
   *
   * @param type such as {@link #PROG_TYPE_XDP}
   * @param attachType what it will be attached as, or 0 where the type leaves that open
   * @param name up to 15 letters, digits, underscores or dots, by which bpftool shows it
   * @throws ErrnoException also when the verifier refuses; its words are then in the message
   */
  public static Fd load(int type, int attachType, String name, BpfCode code) throws ErrnoException {
    long[] instructions = code.instructions();
    int codeBytes = Math.multiplyExact(instructions.length, Long.BYTES);
    try (Mapping scratch = Mapping.anonymous(LOG_BYTES + 16L + codeBytes)) {
      long license = scratch.address() + LOG_BYTES;
      // Apache-2.0 is none of the kernel's words, and no helper that we call wants the GPL.
      copyString("Apache-2.0", license);
      for (int i = 0; i < instructions.length; i++) {
        Memory.putLong(license + 16 + (long) Long.BYTES * i, instructions[i]);
      }
      Attributes attributes = new Attributes(120);
      attributes.fields.putInt(0, type);
      attributes.fields.putInt(4, instructions.length);
      attributes.fields.putLong(8, license + 16);
      attributes.fields.putLong(16, license);
      putName(attributes, 48, name);
      attributes.fields.putInt(68, attachType);
      return loadOrExplain(attributes, scratch.address(), "bpf: load program " + name);
    }
  }

  /** A second try with the verifier's log, because the first is quicker without. */
  private static Fd loadOrExplain(Attributes attributes, long log, String what)
      throws ErrnoException {
    try {
      return new Fd(call(PROG_LOAD, attributes, what));
    } catch (ErrnoException e) {
      if (e.errno() == Errno.EPERM) {
        throw e;
      }
    }
    attributes.fields.putInt(24, 1);
    attributes.fields.putInt(28, LOG_BYTES);
    attributes.fields.putLong(32, log);
    long result = raw(PROG_LOAD, attributes);
    if (result < 0) {
      int errno = Native.errno();
      String words = string(log, LOG_BYTES).strip();
      String shown = words.substring(Math.max(0, words.length() - LOG_SHOWN));
      throw new ErrnoException(shown.isEmpty() ? what : what + " (" + shown + ")", errno);
    }
    return new Fd((int) result);
  }

  /**
   * Attaches a program to an interface until the link's descriptor is closed. After the interface
   * is gone the link stays as an empty shell.
   *
   * @param attachType such as {@link #ATTACH_XDP}
   * @param flags of that attach type, such as {@link #XDP_FLAGS_DRV_MODE}
   */
  public static Fd link(int program, int interfaceIndex, int attachType, int flags)
      throws ErrnoException {
    Attributes attributes = new Attributes(32);
    attributes.fields.putInt(0, program);
    attributes.fields.putInt(4, interfaceIndex);
    attributes.fields.putInt(8, attachType);
    attributes.fields.putInt(12, flags);
    return new Fd(
        call(LINK_CREATE, attributes, "bpf: attach a program to interface " + interfaceIndex));
  }

  /** {@code union bpf_attr}, as long as the command needs it. */
  private static final class Attributes {
    final byte[] bytes;
    final ByteBuffer fields;

    Attributes(int length) {
      bytes = new byte[length];
      fields = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    }
  }

  private static int call(int command, Attributes attributes, String what) throws ErrnoException {
    long result = raw(command, attributes);
    if (result < 0) {
      throw new ErrnoException(what, Native.errno());
    }
    return (int) result;
  }

  private static long raw(int command, Attributes attributes) {
    return Native.C.syscall(SYS_BPF, command, attributes.bytes, attributes.bytes.length);
  }

  private static void putName(Attributes attributes, int at, String name) {
    byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
    if (bytes.length >= NAME_BYTES) {
      throw new IllegalArgumentException("a BPF name of 16 bytes or more: " + name);
    }
    attributes.fields.put(at, bytes);
  }

  private static void copyString(String string, long to) {
    byte[] bytes = string.getBytes(StandardCharsets.US_ASCII);
    Memory.copyFromArray(bytes, 0, to, bytes.length);
  }

  private static String string(long from, int most) {
    byte[] bytes = new byte[most];
    Memory.copyToArray(from, bytes, 0, most);
    int end = 0;
    while (end < most && bytes[end] != 0) {
      end++;
    }
    return new String(bytes, 0, end, StandardCharsets.US_ASCII);
  }
}
