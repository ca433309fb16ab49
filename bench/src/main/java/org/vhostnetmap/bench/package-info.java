// SPDX-License-Identifier: Apache-2.0

/// Programs that measure: what a frame costs, and what it must not cost.
@org.jspecify.annotations.NullMarked
package org.vhostnetmap.bench;
