// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.qemu;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * DPDK's virtio-user as the front-end: testpmd plays the guest's driver, without any guest.
 *
 * <p>No huge pages are needed: with {@code --no-huge} DPDK takes its memory from a memfd, which is
 * what a back-end has to map. It polls, so it uses a whole processor while it lives.
 */
public final class VirtioUser implements AutoCloseable {
  /** Longer in the guest of scripts/test-netmap-kernel, where every processor is emulated. */
  private static final Duration PATIENCE =
      Duration.ofSeconds(System.getenv("NETMAP_KERNEL_TEST") == null ? 20 : 120);

  private static final String PROMPT = "testpmd> ";

  private final Scratch scratch;
  private final ManagedProcess testpmd;
  private final OutputStream in;
  private final BlockingQueue<Integer> out = new LinkedBlockingQueue<>();

  private VirtioUser(Scratch scratch, ManagedProcess testpmd) {
    this.scratch = scratch;
    this.testpmd = testpmd;
    in = testpmd.process().getOutputStream();
    InputStream said = testpmd.process().getInputStream();
    Thread.ofPlatform().daemon().name("testpmd").start(() -> read(said));
  }

  /**
   * Connects to the back-end at {@code socket} and waits for testpmd's prompt; forwarding is not
   * started.
   *
   * @param queues queue pairs
   * @param device further options of net_virtio_user, such as {@code packed_vq=1,in_order=1}; or
   *     empty
   * @param words further options of testpmd, such as {@code --txonly-multi-flow}
   */
  public static VirtioUser start(Path socket, int queues, String device, String... words)
      throws IOException {
    var scratch = new Scratch();
    String vdev =
        "net_virtio_user0,path="
            + socket
            + ",queues="
            + queues
            + (device.isEmpty() ? "" : "," + device);
    // Without stdbuf what a command prints would come long after the next prompt.
    var command = new ArrayList<String>(List.of("stdbuf", "-oL", "dpdk-testpmd"));
    command.addAll(List.of("--no-huge", "-m", "256", "--no-pci"));
    command.addAll(List.of("--file-prefix=" + scratch.path("").getFileName()));
    // Two threads that may run on any processor, so that one processor is enough.
    if (device.contains("vectorized=1")) {
      command.add(
          "--force-max-simd-bitwidth=512"); // else DPDK keeps to 256 bits, and has no such path
    }
    command.addAll(List.of("--lcores", "0@0,1@0", "--vdev", vdev, "--", "-i", "--no-mlockall"));
    command.addAll(List.of("--rxq=" + queues, "--txq=" + queues));
    command.add("--total-num-mbufs=" + 2048 * (queues + 1)); // more than the rings hold
    command.addAll(List.of(words));
    // DPDK leaves files behind in its run-time directory; here they go with the scratch.
    Map<String, String> environment = Map.of("RUNTIME_DIRECTORY", scratch.path("").toString());
    ManagedProcess testpmd = ManagedProcess.startPiped(command, environment, scratch.path("log"));
    var user = new VirtioUser(scratch, testpmd);
    try {
      user.untilPrompt("");
      testpmd.requireAlive();
      return user;
    } catch (IOException e) {
      String why = testpmd.tail();
      user.close();
      throw new IOException(e.getMessage() + "\n" + why, e);
    }
  }

  private void read(InputStream said) {
    try {
      for (int c = said.read(); c != -1; c = said.read()) {
        out.add(c);
      }
    } catch (IOException e) {
      // testpmd is gone: the same as its end.
    }
    out.add(-1);
  }

  /** Runs one of testpmd's commands; what it prints. */
  public synchronized String command(String command) throws IOException {
    in.write((command + "\n").getBytes(ISO_8859_1));
    in.flush();
    // It repeats what it reads, and may show its prompt more than once before.
    return untilPrompt(command);
  }

  private String untilPrompt(String echo) throws IOException {
    var text = new StringBuilder();
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    try {
      for (int from = -1; from < 0 || text.indexOf(PROMPT, from) < 0; from = text.indexOf(echo)) {
        Integer c = out.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        if (c == null || c == -1) {
          throw new IOException("testpmd said only: " + text);
        }
        text.append((char) c.intValue());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    return text.toString();
  }

  /** A counter of testpmd's only port: {@code RX-packets}, {@code TX-packets}, ... */
  public long counter(String name) throws IOException {
    Matcher found =
        Pattern.compile(Pattern.quote(name) + ":\\s*(\\d+)").matcher(command("show port stats 0"));
    if (!found.find()) {
      throw new IOException("testpmd counts no " + name);
    }
    return Long.parseLong(found.group(1));
  }

  /** What DPDK logged. */
  public String log() throws IOException {
    return testpmd.log();
  }

  @Override
  public void close() {
    try {
      in.write("quit\n".getBytes(ISO_8859_1));
      in.flush();
    } catch (IOException e) {
      // Already gone.
    }
    testpmd.await(Duration.ofSeconds(5));
    testpmd.close();
    scratch.close();
  }
}
