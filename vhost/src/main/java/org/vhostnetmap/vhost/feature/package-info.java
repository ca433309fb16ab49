// SPDX-License-Identifier: Apache-2.0
/// Feature bits by the names the specifications give them, in two kinds that can't be mixed: those
/// of the virtio device ([VirtioFeature], VHOST_USER_GET_FEATURES) and those of the vhost-user
/// protocol ([ProtocolFeature], VHOST_USER_GET_PROTOCOL_FEATURES). A [FeatureSet] is typed by its
/// kind and is asked by name, so a bit's number can never be taken for a mask.
package org.vhostnetmap.vhost.feature;
