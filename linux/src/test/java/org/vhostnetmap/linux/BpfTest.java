// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class BpfTest {
  private static final int XDP_PASS = 2;
  private static final int TCX_NEXT = -1;

  @BeforeEach
  void needsTheRight() throws Exception {
    try {
      Bpf.createXskMap(1).close();
    } catch (ErrnoException e) {
      Assumptions.assumeFalse(e.errno() == Errno.EPERM, () -> "no right to use bpf: " + e);
      throw e;
    }
  }

  private static BpfCode answers(int value) {
    return new BpfCode().move(0, value).exit();
  }

  private static Fd passing() throws ErrnoException {
    return Bpf.load(Bpf.PROG_TYPE_XDP, Bpf.ATTACH_XDP, "test_pass", answers(XDP_PASS));
  }

  @Test
  void attachesXdpForAsLongAsTheLinkIsOpen() throws Exception {
    inNamespaceWithVeth(
        index -> {
          try (Fd program = passing()) {
            Fd link = Bpf.link(program.value(), index, Bpf.ATTACH_XDP, Bpf.XDP_FLAGS_SKB_MODE);
            assertTrue(Ip.run("link", "show", "vnm0").contains("xdpgeneric"));
            link.close();
            assertFalse(Ip.run("link", "show", "vnm0").contains("xdpgeneric"));
          }
        });
  }

  @Test
  void oneXdpProgramOfAKindFitsAnInterface() throws Exception {
    inNamespaceWithVeth(
        index -> {
          try (Fd program = passing();
              Fd link = Bpf.link(program.value(), index, Bpf.ATTACH_XDP, Bpf.XDP_FLAGS_DRV_MODE)) {
            assertTrue(link.isOpen());
            ErrnoException busy =
                assertThrows(
                    ErrnoException.class,
                    () -> Bpf.link(program.value(), index, Bpf.ATTACH_XDP, Bpf.XDP_FLAGS_DRV_MODE));
            assertEquals(Errno.EBUSY, busy.errno());
          }
        });
  }

  @Test
  void attachesTcxBothWays() throws Exception {
    inNamespaceWithVeth(
        index -> {
          try (Fd program = Bpf.load(Bpf.PROG_TYPE_SCHED_CLS, 0, "test_next", answers(TCX_NEXT))) {
            for (int way : new int[] {Bpf.ATTACH_TCX_INGRESS, Bpf.ATTACH_TCX_EGRESS}) {
              try (Fd link = Bpf.link(program.value(), index, way, 0)) {
                assertTrue(link.isOpen());
              } catch (ErrnoException e) {
                Assumptions.assumeFalse(
                    e.errno() == Errno.EINVAL, "this kernel has no tcx (Linux 6.6)");
                throw e;
              }
            }
          }
        });
  }

  @Test
  void tellsWhatTheVerifierSays() {
    BpfCode readsBeyondTheContext = new BpfCode().loadWord(0, 1, 4096).exit();
    ErrnoException refused =
        assertThrows(
            ErrnoException.class,
            () -> Bpf.load(Bpf.PROG_TYPE_XDP, Bpf.ATTACH_XDP, "test_bad", readsBeyondTheContext));
    assertTrue(
        refused.toString().contains("test_bad")
            && refused.toString().contains("invalid bpf_context access"),
        refused.toString());
  }

  @Test
  void aMapThatAProgramNamesMayBeClosed() throws Exception {
    Fd map = Bpf.createXskMap(4);
    BpfCode code =
        new BpfCode().loadWord(2, 1, 16).loadMap(1, map.value()).move(3, XDP_PASS).call(51).exit();
    try (Fd program = Bpf.load(Bpf.PROG_TYPE_XDP, Bpf.ATTACH_XDP, "test_redirect", code)) {
      assertTrue(program.isOpen());
      map.close();
    }
  }

  @Test
  void anXskMapTakesNothingButAfXdpSockets() throws Exception {
    try (Fd map = Bpf.createXskMap(4);
        Fd event = EventFd.create()) {
      assertThrows(ErrnoException.class, () -> Bpf.update(map.value(), 0, event.value()));
      ErrnoException none = assertThrows(ErrnoException.class, () -> Bpf.delete(map.value(), 99));
      assertEquals(Errno.EINVAL, none.errno());
    }
  }

  @Test
  void failuresLeaveNoDescriptor() throws Throwable {
    BpfCode answersNothing = new BpfCode().exit();
    OpenFiles.assertNoneLeftBy(
        () -> {
          assertThrows(
              ErrnoException.class,
              () -> Bpf.load(Bpf.PROG_TYPE_XDP, Bpf.ATTACH_XDP, "test_bad", answersNothing));
          assertThrows(ErrnoException.class, () -> Bpf.link(-1, 1, Bpf.ATTACH_XDP, 0));
        });
  }

  private interface Body {
    void run(int interfaceIndex) throws Exception;
  }

  private static void inNamespaceWithVeth(Body body) throws Exception {
    NetworkNamespace.run(
        () -> {
          Ip.run("link", "add", "vnm0", "type", "veth", "peer", "name", "vnm1");
          body.run(Ip.index("vnm0"));
          return null;
        });
  }
}
