// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap;

import org.jspecify.annotations.Nullable;

/** Reads a {@link PortName}, one character after the other; one use. */
final class PortNameParser {
  /** Ends the name of a port: what follows is its mode, flags, memory or options. */
  private static final String SUFFIXES = "-*^/@";

  private static final int LONGEST_NAME = 63; // nr_name has 64 bytes, the last one 0
  private static final int LONGEST_PART = 15; // IFNAMSIZ - 1
  private static final int RINGS = 4095; // NETMAP_RING_MASK; ring numbers lie below it
  private static final int MEMORIES = 65536; // nr_mem_id has 16 bits

  private final String text;
  private int at;
  private PortMode mode = PortMode.ALL_NIC;
  private int ringId;
  private long flags;
  private int memory;
  private @Nullable String share;
  private PortName.@Nullable ExternalMemory externalMemory;
  private PortName.@Nullable Offset offset;
  private @Nullable PortConfiguration configuration;

  PortNameParser(String text) {
    this.text = text;
  }

  PortName parse() throws PortNameException {
    String name = name();
    mode();
    while (at < text.length() && options()) {
      // Flags and memories come in any order and number; options end the name.
    }
    RegisterRequest request = RegisterRequest.of(name).with(mode, ringId).withFlags(flags);
    request = request.inMemory(memory);
    if (configuration != null) {
      request = configuration.on(request);
    }
    return new PortName(text, request, share, externalMemory, offset);
  }

  /** Reads prefix and name; the name as the kernel wants it. */
  private String name() throws PortNameException {
    int colon = text.indexOf(':');
    int start = prefix(colon);
    at = colon + 1;
    int base = at;
    while (at < text.length() && (SUFFIXES + "{}").indexOf(text.charAt(at)) < 0) {
      at++;
    }
    if (at == base) {
      throw error(at, "the name of the port is missing, as in netmap:eth0");
    }
    boolean inner = start > 0 && text.startsWith("vale", base);
    part(inner ? afterColon(base) : base, at);
    if (at < text.length() && (text.charAt(at) == '{' || text.charAt(at) == '}')) {
      at++;
      pipeId();
    }
    if (at - start > LONGEST_NAME) {
      throw error(start + LONGEST_NAME, "a port name has at most " + LONGEST_NAME + " characters");
    }
    return text.substring(start, at);
  }

  /** Checks what stands before the first colon; tells where the kernel's name begins. */
  private int prefix(int colon) throws PortNameException {
    if (text.startsWith("netmap:")) {
      return colon + 1;
    }
    if (text.startsWith("netmap") && colon > 0) {
      throw error("netmap".length(), "nothing may stand between netmap and its colon");
    }
    if (!text.startsWith("vale") || colon < 0) {
      throw error(colon < 0 ? text.length() : 0, "a netmap port is netmap:NAME or valeX:NAME");
    }
    for (int i = "vale".length(); i < colon; i++) {
      if (!isWord(text.charAt(i))) {
        throw error(i, "the name of a switch has letters, digits and underscores");
      }
    }
    if (colon > LONGEST_PART) {
      throw error(LONGEST_PART, "the name of a switch has at most 15 characters, vale included");
    }
    return 0;
  }

  /** netmap:vale0:p is vale0:p: the port's own name begins behind the second colon. */
  private int afterColon(int base) throws PortNameException {
    int colon = text.indexOf(':', base);
    if (colon < 0 || colon >= at) {
      return base;
    }
    if (colon + 1 == at) {
      throw error(at, "the name of the port is missing, as in vale0:p");
    }
    return colon + 1;
  }

  /** Checks the name of an interface or of a port of a switch. */
  private void part(int start, int end) throws PortNameException {
    for (int i = start; i < end; i++) {
      char c = text.charAt(i);
      if (c <= ' ' || c > '~' || c == ':') {
        throw error(i, "this character can't be part of a port's name");
      }
      if (i - start == LONGEST_PART) {
        throw error(i, "the name of an interface or port has at most 15 characters");
      }
    }
  }

  private void pipeId() throws PortNameException {
    int start = at;
    while (at < text.length() && SUFFIXES.indexOf(text.charAt(at)) < 0) {
      if (!isWord(text.charAt(at))) {
        throw error(at, "the id of a pipe has letters, digits and underscores");
      }
      at++;
    }
    if (at == start) {
      throw error(at, "the id of the pipe is missing, as in netmap:a{1");
    }
  }

