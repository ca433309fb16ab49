// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.util.Set;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.EventFd;
import org.vhostnetmap.linux.Fd;

/** What kicks and calls cost whoever makes them or looks for them, while nobody sleeps on them. */
final class NotificationSection implements Section {
  private static final int CALLS = 50_000;
  private static final int WARM_UP_ROUNDS = 5;

  @Override
  public String name() {
    return "notifications";
  }

  @Override
  public Set<String> words() {
    return Set.of();
  }

  @Override
  public void run(Selection selection, Report report) throws Exception {
    if (!selection.wants(name())) {
      return;
    }
    report.title("Kicks and calls");
    report.note("One thread, nobody asleep at the other end; with the JVM's way into the kernel.");
    report.table("what", "ns, quartiles");
    try (Fd event = EventFd.create();
        Epoll epoll = new Epoll(4)) {
      epoll.add(event.value(), Epoll.IN | Epoll.EDGE, 1);
      row(
          selection,
          report,
          "a kick or call: write to an eventfd",
          () -> EventFd.signal(event.value()));
      row(selection, report, "taking kicks away: read", () -> EventFd.drain(event.value()));
      row(
          selection,
          report,
          "looking whether a ring at rest was kicked: epoll_wait(0)",
          () -> epoll.await(0));
    }
  }

  private static void row(Selection selection, Report report, String what, Runnable call) {
    double[] nanos = new double[selection.pairs()];
    for (int round = -WARM_UP_ROUNDS; round < nanos.length; round++) {
      long start = System.nanoTime();
      for (int i = 0; i < CALLS; i++) {
        call.run();
      }
      if (round >= 0) {
        nanos[round] = (double) (System.nanoTime() - start) / CALLS;
      }
    }
    Quartiles all = Quartiles.of(nanos);
    report.row(what, "%.0f (%.0f to %.0f)".formatted(all.median(), all.low(), all.high()));
  }
}
