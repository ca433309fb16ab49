// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Bpf;
import org.vhostnetmap.linux.BpfCode;
import org.vhostnetmap.linux.ClassicBpf;
import org.vhostnetmap.linux.ErrnoException;
import org.vhostnetmap.linux.Fd;
import org.vhostnetmap.linux.NetDevice;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.emulated.nic.TcGuardian.Filter;

/// Something of ours at a NIC's way out of the host's stack, or into it, until it is closed or the
/// process has died.
///
/// ```
///             host's stack
///        |                  ^              egress:  marked -> this NIC's ingress; all else -> a TAP
///    [egress]           [ingress]          ingress: marked -> pass;               all else -> drop
///        |                  |              and the mark is taken off
///        v                  | taps (AF_PACKET) see the frame, and its mark, before ingress does
///      driver             driver (XDP)
/// ```
///
/// The *mark* is on frames that a host TX ring gives to the stack; each NIC has its own, and no
/// frame keeps it beyond the ingress (on the tc way: where the kernel has act_skbedit; else a frame
/// that the host routes back out of the NIC it came by turns round again). There are two ways to
/// hold a hook. A *tcx* link (Linux 6.6 and later, right to use bpf(2)) is a descriptor of ours and
/// vanishes with it. Else filters of the `tc` program, which would outlive us: a [TcGuardian] takes
/// them away.
final class NicHook implements AutoCloseable {
  /** System property: {@code tcx} or {@code tc} for that way only; else the first that works. */
  static final String WAY = "org.vhostnetmap.netmap.hook";

  private static final System.Logger LOG = System.getLogger(NicHook.class.getName());

  /** "nm", then the NIC's number. */
  private static final int MARK = 0x6e6d0000;

  /** Fields of {@code struct __sk_buff}. */
  private static final int SKB_MARK = 8;

  private static final int SKB_QUEUE_MAPPING = 12;

  private static final int BPF_REDIRECT = 23;
  private static final int BPF_F_INGRESS = 1;
  private static final int BPF_F_BEFORE = 8;
  private static final int TCX_NEXT = -1;
  private static final int TCX_DROP = 2;
  private static final int TC_ACT_UNSPEC = -1;
  private static final int TC_ACT_SHOT = 2;

  /** Preferences of our filters. A hook that replaces another one has places of its own. */
  private static final int PREF_CUT = 28270;

  private static final int PREF_TURN = 28272;
  private static final int PREF_BLOCK = 28280;
  private static final int PREF_OTHER_BLOCK = 28281;
  private static final int PREF_CUT_UNMARK = 28290;
  private static final int PREF_TURN_UNMARK = 28291;

  private final List<? extends AutoCloseable> holders;
  private final int preference;
  private final boolean tcx;

  private NicHook(List<? extends AutoCloseable> holders, int preference, boolean tcx) {
    this.holders = holders;
    this.preference = preference;
    this.tcx = tcx;
  }

  /** What frames carry that are to turn round at {@code nic}. */
  static int mark(NetDevice nic) {
    return MARK | (nic.index() & 0xffff);
  }

  /** What the host transmits on {@code nic} goes out of {@code tap} instead. */
  static NicHook cut(NetDevice nic, NetDevice tap) throws NetmapException {
    BpfCode toTap = new BpfCode().move(1, tap.index()).move(2, 0).call(BPF_REDIRECT).exit();
    String toTapByTc =
        "bpf bytecode '"
            + new ClassicBpf().answer(-1).text()
            + "' action mirred egress redirect dev "
            + TcGuardian.device(tap);
    List<Filter> filters = turnByTc(nic, PREF_CUT, PREF_CUT_UNMARK);
    filters.add(new Filter(true, PREF_CUT + 1, false, toTapByTc));
    return open(PREF_CUT, () -> turnByTcx(nic, toTap, tap), nic, filters);
  }

  /** What the host transmits on {@code nic} goes on as ever; only marked frames are turned. */
  static NicHook turn(NetDevice nic, NetDevice tap) throws NetmapException {
    BpfCode marked = redirectMarked(mark(nic), tap, 0).move(0, TCX_NEXT).exit();
    List<Filter> filters = turnByTc(nic, PREF_TURN, PREF_TURN_UNMARK);
    return open(PREF_TURN, () -> turnByTcx(nic, marked, tap), nic, filters);
  }

  /** What follows is for frames without the mark. */
  private static BpfCode redirectMarked(int mark, NetDevice to, int flags) {
    return new BpfCode()
        .loadWord(2, 1, SKB_MARK)
        .jumpUnlessEqual(2, mark, 4)
        .move(1, to.index())
        .move(2, flags)
        .call(BPF_REDIRECT)
        .exit();
  }

  /** What follows is for frames without the mark. */
  private static BpfCode unmark(int mark) {
    return new BpfCode()
        .loadWord(2, 1, SKB_MARK)
        .jumpUnlessEqual(2, mark, 4)
        .move(2, 0)
        .storeWord(1, SKB_MARK, 2)
        .move(0, TCX_NEXT)
        .exit();
  }