  private void mode() throws PortNameException {
    switch (peek()) {
      case '*' -> {
        at++;
        mode = PortMode.NIC_AND_HOST;
      }
      case '^' -> {
        at++;
        mode = PortMode.HOST;
        if (isDigit(peek())) {
          mode = PortMode.ONE_HOST;
          ringId = ringNumber();
        }
      }
      case '-' -> {
        at++;
        if (!isDigit(peek())) {
          throw error(
              at,
              "the number of a ring belongs here, as in netmap:eth0-2"
                  + " (netmap can't name an interface with a - in its name: rename it)");
        }
        mode = PortMode.ONE_NIC;
        ringId = ringNumber();
      }
      default -> {}
    }
  }

  private int ringNumber() throws PortNameException {
    int start = at;
    int number = number(RINGS);
    if (number >= RINGS) {
      throw error(start, "rings have numbers from 0 to " + (RINGS - 1));
    }
    return number;
  }

  /** Reads one group of flags, or one memory, or all options; false at the end. */
  private boolean options() throws PortNameException {
    switch (peek()) {
      case '/' -> flags();
      case '@' -> {
        if (!isDigit(at + 1 < text.length() ? text.charAt(at + 1) : 0)) {
          namedOptions();
          return false;
        }
        at++;
        memory();
      }
      default -> throw error(at, "here /flags or @options may follow, or nothing");
    }
    return true;
  }

  private void flags() throws PortNameException {
    at++;
    if (at == text.length()) {
      throw error(at, "flags are missing: x, z, t, r, R or T");
    }
    while (at < text.length() && text.charAt(at) != '@') {
      flags |=
          switch (text.charAt(at)) {
            case 'x' -> NetmapAbi.NR_EXCLUSIVE;
            case 'z' -> NetmapAbi.NR_ZCOPY_MON;
            case 't' -> NetmapAbi.NR_MONITOR_TX;
            case 'r' -> NetmapAbi.NR_MONITOR_RX;
            case 'R' -> NetmapAbi.NR_RX_RINGS_ONLY;
            case 'T' -> NetmapAbi.NR_TX_RINGS_ONLY;
            default -> throw error(at, "unknown flag; known are x, z, t, r, R and T");
          };
      at++;
    }
  }

  private void memory() throws PortNameException {
    int start = at;
    int number = number(MEMORIES);
    if (number == 0 || number >= MEMORIES) {
      throw error(start, "memories have numbers from 1 to " + (MEMORIES - 1));
    }
    if (memory != 0 && memory != number) {
      throw error(start, "the memory is " + memory + " already");
    }
    memory = number;
  }

  private void namedOptions() throws PortNameException {
    while (at < text.length()) {
      int next = text.indexOf('@', at + 1);
      var option = new PortOption(text, at + 1, next < 0 ? text.length() : next);
      switch (option.name()) {
        case "share" -> {
          once(option, share);
          share = shared(option);
        }
        case "conf" -> {
          once(option, configuration);
          configuration = PortConfiguration.of(option);
        }
        case "extmem" -> {
          once(option, externalMemory);
          externalMemory = option.externalMemory();
        }
        case "offset" -> {
          once(option, offset);
          offset = option.offset();
        }
        default ->
            throw error(
                option.start(),
                option.name().isEmpty()
                    ? "an option or the number of a memory is missing"
                    : "unknown option; known are share, conf, extmem and offset");
      }
      at = option.end();
    }
  }

  private void once(PortOption option, @Nullable Object earlier) throws PortNameException {
    if (earlier != null) {
      throw error(option.start(), "@" + option.name() + " is given twice");
    }
  }

  /** share=PORT: PORT is a name without mode, flags and options. */
  private String shared(PortOption option) throws PortNameException {
    PortOption.Value port = option.values("port", "port").getFirst();
    try {
      PortNameParser inner = new PortNameParser(port.text());
      String name = inner.name();
      if (inner.at < port.text().length()) {
        throw inner.error(inner.at, "only a port's name belongs here, without rings or flags");
      }
      return name;
    } catch (PortNameException problem) {
      throw error(port.at() + problem.position(), problem.problem());
    }
  }

  /** Reads digits; what is {@code limit} or more is {@code limit}. */
  private int number(int limit) {
    int number = 0;
    while (isDigit(peek())) {
      number = Math.min(number * 10 + (text.charAt(at++) - '0'), limit);
    }
    return number;
  }

  private char peek() {
    return at < text.length() ? text.charAt(at) : 0;
  }

  private static boolean isDigit(int c) {
    return c >= '0' && c <= '9';
  }

  private static boolean isWord(char c) {
    return c == '_' || isDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }

  private PortNameException error(int position, String problem) {
    return new PortNameException(text, position, problem);
  }
}
