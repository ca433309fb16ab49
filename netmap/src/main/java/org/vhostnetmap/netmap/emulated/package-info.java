// SPDX-License-Identifier: Apache-2.0

/// The emulated netmap: the kernel's side, in this process.
package org.vhostnetmap.netmap.emulated;
