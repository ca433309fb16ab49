// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import java.lang.System.Logger.Level;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.vhostnetmap.linux.Affinity;
import org.vhostnetmap.netmap.Netmap;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/**
 * Reads the command line. picocli splits it into options and words; what they mean is said here.
 *
 * <p>picocli is told by calls, not by annotations, and every value reaches us as text: its
 * reflection and type conversion cost more than all the rest of our start.
 */
final class CommandReader {
  private static final String HINT = " (vhost-netmap --help shows examples)";

  private CommandReader() {}

  /** Throws {@link Failure} with {@link ExitStatus#USAGE} or {@link ExitStatus#CONFIG}. */
  static Command read(String... args) throws Failure {
    if (Arrays.asList(args).contains("--print-capabilities")) {
      // vhost-user "Backend program conventions": all other options are ignored.
      return new Command.PrintCapabilities();
    }
    ParseResult parsed;
    try {
      parsed = new CommandLine(grammar()).parseArgs(args);
    } catch (ParameterException e) {
      throw usage(firstLine(e.getMessage()));
    }
    if (parsed.hasSubcommand()) {
      ParseResult sub = parsed.subcommand();
      if (sub.hasMatchedOption("--help")) {
        return new Command.Help();
      }
      return sub.commandSpec().name().equals("status") ? status(sub) : example(sub);
    }
    if (parsed.hasMatchedOption("--help")) {
      return new Command.Help();
    }
    return parsed.hasMatchedOption("--version") ? new Command.Version() : run(parsed);
  }

  private static CommandSpec grammar() {
    CommandSpec root = command("vhost-netmap");
    root.addOption(flag("--version", "-V"));
    root.addOption(flag("--fix-nic"));
    for (String option :
        List.of(
            "--socket-path",
            "--fd",
            "--socket-mode",
            "--socket-group",
            "--log-level",
            "--workers",
            "--cpus",
            "--poll-us",
            "--netmap",
            "--control")) {
      root.addOption(value(option));
    }
    root.addPositional(words("PORT", "0..*"));
    CommandSpec status = command("status").addOption(flag("--json")).addOption(value("--control"));
    CommandSpec example =
        command("example").addOption(value("--socket-path")).addPositional(words("WHAT", "0..*"));
    return root.addSubcommand("status", new CommandLine(status))
        .addSubcommand("example", new CommandLine(example));
  }

  private static CommandSpec command(String name) {
    return CommandSpec.create().name(name).addOption(flag("--help", "-h"));
  }

  private static OptionSpec flag(String... names) {
    return OptionSpec.builder(names).arity("0").type(boolean.class).build();
  }

  private static OptionSpec value(String name) {
    return OptionSpec.builder(name).arity("1").type(String.class).paramLabel("VALUE").build();
  }

  private static PositionalParamSpec words(String label, String arity) {
    return PositionalParamSpec.builder()
        .paramLabel(label)
        .arity(arity)
        .type(List.class)
        .auxiliaryTypes(String.class)
        .build();
  }

  private static Command run(ParseResult parsed) throws Failure {
    List<Integer> cpus = cpus(text(parsed, "--cpus"));
    int workers = number(parsed, "--workers", cpus.size(), 1, Options.MAX_WORKERS);
    if (!cpus.isEmpty() && workers > cpus.size()) {
      throw new Failure(
          ExitStatus.CONFIG,
          "--workers=%d needs as many processors, and --cpus names %d"
              .formatted(workers, cpus.size()));
    }
    return new Command.Run(
        new Options(
            ports(parsed),
            socketMode(text(parsed, "--socket-mode")),
            text(parsed, "--socket-group"),
            logLevel(text(parsed, "--log-level")),
            workers,
            cpus,
            number(parsed, "--poll-us", Options.DEFAULT_POLL_MICROS, 0, Options.MAX_POLL_MICROS),
            netmap(text(parsed, "--netmap")),
            parsed.hasMatchedOption("--fix-nic"),
            path(parsed, "--control")));
  }

  /** {@code 2,4-7}: numbers and ranges, each processor once. */
  private static List<Integer> cpus(@Nullable String text) throws Failure {
    var cpus = new ArrayList<Integer>();
    for (String part : text == null ? new String[0] : text.split(",", -1)) {
      String[] ends = part.split("-", 2);
      int first = cpu(ends[0], part);
      int last = ends.length == 1 ? first : cpu(ends[1], part);
      for (int cpu = first; cpu <= last; cpu++) {
        if (cpus.contains(cpu)) {
          throw usage("--cpus names processor " + cpu + " twice; each worker has its own");
        }
        cpus.add(cpu);
      }
      if (last < first || cpus.size() > Options.MAX_WORKERS) {
        throw cpuList(part);
      }
    }
    return List.copyOf(cpus);
  }

