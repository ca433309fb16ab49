// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.vhostnetmap.linux.ClassicBpf;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapException;

/**
 * Filters of the {@code tc} program at a NIC, and a shell that takes them away once its standard
 * input ends: when this object is closed, or when this process has died, however it died. The shell
 * is in a session of its own, so that nobody stops it together with us.
 *
 * <p>Filters need a clsact qdisc. Where there was none, the first of us makes it and leaves a
 * filter there that does nothing but say so; the last one of us takes both away.
 */
final class TcGuardian implements AutoCloseable {
  /** Says that the clsact qdisc is ours. */
  private static final int CLAIM_PREFERENCE = 28299;

  private static final int PATIENCE_SECONDS = 10;
  private static final String READY = "ready";

  /**
   * One filter.
   *
   * @param egress at which side
   * @param preference its order among others, by which we know a filter of ours again; the kernel's
   *     own begin at 49152
   * @param optional whether we can do without, on a kernel that does not know it
   * @param text what comes after {@code protocol all}
   */
  record Filter(boolean egress, int preference, boolean optional, String text) {
    private String command(String verb, String device) {
      return "tc filter "
          + verb
          + " dev "
          + device
          + (egress ? " egress" : " ingress")
          + " pref "
          + preference;
    }
  }

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
   * Puts {@code filters} at {@code nic}. What an earlier process may have left in their places goes
   * first.
   *
   * @throws NetmapException with tc's own words
   */
  static TcGuardian start(NetDevice nic, List<Filter> filters) throws NetmapException {
    String device = device(nic);
    String cleaning = cleaning(device, filters);
    TcGuardian guardian = new TcGuardian(shell(script(device, filters, cleaning), nic), cleaning);
    String answer = guardian.firstLine();
    if (answer.equals(READY)) {
      return guardian;
    }
    guardian.close();
    throw new NetmapException(
        "the tc program can't put filters at " + nic + " (" + answer + ")",
        answer.contains("not permitted") ? Errno.EPERM : Errno.EOPNOTSUPP);
  }

  private static String script(String device, List<Filter> filters, String cleaning) {
    String nothing = new ClassicBpf().answer(-1).text(); // TC_ACT_UNSPEC: on to the next filter
    Filter claim =
        new Filter(false, CLAIM_PREFERENCE, false, "bpf direct-action bytecode '" + nothing + "'");
    StringBuilder script = new StringBuilder("trap '' HUP INT TERM\n");
    script.append(cleaning);
    script.append("tc qdisc add dev ").append(device).append(" clsact 2>/dev/null && ");
    script.append(adding(claim, device)).append('\n');
    for (Filter filter : filters) {
      if (filter.optional) {
        script.append(adding(filter, device)).append(" 2>/dev/null\n");
      }
    }
    for (Filter filter : filters) {
      if (!filter.optional) {
        script.append(adding(filter, device)).append(" && ");
      }
    }
    script.append("echo ").append(READY).append("\nread line\n").append(cleaning);
    return script.toString();
  }

  private static String adding(Filter filter, String device) {
    return filter.command("add", device) + " protocol all " + filter.text;
  }

  /** Takes filters away, and a clsact qdisc of ours when nobody has another filter there. */
  private static String cleaning(String device, List<Filter> filters) {
    StringBuilder script = new StringBuilder();
    for (Filter filter : filters) {
      script.append(filter.command("del", device)).append(" 2>/dev/null\n");
    }
    String show = "tc filter show dev " + device;
    String all = "{ " + show + " ingress; " + show + " egress; } 2>/dev/null | ";
    String claim = "'pref " + CLAIM_PREFERENCE + " '";
    script.append("if ").append(all).append("grep -q ").append(claim).append(" && ! ");
    script.append(all).append("grep -v ").append(claim).append(" | grep -q .\n");
    script.append("then tc qdisc del dev ").append(device).append(" clsact 2>/dev/null\nfi\n");
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

  /** Gives up after a while: whoever asks is the thread that serves everybody. */
  private String firstLine() {
    try {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (shell.getInputStream().available() == 0 && shell.isAlive()) {
        if (System.nanoTime() - end > 0) {
          return "no answer within " + PATIENCE_SECONDS + " s";
        }
        LockSupport.parkNanos(1_000_000);
      }
      BufferedReader output =
          new BufferedReader(new InputStreamReader(shell.getInputStream(), StandardCharsets.UTF_8));
      String line = output.readLine();
      return line == null ? "it said nothing" : line;
    } catch (IOException e) {
      return "no answer: " + e.getMessage();
    }
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
