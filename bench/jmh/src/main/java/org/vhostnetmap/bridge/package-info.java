// SPDX-License-Identifier: Apache-2.0

/// Benchmarks of what the bridge keeps to itself: in its package, for that reason alone.
package org.vhostnetmap.bridge;
