// SPDX-License-Identifier: Apache-2.0

/// The other sides, played by test code so that a test of every clause takes milliseconds: the
/// guest's driver and the front-end. They know the documents and nothing of the rooms they test.
@org.jspecify.annotations.NullMarked
package org.vhostnetmap.fakes;
