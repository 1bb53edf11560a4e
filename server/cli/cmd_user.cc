// user and mailbox commands.
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <iostream>

#include "common/json.h"
#include "server/cli/commands.h"
#include "server/cli/status_text.h"

namespace twinspool::cli {
namespace {

/// Reads one line; from a terminal without echo.
std::string ReadPassword() {
  const bool terminal = isatty(STDIN_FILENO) == 1;
  termios before{};
  if (terminal) {
    std::fprintf(stderr, "password: ");
    tcgetattr(STDIN_FILENO, &before);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  std::string password;
  std::getline(std::cin, password);
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::fprintf(stderr, "\n");
  }
  return password;
}

ExitCode RunUser(Client& client, const Arguments& arguments,
                 Client::Method<proto::UserRequest, proto::UserReply> method, bool with_password) {
  proto::UserRequest request;
  request.set_name(arguments.positional[0]);
  request.set_actor(Actor());
  request.set_if_missing(arguments.Has("if-missing"));
  request.set_shared(arguments.Has("shared"));
  if (with_password && !arguments.Has("no-password") && !request.shared()) {
    request.set_password(arguments.Has("password") ? arguments.Get("password") : ReadPassword());
    if (request.password().empty()) {
      return Fail(InvalidArgument("an empty password is not allowed"), arguments.json);
    }
  }
  return Show(client.Call(method, request), arguments);
}

std::string LastLoginText(const proto::UserInfo& user) {
  const std::int64_t last = std::max(user.last_imap_login_s(), user.last_pop3_login_s());
  return last == 0 ? "no login known" : "last login " + WallTime(last * 1'000'000'000);
}

}  // namespace

ExitCode Show(const Result<proto::UserReply>& reply, const Arguments& arguments) {
  if (!reply.ok()) {
    return Fail(reply.status(), arguments.json);
  }
  const bool ok = reply->outcome() == proto::DONE;
  if (arguments.json) {
    JsonWriter json = JsonWriter::Object();
    json.Add("ok", ok)
        .Add("exit_code", static_cast<int>(reply->outcome()))
        .Add("user_id", reply->user_id())
        .Add("message", reply->message());
    if (!reply->secret().empty()) {
      json.Add("password", reply->secret());
    }
    std::printf("%s\n", json.Finish().c_str());
  } else {
    // The password alone on standard output, for scripts.
    const bool secret = !reply->secret().empty();
    std::fprintf(ok && !secret ? stdout : stderr, "%s\n", reply->message().c_str());
    if (secret) {
      std::printf("%s\n", reply->secret().c_str());
    }
  }
  return reply->outcome();
}

ExitCode RunUserAdd(Client& client, const Arguments& arguments) {
  return RunUser(client, arguments, &proto::Admin::Stub::UserAdd, true);
}

ExitCode RunUserPassword(Client& client, const Arguments& arguments) {
  return RunUser(client, arguments, &proto::Admin::Stub::UserPassword, true);
}

ExitCode RunUserDelete(Client& client, const Arguments& arguments) {
  return RunUser(client, arguments, &proto::Admin::Stub::UserDelete, false);
}

ExitCode RunUserList(Client& client, const Arguments& arguments) {
  proto::UserListRequest request;
  if (!arguments.positional.empty()) {
    request.set_prefix(arguments.positional[0]);
  }
  grpc::ClientContext context;
  client.SetDeadline(&context, 600);
  const auto stream = client.stub().UserList(&context, request);
  proto::UserInfo user;
  while (stream->Read(&user)) {
    if (arguments.json) {
      std::printf("%s\n", JsonWriter::Object()
                              .Add("name", user.name())
                              .Add("user_id", user.user_id())
                              .Add("mailboxes", std::uint64_t{user.mailboxes()})
                              .Add("messages", std::uint64_t{user.messages()})
                              .Add("bytes", std::uint64_t{user.bytes()})
                              .Add("shared", user.shared())
                              .Add("bytes_max", std::uint64_t{user.bytes_max()})
                              .Add("messages_max", std::uint64_t{user.messages_max()})
                              .Add("has_password", user.has_password())
                              .Add("app_passwords", user.app_passwords())
                              .Add("last_imap_login", std::int64_t{user.last_imap_login_s()})
                              .Add("last_pop3_login", std::int64_t{user.last_pop3_login_s()})
                              .Finish()
                              .c_str());
    } else {
      std::string line = user.bytes_max() > 0 ? " of " + HumanBytes(user.bytes_max()) : "";
      line += user.messages_max() > 0
                  ? ", at most " + std::to_string(user.messages_max()) + " messages"
                  : "";
      line += "  " + (user.shared() ? std::string("(shared)") : LastLoginText(user));
      std::printf("%-40s %8" PRIu64 " messages %12s%s\n", user.name().c_str(), user.messages(),
                  HumanBytes(user.bytes()).c_str(), line.c_str());
    }
  }
  const grpc::Status status = stream->Finish();
  return status.ok() ? static_cast<ExitCode>(proto::DONE)
                     : Fail(client.Translate(status), arguments.json);
}

ExitCode RunMailboxList(Client& client, const Arguments& arguments) {
  proto::MailboxListRequest request;
  request.set_user(arguments.positional[0]);
  grpc::ClientContext context;
  client.SetDeadline(&context, 600);
  const auto stream = client.stub().MailboxList(&context, request);
  proto::MailboxInfo box;
  while (stream->Read(&box)) {
    if (arguments.json) {
      std::printf("%s\n", JsonWriter::Object()
                              .Add("name", box.name())
                              .Add("mailbox_id", box.mailbox_id())
                              .Add("uid_validity", box.uid_validity())
                              .Add("uid_next", box.uid_next())
                              .Add("highest_modseq", std::uint64_t{box.highest_modseq()})
                              .Add("exists", box.exists())
                              .Add("unseen", box.unseen())
                              .Add("bytes", std::uint64_t{box.bytes()})
                              .Add("digest", box.digest())
                              .Finish()
                              .c_str());
    } else {
      std::printf("%-40s %8" PRIu32 " messages %8" PRIu32 " unseen %12s  F%s\n", box.name().c_str(),
                  box.exists(), box.unseen(), HumanBytes(box.bytes()).c_str(),
                  box.mailbox_id().c_str());
    }
  }
  const grpc::Status status = stream->Finish();
  return status.ok() ? static_cast<ExitCode>(proto::DONE)
                     : Fail(client.Translate(status), arguments.json);
}

}  // namespace twinspool::cli
