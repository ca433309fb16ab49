// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.vhostnetmap.fakes.FakeFrontend.*;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.vhostnetmap.fakes.Descriptors;
import org.vhostnetmap.fakes.FakeDriver;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.virtqueue.GuestFault;

/**
 * Starting, stopping, enabling, breaking and healing rings (vhost-user document, "Ring states").
 */
class RingStatesTest {
  private static final long WITHOUT_BIT_30 = ~(1L << 30) & ~(1L << 35);

  private TestPort port;
  private FakeFrontend qemu;

  @BeforeEach
  void open() throws IOException {
    port = TestPort.of(1);
    qemu = port.frontend();
  }

  @AfterEach
  void close() throws IOException {
    qemu.close();
    port.close();
  }

  private List<Integer> running() throws IOException {
    qemu.barrier();
    return port.plane.running();
  }

  private BackendStatus.Ring ring(int index) {
    return port.status().rings().get(index);
  }

  private void breakRing(int index) {
    port.plane.ring(index).fail(new GuestFault(GuestFault.Reason.DESCRIPTOR_LOOP, "at 17"));
    Waiting.until(() -> ring(index).fault() != null);
  }

  @Nested
  class Starting {
    @Test
    void enableMayComeBeforeEverythingElse() throws IOException {
      qemu.say(SET_VRING_ENABLE, state(0, 1));
      qemu.connectAsQemu(1);
      qemu.startAsQemu(1);
      assertEquals(List.of(0, 1), running());
    }

    @Test
    void aKickDescriptorStartsTheRingWithoutAKick() throws IOException {
      qemu.connectAsQemu(1);
      qemu.sendMemoryTable();
      qemu.startRing(1);
      assertEquals(List.of(1), running());
      assertTrue(port.plane.ring(1).kickFd() >= 0);
    }

    @Test
    void withoutBit30FeaturesEnableAllRings() throws IOException {
      qemu.wanting(WITHOUT_BIT_30).bringUp(1);
      assertEquals(List.of(0, 1), port.plane.running());
    }

    @Test
    void nothingStartsAfterFeaturesThatWereRefused() throws IOException {
      qemu.bringUp(1);
      qemu.say(SET_FEATURES, u64(qemu.features() | 1L << 5));
      assertEquals(List.of(), running());
      qemu.setKick(0);
      assertEquals(List.of(), running());
      qemu.say(SET_FEATURES, u64(qemu.features()));
      assertEquals(List.of(0, 1), running());
    }

    @Test
    void withBit30FeaturesEnableNothing() throws IOException {
      qemu.connectAsQemu(1);
      qemu.say(SET_VRING_ENABLE, state(0, 0));
      qemu.say(SET_VRING_ENABLE, state(1, 0));
      qemu.say(SET_FEATURES, u64(qemu.features()));
      qemu.sendMemoryTable();
      qemu.startRing(0);
      assertEquals(List.of(), running());
      qemu.say(SET_VRING_ENABLE, state(0, 1));
      assertEquals(List.of(0), running());
    }

    @Test
    void pollingRingsHaveNoDescriptors() throws IOException {
      qemu.bringUp(1);
      qemu.setNone(SET_VRING_KICK, 0);
      qemu.setNone(SET_VRING_CALL, 0);
      qemu.barrier();
      assertEquals(List.of(0, 1), running());
      assertEquals(-1, port.plane.ring(0).kickFd());
      assertFalse(port.plane.ring(0).canCall());
      assertFalse(port.plane.ring(0).call());
    }

    @Test
    void anotherKickDescriptorStartsTheRingAnew() throws IOException {
      qemu.bringUp(1);
      Vring before = port.plane.ring(0);
      port.plane.events();
      qemu.setKick(0);
      qemu.barrier();
      assertEquals(List.of("run [1]", "run [0, 1]"), port.plane.events());
      assertNotSame(before, port.plane.ring(0));
    }

