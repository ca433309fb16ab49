// SPDX-License-Identifier: Apache-2.0

/** System calls and raw memory. No policy: what to do with an error is the caller's business. */
@org.jspecify.annotations.NullMarked
@SuppressWarnings("requires-automatic")
module org.vhostnetmap.linux {
  requires static transitive org.jspecify;
  requires org.jnrproject.constants;
  requires org.jnrproject.ffi;
  requires org.jnrproject.unixsocket;

  exports org.vhostnetmap.linux;

  // jnr-ffi's generated class sits in an unnamed module and has to see the libc interface.
  opens org.vhostnetmap.linux.libc;
}
