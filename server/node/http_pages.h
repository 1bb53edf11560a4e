// The HTTP pages of a node: probes for load balancers, metrics, status. Routes only; net serves
// them.
//
// A "no" is 503, an unknown path 404. Nothing here holds user data.
#pragma once

#include "server/net/http_server.h"
#include "server/node/operations.h"

namespace twinspool::node {

net::HttpResponse AnswerHttp(Operations& operations, const net::HttpRequest& request);

}  // namespace twinspool::node
