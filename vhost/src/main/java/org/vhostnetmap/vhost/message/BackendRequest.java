// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.vhost.message;

/**
 * What a back-end may ask on the socket that VHOST_USER_SET_BACKEND_REQ_FD brought (vhost-user
 * document, "Back-end message types"). A network device has no need of any yet; the socket is kept
 * because QEMU logs an error when it closes.
 */
public enum BackendRequest {
  VHOST_USER_BACKEND_IOTLB_MSG(1),
  VHOST_USER_BACKEND_CONFIG_CHANGE_MSG(2),
  VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG(3),
  VHOST_USER_BACKEND_VRING_CALL(4),
  VHOST_USER_BACKEND_VRING_ERR(5),
  VHOST_USER_BACKEND_SHARED_OBJECT_ADD(6),
  VHOST_USER_BACKEND_SHARED_OBJECT_REMOVE(7),
  VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP(8),
  VHOST_USER_BACKEND_SHMEM_MAP(9),
  VHOST_USER_BACKEND_SHMEM_UNMAP(10);

  private final int number;

  BackendRequest(int number) {
    this.number = number;
  }

  /** Number on the wire. */
  public int number() {
    return number;
  }
}
