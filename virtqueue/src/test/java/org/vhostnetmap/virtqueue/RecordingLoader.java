// SPDX-License-Identifier: Apache-2.0
package org.vhostnetmap.virtqueue;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.MethodModel;
import java.lang.classfile.MethodTransform;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.reflect.AccessFlag;
import java.util.Set;

/**
 * Loads the classes of this room anew, those that touch guest memory changed so that they do it
 * through {@link RecordingMemory}, and say when a public method begins.
 */
final class RecordingLoader extends ClassLoader {
  private static final String ROOM = "org.vhostnetmap.virtqueue.";
  private static final Set<String> RECORDED =
      Set.of(
          ROOM + "SplitVirtqueue",
          ROOM + "SplitWalk",
          ROOM + "PackedVirtqueue",
          ROOM + "PackedWalk",
          ROOM + "ChainBuilder",
          ROOM + "ReadOnceTest$ReadsTwice");
  private static final String MEMORY = "org/vhostnetmap/linux/Memory";
  private static final ClassDesc RECORDING = ClassDesc.of(ROOM + "RecordingMemory");

  RecordingLoader() {
    super(RecordingLoader.class.getClassLoader());
  }

  @Override
  protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
    if (!name.startsWith(ROOM) || name.equals(ROOM + "RecordingMemory")) {
      return super.loadClass(name, resolve);
    }
    synchronized (getClassLoadingLock(name)) {
      Class<?> loaded = findLoadedClass(name);
      if (loaded != null) {
        return loaded;
      }
      byte[] bytes = bytesOf(name);
      if (RECORDED.contains(name)) {
        bytes = recording(bytes);
      }
      return defineClass(name, bytes, 0, bytes.length);
    }
  }

  private byte[] bytesOf(String name) throws ClassNotFoundException {
    try (InputStream in = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
      if (in == null) {
        throw new ClassNotFoundException(name);
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] recording(byte[] bytes) {
    ClassFile classFile = ClassFile.of();
    ClassModel model = classFile.parse(bytes);
    return classFile.transformClass(
        model,
        (builder, element) -> {
          if (element instanceof MethodModel method) {
            boolean entry = method.flags().has(AccessFlag.PUBLIC);
            builder.transformMethod(method, MethodTransform.transformingCode(redirect(entry)));
          } else {
            builder.with(element);
          }
        });
  }

  private static CodeTransform redirect(boolean entry) {
    return CodeTransform.ofStateful(
        () ->
            new CodeTransform() {
              @Override
              public void atStart(CodeBuilder builder) {
                if (entry) {
                  builder.invokestatic(
                      RECORDING, "begin", MethodTypeDesc.of(ConstantDescs.CD_void));
                }
              }

              @Override
              public void accept(CodeBuilder builder, CodeElement element) {
                if (element instanceof InvokeInstruction call
                    && call.owner().asInternalName().equals(MEMORY)) {
                  builder.invokestatic(RECORDING, call.name().stringValue(), call.typeSymbol());
                } else {
                  builder.with(element);
                }
              }
            });
  }
}
