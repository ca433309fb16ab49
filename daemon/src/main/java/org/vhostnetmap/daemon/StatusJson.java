// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.util.List;
import org.vhostnetmap.bridge.BridgeStatus;
import org.vhostnetmap.bridge.DropReason;
import org.vhostnetmap.bridge.NetmapStatus;
import org.vhostnetmap.bridge.PortStatus;
import org.vhostnetmap.bridge.QueueStatus;
import org.vhostnetmap.bridge.WorkerStatus;
import org.vhostnetmap.netmap.NetmapPort;
import org.vhostnetmap.vhost.BackendStatus;

/**
 * A {@link StatusReport} for programs: one line of JSON. Names may be added with any version, none
 * changes.
 */
final class StatusJson {
  private StatusJson() {}

  static String of(StatusReport report) {
    Json json = new Json().object();
    json.name("version").value(report.version());
    json.name("pid").value(report.pid());
    json.name("uptime_seconds").value(report.uptimeSeconds());
    json.name("resident_bytes").value(report.residentBytes());
    BridgeStatus bridge = report.bridge();
    json.name("workers").value(bridge.workers().size());
    json.name("received").value(bridge.received());
    json.name("delivered").value(bridge.delivered());
    json.name("dropped").value(bridge.dropped());
    json.name("flood_copies").value(bridge.floodCopies());
    json.name("unexplained").value(bridge.unexplained());
    json.name("mac_moves").value(bridge.macMoves());
    json.name("mac_refusals").value(bridge.macRefusals());
    json.name("worker_threads").array();
    bridge.workers().forEach(worker -> worker(json, worker));
    json.end().name("ports").array();
    bridge.ports().forEach(port -> port(json, port));
    return json.end().end().toString();
  }

  private static void worker(Json json, WorkerStatus worker) {
    json.object().name("name").value(worker.name());
    if (worker.cpu() >= 0) {
      json.name("cpu").value(worker.cpu());
    }
    json.name("sources").value(worker.sources());
    json.name("polls").value(worker.polls());
    json.name("empty_polls").value(worker.emptyPolls());
    json.name("sleeps").value(worker.sleeps());
    json.name("busy_ns").value(worker.busyNanos()).end();
  }

  private static void port(Json json, PortStatus port) {
    json.object().name("name").value(port.name());
    json.name("kind").value(port.kind());
    json.name("state").value(port.state());
    json.name("mac_addresses").value(port.macAddresses());
    json.name("queues").array();
    port.queues().forEach(queue -> queue(json, queue));
    json.end();
    port.vhost().ifPresent(vhost -> vhost(json.name("vhost"), vhost));
    port.netmap().ifPresent(netmap -> netmap(json.name("netmap"), netmap));
    json.end();
  }

  private static void queue(Json json, QueueStatus queue) {
    json.object().name("name").value(queue.queue());
    json.name("direction").value(queue.source() ? "from_port" : "to_port");
    json.name("frames").value(queue.frames());
    json.name("bytes").value(queue.bytes());
    json.name("notifications").value(queue.notifications());
    json.name("moved").value(queue.moved());
    json.name("segments").value(queue.segments());
    json.name("coalesced").value(queue.coalesced());
    json.name("drops").object();
    for (DropReason reason : DropReason.values()) {
      Long count = queue.drops().get(reason);
      if (count != null) {
        json.name(reason.key()).value(count);
      }
    }
    json.end().end();
  }

  private static void netmap(Json json, NetmapStatus netmap) {
    json.object().name("device").value(netmap.device());
    json.name("way").value(netmap.way());
    json.name("up").value(netmap.up());
    json.name("link").value(netmap.link());
    json.name("ring_pairs").value(netmap.rings());
    json.name("slots").value(netmap.slots());
    json.name("memory_id").value(netmap.memoryId());
    json.name("mtu").value(netmap.mtu());
    json.name("reattached").value(netmap.reattached());
    json.name("device_drops").array();
    for (NetmapPort.DeviceDrops drops : netmap.drops()) {
      json.object().name("reason").value(drops.reason());
      json.name("frames").value(drops.frames()).end();
    }
    json.end();
    if (!netmap.trouble().isEmpty()) {
      json.name("last_trouble").value(netmap.trouble());
    }
    json.end();
  }

  private static void vhost(Json json, BackendStatus vhost) {
    json.object().name("state").value(vhost.state().name().toLowerCase(java.util.Locale.ROOT));
    json.name("front_end_pid").value(vhost.frontendPid());
    words(json.name("features"), vhost.features());
    words(json.name("protocol_features"), vhost.protocolFeatures());
    json.name("driver_status").value(vhost.driverStatus());
    json.name("mtu").value(vhost.mtu());
    json.name("memory_sealed").value(vhost.memorySealed());
    json.name("memory").array();
    for (BackendStatus.Region region : vhost.memory()) {
      json.object().name("guest_address").value(region.guestAddress());
      json.name("size").value(region.size()).end();
    }
    json.end().name("rings").array();
    vhost.rings().forEach(ring -> ring(json, ring));
    json.end();
    counters(json, vhost.counters());
    String trouble = vhost.lastTrouble();
    if (trouble != null) {
      json.name("last_trouble").value(trouble);
    }
    json.end();
  }

  private static void ring(Json json, BackendStatus.Ring ring) {
    json.object().name("index").value(ring.index());
    json.name("state").value(ring.state().name().toLowerCase(java.util.Locale.ROOT));
    json.name("size").value(ring.size());
    json.name("available_index").value(ring.availableIndex());
    json.name("used_index").value(ring.usedIndex());
    json.name("kick").value(ring.hasKick());
    json.name("call").value(ring.hasCall());
    json.name("calls").value(ring.calls());
    json.name("faults").value(ring.faults());
    json.name("discarded").value(ring.discarded());
    String fault = ring.fault();
    if (fault != null) {
      json.name("fault").value(fault);
    }
    json.end();
  }

  private static void counters(Json json, BackendStatus.Counters counters) {
    json.name("front_ends").value(counters.frontends());
    json.name("refused_front_ends").value(counters.refusedFrontends());
    json.name("protocol_faults").value(counters.protocolFaults());
    json.name("refused_requests").value(counters.refusedRequests());
    json.name("unknown_requests").value(counters.unknownRequests());
    json.name("stray_fds").value(counters.strayFds());
    json.name("penances").value(counters.penances());
  }

  private static void words(Json json, List<String> words) {
    json.array();
    words.forEach(json::value);
    json.end();
  }
}
