// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static java.lang.System.Logger.Level.ERROR;
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
import org.vhostnetmap.vhost.NetHeader;

/**
 * A netmap port as a port of the bridge: the rings of a NIC, the host's rings behind one, a port of
 * a VALE switch, an end of a pipe, a monitor. Each RX ring is a source, all TX rings are one sink.
 *
 * <p>When what is behind it goes away (the NIC is unplugged, renamed, taken by somebody) it is down
 * with a reason and tries again until it is back; its counters live on, and no other port notices.
 */
public final class NetmapBridgePort extends Port {
  private static final System.Logger LOG = System.getLogger(NetmapBridgePort.class.getName());
  private static final String LINK_DOWN = "the link is down";
  private static final Duration LOOK_WHILE_UP = Duration.ofSeconds(1);
  private static final Duration SHORTEST_PAUSE = Duration.ofMillis(250);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(2);

  private final Bridge bridge;
  private final EventLoop loop;
  private final NetmapDevice device;
  private final RegisterRequest request;
  private final NicSettings settings;
  private final boolean lossless;
  private final QueueCounters portCounters = new QueueCounters("out", false);
  private final RingCounters counters = new RingCounters();
  private final FlowSink sink;
  private List<Source> sources = List.of();
  private @Nullable BoundRings rings; // while up
  private @Nullable NicLink link; // while up, for ports of a network device
  private EventLoop.@Nullable Timer timer;
  private String trouble = "";
  private String linkTrouble = "";
  private long downSince;
  private long lastTry;
  private Duration pause = SHORTEST_PAUSE;
  private long reattached;
  private boolean closed;

  /**
   * Opens the rings.
   *
   * @param request what to open; not the mode NIC_AND_HOST, which is two ports of a bridge. With
   *     NR_ACCEPT_VNET_HDR, which only VALE ports can have, frames go with virtio-net headers
   * @param settings looked at, and perhaps put right, whenever a NIC is opened
   * @throws NetmapException what the device says; afterwards nothing is open
   */
  public NetmapBridgePort(
      String name,
      Bridge bridge,
      EventLoop loop,
      NetmapDevice device,
      RegisterRequest request,
      NicSettings settings)
      throws NetmapException {
    super(name);
    this.bridge = bridge;
    this.loop = loop;
    this.device = device;
    this.request = request;
    this.settings = settings;
    lossless = request.name().indexOf('{') >= 0 || request.name().indexOf('}') >= 0;
    DropReason none = sends() ? DropReason.NOT_READY : DropReason.RECEIVES_ONLY;
    sink = new FlowSink(portCounters, none, DropReason.QUEUE_FULL);
    attach();
    lookAgain();
  }

  private boolean sends() {
    return !NetmapBindings.isMonitor(request) && !request.has(NetmapAbi.NR_RX_RINGS_ONLY);
  }

  private void attach() throws NetmapException {
    NicLink freshLink = findLink();
    NetmapBindings opened = NetmapBindings.open(device, request);
    try {
      int headerBytes = request.has(NetmapAbi.NR_ACCEPT_VNET_HDR) ? NetHeader.LENGTH : 0;
      if (headerBytes > 0) {
        useHeaders(opened, headerBytes);
      }
      BoundRings fresh = new BoundRings(opened, sends(), headerBytes, counters);
      if (freshLink != null) {
        settings.apply(request, fresh.bufferBytes());
      }
      rings = fresh;
      link = freshLink;
      useRings(fresh);
    } catch (NetmapException | RuntimeException failed) {
      rings = null;
      opened.close();
      throw failed;
    }
  }

  /** The port has to be there to be told so; what came before, came without headers. */
  private void useHeaders(NetmapBindings opened, int headerBytes) throws NetmapException {
    device.setHeaderLength(request.name(), headerBytes);
    for (NetmapPort open : opened.opens()) {
      open.rxSync();
      for (NetmapRing ring : open.rxRings()) {
        ring.advanceTo(ring.tail());
      }
      open.rxSync();
    }
  }