  private static int cpu(String number, String part) throws Failure {
    if (!number.matches("[0-9]{1,4}") || Integer.parseInt(number) >= Affinity.CPUS) {
      throw cpuList(part);
    }
    return Integer.parseInt(number);
  }

  private static Failure cpuList(String part) {
    return usage(
        "--cpus takes a list of up to %d processors such as 2,4-7, not \"%s\""
            .formatted(Options.MAX_WORKERS, part));
  }

  private static List<PortSpec> ports(ParseResult parsed) throws Failure {
    var ports = new ArrayList<PortSpec>();
    String socketPath = text(parsed, "--socket-path");
    if (socketPath != null) {
      if (parsed.hasMatchedOption("--fd")) {
        throw usage("--socket-path and --fd exclude each other; give further guests as vhost:PATH");
      }
      ports.add(port("vhost:" + socketPath.replace(",", ",,")));
    }
    if (parsed.hasMatchedOption("--fd")) {
      ports.add(new PortSpec.Adopted(number(parsed, "--fd", -1, 0, Integer.MAX_VALUE)));
    }
    for (String word : parsed.matchedPositionalValue(0, List.<String>of())) {
      ports.add(port(word));
    }
    if (ports.isEmpty()) {
      throw usage("no PORT given; for example: vhost-netmap vhost:/tmp/vm0.sock netmap:eth0");
    }
    return List.copyOf(ports);
  }

  private static PortSpec port(String text) throws Failure {
    try {
      return PortSpec.parse(text);
    } catch (PortSyntaxException e) {
      throw new Failure(ExitStatus.USAGE, e.picture(), e);
    }
  }

  private static int socketMode(@Nullable String text) throws Failure {
    if (text == null) {
      return Options.DEFAULT_SOCKET_MODE;
    }
    if (!text.matches("0?[0-7]{3}")) {
      throw usage("--socket-mode takes three octal digits such as 0660, not " + text);
    }
    return Integer.parseInt(text, 8);
  }

  private static Level logLevel(@Nullable String text) throws Failure {
    return switch (text == null ? "info" : text.toLowerCase(Locale.ROOT)) {
      case "error" -> Level.ERROR;
      case "warning" -> Level.WARNING;
      case "info" -> Level.INFO;
      case "debug" -> Level.DEBUG;
      default -> throw usage("--log-level is one of error, warning, info, debug, not " + text);
    };
  }

  private static Netmap.Mode netmap(@Nullable String text) throws Failure {
    return switch (text == null ? "auto" : text.toLowerCase(Locale.ROOT)) {
      case "auto" -> Netmap.Mode.AUTO;
      case "kernel" -> Netmap.Mode.KERNEL;
      case "emulated" -> Netmap.Mode.EMULATED;
      default -> throw usage("--netmap is one of auto, kernel, emulated, not " + text);
    };
  }

  private static int number(ParseResult parsed, String option, int fallback, int min, int max)
      throws Failure {
    String text = text(parsed, option);
    if (text == null) {
      return fallback;
    }
    try {
      int number = Integer.parseInt(text);
      if (number >= min && number <= max) {
        return number;
      }
    } catch (NumberFormatException e) {
      // The same answer as for a number out of bounds.
    }
    String bounds = max == Integer.MAX_VALUE ? "from " + min + " up" : "from " + min + " to " + max;
    throw usage("%s takes a whole number %s, not %s".formatted(option, bounds, text));
  }

  private static Command status(ParseResult parsed) throws Failure {
    return new Command.Status(parsed.hasMatchedOption("--json"), path(parsed, "--control"));
  }

  private static Command example(ParseResult parsed) throws Failure {
    List<String> words = parsed.matchedPositionalValue(0, List.<String>of());
    String what = words.size() == 1 ? words.getFirst() : "";
    String path = text(parsed, "--socket-path");
    if (path == null) {
      path = "/tmp/vm0.sock";
    }
    return switch (what) {
      case "libvirt" -> new Command.Example(Command.Example.Kind.LIBVIRT, path);
      case "qemu" -> new Command.Example(Command.Example.Kind.QEMU, path);
      default -> throw usage("example takes one word: libvirt or qemu");
    };
  }

  private static @Nullable Path path(ParseResult parsed, String option) throws Failure {
    String text = text(parsed, option);
    if (text == null) {
      return null;
    }
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw usage("%s: no path can be written so: %s".formatted(option, e.getReason()));
    }
  }

  private static @Nullable String text(ParseResult parsed, String option) {
    return parsed.<@Nullable String>matchedOptionValue(option, null);
  }

  private static Failure usage(String problem) {
    return new Failure(ExitStatus.USAGE, problem + HINT);
  }

  private static String firstLine(@Nullable String message) {
    return message == null
        ? "the command line can't be read"
        : message.lines().findFirst().orElse("");
  }
}
