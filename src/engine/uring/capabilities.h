// What this kernel's io_uring can do, found out by asking and trying, never from a version number:
// distributions carry later features in older-numbered kernels, and sandboxes take them away.
//
// The only place, beside the table for people in engine/feature_set.h, where kernel versions are
// written down:
//
// clang-format off
//   feature            Linux  found by
//   the operations     5.6    IORING_REGISTER_PROBE lists ACCEPT CONNECT RECV SEND READ CLOSE CANCEL
//   fixed_buffers      5.1    registering them (per engine; may fail for the locked-memory limit)
//   vectored_send      5.3    IORING_REGISTER_PROBE lists SENDMSG
//   registered_ring    5.18   registering one
//   sqpoll             5.11   io_uring_setup takes the flag, and NATIVE_WORKERS (5.12): its thread is
//                             charged to this process
//   submit_all         5.18   io_uring_setup takes the flag
//   coop_taskrun       5.19   io_uring_setup takes the flag
//   buffer_ring        5.19   registering one
//   poll_first         5.19   trying one on a socket pair
//   multishot_accept   5.19   trying one on an abstract unix socket: F_MORE comes back
//   multishot_recv     6.0    trying one on a socket pair: F_MORE comes back
//   send_zc            6.0    trying one on an unconnected TCP socket: it fails as a send does
//   send_zc_fixed      6.0    the same from a registered buffer
//   its usage report   6.2    the same with the flag, by which it is asked for
//   its SENDMSG_ZC     6.1    IORING_REGISTER_PROBE lists it
//   single_issuer      6.0    io_uring_setup takes the flag
//   defer_taskrun      6.1    io_uring_setup takes the flag
//   recv_bundle        6.10   IORING_FEAT_RECVSEND_BUNDLE, and every byte of the self-test in order
//   incremental_buffers 6.12  registering such a ring; two receives share a buffer, F_BUF_MORE comes
//   direct_descriptors 6.13   IORING_REGISTER_PROBE lists FIXED_FD_INSTALL (6.8), without which a
//                             socket in the table (5.19) could not be asked what its peer is still
//                             owed; and the far end of one notices its close while another waits
//   no_sqarray         6.6    io_uring_setup takes the flag; only built with a liburing that knows it
//   napi               6.9    registering it
//   min_wait           6.12   IORING_FEAT_MIN_TIMEOUT
// clang-format on
#ifndef RINGECHO_ENGINE_URING_CAPABILITIES_H_
#define RINGECHO_ENGINE_URING_CAPABILITIES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engine/feature_set.h"

namespace ringecho::engine::uring {

struct Capabilities {
  bool available = false;
  // When not available: one clause for people that says why and what would help, and the same as a
  // word for results (AbsenceName).
  std::string why_not;
  std::string why_not_id;
  // It is there, only memory or descriptors were short.
  bool resources_short = false;

  unsigned setup_flags = 0;      // IORING_SETUP_* this kernel takes
  unsigned features = 0;         // IORING_FEAT_*
  std::vector<uint8_t> opcodes;  // supported ones, ascending

  bool send_zc_reports_usage = false;  // whether the kernel copied after all

  FeatureSet has;
  // Why one that the kernel has is not among them; empty when it simply lacks it.
  FeatureReasons declined;
};

// Makes a few small rings and closes them again; a few milliseconds. Never fails: what cannot be
// found out is reported as not there.
Capabilities ProbeCapabilities();

// Why each feature that is not there is not there.
FeatureReasons WhyNotHere(const Capabilities& caps);

// The probe's result, made on first use. Thread-safe.
const Capabilities& ThisKernel();

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_CAPABILITIES_H_
