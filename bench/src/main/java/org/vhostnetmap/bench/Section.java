// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.bench;

import java.util.Set;

/** One table of {@code scripts/bench}. */
interface Section {
  /** The word that chooses this section: each of its rows has it. */
  String name();

  /** What else its rows may be chosen by, such as {@code TX} or {@code 64}. */
  Set<String> words();

  /**
   * Measures the rows that are wanted and reports each one as soon as it is known. Where none is
   * wanted, nothing is started and nothing is reported.
   */
  void run(Selection selection, Report report) throws Exception;
}
