// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** Rules that no compiler checks: how this room may touch memory, and what it may not know. */
class RoomRulesTest {
  private static final JavaClasses ROOM =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("org.vhostnetmap.virtqueue");

  @Test
  void touchesMemoryThroughOneClassOnly() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "java.lang.foreign..", "java.lang.invoke..", "java.nio..", "sun.misc..", "jnr..")
        .because("other accesses to a page that vanished kill the process: docs/decisions")
        .check(ROOM);
  }

  @Test
  void knowsNeitherSocketsNorThreads() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("java.net..", "java.util.concurrent..")
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(Thread.class)
        .check(ROOM);
  }
}
