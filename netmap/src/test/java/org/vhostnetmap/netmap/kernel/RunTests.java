// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.netmap.kernel;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestSource;
import org.junit.platform.engine.discovery.ClassNameFilter;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs tests where there is no Maven: in the guest of scripts/test-netmap-kernel. Prints a line per
 * test, and writes {@code Class.test TAB result TAB milliseconds TAB reason} to a file.
 *
 * <p>usage: RunTests FILE CLASS[#METHOD] WHERE...; an empty CLASS means all of WHERE, packages and
 * classes; a star in a name stands for anything.
 */
final class RunTests implements TestExecutionListener {
  private final PrintStream results;
  private final PrintStream progress = System.out;
  private final Map<String, Long> started = new ConcurrentHashMap<>();
  private int passed;
  private int failed;
  private int skipped;

  private RunTests(PrintStream results) {
    this.results = results;
  }

  /** Ends with status 1 when anything failed or nothing ran. */
  public static void main(String[] arguments) throws IOException {
    Path file = Path.of(arguments[0]);
    RunTests run;
    try (PrintStream results =
        new PrintStream(Files.newOutputStream(file), true, StandardCharsets.UTF_8)) {
      run = new RunTests(results);
      LauncherFactory.create().execute(request(arguments), run);
    }
    System.out.println(
        run.passed + " passed, " + run.failed + " failed, " + run.skipped + " skipped");
    // Not by returning: a thread that a failed test left behind would keep the guest up.
    System.exit(run.failed == 0 && run.passed > 0 ? 0 : 1);
  }

  private static LauncherDiscoveryRequest request(String[] arguments) {
    LauncherDiscoveryRequestBuilder builder =
        LauncherDiscoveryRequestBuilder.request()
            .filters(ClassNameFilter.includeClassNamePatterns(".*(Test|IT)"));
    for (int i = 2; i < arguments.length; i++) {
      String name = arguments[i];
      boolean type = Character.isUpperCase(name.charAt(name.lastIndexOf('.') + 1));
      builder.selectors(type ? selectClass(name) : selectPackage(name));
    }
    if (!arguments[1].isEmpty()) {
      builder.filters(wanted(arguments[1].split("#", 2)));
    }
    return builder.build();
  }

  /** By the name of the class, of one nested in it, or of both; and of the method. */
  private static PostDiscoveryFilter wanted(String[] names) {
    Pattern type = pattern(names[0]);
    Pattern method = pattern(names.length > 1 ? names[1] : "*");
    return test ->
        FilterResult.includedIf(
            !(test.getSource().orElse(null) instanceof MethodSource source)
                || (method.matcher(source.getMethodName()).matches()
                    && (type.matcher(simple(source.getClassName())).matches()
                        || Arrays.stream(simple(source.getClassName()).split("[$]"))
                            .anyMatch(part -> type.matcher(part).matches()))));
  }

  private static Pattern pattern(String name) {
    return Pattern.compile(Pattern.quote(name).replace("*", "\\E.*\\Q"));
  }

  @Override
  public void executionStarted(TestIdentifier test) {
    started.put(test.getUniqueId(), System.nanoTime());
    if (test.isTest()) {
      progress.println("  " + name(test));
    }
  }

  @Override
  public void executionSkipped(TestIdentifier test, String reason) {
    tell(test, "skipped", reason);
  }

  @Override
  public void executionFinished(TestIdentifier test, TestExecutionResult result) {
    Optional<Throwable> thrown = result.getThrowable();
    switch (result.getStatus()) {
      case SUCCESSFUL -> {
        if (test.isTest()) {
          tell(test, "ok", "");
        }
      }
      case ABORTED -> tell(test, "skipped", thrown.map(Throwable::getMessage).orElse(""));
      case FAILED -> {
        tell(test, "FAILED", thrown.map(RunTests::oneLine).orElse(""));
        thrown.ifPresent(error -> error.printStackTrace(progress));
      }
    }
  }

  private static String oneLine(Throwable error) {
    return String.valueOf(error).replaceAll("\\s+", " ");
  }

  private synchronized void tell(TestIdentifier test, String result, String reason) {
    switch (result) {
      case "ok" -> passed++;
      case "skipped" -> skipped++;
      default -> failed++;
    }
    long start = started.getOrDefault(test.getUniqueId(), System.nanoTime());
    long millis = (System.nanoTime() - start) / 1_000_000;
    progress.println(
        result
            + " "
            + name(test)
            + " ("
            + millis
            + " ms)"
            + (reason.isEmpty() ? "" : ": " + reason));
    results.println(String.join("\t", List.of(name(test), result, Long.toString(millis), reason)));
  }

  private static String name(TestIdentifier test) {
    List<String> parts = new ArrayList<>();
    TestSource source = test.getSource().orElse(null);
    if (source instanceof MethodSource method) {
      parts.add(simple(method.getClassName()));
      parts.add(method.getMethodName());
      if (!test.getDisplayName().startsWith(method.getMethodName() + "(")) {
        parts.add(test.getDisplayName());
      }
    } else if (source instanceof ClassSource type) {
      parts.add(simple(type.getClassName()));
    } else {
      parts.add(test.getDisplayName());
    }
    return String.join(".", parts);
  }

  private static String simple(String className) {
    return className.substring(className.lastIndexOf('.') + 1);
  }
}
