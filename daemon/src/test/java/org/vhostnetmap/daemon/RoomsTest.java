// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.daemon;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import org.junit.jupiter.api.Test;

/**
 * The rules of docs/decisions/0002-memory.md and the arrows between the rooms, over every compiled
 * class.
 */
class RoomsTest {
  private static final String LINUX = "org.vhostnetmap.linux..";
  private static final String FAKES = "org.vhostnetmap.fakes.."; // plays the other sides in tests
  private static final String MEMORY = "org.vhostnetmap.linux.Memory";

  private static final JavaClasses PROGRAM =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("org.vhostnetmap");

  private static void check(ArchRule rule) {
    rule.check(PROGRAM);
  }

  @Test
  void everyRoomIsLookedAt() {
    for (String room : new String[] {"linux", "virtqueue", "vhost", "netmap", "bridge", "daemon"}) {
      assertTrue(
          PROGRAM.stream().anyMatch(c -> c.getPackageName().equals("org.vhostnetmap." + room)),
          room);
    }
  }

  @Test
  void arrowsRunOneWay() {
    check(
        layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .withOptionalLayers(true)
            .layer("linux")
            .definedBy(LINUX)
            .layer("virtqueue")
            .definedBy("org.vhostnetmap.virtqueue..")
            .layer("vhost")
            .definedBy("org.vhostnetmap.vhost..")
            .layer("netmap")
            .definedBy("org.vhostnetmap.netmap..")
            .layer("bridge")
            .definedBy("org.vhostnetmap.bridge..")
            .layer("daemon")
            .definedBy("org.vhostnetmap.daemon..")
            .layer("fakes")
            .definedBy("org.vhostnetmap.fakes..")
            .whereLayer("daemon")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("bridge")
            .mayOnlyBeAccessedByLayers("daemon")
            .whereLayer("netmap")
            .mayOnlyBeAccessedByLayers("bridge", "daemon")
            .whereLayer("vhost")
            .mayOnlyBeAccessedByLayers("bridge", "daemon")
            .whereLayer("virtqueue")
            .mayOnlyBeAccessedByLayers("vhost", "bridge")
            .whereLayer("fakes")
            .mayNotBeAccessedByAnyLayer());
  }

  @Test
  void virtqueueKnowsOfLinuxOnlyTheMemory() {
    check(
        noClasses()
            .that()
            .resideInAPackage("org.vhostnetmap.virtqueue..")
            .should()
            .dependOnClassesThat(
                com.tngtech.archunit.base.DescribedPredicate.describe(
                    "other classes of linux",
                    c ->
                        c.getPackageName().startsWith("org.vhostnetmap.linux")
                            && !c.getName().equals(MEMORY))));
  }

  @Test
  void onlyMemoryTouchesRawMemory() {
    check(
        noClasses()
            .that()
            .doNotHaveFullyQualifiedName(MEMORY)
            .and()
            .resideOutsideOfPackage(FAKES)
            .should()
            .dependOnClassesThat()
            .resideInAPackage("java.lang.foreign.."));
  }

  @Test
  void memoryHasNoAccessThatAVanishedPageTurnsDeadly() {
    // Measured: ordered 8 or 16-bit stores, compare-and-set and mismatch end the JVM on such a
    // page.
    for (String deadly :
        new String[] {
          "setRelease",
          "setOpaque",
          "setVolatile",
          "compareAndSet",
          "getAndAdd",
          "getAndSet",
          "compareAndExchange"
        }) {
      check(
          noClasses()
              .that()
              .haveFullyQualifiedName(MEMORY)
              .should()
              .callMethodWhere(
                  com.tngtech.archunit.core.domain.JavaCall.Predicates.target(
                      com.tngtech.archunit.core.domain.properties.HasName.Predicates.name(
                          deadly))));
    }
    check(
        noClasses()
            .that()
            .haveFullyQualifiedName(MEMORY)
            .should()
            .callMethod(
                java.lang.foreign.MemorySegment.class,
                "mismatch",
                java.lang.foreign.MemorySegment.class));
  }

  @Test
  void nobodyGoesBelowJavaExceptByJnrInLinux() {
    check(
        noClasses()
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("sun.misc..", "jdk.internal..", "jdk.incubator..")
            .orShould()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.lang.foreign.Linker"));
    check(
        noClasses()
            .that()
            .resideOutsideOfPackages(LINUX, FAKES)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("jnr..", "com.kenai.."));
    check(noClasses().should().dependOnClassesThat().haveFullyQualifiedName("jnr.ffi.Pointer"));
  }

  @Test
  void onlyTheProgramWritesToStandardOutput() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage("org.vhostnetmap.daemon..")
            .should()
            .accessField(System.class, "out")
            .orShould()
            .accessField(System.class, "err"));
  }
}