    @Test
    void memoryThatComesLateCuresARingThatWasNowhere() throws IOException {
      qemu.connectAsQemu(1);
      qemu.startRing(1);
      assertEquals(List.of(), running());
      assertTrue(ring(1).text().contains("share=on"), ring(1).text());
      assertEquals(ring(1).text(), port.status().lastTrouble());
      qemu.sendMemoryTable();
      assertEquals(List.of(1), running());
    }

    @Test
    void aRingWithoutSizeOrAddressesBreaksAlone() throws IOException {
      qemu.connectAsQemu(1);
      qemu.sendMemoryTable();
      qemu.setKick(0);
      qemu.startRing(1);
      assertEquals(List.of(1), running());
      assertEquals("ring 0 stopped: started without a size", port.status().text());
    }
  }

  @Nested
  class Base {
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 0xfff0, 0xffff, 0x12345})
    void goesRoundInItsLow16Bits(int base) throws IOException {
      qemu.say(SET_VRING_BASE, state(1, base));
      assertEquals(base & 0xffff, qemu.getBase(1));
    }

    @Test
    void mayBeAheadOfWhatWasAnswered() throws IOException {
      qemu.bringUp(1);
      assertEquals(0, qemu.getBase(1));
      qemu.driver(1).startingAt(10);
      qemu.say(SET_VRING_BASE, state(1, 10));
      qemu.say(SET_VRING_NUM, state(1, 256));
      qemu.say(SET_VRING_ADDR, qemu.address(1, 0));
      qemu.setKick(1);
      qemu.barrier();
      assertEquals(10, port.plane.ring(1).queue().base());
      assertEquals(10, port.plane.ring(1).queue().usedIndex());
    }

    @Test
    void statusZeroStopsButKeepsTheIndexForTheQuestionThatFollows() throws IOException {
      qemu.connectAsQemu(1);
      qemu.sendMemoryTable();
      qemu.driver(0).startingAt(77);
      qemu.say(SET_VRING_NUM, state(0, 256));
      qemu.say(SET_VRING_BASE, state(0, 77));
      qemu.say(SET_VRING_ADDR, qemu.address(0, 0));
      qemu.setKick(0);
      assertEquals(List.of(0), running());
      qemu.say(SET_STATUS, u64(0));
      assertEquals(List.of(), running());
      assertEquals(77, qemu.getBase(0));
    }

    @Test
    void askingForItStopsTheRingBeforeTheAnswer() throws IOException {
      qemu.bringUp(1);
      port.plane.events();
      qemu.getBase(0);
      assertEquals(List.of("run [1]"), port.plane.events());
      assertFalse(ring(0).hasKick());
      assertFalse(ring(0).hasCall());
      assertEquals(BackendStatus.RingState.STOPPED, ring(0).state());
    }
  }

  @Nested
  class Calls {
    @Test
    void reachTheGuest() throws IOException {
      qemu.bringUp(1);
      qemu.awaitCall(0, 0);
      assertTrue(port.plane.ring(0).call());
      assertTrue(qemu.awaitCall(0, 1000));
      assertEquals(1, ring(0).calls());
    }

    @Test
    void moveToANewDescriptorThatIsSignalledOnce() throws IOException {
      qemu.bringUp(1);
      port.plane.events();
      qemu.setCall(0);
      assertTrue(qemu.awaitCall(0, 1000), "calls may have been lost in between");
      assertEquals(List.of(), port.plane.events(), "the ring runs on");
      assertFalse(qemu.awaitCall(0, 0));
      assertTrue(port.plane.ring(0).call());
      assertTrue(qemu.awaitCall(0, 1000));
    }

    @Test
    void restTheRingWhenTheDescriptorIsOfAnotherKind() throws IOException {
      qemu.bringUp(1);
      port.plane.events();
      Fd[] pipe = Descriptors.pipe();
      try (Fd reader = pipe[0];
          Fd writer = pipe[1];
          Epoll epoll = new Epoll(1)) {
        epoll.add(reader.value(), Epoll.IN, 1);
        qemu.say(SET_VRING_CALL, u64(0), writer.value());
        assertEquals(List.of(0, 1), running());
        assertEquals(List.of("run [1]", "run [0, 1]"), port.plane.events());
        assertEquals(1, epoll.await(1000));
      }
    }

    @Test
    void areNotTriedAgainWhenNobodyIsThere() throws IOException {
      qemu.bringUp(1);
      Fd[] pipe = Descriptors.pipe();
      qemu.say(SET_VRING_CALL, u64(0), pipe[1].value());
      qemu.barrier();
      pipe[0].close();
      pipe[1].close();
      assertFalse(port.plane.ring(0).call());
      assertFalse(port.plane.ring(0).call());
      assertEquals(List.of(0, 1), running());
      qemu.setCall(0);
      assertEquals(List.of(0, 1), running());
      assertTrue(port.plane.ring(0).call(), "the next one is tried");
    }

    @Test
    void needNoQuiescenceWhileTheRingRests() throws IOException {
      qemu.connectAsQemu(1);
      qemu.setCall(0);
      qemu.barrier();
      assertFalse(qemu.awaitCall(0, 0));
      assertEquals(List.of(), port.plane.events());
    }
  }

  @Nested
  class Disabled {
    @Test
    void isTakenFromTheDataPlaneAndGivenBackWhereItWas() throws IOException {
      qemu.bringUp(1);
      qemu.say(SET_VRING_ENABLE, state(0, 0));
      assertEquals(List.of(1), running());
      qemu.driver(0).postReceive(100);
      assertEquals("ring 0 is disabled by the guest", ring(0).text());
      qemu.say(SET_VRING_ENABLE, state(0, 1));
      assertEquals(List.of(0, 1), running());
      assertEquals(0, port.plane.ring(0).queue().base(), "receive buffers stay");
      assertEquals(0, ring(0).discarded());
    }

    @Test
    void transmitRingIsNotTouchedButEmptiedWhenItComesBack() throws IOException {
      qemu.bringUp(1);
      qemu.say(SET_VRING_ENABLE, state(1, 0));
      for (int i = 0; i < 5; i++) {
        qemu.driver(1).send(new byte[60]);
      }
      qemu.barrier();
      assertEquals(0, qemu.driver(1).usedIndex());
      qemu.say(SET_VRING_ENABLE, state(1, 1));
      assertEquals(List.of(0, 1), running());
      assertEquals(5, qemu.driver(1).usedIndex());
      assertEquals(5, ring(1).discarded());
      assertEquals(5, port.plane.ring(1).queue().base());
    }

    @Test
    void goodChainsBeforeABadOneAreGivenBack() throws IOException {
      qemu.bringUp(1);
      qemu.say(SET_VRING_ENABLE, state(1, 0));
      qemu.driver(1).send(new byte[60]);
      FakeDriver ring = qemu.driver(1);
      ring.descriptor(7, ring.arena(), 60, FakeDriver.NEXT, 7);
      ring.available(7);
      qemu.say(SET_VRING_ENABLE, state(1, 1));
      assertEquals(List.of(0), running());
      assertEquals(1, ring.usedIndex());
      assertEquals(1, ring(1).availableIndex());
    }

    @Test
    void transmitRingStartedAnewKeepsWhatTheGuestSent() throws IOException {
      qemu.bringUp(1);
      qemu.say(SET_VRING_ENABLE, state(1, 0));
      qemu.driver(1).send(new byte[60]);
      qemu.setKick(1);
      qemu.say(SET_VRING_ENABLE, state(1, 1));
      assertEquals(List.of(0, 1), running());
      assertEquals(0, ring(1).discarded());
    }

    @Test
    void staysDisabledAcrossStopAndStart() throws IOException {
      qemu.bringUp(1);
      qemu.say(SET_VRING_ENABLE, state(0, 0));
      qemu.getBase(0);
      qemu.startRing(0);
      assertEquals(List.of(1), running());
    }

    @Test
    void resetOwnerDisablesAll() throws IOException {
      qemu.bringUp(1);
      qemu.say(4, new byte[0]);
      assertEquals(List.of(), running());
      qemu.say(SET_VRING_ENABLE, state(0, 1));
      assertEquals(List.of(0), running());
    }

    @Test
    void resetDeviceForgetsAllButMemoryAndCalls() throws IOException {
      qemu.bringUp(1);
      assertEquals(0, qemu.tell(34, new byte[0]));
      assertEquals(List.of(), running());
      assertEquals(2, port.status().memory().size());
      assertEquals(0, port.status().driverStatus());
      assertEquals(List.of(), port.status().features());
      assertTrue(ring(0).hasCall());
      qemu.startAsQemu(1);
      assertEquals(List.of(0, 1), running());
    }
  }

  @Nested
  class Broken {
    @Test
    void stopsAloneWithAReasonAndASignal() throws IOException {
      qemu.bringUp(1);
      breakRing(1);
      assertEquals(List.of(0), running());
      assertEquals("ring 1 stopped: descriptor loop at 17", port.status().text());
      assertEquals(BackendStatus.State.BROKEN, port.status().state());
      assertTrue(qemu.awaitErr(1, 1000));
      assertEquals(0, qemu.getBase(1));
    }

    @Test
    void failsOnceHoweverOftenTheWorkersSaySo() throws IOException {
      qemu.bringUp(1);
      Vring vring = port.plane.ring(1);
      breakRing(1);
      vring.fail(new GuestFault(GuestFault.Reason.ADDRESS, ""));
      qemu.barrier();
      assertEquals(1, ring(1).faults());
    }

    @Test
    void healsAtTheNextStart() throws IOException {
      qemu.bringUp(1);
      breakRing(1);
      qemu.setKick(1);
      assertEquals(List.of(0, 1), running());
      assertEquals("guest driver up", port.status().text());
    }

    @Test
    void healsAtResetAndReconnect() throws IOException {
      qemu.bringUp(1);
      breakRing(1);
      qemu.say(SET_STATUS, u64(0));
      qemu.barrier();
      assertEquals(null, ring(1).fault());
      qemu.close();
      Waiting.until(() -> port.status().state() == BackendStatus.State.WAITING);
      qemu = port.frontend().bringUp(1);
      assertEquals(List.of(0, 1), port.plane.running());
    }

    @Test
    void lateFaultOfAnEarlierLifeIsForgotten() throws IOException {
      qemu.bringUp(1);
      Vring old = port.plane.ring(1);
      qemu.setKick(1);
      qemu.barrier();
      old.fail(new GuestFault(GuestFault.Reason.ADDRESS, ""));
      assertEquals(List.of(0, 1), running());
      assertEquals(null, ring(1).fault());
    }
  }

  /** T-late: nothing that a ring rests on changes under it. */
  @Nested
  class Late {
    @Test
    void sizeBaseAndAddressesAreRefusedWhileTheRingRuns() throws IOException {
      qemu.bringUp(1);
      assertEquals(1, qemu.tell(SET_VRING_NUM, state(0, 128)));
      assertEquals(1, qemu.tell(SET_VRING_BASE, state(0, 5)));
      assertEquals(1, qemu.tell(SET_VRING_ADDR, other(qemu.address(0, 0))));
      assertEquals(List.of(0, 1), running());
      assertEquals(256, ring(0).size());
    }

    @Test
    void theSameAddressesAreNoChange() throws IOException {
      qemu.bringUp(1);
      port.plane.events();
      assertEquals(0, qemu.tell(SET_VRING_ADDR, qemu.address(0, 0x1000)));
      assertEquals(List.of(), port.plane.events());
    }

    @Test
    void featuresAreRefusedWhileRingsRun() throws IOException {
      qemu.bringUp(1);
      assertEquals(0, qemu.tell(SET_FEATURES, u64(qemu.features())));
      assertEquals(1, qemu.tell(SET_FEATURES, u64(1L << 32)));
      assertEquals(List.of(0, 1), running());
    }

    private static byte[] other(byte[] address) {
      byte[] moved = address.clone();
      moved[9] ^= 0x10; // the descriptor table, 4096 bytes on
      return moved;
    }
  }
}
