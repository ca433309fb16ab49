// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventLoop;

/**
 * All ports joined: two are a plain wire, more a learning bridge. Ports are added before {@link
 * #start}; from then on everything here happens on the control thread, and workers only ever see
 * finished plans.
 */
public final class Bridge implements AutoCloseable {
  private static final Duration AGEING_PERIOD = Duration.ofSeconds(10);

  /**
   * How the bridge works.
   *
   * @param workers threads that move frames; 0 for one for each ring that frames come from, while
   *     half of the CPUs stay for the guests
   * @param pollMicros the longest pause between frames that a worker polls through; how long it
   *     does is learned from what paid
   * @param ageingSeconds after which an address that was not seen is forgotten
   * @param cpus processor of each worker; empty to leave that to the kernel. One that is not there
   *     is logged, and its worker runs anywhere
   */
  public record Settings(int workers, long pollMicros, long ageingSeconds, List<Integer> cpus) {
    /** One worker, up to 200 us of polling, 300 s of ageing as IEEE 802.1D recommends. */
    public static final Settings DEFAULT = new Settings(1, 200, 300);

    /** Refuses what makes no sense. */
    public Settings {
      if (workers < 0 || pollMicros < 0 || ageingSeconds < 1) {
        throw new IllegalArgumentException("settings out of range");
      }
      cpus = List.copyOf(cpus);
      if (!cpus.isEmpty() && (workers < 1 || workers > cpus.size())) {
        throw new IllegalArgumentException("each worker needs a processor, or none");
      }
    }

    /** Workers that may run anywhere. */
    public Settings(int workers, long pollMicros, long ageingSeconds) {
      this(workers, pollMicros, ageingSeconds, List.of());
    }
  }

  private final EventLoop loop;
  private final Settings settings;
  private final List<Port> ports = new ArrayList<>();
  private final List<Worker> workers = new ArrayList<>();
  private final List<Forwarding> forwardings = new ArrayList<>();
  private final Map<Source, Lane> lanes = new LinkedHashMap<>();
  private final Map<Source, Integer> homes = new LinkedHashMap<>();
  private MacTable table = new MacTable(1, 1);
  private boolean running;

  /** A bridge without ports. */
  public Bridge(EventLoop loop, Settings settings) {
    this.loop = loop;
    this.settings = settings;
  }

  /** Adds a port, which the bridge will close; before {@link #start} only. */
  public void add(Port port) {
    if (running) {
      throw new IllegalStateException("ports are added before the bridge starts");
    }
    ports.add(port);
  }

  /** Starts to move frames. */
  public void start() throws ErrnoException {
    table = new MacTable(ports.size(), settings.ageingSeconds);
    int count = settings.workers == 0 ? usefulWorkers() : settings.workers;
    for (int i = 0; i < count; i++) {
      Forwarding forwarding = new Forwarding(List.copyOf(ports), table);
      forwardings.add(forwarding);
      Worker worker = new Worker("worker-" + i, cpu(i), settings.pollMicros * 1000, forwarding);
      workers.add(worker);
      worker.start();
    }
    running = true;
    loop.every(AGEING_PERIOD, () -> table.age(System.nanoTime() / 1_000_000_000L));
    portsChanged();
  }

  private int cpu(int worker) {
    return settings.cpus.isEmpty() ? Worker.ANY_CPU : settings.cpus.get(worker);
  }

