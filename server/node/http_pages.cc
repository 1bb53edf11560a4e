#include "server/node/http_pages.h"

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>

#include "server/cli/status_text.h"

namespace twinspool::node {
namespace {

net::HttpResponse Answer(bool yes, const std::string& text) {
  net::HttpResponse response;
  response.status = yes ? 200 : 503;
  response.body = text + "\n";
  return response;
}

/// "1MB", "512K", "100" -> bytes; nothing given: no bound.
std::uint64_t LagBound(std::string_view text) {
  if (text.empty()) {
    return UINT64_MAX;
  }
  const std::string copy(text);
  char* unit = nullptr;
  const std::uint64_t number = std::strtoull(copy.c_str(), &unit, 10);
  const int shift = *unit == 'K' ? 10 : *unit == 'M' ? 20 : *unit == 'G' ? 30 : 0;
  return number << shift;
}

net::HttpResponse Eligible(const proto::NodeStatus& status, const net::HttpRequest& request) {
  const std::uint64_t bound = LagBound(net::QueryValue(request.query, "lag"));
  return Answer(status.eligible() && status.lag_bytes() <= bound, status.role());
}

net::HttpResponse StatusPage(const proto::NodeStatus& status) {
  net::HttpResponse response;
  response.content_type = "application/json";
  response.body = cli::StatusJson(status) + "\n";
  return response;
}

}  // namespace

net::HttpResponse AnswerHttp(Operations& operations, const net::HttpRequest& request,
                             bool details) {
  if (!details && (request.path == "/metrics" || request.path == "/status.json")) {
    net::HttpResponse refused = Answer(false, "only on loopback (option http-listen)");
    refused.status = 403;
    return refused;
  }
  if (request.path == "/metrics") {
    net::HttpResponse response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = operations.Metrics();
    return response;
  }
  if (request.path == "/health" || request.path == "/live") {
    return Answer(true, "alive");
  }
  const proto::NodeStatus status = operations.LastStatus();
  if (request.path == "/primary") {
    return Answer(status.role() == "primary" && status.serves_reads(), status.role());
  }
  if (request.path == "/standby") {
    return Answer(status.role() == "standby", status.role());
  }
  if (request.path == "/eligible") {
    return Eligible(status, request);
  }
  if (request.path == "/ready") {
    return Answer(status.serves_reads() || status.role() == "standby", status.role());
  }
  if (request.path == "/status.json") {
    return StatusPage(status);
  }
  net::HttpResponse missing = Answer(false, "no such page");
  missing.status = 404;
  return missing;
}

}  // namespace twinspool::node
