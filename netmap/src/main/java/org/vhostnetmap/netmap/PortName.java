// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;

/**
 * A netmap port as netmap's own tools write it, read once:
 *
 * <pre>
 *   netmap:NAME [mode] [/flags] [@memory] [@option]...        netmap:eth0-2/x  netmap:eth0^
 *   valeX:NAME  [mode] [/flags] [@memory] [@option]...        vale0:vm1@conf:rings=2,slots=256
 *
 *   NAME    an interface or a port of the switch, then for a pipe { or } and its id: netmap:a{1
 *   mode    nothing: all NIC rings  *: and host rings  ^: host rings  ^N: one pair  -N: one NIC pair
 *   flags   x exclusive, r and t monitor RX and TX, z zero-copy monitor of both, R and T bind only
 *           RX or TX rings
 *   memory  the number of a memory
 *   option  share=PORT, conf:KEY=N,..., extmem=FILE, offset=N
 * </pre>
 *
 * <p>The reading follows libnetmap's; where that takes what can't work (an empty pipe id, a number
 * with letters behind it), this refuses.
 *
 * @param text as it was written
 * @param request what the name alone says; a memory to share is not in it
 * @param share kernel name of the port whose memory is to be used
 * @param externalMemory the file that the memory is to be in
 * @param offset where data is to begin in each buffer
 */
public record PortName(
    String text,
    RegisterRequest request,
    @Nullable String share,
    @Nullable ExternalMemory externalMemory,
    @Nullable Offset offset) {

  /**
   * {@code @extmem}: netmap's memory in a file of the user's; numbers that are 0 are netmap's own.
   */
  public record ExternalMemory(
      String file,
      int interfaces,
      int interfaceBytes,
      int rings,
      int ringBytes,
      int buffers,
      int bufferBytes) {}

  /** {@code @offset}: bytes before the data in each buffer, and bits to say so, 0 for all. */
  public record Offset(int initial, int bits) {}

  /**
   * Reads a name.
   *
   * @throws PortNameException with the character where it goes wrong
   */
  public static PortName parse(String text) throws PortNameException {
    return new PortNameParser(text).parse();
  }

  /**
   * What to ask a device for, with the memory of the port to share looked up there.
   *
   * @throws NetmapException EOPNOTSUPP for memory in a file and for offsets, which no device here
   *     serves; EINVAL for two different memories; what the device says of the port to share with
   */
  public RegisterRequest request(NetmapDevice device) throws NetmapException {
    if (externalMemory != null) {
      throw new NetmapException(
          text + ": @extmem is not served: netmap's memory is laid out by netmap",
          Errno.EOPNOTSUPP);
    }
    if (offset != null) {
      throw new NetmapException(
          text + ": @offset is not served: frames begin where the device puts them",
          Errno.EOPNOTSUPP);
    }
    if (share == null) {
      return request;
    }
    int memory = device.info(share, 0).memoryId();
    if (request.memoryId() != 0 && request.memoryId() != memory) {
      throw new NetmapException(
          text + ": @share=" + share + " is memory " + memory + ", not " + request.memoryId(),
          Errno.EINVAL);
    }
    return request.inMemory(memory);
  }

  /**
   * Its name as the kernel knows it, such as {@code eth0} or {@code vale0:p}; a pipe's with its
   * brace.
   */
  public String name() {
    return request.name();
  }

  /** The same without a pipe's brace and id. */
  public String base() {
    int brace = brace();
    return brace < 0 ? name() : name().substring(0, brace);
  }

  /** Whether it is a port of a VALE switch, or a pipe of one. */
  public boolean isVale() {
    return name().startsWith("vale") && name().indexOf(':') >= 0;
  }

  /** Whether it is one end of a pipe. */
  public boolean isPipe() {
    return brace() >= 0;
  }

  /** Whether it only sees what goes through another port. */
  public boolean isMonitor() {
    long monitor = NetmapAbi.NR_MONITOR_RX | NetmapAbi.NR_MONITOR_TX | NetmapAbi.NR_ZCOPY_MON;
    return (request.flags() & monitor) != 0;
  }

  private int brace() {
    int open = name().indexOf('{');
    return open >= 0 ? open : name().indexOf('}');
  }
}
