// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.LinkEvent;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.netmap.NetmapRing;
import org.vhostnetmap.netmap.PortInfo;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * A netmap port as a port of the bridge: the rings of a NIC, the host's rings behind one, a port of
 * a VALE switch, an end of a pipe, a monitor. Each RX ring is a source, all TX rings are one sink.
 *
 * <p>When what is behind it goes away (the NIC is unplugged, renamed, taken by somebody) it is down
 * with a reason and tries again until it is back; its counters live on, and no other port notices.
 */
public final class NetmapBridgePort extends Port {
  private static final System.Logger LOG = System.getLogger(NetmapBridgePort.class.getName());

  /** Slots of a frame on a pipe or VALE port; a NIC without code of its own for it takes 1. */
  private static final int LONGEST_CHAIN = 64;

  private static final List<NetmapRing> NO_RINGS = List.of();
  private static final String LINK_DOWN = "the link is down";
  private static final Duration LOOK_WHILE_UP = Duration.ofSeconds(1);
  private static final Duration TRY_WHILE_DOWN = Duration.ofMillis(250);

  private final Bridge bridge;
  private final EventLoop loop;
  private final NetmapDevice device;
  private final RegisterRequest request;
  private final boolean lossless;
  private final int longestChain;
  private final QueueCounters portCounters = new QueueCounters("out", false);
  private final List<QueueCounters> inCounters = new ArrayList<>();
  private final List<QueueCounters> outCounters = new ArrayList<>();
  private final FlowSink sink;
  private List<Source> sources = List.of();
  private List<NetmapSink> sinks = List.of();
  private @Nullable NetmapBindings bindings; // while up
  private @Nullable NicLink link; // while up, for ports of a network device
  private EventLoop.@Nullable Timer timer;
  private String trouble = "";
  private String linkTrouble = "";
  private long downSince;
  private long reattached;
  private boolean closed;

  /**
   * Opens the rings.
   *
   * @param request what to open; not the mode NIC_AND_HOST, which is two ports of a bridge
   * @throws NetmapException what the device says; afterwards nothing is open
   */
  public NetmapBridgePort(
      String name, Bridge bridge, EventLoop loop, NetmapDevice device, RegisterRequest request)
      throws NetmapException {
    super(name);
    this.bridge = bridge;
    this.loop = loop;
    this.device = device;
    this.request = request;
    lossless = request.name().indexOf('{') >= 0 || request.name().indexOf('}') >= 0;
    boolean nic = !lossless && request.name().indexOf(':') < 0;
    longestChain = nic ? 1 : LONGEST_CHAIN;
    DropReason none = sends(request) ? DropReason.NOT_READY : DropReason.RECEIVES_ONLY;
    sink = new FlowSink(portCounters, none, DropReason.QUEUE_FULL);
    attach();
    lookAgain();
  }

  private static boolean sends(RegisterRequest request) {
    return !NetmapBindings.isMonitor(request) && !request.has(NetmapAbi.NR_RX_RINGS_ONLY);
  }

  private void attach() throws NetmapException {
    NicLink freshLink = findLink();
    NetmapBindings fresh = NetmapBindings.open(device, request);
    List<Source> freshSources = new ArrayList<>();
    List<NetmapSink> freshSinks = new ArrayList<>();
    for (NetmapPort open : fresh.opens()) {
      List<NetmapSink> ofThisOpen = new ArrayList<>();
      for (NetmapRing ring : sends(request) ? both(open.txRings(), open.hostTxRings()) : NO_RINGS) {
        QueueCounters counters = counters(outCounters, "out", freshSinks.size(), false);
        ofThisOpen.add(new NetmapSink(ring, open::txSync, counters, longestChain));
        freshSinks.add(ofThisOpen.getLast());
      }
      List<NetmapRing> rx = both(open.rxRings(), open.hostRxRings());
      if (!rx.isEmpty()) {
        QueueCounters counters = counters(inCounters, "in", freshSources.size(), true);
        freshSources.add(new NetmapReceive(open, rx, ofThisOpen, lossless, counters));
      }
    }
    bindings = fresh;
    link = freshLink;
    sources = List.copyOf(freshSources);
    sinks = List.copyOf(freshSinks);
    useSinks();
  }

  /** Looked up before the rings are: a device that is exchanged meanwhile is noticed. */
  private @Nullable NicLink findLink() {
    if (lossless || request.name().indexOf(':') >= 0) {
      return null;
    }
    try {
      return new NicLink(request.name());
    } catch (ErrnoException none) {
      return null; // the device will say what it has to say about the name
    }
  }

  /** Nothing is put into rings that nobody would drain. */
  private void useSinks() {
    sink.use(link == null || link.isUsable() ? sinks : List.of());
  }

  private static List<NetmapRing> both(List<NetmapRing> nic, List<NetmapRing> host) {
    List<NetmapRing> rings = new ArrayList<>(nic);
    rings.addAll(host);
    return rings;
  }

