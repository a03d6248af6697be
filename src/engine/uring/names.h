// Names of flags and operations as the kernel has them, for results.
#ifndef RINGECHO_ENGINE_URING_NAMES_H_
#define RINGECHO_ENGINE_URING_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace ringecho::engine::uring {

// IORING_FEAT_* bits without the prefix: "EXT_ARG"; an unknown bit n as "bit_n".
std::vector<std::string> FeatureNames(unsigned features);

// IORING_SETUP_* bits likewise: "DEFER_TASKRUN".
std::vector<std::string> SetupFlagNames(unsigned flags);

// IORING_OP_* likewise: "RECV"; an unknown one as "op_n".
std::vector<std::string> OpcodeNames(const std::vector<uint8_t>& opcodes);

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_NAMES_H_
