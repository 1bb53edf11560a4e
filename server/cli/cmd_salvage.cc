// salvage commands: what a node had accepted alone and undid when it rejoined.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

#include "common/json.h"
#include "server/cli/commands.h"
#include "server/cli/status_text.h"

namespace twinspool::cli {
namespace {

constexpr std::uint64_t kHeadOctets = 8192;  // of a message, looked through for its header

/// Calls a method that answers with a stream; `sink` ends it with an error.
template <typename Reader, typename Request, typename Part>
Status ForEach(Client& client,
               std::unique_ptr<Reader> (proto::Admin::Stub::*method)(grpc::ClientContext*,
                                                                     const Request&),
               const Request& request, const std::function<Status(const Part&)>& sink) {
  grpc::ClientContext context;
  client.SetDeadline(&context, 600);
  const std::unique_ptr<Reader> stream = (client.stub().*method)(&context, request);
  Part part;
  Status status;
  while (status.ok() && stream->Read(&part)) {
    status = sink(part);
  }
  if (!status.ok()) {
    context.TryCancel();
    return status;
  }
  const grpc::Status end = stream->Finish();
  return end.ok() ? OkStatus() : client.Translate(end);
}

/// Of all items (an empty name), or of one.
Status ForItems(Client& client, const std::string& name,
                const std::function<Status(const proto::SalvageInfo&)>& sink) {
  proto::SalvageListRequest request;
  request.set_name(name);
  return ForEach(client, &proto::Admin::Stub::SalvageList, request, sink);
}

Status ReadOctets(Client& client, const std::string& name, std::uint64_t limit,
                  const std::function<Status(const std::string&)>& sink) {
  proto::SalvageReadRequest request;
  request.set_name(name);
  request.set_limit(limit);
  const std::function<Status(const proto::SalvagePiece&)> each =
      [&](const proto::SalvagePiece& piece) { return sink(piece.octets()); };
  return ForEach(client, &proto::Admin::Stub::SalvageRead, request, each);
}

std::string Json(const proto::SalvageInfo& item) {
  return JsonWriter::Object()
      .Add("name", item.name())
      .Add("state", item.state())
      .Add("outcome", item.outcome())
      .Add("kind", item.kind())
      .Add("change", item.change())
      .Add("user", item.user())
      .Add("mailbox", item.mailbox())
      .Add("uid", item.uid())
      .Add("uid_now", item.uid_now())
      .Add("mailbox_id_now", item.mailbox_id_now())
      .Add("octets", std::uint64_t{item.octets()})
      .Add("guid", item.guid())
      .Add("internal_date_ns", std::int64_t{item.internal_date_ns()})
      .Add("epoch", item.epoch())
      .Add("seq", std::uint64_t{item.seq()})
      .Finish();
}

void PrintLine(const proto::SalvageInfo& item) {
  const std::string place = item.user() + (item.mailbox().empty() ? "" : " " + item.mailbox()) +
                            (item.uid() > 0 ? ":" + std::to_string(item.uid()) : "");
  std::printf("%-10s  %-10s  %-32s  %s%s\n", item.name().c_str(), item.state().c_str(),
              place.c_str(), item.change().c_str(),
              item.outcome().empty() ? "" : (" - " + item.outcome()).c_str());
}

void PrintAll(const proto::SalvageInfo& item, const std::string& head) {
  const auto line = [](const char* what, const std::string& text) {
    if (!text.empty()) {
      std::printf("%-12s %s\n", what, text.c_str());
    }
  };
  line("name", item.name());
  line("state", item.state());
  line("outcome", item.outcome());
  line("change", item.change());
  line("user", item.user());
  line("mailbox", item.mailbox());
  line("uid then", item.uid() > 0 ? std::to_string(item.uid()) : "");
  line("uid now", item.uid_now() > 0 ? std::to_string(item.uid_now()) : "");
  line("octets", item.octets() > 0 ? HumanBytes(item.octets()) : "");
  line("entry", "epoch " + std::to_string(item.epoch()) + ", " + std::to_string(item.seq()));
  if (!head.empty()) {
    std::printf("\n%s\n", head.c_str());
  }
}

/// The header of a message, as text that does no harm to a terminal.
std::string HeaderOf(std::string head) {
  const std::size_t end = head.find("\r\n\r\n");
  head.resize(end == std::string::npos ? head.size() : end);
  std::string text;
  for (const char c : head) {
    const auto octet = static_cast<unsigned char>(c);
    if (c != '\r') {
      text += octet == '\n' || octet == '\t' || (octet >= 32 && octet < 127) ? c : '?';
    }
  }
  return text;
}

/// Writes one message; a file that is there already with all octets is left.
Status Export(Client& client, const proto::SalvageInfo& item, const std::filesystem::path& dir) {
  const std::filesystem::path file = dir / (item.name() + ".eml");
  std::error_code error;
  if (std::filesystem::file_size(file, error) == item.octets() && !error) {
    return OkStatus();
  }
  const std::filesystem::path part = dir / (item.name() + ".part");
  const int fd = ::open(part.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) {
    return IoError("cannot write " + part.string() + ": " + std::strerror(errno));
  }
  Status status = ReadOctets(client, item.name(), 0, [&](const std::string& octets) {
    std::size_t done = 0;
    while (done < octets.size()) {
      const ssize_t written = ::write(fd, octets.data() + done, octets.size() - done);
      if (written <= 0) {
        return IoError("cannot write " + part.string() + ": " + std::strerror(errno));
      }
      done += static_cast<std::size_t>(written);
    }
    return OkStatus();
  });
  if (::close(fd) != 0 && status.ok()) {
    status = IoError("cannot write " + part.string());
  }
  if (status.ok() && std::rename(part.c_str(), file.c_str()) != 0) {
    status = IoError("cannot rename " + part.string());
  }
  return status;
}

ExitCode Answer(const Result<proto::SalvageReply>& reply, bool json) {
  if (!reply.ok()) {
    return Fail(reply.status(), json);
  }
  const bool ok = reply->outcome() == proto::DONE;
  if (json) {
    std::printf("%s\n", JsonWriter::Object()
                            .Add("ok", ok)
                            .Add("exit_code", static_cast<int>(reply->outcome()))
                            .Add("message", reply->message())
                            .Add("uid", reply->uid())
                            .Add("items", std::uint64_t{reply->items()})
                            .Finish()
                            .c_str());
  } else {
    std::fprintf(ok ? stdout : stderr, "%s\n", reply->message().c_str());
  }
  return reply->outcome();
}

ExitCode End(const Status& status, bool json) {
  return status.ok() ? static_cast<ExitCode>(proto::DONE) : Fail(status, json);
}

}  // namespace

ExitCode RunSalvageList(Client& client, const Arguments& arguments) {
  const std::string wanted = arguments.Get("state");
  const Status status = ForItems(client, "", [&](const proto::SalvageInfo& item) {
    if (!wanted.empty() && item.state() != wanted) {
      return OkStatus();
    }
    if (arguments.json) {
      std::printf("%s\n", Json(item).c_str());
    } else {
      PrintLine(item);
    }
    return OkStatus();
  });
  return End(status, arguments.json);
}

ExitCode RunSalvageShow(Client& client, const Arguments& arguments) {
  std::optional<proto::SalvageInfo> item;
  Status status = ForItems(client, arguments.positional[0], [&](const proto::SalvageInfo& found) {
    item = found;
    return OkStatus();
  });
  if (!status.ok() || !item) {
    return End(status, arguments.json);
  }
  std::string head;
  if (item->octets() > 0 && item->state() != "discarded") {
    status = ReadOctets(client, item->name(), kHeadOctets, [&](const std::string& octets) {
      head += octets;
      return OkStatus();
    });
  }
  if (arguments.json) {
    std::printf("%s\n", Json(*item).c_str());
  } else {
    PrintAll(*item, HeaderOf(head));
  }
  return End(status, arguments.json);
}

ExitCode RunSalvageExport(Client& client, const Arguments& arguments) {
  const std::filesystem::path dir = arguments.positional[0];
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  std::filesystem::permissions(dir, std::filesystem::perms::owner_all, error);
  std::vector<proto::SalvageInfo> items;
  Status status = ForItems(client, "", [&](const proto::SalvageInfo& item) {
    items.push_back(item);
    return OkStatus();
  });
  std::ofstream index(dir / "index.jsonl", std::ios::trunc);
  std::uint64_t messages = 0;
  for (std::size_t i = 0; status.ok() && i < items.size(); ++i) {
    index << Json(items[i]) << "\n";
    if (items[i].octets() > 0 && items[i].kind() == "append" && items[i].state() != "discarded") {
      status = Export(client, items[i], dir);
      ++messages;
    }
  }
  index.close();
  if (status.ok() && !index) {
    status = IoError("cannot write " + (dir / "index.jsonl").string());
  }
  if (status.ok() && !arguments.json) {
    std::printf("%" PRIu64 " messages and an index of %zu items in %s\n", messages, items.size(),
                dir.c_str());
  } else if (status.ok()) {
    std::printf("%s\n", JsonWriter::Object()
                            .Add("ok", true)
                            .Add("exit_code", 0)
                            .Add("messages", messages)
                            .Add("items", std::uint64_t{items.size()})
                            .Add("directory", dir.string())
                            .Finish()
                            .c_str());
  }
  return End(status, arguments.json);
}

ExitCode RunSalvageReinject(Client& client, const Arguments& arguments) {
  proto::SalvageRequest request;
  request.add_names(arguments.positional[0]);
  request.set_mailbox(arguments.Get("mailbox"));
  request.set_actor(Actor());
  return Answer(client.Call(&proto::Admin::Stub::SalvageReinject, request, 60), arguments.json);
}

ExitCode RunSalvageDiscard(Client& client, const Arguments& arguments) {
  proto::SalvageRequest request;
  for (const std::string& name : arguments.positional) {
    request.add_names(name);
  }
  request.set_settled(arguments.Has("settled"));
  request.set_all(arguments.Has("all"));
  request.set_actor(Actor());
  return Answer(client.Call(&proto::Admin::Stub::SalvageDiscard, request), arguments.json);
}

}  // namespace twinspool::cli
