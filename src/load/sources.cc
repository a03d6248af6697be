#include "load/sources.h"

#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/units.h"

namespace ringecho::load {
namespace {

absl::StatusOr<std::vector<net::Address>> ParseList(const SourceRequest& request) {
  std::vector<net::Address> sources;
  for (absl::string_view part : absl::StrSplit(base::ToAbsl(request.list), ',')) {
    std::string text(part);
    // An IPv6 address alone has colons that would be taken for a port.
    if (text.find(':') != std::string::npos && text.front() != '[')
      text = absl::StrCat("[", text, "]");
    absl::StatusOr<net::Address> source = net::ResolveOne(text, 0);
    if (!source.ok() || source->is_unix()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--source: got \"", part,
                       "\", takes \"auto\" or addresses of this machine "
                       "separated by commas"));
    }
    if (source->family() != request.to.family()) {
      return absl::InvalidArgumentError(absl::StrCat("--source: ", part, " cannot connect to ",
                                                     request.to.ToString(),
                                                     ", which is of another address family"));
    }
    source->set_port(0);
    sources.push_back(*source);
  }
  return sources;
}

// 127.1.1.1 to 127.250.250.250: apart from 127.0.0.1, whose ports other programs use.
absl::StatusOr<std::vector<net::Address>> SpreadLoopback(int64_t count, uint64_t start) {
  constexpr uint64_t kOctet = 250;
  std::vector<net::Address> sources;
  for (uint64_t n = start % (kOctet * kOctet * kOctet); count > 0; ++n, --count) {
    absl::StatusOr<net::Address> source =
        net::ResolveOne(absl::StrCat("127.", n / kOctet / kOctet % kOctet + 1, ".",
                                     n / kOctet % kOctet + 1, ".", n % kOctet + 1),
                        0);
    if (!source.ok()) return source.status();
    sources.push_back(*source);
  }
  return sources;
}

absl::Status CheckPorts(const SourceRequest& request, int64_t sources) {
  const int64_t ports = request.ports.last - request.ports.first + 1;
  if (request.connections <= ports * sources) return absl::OkStatus();
  const int64_t needed = (request.connections + ports - 1) / ports;
  const bool v4_loopback = request.to.is_loopback() && request.to.family() == AF_INET;
  return absl::ResourceExhaustedError(absl::StrCat(
      request.connections, " connections to ", request.to.ToString(),
      " need as many source ports; ", sources,
      sources == 1 ? " source address has " : " source addresses have ", ports * sources,
      " (net.ipv4.ip_local_port_range is ", request.ports.first, " to ", request.ports.last,
      "): ", v4_loopback ? "use --source auto, " : "", "name ", needed,
      " source addresses with --source, or widen the range with sysctl "
      "net.ipv4.ip_local_port_range=\"1024 65535\""));
}

}  // namespace

absl::StatusOr<std::vector<net::Address>> PlanSources(const SourceRequest& request) {
  const bool automatic = request.list == "auto" || request.list.empty();
  if (request.to.is_unix()) {
    if (automatic) return std::vector<net::Address>();
    return absl::InvalidArgumentError("--source: a unix socket has no source address");
  }
  if (!automatic) {
    absl::StatusOr<std::vector<net::Address>> sources = ParseList(request);
    if (!sources.ok()) return sources.status();
    RINGECHO_RETURN_IF_ERROR(CheckPorts(request, static_cast<int64_t>(sources->size())));
    return sources;
  }
  const int64_t made = std::max(request.connections, request.sessions);
  if (request.to.is_loopback() && request.to.family() == AF_INET && made > kConnectionsPerSource) {
    const int64_t ports = request.ports.last - request.ports.first + 1;
    const int64_t each = std::min(kConnectionsPerSource, ports);
    // Beyond kSourcesMax it is TIME_WAIT only that grows, unless so many are open at once.
    const int64_t wanted = (made + each - 1) / each;
    const int64_t least = (request.connections + each - 1) / each;
    return SpreadLoopback(std::max(least, std::min(wanted, kSourcesMax)), request.start);
  }
  RINGECHO_RETURN_IF_ERROR(CheckPorts(request, 1));
  return std::vector<net::Address>();
}

}  // namespace ringecho::load
