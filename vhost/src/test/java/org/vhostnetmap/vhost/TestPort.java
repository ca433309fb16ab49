// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.vhostnetmap.fakes.FakeFrontend;
import org.vhostnetmap.fakes.FrontendWire;
import org.vhostnetmap.linux.EventLoop;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.UnixConnection;
import org.vhostnetmap.linux.UnixListener;

/**
 * A port with a recording data plane on a loop of its own, for front-ends that connect to it or are
 * connected at birth.
 */
final class TestPort implements AutoCloseable {
  final EventLoop loop;
  final RecordingPlane plane = new RecordingPlane();
  final VhostUserBackend backend;
  private final Path directory;

  private TestPort(EventLoop loop, Path directory, Offer offer) throws IOException {
    this.loop = loop;
    this.directory = directory;
    UnixListener listener = UnixListener.bind(path(directory), 0600, null);
    backend = VhostUserBackend.listen(loop, "test.sock", listener, offer, plane);
  }

  private static Path path(Path directory) {
    return directory.resolve("test.sock");
  }

  static TestPort of(int queuePairs) throws IOException {
    return of(Offer.net(queuePairs, false));
  }

  static TestPort of(Offer offer) throws IOException {
    EventLoop loop = new EventLoop("test-control");
    loop.start();
    return new TestPort(loop, Files.createTempDirectory("vhost"), offer);
  }

  Path path() {
    return path(directory);
  }

  FakeFrontend frontend() throws IOException {
    return FakeFrontend.connect(path());
  }

  /** A front-end that says nothing of itself. */
  FrontendWire wire() throws IOException {
    return FrontendWire.connect(path());
  }

  /** A second port on this loop, connected at birth, that loses patience sooner. */
  VhostUserBackend adopt(UnixConnection end, DataPlane other, Duration patience)
      throws IOException {
    Fd fd = Fd.duplicate(end.fd());
    end.close();
    return VhostUserBackend.adopt(loop, fd, Offer.net(1, false), other, patience);
  }

  BackendStatus status() {
    return backend.status();
  }

  @Override
  public void close() throws IOException {
    backend.close();
    loop.close();
    Files.delete(directory);
  }
}