  /** Looked up before the rings are: a device that is exchanged meanwhile is noticed. */
  private @Nullable NicLink findLink() {
    if (lossless || request.name().indexOf(':') >= 0) {
      return null;
    }
    try {
      return new NicLink(request.name(), request.mode().bindsHost());
    } catch (ErrnoException none) {
      return null; // the device will say what it has to say about the name
    }
  }

  /** Nothing is put into rings that nobody would drain; sources start awake. */
  private void useRings(BoundRings bound) {
    sink.use(link == null || link.isUsable() ? bound.sinks() : List.of());
    sources = bound.newSources(lossless);
  }

  private void lookAgain() {
    EventLoop.Timer known = timer;
    if (known != null) {
      known.cancel();
    }
    timer = loop.schedule(rings == null ? pause : LOOK_WHILE_UP, this::check);
  }

  /**
   * Control thread: goes down when the rings or the network device can't go on, comes back when
   * they can again. While down it tries no more often than its pause says: an open that fails may
   * itself make link events.
   */
  void check() {
    if (closed) {
      return;
    }
    try {
      BoundRings known = rings;
      if (known != null) {
        checkRings(known);
      } else if (System.nanoTime() - lastTry >= pause.toNanos()) {
        comeBack();
      }
    } catch (RuntimeException mistake) {
      LOG.log(ERROR, name() + ": a mistake of this program", mistake);
    } finally {
      lookAgain();
    }
  }

  private void checkRings(BoundRings known) {
    // Asked before the link is looked at: of a NIC that is gone both tell, the link in better
    // words.
    Optional<String> failure = known.bindings().failure();
    NicLink nic = link;
    if (nic != null) {
      boolean before = nic.isUsable();
      linkTrouble = nic.look();
      if (linkTrouble.isEmpty() && nic.isUsable() != before) {
        linkChanged(known, nic.isUsable());
      }
    }
    String reason = linkTrouble.isEmpty() ? failure.orElse("") : linkTrouble;
    if (!reason.isEmpty()) {
      goDown(reason);
    }
  }

  /**
   * A device may tell nothing while the link is down: new sources look themselves when it is up.
   * When it goes down the workers are not waited for: the kernel's netmap may hold one of them in a
   * sync until the interface is up again.
   */
  private void linkChanged(BoundRings known, boolean up) {
    LOG.log(INFO, name() + ": " + (up ? "the link is up" : LINK_DOWN));
    if (up) {
      useRings(known);
      bridge.portsChanged();
    } else {
      sink.use(List.of());
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
    lastTry = downSince;
    pause = SHORTEST_PAUSE;
    letGo();
    bridge.forgetAddresses(this);
  }

  /** The workers forget the rings before they go. */
  private void letGo() {
    BoundRings old = rings;
    rings = null;
    link = null;
    linkTrouble = "";
    sources = List.of();
    sink.use(List.of());
    bridge.portsChanged();
    if (old != null) {
      old.close();
    }
    settings.restore();
  }

  private void comeBack() {
    lastTry = System.nanoTime();
    try {
      attach();
    } catch (NetmapException refused) {
      // That it is not back yet is no news; anything else is: somebody took it, say.
      if (refused.errno() != Errno.ENXIO) {
        trouble = String.valueOf(refused.getMessage());
        Duration longer = pause.multipliedBy(2);
        pause = longer.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : longer;
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
    List<QueueStatus> queues = new ArrayList<>(counters.status());
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
    BoundRings known = rings;
    if (known == null) {
      return new NetmapStatus(
          device.description(), "", false, false, trouble, 0, 0, 0, 0, reattached, List.of());
    }
    List<NetmapPort> opens = known.bindings().opens();
    PortInfo info = opens.getFirst().info();
    NicLink nic = link;
    return new NetmapStatus(
        device.description(),
        opens.getFirst().description(),
        true,
        nic == null || nic.isUsable(),
        trouble,
        opens.size(),
        Math.max(info.rxSlots(), info.txSlots()),
        info.memoryId(),
        nic == null ? 0 : nic.mtu(),
        reattached,
        known.bindings().drops());
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
