// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated.nic;

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
import org.vhostnetmap.netmap.emulated.nic.TcGuardian.Place;

/// Something of ours at a NIC's way out of the host's stack, or into it, until it is closed or the
/// process has died.
///
/// ```
///             host's stack
///        |                  ^
///    [egress]           [ingress]          egress:  marked -> this NIC's ingress; all else -> a TAP
///        |                  |              ingress: marked -> pass;               all else -> drop
///        v                  | taps (AF_PACKET) see the frame before ingress does
///      driver             driver (XDP)
/// ```
///
/// The *mark* is on frames that a host TX ring gives to the stack. There are two ways to hold the
/// hook. A *tcx* link (Linux 6.6 and later, right to use bpf(2)) is a descriptor of ours and
/// vanishes with it. Else filters of the `tc` program, which would outlive us: a [TcGuardian] takes
/// them away.
final class NicHook implements AutoCloseable {
  /** On frames towards the host's stack: "nmap". */
  static final int MARK = 0x6e6d6170;

  /** System property: {@code tcx} or {@code tc} for that way only; else the first that works. */
  static final String WAY = "org.vhostnetmap.netmap.hook";

  private static final System.Logger LOG = System.getLogger(NicHook.class.getName());

  /** Fields of {@code struct __sk_buff}. */
  private static final int SKB_MARK = 8;

  private static final int SKB_QUEUE_MAPPING = 12;

  private static final int BPF_REDIRECT = 23;
  private static final int BPF_F_INGRESS = 1;
  private static final int TCX_NEXT = -1;
  private static final int TCX_DROP = 2;
  private static final int TC_ACT_UNSPEC = -1;
  private static final int TC_ACT_SHOT = 2;

  private final List<? extends AutoCloseable> holders;
  private final Place place;
  private final String description;

  private NicHook(List<? extends AutoCloseable> holders, Place place, String description) {
    this.holders = holders;
    this.place = place;
    this.description = description;
  }

  /** What the host transmits on {@code nic} goes out of {@code tap} instead. */
  static NicHook cut(NetDevice nic, NetDevice tap) throws NetmapException {
    BpfCode toTap = new BpfCode().move(1, tap.index()).move(2, 0).call(BPF_REDIRECT).exit();
    String toTapByTc =
        "bpf bytecode '"
            + new ClassicBpf().answer(-1).text()
            + "' action mirred egress redirect dev "
            + TcGuardian.device(tap);
    return open(
        Place.EGRESS_CUT, () -> tcxByTap(nic, toTap, tap), nic, turningRoundByTc(nic), toTapByTc);
  }

  /** What the host transmits on {@code nic} goes on as ever; only marked frames are turned. */
  static NicHook turn(NetDevice nic, NetDevice tap) throws NetmapException {
    BpfCode marked = redirectMarked(tap, 0).move(0, TCX_NEXT).exit();
    return open(Place.EGRESS_TURN, () -> tcxByTap(nic, marked, tap), nic, turningRoundByTc(nic));
  }

  /** What follows is for frames without the mark. */
  private static BpfCode redirectMarked(NetDevice to, int flags) {
    return new BpfCode()
        .loadWord(2, 1, SKB_MARK)
        .jumpUnlessEqual(2, MARK, 4)
        .move(1, to.index())
        .move(2, flags)
        .call(BPF_REDIRECT)
        .exit();
  }

  /**
   * Marked frames go to the TAP's egress and only there turn round. A redirect to an egress makes
   * the kernel remember that the frame was redirected, one to an ingress does not, and generic XDP
   * at the NIC leaves only frames alone of which that is remembered.
   */
  private static List<Fd> tcxByTap(NetDevice nic, BpfCode code, NetDevice tap)
      throws ErrnoException {
    BpfCode turn = redirectMarked(nic, BPF_F_INGRESS).move(0, TCX_NEXT).exit();
    Fd first = tcx(tap, Bpf.ATTACH_TCX_EGRESS, "netmap_turn", turn);
    try {
      return List.of(tcx(nic, Bpf.ATTACH_TCX_EGRESS, "netmap_egress", code), first);
    } catch (ErrnoException e) {
      first.close();
      throw e;
    }
  }

