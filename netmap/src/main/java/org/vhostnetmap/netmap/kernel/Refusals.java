// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import java.util.ArrayList;
import java.util.List;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapAbi;
import org.vhostnetmap.netmap.NetmapException;
import org.vhostnetmap.netmap.PortMode;
import org.vhostnetmap.netmap.RegisterRequest;

/**
 * What a refusal of the kernel's netmap means. The kernel answers with a number and tells the
 * reason to its log alone, or not even there; this is the one place that turns request and number
 * into words with what to do. Where one number has several reasons, those that this request can
 * have met are named.
 */
final class Refusals {
  private static final String SIZES =
      "/sys/module/netmap/parameters (buf_num, ring_num, ring_size, if_num; new values count once no"
          + " port is open)";

  private Refusals() {}

  /** The exception for a request that the kernel answered with {@code errno}. */
  static NetmapException of(RequestType type, RegisterRequest request, int errno) {
    String reason =
        switch (type) {
          case REGISTER -> register(request, errno);
          case PORT_INFO_GET, POOLS_INFO_GET -> info(request, errno);
          case VALE_ATTACH -> attach(request, errno);
          case VALE_DETACH -> detach(request, errno);
          case VALE_LIST -> "the kernel does not list VALE ports";
          case PORT_HDR_SET -> setHeader(request, errno);
          case PORT_HDR_GET -> info(request, errno);
          case VALE_NEWIF -> newInterface(request, errno);
          case VALE_DELIF -> deleteInterface(request, errno);
        };
    return new NetmapException(reason, errno);
  }

  /** The exception for a device that can't be opened. */
  static NetmapException ofOpen(int errno) {
    String reason =
        switch (errno) {
          case Errno.ENOENT, Errno.ENXIO, Errno.ENODEV ->
              "no " + KernelDevice.PATH + ": the netmap module is not loaded (modprobe netmap)";
          case Errno.EACCES, Errno.EPERM ->
              KernelDevice.PATH + " is not open to this user: run as root, or chown it";
          default -> "open " + KernelDevice.PATH;
        };
    return new NetmapException(reason, errno);
  }

  private static String register(RegisterRequest request, int errno) {
    String port = "netmap port " + request.name();
    return switch (errno) {
      case Errno.ENXIO -> port + ": " + unknown(request);
      case Errno.EBUSY -> port + ": " + busy(request);
      case Errno.EINVAL -> port + ": " + invalid(request);
      case Errno.ENOMEM -> port + ": " + noMemory(request);
      case Errno.EIO ->
          port
              + ": its frames begin with a virtio-net header (PORT_HDR_SET), which this open does not"
              + " accept";
      case Errno.EOPNOTSUPP ->
          port
              + ": the driver has no netmap of its own and the module's parameter admode=1 forbids"
              + " the emulated adapter (write 0 to /sys/module/netmap/parameters/admode)";
      case Errno.ENODEV -> port + ": there is no such pipe";
      case Errno.EEXIST -> port + ": an interface of this name was made meanwhile; try again";
      default -> port;
    };
  }

  private static String unknown(RegisterRequest request) {
    return isVale(request)
        ? "a VALE port's name is valeX:PORT"
        : "there is no network interface of this name in this network namespace";
  }

  private static String busy(RegisterRequest request) {
    String rings =
        request.has(NetmapAbi.NR_EXCLUSIVE)
            ? "some of its rings are in use already, and were asked for exclusively"
            : "some of its rings are in use exclusively";
    return isVale(request)
        ? rings
        : rings
            + "; or the interface is plugged into a VALE switch; or it belongs to a Linux bridge,"
            + " bond or macvlan, which the emulated adapter can't share it with";
  }

