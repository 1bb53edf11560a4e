// The HTTP pages of a node: probes for load balancers, metrics, status. Routes only; net serves
// them.
//
// A "no" is 503, an unknown path 404. Probes answer one word; /metrics and /status.json tell more
// and are for loopback only, where a proxy may ask for a password.
#pragma once

#include "server/net/http_server.h"
#include "server/node/operations.h"

namespace twinspool::node {

/// `details`: the door is on loopback. Never waits.
net::HttpResponse AnswerHttp(Operations& operations, const net::HttpRequest& request, bool details);

}  // namespace twinspool::node
