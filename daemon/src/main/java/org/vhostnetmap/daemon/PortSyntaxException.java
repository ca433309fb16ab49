// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

/** A PORT that can't be read, and the character where it went wrong. */
final class PortSyntaxException extends Exception {
  private static final long serialVersionUID = 1L;

  private final String text;
  private final int position;
  private final String problem;

  /**
   * {@code position} counts characters from 0; the length of {@code text} means "here something is
   * missing".
   */
  PortSyntaxException(String text, int position, String problem) {
    super(problem);
    this.text = text;
    this.problem = problem;
    this.position = position;
  }

  /** What is wrong, without the place. */
  String problem() {
    return problem;
  }

  int position() {
    return position;
  }

  /** The message, the text below it, and a caret below the character. */
  String picture() {
    return "in port \"%s\", character %d: %s%n    %s%n    %s^"
        .formatted(text, position + 1, problem, text, " ".repeat(position));
  }
}
