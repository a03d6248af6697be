// Results with every field filled, for the tests of the format.
#ifndef RINGECHO_TESTS_UNIT_REPORT_SAMPLE_H_
#define RINGECHO_TESTS_UNIT_REPORT_SAMPLE_H_

#include "report/result.h"

namespace ringecho::report {

Result SampleServerResult();
Result SampleLoadResult();

}  // namespace ringecho::report

#endif  // RINGECHO_TESTS_UNIT_REPORT_SAMPLE_H_