  /** Counters stay with a ring's number, however often the port comes back. */
  private static QueueCounters counters(
      List<QueueCounters> known, String word, int number, boolean source) {
    if (number == known.size()) {
      known.add(new QueueCounters(word + number, source));
    }
    return known.get(number);
  }

  private void lookAgain() {
    EventLoop.Timer known = timer;
    if (known != null) {
      known.cancel();
    }
    Duration delay = bindings == null ? TRY_WHILE_DOWN : LOOK_WHILE_UP;
    timer = loop.schedule(delay, this::check);
  }

  /**
   * Control thread: goes down when the rings or the network device can't go on, comes back when
   * they can again.
   */
  void check() {
    NetmapBindings known = bindings;
    if (closed) {
      return;
    }
    if (known == null) {
      comeBack();
    } else {
      lookAtLink();
      String reason = known.failure().orElse(linkTrouble);
      if (!reason.isEmpty()) {
        goDown(reason);
      }
    }
    lookAgain();
  }

  private void lookAtLink() {
    NicLink known = link;
    if (known == null) {
      return;
    }
    boolean before = known.isUsable();
    linkTrouble = known.look();
    if (linkTrouble.isEmpty() && known.isUsable() != before) {
      useSinks();
      LOG.log(INFO, name() + ": " + (before ? LINK_DOWN : "the link is up"));
    }
  }

  /** Control thread: whether an event may be about what is behind this port. */
  boolean concerns(LinkEvent event) {
    NicLink known = link;
    return known == null ? event.name().equals(request.name()) : known.concerns(event);
  }

  private void goDown(String reason) {
    LOG.log(WARNING, name() + ": down: " + reason);
    trouble = reason;
    downSince = System.nanoTime();
    letGo();
    bridge.forgetAddresses(this);
  }

  /** The workers forget the rings before they go. */
  private void letGo() {
    NetmapBindings old = bindings;
    bindings = null;
    link = null;
    linkTrouble = "";
    sources = List.of();
    sinks = List.of();
    sink.use(List.of());
    bridge.portsChanged();
    if (old != null) {
      old.close();
    }
  }

  private void comeBack() {
    try {
      attach();
    } catch (NetmapException refused) {
      // That it is not back yet is no news; anything else is: somebody took it, say.
      if (refused.errno() != Errno.ENXIO) {
        trouble = String.valueOf(refused.getMessage());
      }
      return;
    }
    reattached++;
    bridge.portsChanged();
    long millis = (System.nanoTime() - downSince) / 1_000_000;
    LOG.log(INFO, name() + ": up again after " + millis + " ms");
  }

  @Override
  List<Source> sources() {
    return sources;
  }

  @Override
  int busySources() {
    return sources.size();
  }

  @Override
  Sink sink() {
    return sink;
  }

  @Override
  PortStatus status(int macAddresses) {
    List<QueueStatus> queues = new ArrayList<>();
    inCounters.forEach(counters -> queues.add(counters.status()));
    outCounters.forEach(counters -> queues.add(counters.status()));
    if (portCounters.dropped() > 0) {
      queues.add(portCounters.status());
    }
    NetmapStatus netmap = netmapStatus();
    return new PortStatus(
        name(),
        "netmap",
        text(netmap),
        macAddresses,
        queues,
        Optional.empty(),
        Optional.of(netmap));
  }

  private NetmapStatus netmapStatus() {
    NetmapBindings known = bindings;
    if (known == null) {
      return new NetmapStatus(
          device.description(), "", false, false, trouble, 0, 0, 0, 0, reattached, List.of());
    }
    PortInfo info = known.opens().getFirst().info();
    NicLink nic = link;
    return new NetmapStatus(
        device.description(),
        known.opens().getFirst().description(),
        true,
        nic == null || nic.isUsable(),
        trouble,
        known.opens().size(),
        Math.max(info.rxSlots(), info.txSlots()),
        info.memoryId(),
        nic == null ? 0 : nic.mtu(),
        reattached,
        known.drops());
  }

  private static String text(NetmapStatus netmap) {
    String times = netmap.reattached() == 1 ? " time" : " times";
    String past = netmap.reattached() == 0 ? "" : ", reattached " + netmap.reattached() + times;
    if (!netmap.up()) {
      return "down: " + netmap.trouble() + past;
    }
    return netmap.rings()
        + (netmap.rings() == 1 ? " ring pair of " : " ring pairs of ")
        + netmap.device()
        + (netmap.way().isEmpty() ? "" : ": " + netmap.way())
        + (netmap.link() ? "" : ", " + LINK_DOWN)
        + past;
  }

  @Override
  public void close() {
    closed = true;
    EventLoop.Timer known = timer;
    if (known != null) {
      known.cancel();
    }
    letGo();
  }
}
