// What an engine was asked to use and what it uses, for results and for people.
#ifndef RINGECHO_ENGINE_FEATURES_H_
#define RINGECHO_ENGINE_FEATURES_H_

#include <string>
#include <vector>

namespace ringecho::engine {

struct Feature {
  std::string name;  // the kernel's name in lower case: "multishot_recv"
  bool requested = true;
  bool effective = false;
  std::string why_not;  // when requested and not effective: one clause for people
};

using Features = std::vector<Feature>;

}  // namespace ringecho::engine

#endif  // RINGECHO_ENGINE_FEATURES_H_
