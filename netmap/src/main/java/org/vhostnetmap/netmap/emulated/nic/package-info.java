// SPDX-License-Identifier: Apache-2.0

/// NICs of the emulated netmap.
package org.vhostnetmap.netmap.emulated.nic;
