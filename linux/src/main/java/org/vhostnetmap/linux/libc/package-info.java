// SPDX-License-Identifier: Apache-2.0
/**
 * The jnr-ffi binding. Not exported: other rooms use the classes of {@code org.vhostnetmap.linux}.
 */
package org.vhostnetmap.linux.libc;
