// expunged list, expunged restore, mailbox deleted, mailbox restore.
#include <cinttypes>
#include <cstdio>
#include <string>

#include "common/json.h"
#include "server/cli/commands.h"
#include "server/cli/status_text.h"

namespace twinspool::cli {
namespace {

std::string TimeText(std::int64_t seconds) {
  return WallTime(seconds * 1'000'000'000);
}

}  // namespace

ExitCode RunExpungedList(Client& client, const Arguments& arguments) {
  proto::ExpungedListRequest request;
  request.set_user(arguments.positional[0]);
  request.set_mailbox(arguments.positional[1]);
  grpc::ClientContext context;
  client.SetDeadline(&context, 600);
  const auto stream = client.stub().ExpungedList(&context, request);
  proto::ExpungedInfo message;
  while (stream->Read(&message)) {
    if (arguments.json) {
      std::printf("%s\n", JsonWriter::Object()
                              .Add("uid", message.uid())
                              .Add("expunged", std::int64_t{message.expunged_s()})
                              .Add("internal_date", std::int64_t{message.internal_date()})
                              .Add("size", std::uint64_t{message.size()})
                              .Add("guid", message.guid())
                              .Finish()
                              .c_str());
    } else {
      std::printf("%10" PRIu32 "  expunged %s  of %s  %12s  %.16s\n", message.uid(),
                  TimeText(message.expunged_s()).c_str(), TimeText(message.internal_date()).c_str(),
                  HumanBytes(message.size()).c_str(), message.guid().c_str());
    }
  }
  const grpc::Status status = stream->Finish();
  return status.ok() ? static_cast<ExitCode>(proto::DONE)
                     : Fail(client.Translate(status), arguments.json);
}

ExitCode RunExpungedRestore(Client& client, const Arguments& arguments) {
  proto::RestoreRequest request;
  request.set_user(arguments.positional[0]);
  request.set_mailbox(arguments.positional[1]);
  request.set_uids(arguments.positional.size() > 2 ? arguments.positional[2] : "");
  request.set_actor(Actor());
  if (request.uids().empty() != arguments.Has("all")) {
    return Fail(InvalidArgument("say which UIDs, as in 1:5,9, or --all"), arguments.json);
  }
  return Show(client.Call(&proto::Admin::Stub::ExpungedRestore, request), arguments);
}

ExitCode RunMailboxDeleted(Client& client, const Arguments& arguments) {
  proto::MailboxListRequest request;
  request.set_user(arguments.positional[0]);
  grpc::ClientContext context;
  client.SetDeadline(&context, 600);
  const auto stream = client.stub().MailboxDeleted(&context, request);
  proto::DeletedInfo mailbox;
  while (stream->Read(&mailbox)) {
    if (arguments.json) {
      std::printf("%s\n", JsonWriter::Object()
                              .Add("mailbox_id", mailbox.mailbox_id())
                              .Add("name", mailbox.name())
                              .Add("deleted", std::int64_t{mailbox.deleted_s()})
                              .Add("messages", mailbox.messages())
                              .Finish()
                              .c_str());
    } else {
      std::printf("%-40s %8" PRIu32 " messages  deleted %s  F%s\n", mailbox.name().c_str(),
                  mailbox.messages(), TimeText(mailbox.deleted_s()).c_str(),
                  mailbox.mailbox_id().c_str());
    }
  }
  const grpc::Status status = stream->Finish();
  return status.ok() ? static_cast<ExitCode>(proto::DONE)
                     : Fail(client.Translate(status), arguments.json);
}

ExitCode RunMailboxRestore(Client& client, const Arguments& arguments) {
  proto::RestoreRequest request;
  request.set_user(arguments.positional[0]);
  request.set_mailbox(arguments.positional[1]);
  request.set_as_name(arguments.positional.size() > 2 ? arguments.positional[2] : "");
  request.set_actor(Actor());
  return Show(client.Call(&proto::Admin::Stub::MailboxRestore, request), arguments);
}

}  // namespace twinspool::cli