  private int usefulWorkers() {
    int sources = ports.stream().mapToInt(Port::busySources).sum();
    return Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, Math.max(1, sources));
  }

  /**
   * Control thread: reads the ports' sources anew; on return no worker knows a source that is gone.
   */
  void portsChanged() {
    portsChanged(() -> {});
  }

  /**
   * The same; meanwhile, when no worker knows the old sources and none moves, does {@code last}.
   */
  void portsChanged(Runnable last) {
    if (!running) {
      last.run();
    } else {
      CountDownLatch resume = new CountDownLatch(1);
      try {
        adopt(plan(), resume);
        last.run();
      } finally {
        resume.countDown(); // only now: a source may have gone from one worker to another
      }
    }
  }

  private List<List<Lane>> plan() {
    List<List<Lane>> plans = new ArrayList<>();
    workers.forEach(worker -> plans.add(new ArrayList<>()));
    Map<Source, Lane> known = new LinkedHashMap<>();
    for (int port = 0; port < ports.size(); port++) {
      for (Source source : ports.get(port).sources()) {
        int index = port;
        known.put(source, lanes.computeIfAbsent(source, fresh -> newLane(fresh, index)));
      }
    }
    lanes.keySet().retainAll(known.keySet());
    homes.keySet().retainAll(known.keySet());
    for (Source source : known.keySet()) {
      if (!homes.containsKey(source)) {
        homes.put(source, idlest());
      }
    }
    balance();
    known.forEach((source, lane) -> plans.get(homes.getOrDefault(source, 0)).add(lane));
    return plans;
  }

  /** What we send in a guest's name is nobody's traffic and is not limited. */
  private Lane newLane(Source source, int port) {
    return new Lane(source, port, source.isBusy() ? ports.get(port).policer() : null);
  }

  /** A source stays with its worker, unless others have left and it would be alone elsewhere. */
  private void balance() {
    for (int moves = homes.size(); moves > 0; moves--) {
      int idlest = idlest();
      int busiest = 0;
      for (int w = 1; w < workers.size(); w++) {
        busiest = load(w) > load(busiest) ? w : busiest;
      }
      if (load(busiest) - load(idlest) < 2) {
        return;
      }
      int from = busiest;
      homes.entrySet().stream()
          .filter(home -> isLoad(home, from))
          .findFirst()
          .ifPresent(home -> home.setValue(idlest));
    }
  }

  /** The worker that has the fewest sources. */
  private int idlest() {
    int best = 0;
    for (int w = 1; w < workers.size(); w++) {
      best = load(w) < load(best) ? w : best;
    }
    return best;
  }

  private long load(int worker) {
    return homes.entrySet().stream().filter(home -> isLoad(home, worker)).count();
  }

  private static boolean isLoad(Map.Entry<Source, Integer> home, int worker) {
    return home.getValue() == worker && home.getKey().isBusy();
  }

  private void adopt(List<List<Lane>> plans, CountDownLatch resume) {
    CountDownLatch passed = new CountDownLatch(workers.size());
    for (int w = 0; w < workers.size(); w++) {
      workers.get(w).adopt(plans.get(w), forwardings.get(w), passed, resume);
    }
    Latches.await(passed, "a worker");
  }

  /**
   * Control thread: nobody is behind a port any more; frames for whoever was there are flooded
   * again.
   */
  void forgetAddresses(Port port) {
    if (running) {
      table.forget(ports.indexOf(port));
    }
  }

  /**
   * State and counters of everything, exact: all workers stand between two bursts meanwhile.
   * Control thread.
   */
  public BridgeStatus status() {
    CountDownLatch resume = new CountDownLatch(1);
    try {
      if (running) {
        adopt(plan(), resume);
      }
      List<PortStatus> all = new ArrayList<>();
      for (int port = 0; port < ports.size(); port++) {
        all.add(ports.get(port).status(running ? table.count(port) : 0));
      }
      long copies = forwardings.stream().mapToLong(Forwarding::floodCopies).sum();
      return new BridgeStatus(
          all,
          workers.stream().map(Worker::status).toList(),
          copies,
          table.moves(),
          table.refusals());
    } finally {
      resume.countDown();
    }
  }

  /** Stops the workers, then closes the ports. Control thread, or any when the loop has ended. */
  @Override
  public void close() {
    running = false;
    workers.forEach(Worker::stop);
    workers.clear();
    ports.forEach(Port::close);
  }
}
