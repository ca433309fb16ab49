// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Epoll;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.UnixConnection;
import org.vhostnetmap.linux.UnixListener;

/**
 * The control socket: a client sends one line, gets one answer, and the connection ends.
 *
 * <p>Lives on the control thread and never waits: a client that sends half a line, or does not
 * read, is dropped after {@link #PATIENCE}; of too many clients the one that has waited longest
 * goes; a line longer than {@link #MAX_REQUEST} ends the connection. File descriptors that come
 * along are closed. When the process has no descriptor left for a client, the oldest goes and the
 * others wait for {@link #PAUSE}.
 */
final class ControlServer implements AutoCloseable {
  static final int MAX_CLIENTS = 16;
  static final int MAX_REQUEST = 256;
  static final Duration PATIENCE = Duration.ofSeconds(5);
  static final Duration PAUSE = Duration.ofSeconds(1);

  private static final System.Logger LOG = System.getLogger(ControlServer.class.getName());

  private static final int[] NO_FDS = {};

  private final EventLoop loop;
  private final UnixListener listener;
  private final UnaryOperator<String> answers;
  private final EventLoop.Registration registration;
  private final Deque<Client> clients = new ArrayDeque<>();
  private EventLoop.@Nullable Timer pause;
  private boolean told;

  /**
   * Takes {@code listener} over. {@code answers} turns a request into its answer, on the control
   * thread.
   */
  ControlServer(EventLoop loop, UnixListener listener, UnaryOperator<String> answers)
      throws ErrnoException {
    this.loop = loop;
    this.listener = listener;
    this.answers = answers;
    registration = loop.register(listener.fd(), Epoll.IN, events -> accept());
  }

  private void accept() throws ErrnoException {
    try {
      // No more in one turn: who connects as fast as we accept must not keep the thread here.
      for (int i = 0; i < MAX_CLIENTS; i++) {
        UnixConnection next = listener.accept();
        if (next == null) {
          return;
        }
        if (clients.size() == MAX_CLIENTS) {
          clients.getFirst().close();
        }
        clients.addLast(new Client(next));
      }
    } catch (ErrnoException e) {
      pause(e);
    }
  }

  /** Who waits to be accepted wakes the loop without end, so we look away for a while. */
  private void pause(ErrnoException cause) throws ErrnoException {
    if (!told) {
      told = true;
      LOG.log(Level.WARNING, "the control socket has to let clients wait", cause);
    }
    if (!clients.isEmpty()) {
      clients.getFirst().close();
    }
    registration.events(0);
    pause = loop.schedule(PAUSE, this::resume);
  }

  private void resume() {
    try {
      registration.events(Epoll.IN);
    } catch (ErrnoException e) {
      pause = loop.schedule(PAUSE, this::resume);
    }
  }

  /** On the control thread. Removes the socket's file. */
  @Override
  public void close() {
    if (pause != null) {
      pause.cancel();
    }
    registration.close();
    listener.close();
    while (!clients.isEmpty()) {
      clients.getFirst().close();
    }
  }

  private final class Client implements AutoCloseable {
    private final UnixConnection connection;
    private final EventLoop.Registration registration;
    private final EventLoop.Timer deadline;
    private final byte[] request = new byte[MAX_REQUEST];
    private int received;
    private byte @Nullable [] answer;
    private int sent;

    Client(UnixConnection connection) throws ErrnoException {
      this.connection = connection;
      try {
        registration = loop.register(connection.fd(), Epoll.IN, events -> ready());
      } catch (ErrnoException e) {
        connection.close();
        throw e;
      }
      deadline = loop.schedule(PATIENCE, this::close);
    }

    private void ready() {
      try {
        if (answer == null) {
          answer = read();
        }
        if (answer != null && write(answer)) {
          close();
        }
      } catch (ErrnoException e) {
        close(); // The client went away: no affair of ours.
      }
    }

    /** The answer, once the whole line is here. */
    private byte @Nullable [] read() throws ErrnoException {
      var strays = new ArrayList<Fd>();
      int count = connection.receive(request, received, MAX_REQUEST - received, strays);
      strays.forEach(Fd::close);
      if (count > 0) {
        received += count;
        for (int i = received - count; i < received; i++) {
          if (request[i] == '\n') {
            String line = new String(request, 0, i, StandardCharsets.UTF_8);
            return answers.apply(line).getBytes(StandardCharsets.UTF_8);
          }
        }
      }
      if (count < 0 || received == MAX_REQUEST) {
        close();
      }
      return null;
    }

    private boolean write(byte[] answer) throws ErrnoException {
      while (sent < answer.length) {
        int count = connection.send(answer, sent, answer.length - sent, NO_FDS);
        if (count == 0) {
          registration.events(Epoll.OUT);
          return false;
        }
        sent += count;
      }
      return true;
    }

    @Override
    public void close() {
      deadline.cancel();
      registration.close();
      connection.close();
      clients.remove(this);
    }
  }
}
