#include "compare/comparison.h"

namespace ringecho::compare {

std::string_view Name(Judgement judgement) {
  switch (judgement) {
    case Judgement::kFaster:
      return "faster";
    case Judgement::kSlower:
      return "slower";
    case Judgement::kSame:
      return "~";
    case Judgement::kInconclusive:
      break;
  }
  return "inconclusive";
}

}  // namespace ringecho::compare
