// HttpServer: a tiny HTTP/1.1 server for probes, metrics and one page of status.
//
//   GET, HEAD and OPTIONS only; a request with a body is refused. HEAD and OPTIONS answer with the
//   status of GET and no body, as load balancers expect. No routes here: the handler sees the
//   target and decides. Requests that Beast's parser refuses get 400 or 431 and the end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "common/status.h"
#include "server/net/listener.h"
#include "server/net/session.h"

namespace twinspool::net {

struct HttpRequest {
  std::string path;           // "/primary"; as sent, not decoded
  std::string query;          // after '?', without it
  std::string authorization;  // that header, or empty
  std::string peer_address;
  std::vector<std::string> tls_client_names;  // see TlsInfo::client_names
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// Called on an I/O thread: must not block and must not throw.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// Sessions that speak HTTP; also what tests drive without sockets. `clock` measures how long a
/// request takes to arrive, and outlives the sessions.
SessionFactory HttpSessionFactory(HttpHandler handler, Clock& clock = SystemClock());

/// The value of `name` in a query string ("lag=1MB&x=2"), or empty. Not decoded.
std::string_view QueryValue(std::string_view query, std::string_view name);

/// Opens a listener for HTTP. Of `options`, factory, refusal and limits.* defaults are replaced.
Result<std::unique_ptr<Listener>> OpenHttpServer(IoPool& pool, ListenerOptions options,
                                                 HttpHandler handler);

}  // namespace twinspool::net