  private static String turningRoundByTc(NetDevice nic) {
    ClassicBpf marked =
        new ClassicBpf().load(ClassicBpf.MARK).jumpIfEqual(MARK, 0, 1).answer(-1).answer(0);
    return "bpf bytecode '"
        + marked.text()
        + "' action mirred ingress redirect dev "
        + TcGuardian.device(nic);
  }

  /**
   * The stack receives nothing by those queues of {@code nic} but what carries the mark, and that
   * without it.
   *
   * @param queues which ones
   * @param before the hook that this one is to replace; it is to be closed afterwards
   */
  static NicHook block(NetDevice nic, BitSet queues, QueueMapping mapping, @Nullable NicHook before)
      throws NetmapException {
    Place place =
        before != null && before.place == Place.INGRESS_BLOCK
            ? Place.INGRESS_OTHER_BLOCK
            : Place.INGRESS_BLOCK;
    int[] values = mapping.isAll(queues) ? new int[0] : mapping.values(queues);
    String unmarked = "bpf direct-action bytecode '" + blockByTc(values).text() + "'";
    BpfCode code = blockByTcx(values);
    return open(
        place,
        () -> List.of(tcx(nic, Bpf.ATTACH_TCX_INGRESS, "netmap_ingress", code)),
        nic,
        unmarked);
  }

  private static BpfCode blockByTcx(int[] values) {
    BpfCode code =
        new BpfCode()
            .loadWord(2, 1, SKB_MARK)
            .jumpUnlessEqual(2, MARK, 4)
            .move(2, 0)
            .storeWord(1, SKB_MARK, 2)
            .move(0, TCX_NEXT)
            .exit();
    if (values.length > 0) {
      code.loadWord(2, 1, SKB_QUEUE_MAPPING);
      for (int i = 0; i < values.length; i++) {
        code.jumpIfEqual(2, values[i], values.length - i + 1);
      }
      code.move(0, TCX_NEXT).exit();
    }
    return code.move(0, TCX_DROP).exit();
  }

  private static ClassicBpf blockByTc(int[] values) {
    ClassicBpf code = new ClassicBpf().load(ClassicBpf.MARK);
    code.jumpIfEqual(MARK, 0, 1).answer(TC_ACT_UNSPEC);
    if (values.length > 0) {
      code.load(ClassicBpf.QUEUE);
      for (int i = 0; i < values.length; i++) {
        code.jumpIfEqual(values[i], values.length - i, 0);
      }
      code.answer(TC_ACT_UNSPEC);
    }
    return code.answer(TC_ACT_SHOT);
  }

  /** Links of ours. */
  private interface Tcx {
    List<Fd> attach() throws ErrnoException;
  }

  private static NicHook open(Place place, Tcx tcx, NetDevice nic, String... filters)
      throws NetmapException {
    String way = System.getProperty(WAY, "");
    if (!way.equals("tc")) {
      try {
        return new NicHook(tcx.attach(), place, "tcx");
      } catch (ErrnoException e) {
        if (way.equals("tcx")) {
          throw new NetmapException("no tcx link at " + nic, e.errno(), e);
        }
        LOG.log(System.Logger.Level.DEBUG, "no tcx link, so the tc program: " + e.getMessage());
      }
    }
    return new NicHook(List.of(TcGuardian.start(nic, place, filters)), place, "tc");
  }

  private static Fd tcx(NetDevice device, int attachType, String name, BpfCode code)
      throws ErrnoException {
    try (Fd program = Bpf.load(Bpf.PROG_TYPE_SCHED_CLS, attachType, name, code)) {
      return Bpf.link(program.value(), device.index(), attachType, 0);
    }
  }

  /** {@code tcx} or {@code tc}. */
  String description() {
    return description;
  }

  /** Whether a frame that was turned round is sorted anew: for this host, or for another. */
  boolean tellsForWhom() {
    return description.equals("tcx");
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
