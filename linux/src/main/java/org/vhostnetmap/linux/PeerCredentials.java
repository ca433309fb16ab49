// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

/**
 * Who sat at the other end of a unix socket when it was connected, in our name spaces; pid 0 is one
 * we can't see.
 */
public record PeerCredentials(int pid, int uid, int gid) {}
