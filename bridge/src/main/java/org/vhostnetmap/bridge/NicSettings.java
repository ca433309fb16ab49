// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bridge;

import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.NicCheck;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * The settings of one NIC that matter to netmap: told in the log, a line each, or put right for as
 * long as the NIC is ours. One object per bridge port. Control thread.
 */
public final class NicSettings {
  private static final System.Logger LOG = System.getLogger(NicSettings.class.getName());

  private final boolean kernel;
  private final boolean fix;
  private final boolean hostToo;
  private List<String> told = List.of();
  private @Nullable NicCheck check;

  /**
   * How the NIC is to be used.
   *
   * @param kernel by the kernel's netmap, else by the emulated one
   * @param fix whether to put right what can be
   * @param hostToo whether a port of its host rings stands beside that of its own
   */
  public NicSettings(boolean kernel, boolean fix, boolean hostToo) {
    this.kernel = kernel;
    this.fix = fix;
    this.hostToo = hostToo;
  }

  /** Looks at the NIC that was just opened. The host rings' port leaves that to the NIC's own. */
  void apply(RegisterRequest request, int bufferBytes) {
    boolean nic = request.mode().bindsNic();
    if ((!nic && hostToo) || NetmapBindings.isMonitor(request)) {
      return;
    }
    var use = new NicCheck.Use(kernel, hostToo || !nic, nic, bufferBytes);
    try {
      NicCheck fresh = NicCheck.of(request.name(), use);
      check = fresh;
      if (fix) {
        fresh.fix().forEach(line -> LOG.log(INFO, line));
      }
      List<String> faults = fresh.faults();
      if (!faults.equals(told)) {
        faults.forEach(line -> LOG.log(WARNING, line + (fix ? "" : " (or --fix-nic)")));
      }
      told = faults;
    } catch (NetmapException e) {
      LOG.log(WARNING, "the settings of the NIC can't be seen: " + e.getMessage());
    }
  }

  /** Puts back what was changed. */
  void restore() {
    NicCheck known = check;
    check = null;
    if (known != null) {
      known.close();
    }
  }
}
