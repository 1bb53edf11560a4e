// What operators ask of a node about logins: app passwords, certificates that are new.
#include "common/log.h"
#include "server/node/await.h"
#include "server/node/node.h"
#include "server/node/outcome.h"
#include "server/node/token_options.h"

namespace twinspool::node {

using proto::UserReply;

proto::UserReply Node::AppPasswordAdd(const proto::AppPasswordRequest& request) {
  const auto made = Await<std::string>([&](Done<std::string> done) {
    store_->users().AddAppPassword(request.name(), request.label(), std::move(done));
  });
  auto reply = ReplyFor<UserReply>(
      made.status(), "app password " + request.label() + " of " + request.name() + " made");
  if (made.ok()) {
    reply.set_secret(*made);
  }
  return reply;
}

proto::UserReply Node::AppPasswordRemove(const proto::AppPasswordRequest& request) {
  const auto removed = Await<Unit>([&](const Done<Unit>& done) {
    store_->users().RemoveAppPassword(request.name(), request.label(), done);
  });
  return ReplyFor<UserReply>(
      removed.status(), "app password " + request.label() + " of " + request.name() + " removed");
}

proto::UserReply Node::AppPasswordList(
    const proto::AppPasswordRequest& request,
    const std::function<bool(const proto::AppPasswordInfo&)>& sink) {
  const auto all = store_->users().AppPasswords(request.name());
  if (!all.ok()) {
    return ReplyFor<UserReply>(all.status(), "");
  }
  for (const proto::AppPassword& one : *all) {
    proto::AppPasswordInfo shown;
    shown.set_label(one.label());
    shown.set_created_s(one.created_ns() / 1'000'000'000);
    if (!sink(shown)) {
      break;
    }
  }
  return ReplyFor<UserReply>(OkStatus(), "");
}

twinspool::Status Node::Reload() {
  // The keys first: they are kept only if the certificates are good, too.
  auto keys = LoadTokenKeys(config_);
  twinspool::Status reloaded = keys.ok() ? mail_tls_->Reload() : keys.status();
  if (reloaded.ok()) {
    credentials_.SetTokenKeys(std::move(*keys));
    LogInfo("reload", {{"result", "certificates and keys for clients are read again"}});
  } else {
    LogError("reload", {{"result", "everything stays as it was"}, {"error", reloaded.ToString()}});
  }
  return reloaded;
}

twinspool::Status Node::OpenTokens() {
  ASSIGN_OR_RETURN(auth::JwtKeys keys, LoadTokenKeys(config_));
  credentials_.SetTokenKeys(std::move(keys));
  if (config_.oauth_introspection_url.empty()) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(introspection_, OpenIntrospection(config_));
  return OkStatus();
}

proto::UserReply Node::Reload(const proto::ReloadRequest&) {
  return ReplyFor<UserReply>(Reload(), "certificates and keys for clients are read again");
}

}  // namespace twinspool::node
