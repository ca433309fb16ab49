// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.linux;

/**
 * What the kernel tells of a network device, by RTM_NEWLINK (it is new, or something changed) or
 * RTM_DELLINK.
 *
 * @param index its number in its namespace
 * @param name its name now
 * @param exists false when it is gone
 * @param up whether it is administratively up
 * @param carrier whether its link is up
 * @param mtu largest payload in bytes
 * @param mac its Ethernet address, the first byte on the wire in bits 47 to 40; 0 without one
 */
public record LinkEvent(
    int index, String name, boolean exists, boolean up, boolean carrier, int mtu, long mac) {}
