// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.io.EOFException;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Closer;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.PeerCredentials;
import org.vhostnetmap.linux.Sockets;
import org.vhostnetmap.linux.UnixConnection;
import org.vhostnetmap.vhost.message.Message;
import org.vhostnetmap.vhost.message.MessageReader;
import org.vhostnetmap.vhost.message.ProtocolFault;

/**
 * One connection with one front-end, from accept to hang-up. Never waits: a message that came by
 * half, or a reply that the front-end does not take, has a deadline instead, and other ports notice
 * nothing. While a reply is on its way nothing more is read, so there is never more than one in our
 * hands. Control thread only.
 */
final class Session implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Session.class.getName());

  /** Messages served before others get their turn. */
  private static final int QUOTA = 16;

  private static final long LONG_NANOS = 1_000_000_000L;

  private final String name;
  private final EventLoop loop;
  private final UnixConnection connection;
  private final Device device;
  private final Requests requests;
  private final PortCounters counters;
  private final Duration patience;
  private final Closer closer;
  private final Consumer<Session> onEnd;
  private final MessageReader reader;
  private final EventLoop.Registration registration;
  private final int frontendPid;
  private final long begin = System.nanoTime();

  private byte @Nullable [] reply; // being sent
  private int replySent;
  private boolean sending; // we wait until the front-end reads
  private EventLoop.@Nullable Timer deadline;
  private boolean closed;
  private volatile @Nullable String hostile; // a descriptor of its made a thread of ours wait

  /** Takes the connection over, also when this fails. */
  Session(
      String name,
      EventLoop loop,
      UnixConnection connection,
      Offer offer,
      DataPlane plane,
      PortCounters counters,
      Duration patience,
      Closer closer,
      Consumer<Session> onEnd)
      throws ErrnoException {
    this.name = name;
    this.loop = loop;
    this.connection = connection.closedBy(closer);
    this.counters = counters;
    this.patience = patience;
    this.closer = closer;
    this.onEnd = onEnd;
    device = new Device(name, loop, offer, plane, counters, new Signals(this::madeUsWait));
    requests = new Requests(name, offer, device, counters);
    reader = new MessageReader(connection);
    frontendPid = pidOf(connection);
    try {
      registration = loop.register(connection.fd(), Epoll.IN, events -> ready());
    } catch (ErrnoException e) {
      connection.close();
      throw e;
    }
  }

  private static int pidOf(UnixConnection connection) {
    try {
      PeerCredentials peer = connection.peer();
      return peer.pid();
    } catch (ErrnoException e) {
      return 0; // only for the eye
    }
  }

  int frontendPid() {
    return frontendPid;
  }

  Device device() {
    return device;
  }

  /** Whether the front-end held a thread of ours up on purpose. */
  boolean isHostile() {
    return hostile != null;
  }

  /** Any thread: the front-end goes, and not one message more of it is served. */
  private void madeUsWait(String which) {
    hostile = which;
    loop.execute(() -> drop(which));
  }

  /** Whether it was worth to come back for: it lasted, or had a ring that ran. */
  boolean wasOfUse() {
    return device.hasEverRun() || System.nanoTime() - begin > LONG_NANOS;
  }

  /** Ends the session of a front-end that has gone, whatever of it is still unread. */
  void endIfDead() {
    if (!closed && Sockets.hasHungUp(connection.fd())) {
      end("hung up", Level.INFO);
    }
  }

  /** Reads and answers what is there. */
  private void ready() {
    try {
      if (!isHostile() && sendReply()) {
        readMessages();
      }
    } catch (EOFException e) {
      end(e.getMessage(), Level.INFO);
    } catch (IOException e) {
      end("connection lost: " + e.getMessage(), Level.INFO);
    } catch (ProtocolFault e) {
      drop(e.getMessage());
    } catch (RuntimeException e) {
      counters.say(name, Level.ERROR, "a message could not be served: " + e);
      LOG.log(Level.DEBUG, name, e);
      drop("error of our own: " + e);
    } catch (InternalError e) {
      // Starting a ring reads its indices; the file they are in has just been cut.
      drop("memory vanished: " + e.getMessage());
    }
  }

  private void readMessages() throws IOException, ProtocolFault {
    for (int i = 0; i < QUOTA; i++) {
      if (closer.isFull()) {
        throw new ProtocolFault("brings more file descriptors than can be closed");
      }
      Message message = reader.read();
      if (message == null) {
        break;
      }
      cancelDeadline();
      reply = requests.handle(message);
      if (isHostile() || !sendReply()) {
        return;
      }
    }
    if (reader.inMessage()) {
      startDeadline("message");
    }
  }

  /** True when nothing is left to send. */
  private boolean sendReply() throws IOException {
    byte[] bytes = reply;
    while (bytes != null) {
      int sent = connection.send(bytes, replySent, bytes.length - replySent, new int[0]);
      if (sent == 0) {
        sending = true;
        registration.events(Epoll.OUT);
        startDeadline("reply");
        return false;
      }
      replySent += sent;
      if (replySent == bytes.length) {
        bytes = null;
        reply = null;
        replySent = 0;
        if (sending) {
          sending = false;
          registration.events(Epoll.IN);
        }
        cancelDeadline();
      }
    }
    return true;
  }

  /** From the first byte on; later bytes don't prolong it. */
  private void startDeadline(String what) {
    if (deadline == null) {
      deadline =
          loop.schedule(
              patience,
              () ->
                  drop(
                      what
                          + " was not "
                          + (what.equals("reply") ? "taken" : "finished")
                          + " in time"));
    }
  }

  private void cancelDeadline() {
    if (deadline != null) {
      deadline.cancel();
      deadline = null;
    }
  }

  /** The front-end broke a rule: it goes, the port stays. */
  void drop(@Nullable String why) {
    if (!closed) {
      counters.protocolFaults++;
      counters.trouble(name, "front-end dropped: " + why);
      end(why, Level.DEBUG);
    }
  }

  private void end(@Nullable String why, Level level) {
    if (level == Level.INFO) {
      counters.say(name, level, "front-end gone (" + why + ")");
    }
    close();
    onEnd.accept(this);
  }

  /**
   * Rings first, then descriptors, then memory, then the connection. A second call does nothing.
   */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      cancelDeadline();
      registration.close();
      device.close();
      reader.close();
      connection.close();
    }
  }
}
