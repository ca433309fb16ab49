// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.emulated;

import java.util.Map;
import java.util.TreeMap;
import org.vhostnetmap.linux.Errno;
import org.vhostnetmap.netmap.NetmapException;

/**
 * All netmap memories of one device by their ids. Id 1 is the one that NICs, their pipes and their
 * zero-copy monitors share, and is always there; others come with a port and go with the last
 * adapter in them. Guarded by the device's lock.
 */
public final class Pools {
  /** Id of the memory that NICs share. */
  public static final int GLOBAL = 1;

  private static final int LAST_ID = 65_535;

  private final Map<Integer, Pool> byId = new TreeMap<>();

  Pools(Pool.Geometry global) {
    Pool pool = new Pool(GLOBAL, global);
    pool.references = 1;
    byId.put(GLOBAL, pool);
  }

  /** The memory that NICs share. One more reference: to be released, or given to an adapter. */
  public Pool global() {
    Pool pool = byId.get(GLOBAL);
    if (pool == null) {
      throw new IllegalStateException("the global memory is gone");
    }
    pool.references++;
    return pool;
  }

  /**
   * The memory that somebody asked for by number. One more reference.
   *
   * @throws NetmapException EINVAL when there is none of that number
   */
  public Pool find(int id) throws NetmapException {
    Pool pool = byId.get(id);
    if (pool == null) {
      throw new NetmapException("no netmap memory has the id " + id, Errno.EINVAL);
    }
    pool.references++;
    return pool;
  }

  /** A memory of its own for a new port, with the lowest free id. One reference. */
  public Pool create(Pool.Geometry geometry) throws NetmapException {
    int id = GLOBAL + 1;
    while (byId.containsKey(id)) {
      id++;
    }
    if (id > LAST_ID) {
      throw new NetmapException("no netmap memory id is left", Errno.ENOMEM);
    }
    Pool pool = new Pool(id, geometry);
    pool.references = 1;
    byId.put(id, pool);
    return pool;
  }

  /** One reference less; the last one takes the id away. */
  public void release(Pool pool) {
    pool.references--;
    if (pool.references == 0) {
      byId.remove(pool.id());
    }
  }

  /** How many memories there are, the global one counted. */
  int count() {
    return byId.size();
  }
}