  /**
   * Marked frames go to the TAP's egress and only there turn round. A redirect to an egress makes
   * the kernel remember that the frame was redirected, one to an ingress does not, and generic XDP
   * at the NIC leaves only frames alone of which that is remembered.
   */
  private static List<Fd> turnByTcx(NetDevice nic, BpfCode code, NetDevice tap)
      throws ErrnoException {
    int mark = mark(nic);
    BpfCode turn = redirectMarked(mark, nic, BPF_F_INGRESS).move(0, TCX_NEXT).exit();
    BpfCode unmark = unmark(mark).move(0, TCX_NEXT).exit();
    List<Fd> links = new ArrayList<>();
    try {
      links.add(tcx(nic, Bpf.ATTACH_TCX_INGRESS, 0, "netmap_unmark", unmark));
      links.add(tcx(tap, Bpf.ATTACH_TCX_EGRESS, 0, "netmap_turn", turn));
      links.add(tcx(nic, Bpf.ATTACH_TCX_EGRESS, 0, "netmap_egress", code));
      return links.reversed();
    } catch (ErrnoException e) {
      links.forEach(Fd::close);
      throw e;
    }
  }

  private static List<Filter> turnByTc(NetDevice nic, int preference, int unmarkPreference) {
    ClassicBpf marked =
        new ClassicBpf().load(ClassicBpf.MARK).jumpIfEqual(mark(nic), 0, 1).answer(-1).answer(0);
    String match = "bpf bytecode '" + marked.text() + "' action ";
    String turn = match + "mirred ingress redirect dev " + TcGuardian.device(nic);
    List<Filter> filters = new ArrayList<>();
    filters.add(new Filter(true, preference, false, turn));
    filters.add(new Filter(false, unmarkPreference, true, match + "skbedit mark 0"));
    return filters;
  }

  /**
   * The stack receives nothing by those queues of {@code nic} but what carries the mark.
   *
   * @param queues which ones
   * @param before the hook that this one is to replace; it is to be closed afterwards
   */
  static NicHook block(NetDevice nic, BitSet queues, QueueMapping mapping, @Nullable NicHook before)
      throws NetmapException {
    int preference =
        before != null && before.preference == PREF_BLOCK ? PREF_OTHER_BLOCK : PREF_BLOCK;
    int[] values = mapping.values(queues);
    boolean listed = !mapping.byExclusion(queues);
    ClassicBpf codeByTc = blockByTc(mark(nic), values, listed);
    String byTc = "bpf direct-action bytecode '" + codeByTc.text() + "'";
    BpfCode code = blockByTcx(mark(nic), values, listed);
    // Before whatever else takes the mark off, or it would not know our frames any more.
    return open(
        preference,
        () -> List.of(tcx(nic, Bpf.ATTACH_TCX_INGRESS, BPF_F_BEFORE, "netmap_block", code)),
        nic,
        List.of(new Filter(false, preference, false, byTc)));
  }

  /**
   * Drops frames whose queue_mapping is one of {@code values}, or all others.
   *
   * @param listed which of the two
   */
  private static BpfCode blockByTcx(int mark, int[] values, boolean listed) {
    BpfCode code = unmark(mark);
    if (values.length > 0) {
      code.loadWord(2, 1, SKB_QUEUE_MAPPING);
      for (int i = 0; i < values.length; i++) {
        code.jumpIfEqual(2, values[i], values.length - i + 1);
      }
      code.move(0, listed ? TCX_NEXT : TCX_DROP).exit();
      return code.move(0, listed ? TCX_DROP : TCX_NEXT).exit();
    }
    return code.move(0, TCX_DROP).exit();
  }

  private static ClassicBpf blockByTc(int mark, int[] values, boolean listed) {
    ClassicBpf code = new ClassicBpf().load(ClassicBpf.MARK);
    code.jumpIfEqual(mark, 0, 1).answer(TC_ACT_UNSPEC);
    if (values.length > 0) {
      code.load(ClassicBpf.QUEUE);
      for (int i = 0; i < values.length; i++) {
        code.jumpIfEqual(values[i], values.length - i, 0);
      }
      code.answer(listed ? TC_ACT_UNSPEC : TC_ACT_SHOT);
      return code.answer(listed ? TC_ACT_SHOT : TC_ACT_UNSPEC);
    }
    return code.answer(TC_ACT_SHOT);
  }

  /** Links of ours. */
  private interface Tcx {
    List<Fd> attach() throws ErrnoException;
  }

  private static NicHook open(int preference, Tcx tcx, NetDevice nic, List<Filter> filters)
      throws NetmapException {
    String way = System.getProperty(WAY, "");
    if (!way.equals("tc")) {
      try {
        return new NicHook(tcx.attach(), preference, true);
      } catch (ErrnoException e) {
        if (way.equals("tcx")) {
          throw new NetmapException("no tcx link at " + nic, e.errno(), e);
        }
        LOG.log(System.Logger.Level.DEBUG, "no tcx link, so the tc program: " + e.getMessage());
      }
    }
    return new NicHook(List.of(TcGuardian.start(nic, filters)), preference, false);
  }

  private static Fd tcx(NetDevice device, int attachType, int flags, String name, BpfCode code)
      throws ErrnoException {
    try (Fd program = Bpf.load(Bpf.PROG_TYPE_SCHED_CLS, attachType, name, code)) {
      return Bpf.link(program.value(), device.index(), attachType, flags);
    }
  }

  /** {@code tcx} or {@code tc}. */
  String description() {
    return tcx ? "tcx" : "tc";
  }

  /** Whether a frame that was turned round is sorted anew: for this host, or for another. */
  boolean tellsForWhom() {
    return tcx;
  }

  @Override
  public void close() {
    for (AutoCloseable holder : holders) {
      try {
        holder.close();
      } catch (Exception e) {
        LOG.log(System.Logger.Level.WARNING, "a hook at a NIC may still be there", e);
      }
    }
  }
}
