// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

/** A port name that can't be read, and the character where it went wrong. */
public final class PortNameException extends Exception {
  private static final long serialVersionUID = 1L;

  private final String problem;
  private final int position;

  /**
   * A name that goes wrong somewhere.
   *
   * @param position counts characters from 0; the length of {@code text} means "here something is
   *     missing"
   */
  public PortNameException(String text, int position, String problem) {
    super("in port name \"" + text + "\", character " + (position + 1) + ": " + problem);
    this.problem = problem;
    this.position = position;
  }

  /** What is wrong, without the place. */
  public String problem() {
    return problem;
  }

  /** Where: characters from 0. */
  public int position() {
    return position;
  }
}
