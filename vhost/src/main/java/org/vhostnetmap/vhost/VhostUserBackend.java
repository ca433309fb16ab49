// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Closer;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.Sockets;
import org.vhostnetmap.linux.UnixConnection;
import org.vhostnetmap.linux.UnixListener;

/**
 * One vhost-user port: serves front-ends one after the other, and stays what it is in between.
 * Either side may listen.
 *
 * <p>The methods that make one, and those without a remark, are for any thread; the work is done in
 * the loop's.
 */
public final class VhostUserBackend implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(VhostUserBackend.class.getName());

  /** How long a message may stay unfinished, or a reply untaken. */
  public static final Duration PATIENCE = Duration.ofSeconds(5);

  private static final Duration FIRST_RETRY = Duration.ofMillis(20);
  private static final Duration LAST_RETRY = Duration.ofSeconds(1);

  private final EventLoop loop;
  private final String name;
  private final Offer offer;
  private final DataPlane plane;
  private final Duration patience;
  private final Closer closer;
  private final PortCounters counters = new PortCounters();
  private final CompletableFuture<@Nullable Void> ended = new CompletableFuture<>();

  private @Nullable UnixListener listener;
  private EventLoop.@Nullable Registration listening;
  private EventLoop.@Nullable Timer pausing;
  private @Nullable Path peer; // to connect to
  private EventLoop.@Nullable Timer retry;
  private Duration nextRetry = FIRST_RETRY;
  private volatile @Nullable Session session;
  private boolean closed;

  private VhostUserBackend(
      EventLoop loop, String name, Offer offer, DataPlane plane, Duration patience) {
    this.loop = loop;
    this.name = name;
    this.offer = offer;
    this.plane = plane;
    this.patience = patience;
    closer = new Closer("closer of " + name);
  }

  /**
   * Waits for front-ends on {@code listener}, which it takes over. {@code name} is for people: the
   * socket's path.
   */
  public static VhostUserBackend listen(
      EventLoop loop, String name, UnixListener listener, Offer offer, DataPlane plane)
      throws ErrnoException {
    VhostUserBackend backend = new VhostUserBackend(loop, name, offer, plane, PATIENCE);
    backend.inLoop(listener, () -> backend.listenOn(listener));
    return backend;
  }

  /**
   * Connects to the front-end that listens at {@code peer}; again and again until somebody does,
   * and after it hung up.
   */
  public static VhostUserBackend connect(EventLoop loop, Path peer, Offer offer, DataPlane plane)
      throws ErrnoException {
    VhostUserBackend backend = new VhostUserBackend(loop, peer.toString(), offer, plane, PATIENCE);
    backend.inLoop(
        () -> {}, // to close
        () -> {
          backend.peer = peer;
          backend.tryConnect();
        });
    return backend;
  }

  /**
   * Takes over a socket that somebody else made: one that listens, or one that is connected
   * already. The latter serves one front-end, and then {@link #ended}.
   */
  public static VhostUserBackend adopt(EventLoop loop, Fd fd, Offer offer, DataPlane plane)
      throws ErrnoException {
    return adopt(loop, fd, offer, plane, PATIENCE);
  }

  static VhostUserBackend adopt(
      EventLoop loop, Fd fd, Offer offer, DataPlane plane, Duration patience)
      throws ErrnoException {
    VhostUserBackend backend = new VhostUserBackend(loop, fd.toString(), offer, plane, patience);
    if (isListening(fd)) {
      UnixListener listener = UnixListener.adopt(fd);
      backend.inLoop(listener, () -> backend.listenOn(listener));
    } else {
      UnixConnection connection = UnixConnection.adopt(fd);
      backend.inLoop(connection, () -> backend.serve(connection));
    }
    return backend;
  }

  private static boolean isListening(Fd fd) throws ErrnoException {
    try {
      return Sockets.isListening(fd.value());
    } catch (ErrnoException e) {
      fd.close();
      throw e;
    }
  }

  private interface Step {
    void run() throws ErrnoException;
  }

  /**
   * Closes what was taken over when {@code step} fails, or can't be taken because the loop ended.
   */
  private void inLoop(AutoCloseable taken, Step step) throws ErrnoException {
    boolean done = false;
    try {
      loop.call(
          () -> {
            step.run();
            return this;
          });
      done = true;
    } catch (ErrnoException | RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    } finally {
      if (!done) {
        closeQuietly(taken);
      }
    }
  }

  private static void closeQuietly(AutoCloseable taken) {
    try {
      taken.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  // Front-ends come

  private void listenOn(UnixListener taken) throws ErrnoException {
    listener = taken;
    listening = loop.register(taken.fd(), Epoll.IN, events -> accept(taken));
  }

  private void accept(UnixListener from) {
    if (closer.isFull()) {
      counters.trouble(name, "serves nobody: descriptors of earlier front-ends can't be closed");
      pauseListening(LAST_RETRY);
      return;
    }
    try {
      UnixConnection connection = from.accept();
      if (connection != null) {
        admit(connection);
      }
    } catch (ErrnoException | RuntimeException | Error e) {
      // Out of descriptors or memory, most likely. The port must outlive it, and not spin
      // meanwhile.
      counters.trouble(name, "can't serve a front-end: " + e);
      pauseListening(LAST_RETRY);
    }
  }

  private void pauseListening(Duration pause) {
    if (pausing != null) {
      pausing.cancel();
    }
    watchListener(0);
    pausing = loop.schedule(pause, () -> watchListener(Epoll.IN));
  }

  private void watchListener(int events) {
    try {
      if (listening != null) {
        listening.events(events);
      }
    } catch (ErrnoException e) {
      counters.trouble(name, "listens no more: " + e.getMessage());
    }
  }

  /**
   * One front-end at a time. A second one is turned away, unless the first is dead and its end only
   * not read yet.
   */
  private void admit(UnixConnection connection) throws ErrnoException {
    Session old = session;
    if (old != null) {
      old.endIfDead();
    }
    if (session == null) {
      serve(connection);
    } else {
      counters.refusedFrontends++;
      counters.trouble(name, "a second front-end was turned away");
      connection.close();
    }
  }

  private void serve(UnixConnection connection) throws ErrnoException {
    counters.frontends++;
    session =
        new Session(
            name, loop, connection, offer, plane, counters, patience, closer, this::sessionEnded);
    counters.say(name, Level.INFO, "front-end connected");
  }

  private void tryConnect() {
    retry = null;
    Path path = peer;
    if (path == null || closed) {
      return;
    }
    if (closer.isFull()) {
      retryLater();
      return;
    }
    try {
      serve(UnixConnection.connect(path));
    } catch (ErrnoException e) {
      LOG.log(Level.DEBUG, "{0}: {1}", name, e.getMessage());
      retryLater();
    }
  }

  private void retryLater() {
    retry = loop.schedule(nextRetry, this::tryConnect);
    Duration doubled = nextRetry.multipliedBy(2);
    nextRetry = doubled.compareTo(LAST_RETRY) < 0 ? doubled : LAST_RETRY;
  }

  // Front-ends go

  private void sessionEnded(Session gone) {
    if (session == gone) {
      session = null;
      if (gone.isHostile()) {
        // It would only do it again: whoever is served by the same threads gets his time first.
        serveNobodyFor(patience.multipliedBy(2));
      } else if (peer != null) {
        if (gone.wasOfUse()) {
          nextRetry = FIRST_RETRY;
        }
        retryLater();
      } else if (listener == null) {
        ended.complete(null);
      }
    }
  }

  private void serveNobodyFor(Duration penance) {
    counters.penances++;
    if (peer != null) {
      retry = loop.schedule(penance, this::tryConnect);
    } else if (listener != null) {
      pauseListening(penance);
    } else {
      ended.complete(null);
    }
  }

  /**
   * Completes when this port will serve nobody any more: closed, or adopted connected and the
   * front-end has gone.
   */
  public CompletableFuture<@Nullable Void> ended() {
    return ended.copy();
  }

  /**
   * Whether some mapped file of the guest's memory is now too short: asked for blame after an
   * InternalError.
   */
  public boolean ownsFaultedMemory() {
    Session now = session;
    return now != null && now.device().ownsFaultedMemory();
  }

  /** Drops the front-end, whose memory vanished under a worker; the port waits for the next. */
  public void memoryVanished() {
    Session guilty = session;
    if (guilty != null) {
      loop.execute(() -> guilty.drop("its memory file was cut short under the guest"));
    }
  }

  /** Lets the front-end go and serves no other. */
  @Override
  public void close() {
    try {
      inLoop(() -> {}, this::closeInLoop);
    } catch (ErrnoException e) {
      throw new IllegalStateException(e);
    }
  }

  private void closeInLoop() {
    closed = true;
    if (listening != null) {
      listening.close();
    }
    if (listener != null) {
      listener.close();
    }
    if (retry != null) {
      retry.cancel();
      retry = null;
    }
    if (pausing != null) {
      pausing.cancel();
      pausing = null;
    }
    Session last = session;
    if (last != null) {
      last.close();
      session = null;
    }
    ended.complete(null);
  }

  // Status

  /** What the port is doing. */
  public BackendStatus status() {
    try {
      return loop.call(this::statusInLoop);
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private BackendStatus statusInLoop() {
    Session now = session;
    if (now == null) {
      return idleStatus();
    }
    Device device = now.device();
    List<BackendStatus.Ring> rings = device.ringStatus();
    BackendStatus.State state = stateOf(rings);
    return new BackendStatus(
        state,
        words(state, rings),
        now.frontendPid(),
        device.features().names(),
        device.protocolFeatures().names(),
        device.status(),
        device.mtu(),
        device.memoryStatus(),
        device.memorySealed(),
        rings,
        counters.copy(),
        counters.lastTrouble);
  }

  private BackendStatus idleStatus() {
    boolean over = ended.isDone();
    String text =
        over
            ? "closed"
            : peer != null ? "connecting to " + name : "waiting for a front-end on " + name;
    return new BackendStatus(
        over ? BackendStatus.State.ENDED : BackendStatus.State.WAITING,
        text,
        0,
        List.of(),
        List.of(),
        0,
        0,
        List.of(),
        true,
        List.of(),
        counters.copy(),
        counters.lastTrouble);
  }

  private static BackendStatus.State stateOf(List<BackendStatus.Ring> rings) {
    if (rings.stream().anyMatch(ring -> ring.state() == BackendStatus.RingState.BROKEN)) {
      return BackendStatus.State.BROKEN;
    }
    return rings.stream().anyMatch(ring -> ring.state() == BackendStatus.RingState.RUNNING)
        ? BackendStatus.State.UP
        : BackendStatus.State.CONNECTED;
  }

  private static String words(BackendStatus.State state, List<BackendStatus.Ring> rings) {
    return switch (state) {
      case BROKEN ->
          rings.stream()
              .filter(ring -> ring.state() == BackendStatus.RingState.BROKEN)
              .map(BackendStatus.Ring::text)
              .findFirst()
              .orElse("broken");
      case UP -> "guest driver up";
      default -> "front-end connected, guest driver not up yet";
    };
  }
}
