// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapException;

/**
 * Filters of the {@code tc} program at a NIC, and a shell that takes them away once its standard
 * input ends: when this object is closed, or when this process has died, however it died. The shell
 * is in a session of its own, so that nobody stops it together with us.
 */
final class TcGuardian implements AutoCloseable {
  /** Where filters of ours can be. */
  enum Place {
    /** Turns marked frames round, sends the others to a TAP. */
    EGRESS_CUT(true, 28270, 2),
    /** Turns marked frames round. */
    EGRESS_TURN(true, 28272, 1),
    /** Lets only marked frames in. */
    INGRESS_BLOCK(false, 28280, 1),
    /** The same, while one replaces another. */
    INGRESS_OTHER_BLOCK(false, 28281, 1);

    final boolean egress;

    /** By its preference we know a filter of ours again; the kernel's own begin at 49152. */
    final int preference;

    final int filters;

    Place(boolean egress, int preference, int filters) {
      this.egress = egress;
      this.preference = preference;
      this.filters = filters;
    }
  }

  private static final int PATIENCE_SECONDS = 10;
  private static final String READY = "ready";

  private final Process shell;
  private final String cleaning;

  private TcGuardian(Process shell, String cleaning) {
    this.shell = shell;
    this.cleaning = cleaning;
  }

  /** As the tc program knows a device whatever it is called. */
  static String device(NetDevice device) {
    return "if" + device.index();
  }

  /**
   * Puts {@code filters} at a place of {@code nic}, in their order. What an earlier process may
   * have left there goes first.
   */
  static TcGuardian start(NetDevice nic, Place place, String... filters) throws NetmapException {
    String cleaning = cleaning(nic, place);
    StringBuilder script = new StringBuilder();
    script.append("trap '' HUP INT TERM\n");
    script.append(cleaning);
    script.append("tc qdisc add dev ").append(device(nic)).append(" clsact 2>/dev/null\n");
    for (int i = 0; i < filters.length; i++) {
      script.append(i == 0 ? "" : " && ").append(filter("add", nic, place, i));
      script.append(" protocol all ").append(filters[i]);
    }
    script.append(" && echo ").append(READY).append("\nread line\n").append(cleaning);
    Process shell = shell(script.toString(), nic);
    TcGuardian guardian = new TcGuardian(shell, cleaning);
    try {
      String answer = firstLine(shell);
      if (!answer.equals(READY)) {
        guardian.close();
        throw new NetmapException(
            "the tc program can't put filters at " + nic + " (" + answer + ")",
            answer.contains("not permitted") ? Errno.EPERM : Errno.EOPNOTSUPP);
      }
      return guardian;
    } catch (IOException e) {
      guardian.close();
      throw new NetmapException("no answer from a shell", Errno.EIO, e);
    }
  }

  private static String filter(String verb, NetDevice nic, Place place, int number) {
    return "tc filter "
        + verb
        + " dev "
        + device(nic)
        + (place.egress ? " egress" : " ingress")
        + " pref "
        + (place.preference + number);
  }

  /** Takes our filters away, and the clsact qdisc when nobody else has a filter there. */
  private static String cleaning(NetDevice nic, Place place) {
    String name = device(nic);
    StringBuilder script = new StringBuilder();
    for (int i = 0; i < place.filters; i++) {
      script.append(filter("del", nic, place, i)).append(" 2>/dev/null\n");
    }
    script.append("test -n \"$(tc filter show dev ").append(name).append(" ingress 2>/dev/null; ");
    script.append("tc filter show dev ").append(name).append(" egress 2>/dev/null)\" || ");
    script.append("tc qdisc del dev ").append(name).append(" clsact 2>/dev/null\n");
    return script.toString();
  }

  private static Process shell(String script, NetDevice nic) throws NetmapException {
    try {
      return start(List.of("setsid", "sh", "-c", script));
    } catch (IOException noSetsid) {
      try {
        return start(List.of("sh", "-c", script));
      } catch (IOException e) {
        throw new NetmapException("no shell to put filters at " + nic, Errno.ENOENT, e);
      }
    }
  }

  private static Process start(List<String> command) throws IOException {
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  /** Ends at the shell's death too, which has said why. */
  private static String firstLine(Process shell) throws IOException {
    BufferedReader output =
        new BufferedReader(new InputStreamReader(shell.getInputStream(), StandardCharsets.UTF_8));
    String line = output.readLine();
    return line == null ? "it said nothing" : line;
  }

  /** Takes the filters away and waits for it. */
  @Override
  public void close() {
    try {
      shell.getOutputStream().close();
      if (!shell.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        shell.destroyForcibly().waitFor();
      }
      if (shell.exitValue() > 128) {
        // Somebody killed the guardian: its work is ours.
        start(List.of("sh", "-c", cleaning)).waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
      }
    } catch (IOException e) {
      System.getLogger(TcGuardian.class.getName())
          .log(System.Logger.Level.WARNING, "filters of the tc program may still be there", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    closeStreams();
  }

  private void closeStreams() {
    try {
      shell.getInputStream().close();
      shell.getErrorStream().close();
    } catch (IOException e) {
      System.getLogger(TcGuardian.class.getName())
          .log(System.Logger.Level.DEBUG, "closing a pipe", e);
    }
  }
}
