// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

final class RefusalsTest {
  private static String register(RegisterRequest request, int errno) {
    NetmapException e = Refusals.of(RequestType.REGISTER, request, errno);
    assertEquals(errno, e.errno());
    return e.toString();
  }

  @ParameterizedTest
  @CsvSource({
    "eth9, 6, no network interface of this name",
    "valeX, 6, valeX:PORT",
    "eth9, 16, plugged into a VALE switch",
    "eth9, 22, MTU is larger than netmap's buffers",
    "vale0:eth9, 22, plugged in by VALE_ATTACH",
    "eth9, 12, ring_size",
    "vale0:p, 12, switch is full",
    "eth9, 95, admode",
    "vale0:p, 5, virtio-net header",
  })
  void tellsWhatTheKernelOnlyTellsItsLog(String name, int errno, String words) {
    String message = register(RegisterRequest.of(name), errno);
    assertTrue(message.contains(words), message);
    assertTrue(message.contains(name), message);
  }

  @Test
  void namesOnlyReasonsThatTheRequestCanHaveMet() {
    RegisterRequest host = RegisterRequest.of("vale0:p").with(PortMode.HOST, 0);
    assertTrue(register(host, Errno.EINVAL).contains("no host rings"));
    RegisterRequest ring = RegisterRequest.of("eth9").with(PortMode.ONE_NIC, 7);
    assertTrue(register(ring, Errno.EINVAL).contains("no ring number 7"));
    RegisterRequest monitor = RegisterRequest.of("eth9").withFlags(NetmapAbi.NR_MONITOR_RX);
    assertTrue(register(monitor, Errno.EINVAL).contains("a monitor only looks"));
    String plain = register(RegisterRequest.of("eth9"), Errno.EINVAL);
    assertFalse(plain.contains("monitor"), plain);
    assertFalse(plain.contains("memory number"), plain);
    RegisterRequest memory = RegisterRequest.of("vale0:p").inMemory(5);
    assertTrue(register(memory, Errno.EINVAL).contains("no memory number 5"));
  }

  @ParameterizedTest
  @EnumSource(RequestType.class)
  void hasWordsForAnyNumberOfAnyRequest(RequestType type) {
    for (int errno = 1; errno < 134; errno++) {
      NetmapException e = Refusals.of(type, RegisterRequest.of("vale0:x"), errno);
      assertFalse(e.toString().isBlank());
      assertEquals(errno, e.errno());
    }
  }

  @Test
  void tellsAMissingModuleFromAMissingRight() {
    assertTrue(Refusals.ofOpen(Errno.ENOENT).toString().contains("not loaded"));
    assertTrue(Refusals.ofOpen(Errno.EACCES).toString().contains("root"));
  }
}
