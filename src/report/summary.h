// What people read after a run. Pure formatting of a result; lines of at most 80 columns, apart
// from messages that quote names or addresses. Each text ends in a newline. Thread-safe.
#ifndef RINGECHO_REPORT_SUMMARY_H_
#define RINGECHO_REPORT_SUMMARY_H_

#include <string>

#include "report/result.h"

namespace ringecho::report {

// What was asked for and what serves it: engine and reason, connections, threads, CPUs; to be
// printed before the run. Needs tool and config.
std::string Heading(const Result& result);

// Rates, CPU, errors, notable engine counters.
std::string ServerSummary(const Result& result);

// Rates, latency table, CPU, errors, verdict with the checks that failed, and as its last line
// "10000 connections, 0 exceptions, 0 retries".
std::string LoadSummary(const Result& result);

// Percentile and value of every latency of the result, one per line; for --percentiles.
std::string PercentileTable(const Latency& latency);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_SUMMARY_H_
