// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.vhostnetmap.bridge.Bridge;
import org.vhostnetmap.bridge.GuestPort;
import org.vhostnetmap.bridge.NullPort;
import org.vhostnetmap.bridge.PktgenPort;
import org.vhostnetmap.bridge.Port;
import org.vhostnetmap.bridge.PortStatus;
import org.vhostnetmap.bridge.TapPort;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Memory;
import org.vhostnetmap.linux.UnixListener;
import org.vhostnetmap.vhost.Offer;
import org.vhostnetmap.vhost.VhostUserBackend;
import org.vhostnetmap.vhost.feature.VirtioFeature;

/**
 * Joins all rooms: the one place that knows every kind of port. Everything is put together on the
 * starting thread; then the control thread takes over.
 *
 * <p>The order of the end is the reverse: control socket, then the bridge (workers stop, then each
 * port: it listens no more, its front-end is let go, guest memory is unmapped), then the control
 * thread.
 */
final class Wiring {
  private static final System.Logger LOG = System.getLogger(Wiring.class.getName());
  private static final int OWNER_ONLY = 0600;

  private final Options options;
  private final CloseStack open;
  private final EventLoop loop;
  private final Bridge bridge;
  private final NetmapPorts netmapPorts;
  private final Set<String> names = new HashSet<>();
  private final List<CompletableFuture<?>> guests = new ArrayList<>();

  private Wiring(Options options, CloseStack open) throws ErrnoException {
    this.options = options;
    this.open = open;
    loop = open.add(new EventLoop("control"));
    bridge = new Bridge(loop, settings(options));
    netmapPorts = new NetmapPorts(options, loop, bridge);
    closeInLoop(netmapPorts); // after the bridge and its ports
    closeInLoop(bridge);
  }

  /**
   * Starts everything; {@code open} gets what is to be closed, also when this fails. The future
   * completes when no guest can come any more: each had a connected socket from our parent, and
   * hung up.
   */
  static CompletableFuture<?> start(Options options, CloseStack open) throws Failure {
    Memory.requireLittleEndian();
    Advice.refuseContradictions(options);
    try {
      Advice.refuseProcessors(options);
      var wiring = new Wiring(options, open);
      for (PortSpec spec : options.ports()) {
        wiring.add(spec);
      }
      wiring.control();
      wiring.bridge.start();
      wiring.tellStates();
      wiring.loop.start();
      return wiring.over();
    } catch (ErrnoException e) {
      throw Failure.of(e, "");
    }
  }

  private static Bridge.Settings settings(Options options) {
    return new Bridge.Settings(
        options.workers(),
        options.pollMicros(),
        Bridge.Settings.DEFAULT.ageingSeconds(),
        options.cpus());
  }

  private void add(PortSpec spec) throws Failure {
    try {
      Tuning tuning = spec.tuned();
      if (spec.plain() instanceof PortSpec.Netmap netmap) {
        netmapPorts.add(netmap, uniqueName(spec), tuning);
      } else {
        Port port = port(spec.plain(), uniqueName(spec));
        if (port instanceof GuestPort guest) {
          guest.withCallPause(tuning.coalesceMicros());
        }
        bridge.add(port.limit(tuning.sends(), tuning.receives()));
      }
    } catch (ErrnoException e) {
      throw Advice.on(spec, e);
    }
  }

  private Port port(PortSpec spec, String name) throws ErrnoException {
    return switch (spec) {
      case PortSpec.Vhost vhost -> guest(vhost, name);
      case PortSpec.Adopted adopted -> guest(adopted, name);
      case PortSpec.Tap tap -> new TapPort(name, tap.name());
      case PortSpec.Netmap _, PortSpec.Tuned _ -> throw new IllegalArgumentException(spec.text());
      case PortSpec.Null _ -> new NullPort(name);
      case PortSpec.Pktgen pktgen ->
          new PktgenPort(name, pktgen.length(), pktgen.rate(), pktgen.flows());
    };
  }

  private Port guest(PortSpec.Vhost spec, String name) throws ErrnoException {
    Offer offer = Offer.net(spec.queuePairs(), spec.announce());
    offer =
        switch (spec.offloads()) {
          case ALL, ALL_AND_GRO -> offer.withOffloads();
          case CHECKSUMS -> offer.withChecksums();
          case NONE -> offer;
        };
    if (spec.mtu()) {
      offer = offer.with(VirtioFeature.VIRTIO_NET_F_MTU);
    }
    var port = new GuestPort(name, bridge, spec.queuePairs());
    port.coalescing(spec.offloads() == PortSpec.Offloads.ALL_AND_GRO);
    String path = spec.path().toString();
    VhostUserBackend backend =
        spec.connect()
            ? VhostUserBackend.connect(loop, spec.path(), offer, port)
            : VhostUserBackend.listen(loop, path, listener(spec.path()), offer, port);
    return attach(port, backend);
  }

  private UnixListener listener(Path path) throws ErrnoException {
    return UnixListener.bind(path, options.socketMode(), options.socketGroup());
  }

  private Port guest(PortSpec.Adopted spec, String name) throws ErrnoException {
    var port = new GuestPort(name, bridge, 1);
    Offer offer = Offer.net(1, false).withOffloads();
    return attach(port, VhostUserBackend.adopt(loop, new Fd(spec.fd()), offer, port));
  }

  private Port attach(GuestPort port, VhostUserBackend backend) {
    port.attach(backend);
    guests.add(backend.ended());
    return port;
  }

  private String uniqueName(PortSpec spec) {
    String name = spec.text();
    for (int twin = 2; !names.add(name); twin++) {
      name = spec.text() + "#" + twin;
    }
    return name;
  }

  private void control() throws Failure {
    Path asked = options.control();
    try {
      Path path = asked == null ? ControlPath.forThisProcess() : asked;
      long start = System.nanoTime();
      UnixListener listener = UnixListener.bind(path, OWNER_ONLY, null);
      closeInLoop(new ControlServer(loop, listener, request -> answer(request, start)));
    } catch (IOException e) {
      if (asked != null) {
        throw Advice.onControl(asked, e);
      }
      LOG.log(Level.WARNING, "no control socket, so no status; choose a place with --control", e);
    }
  }

  private String answer(String request, long start) {
    return switch (request) {
      case "status json" -> StatusJson.of(StatusReport.ofThisProcess(start, bridge.status()));
      case "status text" -> StatusText.of(StatusReport.ofThisProcess(start, bridge.status()));
      default -> "unknown request; known are \"status json\" and \"status text\"\n";
    };
  }

  private void tellStates() {
    for (PortStatus port : bridge.status().ports()) {
      LOG.log(Level.INFO, line(port.name(), port.state()));
    }
    if (options.ports().size() == 1) {
      LOG.log(Level.WARNING, "only one port: what comes from it has nowhere to go");
    }
  }

  /** A name such as {@code null:} brings its colon along. */
  static String line(String port, String state) {
    return port + (port.endsWith(":") ? " " : ": ") + state;
  }

  private CompletableFuture<?> over() {
    return guests.isEmpty()
        ? new CompletableFuture<>()
        : CompletableFuture.allOf(guests.toArray(CompletableFuture[]::new));
  }

  private void closeInLoop(AutoCloseable resource) {
    open.add(
        () ->
            loop.call(
                () -> {
                  resource.close();
                  return true;
                }));
  }
}