  private static String invalid(RegisterRequest request) {
    List<String> reasons = new ArrayList<>();
    boolean pipe = isPipe(request);
    if (request.mode().bindsHost() && (pipe || isVale(request))) {
      return "VALE ports and pipes have no host rings";
    }
    if (request.mode() == PortMode.NULL) {
      return "a port of memory alone needs the number of a memory in use (@N), not "
          + request.memoryId();
    }
    if (request.mode() == PortMode.ONE_NIC || request.mode() == PortMode.ONE_HOST) {
      reasons.add("it has no ring number " + request.ringId());
    }
    if (request.memoryId() != 0) {
      reasons.add("there is no memory number " + request.memoryId() + ", or it can't be used here");
    }
    if (isMonitor(request)) {
      reasons.add("nobody has the port open, and a monitor only looks at an open one");
    }
    if (isVale(request) && !pipe) {
      reasons.add(
          "the part after the colon is the name of a network interface, which is plugged in by"
              + " VALE_ATTACH and not opened; or its rings or slots are out of range (1 to 16 rings,"
              + " 1 to 4096 slots)");
    }
    if (!isVale(request) && !pipe) {
      reasons.add(
          "the interface's MTU is larger than netmap's buffers and the adapter can't split frames"
              + " (lower the MTU, or raise /sys/module/netmap/parameters/buf_size)");
    }
    if (pipe) {
      reasons.add("the pipe's name lacks a part before or behind the brace");
    }
    return String.join("; or ", reasons);
  }

  private static String noMemory(RegisterRequest request) {
    String most =
        "netmap's memory has not enough rings or buffers left, or its rings are too short";
    return request.memoryId() > 1 || isVale(request)
        ? most + "; or the VALE switch is full (254 ports), or there are too many switches"
        : most + ": look at " + SIZES;
  }

  private static String info(RegisterRequest request, int errno) {
    return switch (errno) {
      case Errno.ENXIO -> "netmap port " + request.name() + ": " + unknown(request);
      case Errno.EINVAL ->
          "netmap port "
              + request.name()
              + ": there is no such port, or no memory number "
              + request.memoryId();
      default -> "ask for netmap port " + request.name();
    };
  }

  private static String attach(RegisterRequest request, int errno) {
    String what = "plug " + request.name() + " into its VALE switch";
    return switch (errno) {
      case Errno.EBUSY -> what + ": it is plugged in already, or open as a netmap port";
      case Errno.EINVAL ->
          what
              + ": the name has to be valeX:INTERFACE with an interface that exists, and its MTU not"
              + " above netmap's buffers";
      case Errno.ENXIO -> what + ": there is no such interface";
      case Errno.ENOMEM -> what + ": " + noMemory(request);
      case Errno.EOPNOTSUPP -> what + ": the driver has no netmap of its own, and admode=1";
      default -> what;
    };
  }

  private static String detach(RegisterRequest request, int errno) {
    String what = "unplug " + request.name() + " from its VALE switch";
    return switch (errno) {
      case Errno.ENXIO, Errno.EINVAL ->
          what
              + ": it is not plugged in (netmap loses the name of a persistent port that was opened"
              + " while plugged in: only a reboot helps then)";
      case Errno.EBUSY -> what + ": somebody has it open";
      default -> what;
    };
  }

  private static String setHeader(RegisterRequest request, int errno) {
    String what = "set the virtio-net header of " + request.name();
    return switch (errno) {
      case Errno.ENXIO -> what + ": only VALE ports have one, and only while they are open";
      case Errno.EINVAL -> what + ": its length is 0, 10 or 12 bytes";
      default -> what;
    };
  }

  private static String newInterface(RegisterRequest request, int errno) {
    String what = "create the persistent VALE port " + request.name();
    return switch (errno) {
      case Errno.EEXIST -> what + ": an interface of this name exists";
      case Errno.EINVAL -> what + ": the name must not begin with vale, nor be empty or too long";
      default -> what;
    };
  }

  private static String deleteInterface(RegisterRequest request, int errno) {
    String what = "delete the persistent VALE port " + request.name();
    return switch (errno) {
      case Errno.EBUSY -> what + ": it is plugged into a switch or open";
      case Errno.ENXIO -> what + ": there is no such interface";
      case Errno.EINVAL -> what + ": that interface is none";
      default -> what;
    };
  }

  private static boolean isVale(RegisterRequest request) {
    return request.name().startsWith("vale");
  }

  private static boolean isPipe(RegisterRequest request) {
    return request.name().indexOf('{') >= 0 || request.name().indexOf('}') >= 0;
  }

  private static boolean isMonitor(RegisterRequest request) {
    long monitor = NetmapAbi.NR_MONITOR_RX | NetmapAbi.NR_MONITOR_TX | NetmapAbi.NR_ZCOPY_MON;
    return (request.flags() & monitor) != 0;
  }
}
