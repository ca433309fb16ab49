// SPDX-License-Identifier: Apache-2.0

/// A ring without a front-end, for benchmarks: in vhost's package, because only a session makes
/// rings.
package org.vhostnetmap.vhost;
