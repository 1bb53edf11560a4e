// The command table: in which state each may be given, and what may be told with its answer.
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

constexpr CommandTraits Any(const char* name) {
  return {.name = name, .before_login = true, .after_login = true};
}
constexpr CommandTraits BeforeLogin(const char* name) {
  return {.name = name, .before_login = true};
}
constexpr CommandTraits AfterLogin(const char* name) {
  return {.name = name, .after_login = true};
}
constexpr CommandTraits Selected(const char* name, bool holds_numbers, bool always_sync) {
  return {.name = name,
          .after_login = true,
          .selected_only = true,
          .by_number = holds_numbers,
          .holds_numbers = holds_numbers,
          .always_sync = always_sync};
}
constexpr CommandTraits Syncing(CommandTraits traits) {
  traits.always_sync = true;
  return traits;
}

// One overload per command; a command without a row does not compile.
constexpr CommandTraits Of(const cmd::Capability&) {
  return Any("CAPABILITY");
}
constexpr CommandTraits Of(const cmd::Noop&) {
  return Syncing(Any("NOOP"));
}
constexpr CommandTraits Of(const cmd::Logout&) {
  return Any("LOGOUT");
}
CommandTraits Of(const cmd::Id&) {
  return Any("ID");
}
constexpr CommandTraits Of(const cmd::StartTls&) {
  return BeforeLogin("STARTTLS");
}
CommandTraits Of(const cmd::Login&) {
  return BeforeLogin("LOGIN");
}
CommandTraits Of(const cmd::Authenticate&) {
  return BeforeLogin("AUTHENTICATE");
}
CommandTraits Of(const cmd::Enable&) {
  return AfterLogin("ENABLE");
}
CommandTraits Of(const cmd::Select&) {
  return AfterLogin("SELECT");
}
CommandTraits Of(const cmd::Create&) {
  return AfterLogin("CREATE");
}
CommandTraits Of(const cmd::Delete&) {
  return AfterLogin("DELETE");
}
CommandTraits Of(const cmd::Rename&) {
  return AfterLogin("RENAME");
}
CommandTraits Of(const cmd::Subscribe&) {
  return AfterLogin("SUBSCRIBE");
}
CommandTraits Of(const cmd::List&) {
  return AfterLogin("LIST");
}
CommandTraits Of(const cmd::Lsub&) {
  return AfterLogin("LSUB");
}
constexpr CommandTraits Of(const cmd::Namespace&) {
  return AfterLogin("NAMESPACE");
}
CommandTraits Of(const cmd::Status&) {
  return AfterLogin("STATUS");
}
constexpr CommandTraits Of(const cmd::Idle&) {
  return Syncing(AfterLogin("IDLE"));
}
constexpr CommandTraits Of(const cmd::Unauthenticate&) {
  return AfterLogin("UNAUTHENTICATE");
}
CommandTraits Of(const cmd::GetMetadata&) {
  return AfterLogin("GETMETADATA");
}
CommandTraits Of(const cmd::SetMetadata&) {
  return AfterLogin("SETMETADATA");
}
CommandTraits Of(const cmd::SetAcl& command) {
  return AfterLogin(command.erase ? "DELETEACL" : "SETACL");
}
CommandTraits Of(const cmd::GetAcl&) {
  return AfterLogin("GETACL");
}
CommandTraits Of(const cmd::ListRights&) {
  return AfterLogin("LISTRIGHTS");
}
CommandTraits Of(const cmd::MyRights&) {
  return AfterLogin("MYRIGHTS");
}
CommandTraits Of(const cmd::GetQuota&) {
  return AfterLogin("GETQUOTA");
}
CommandTraits Of(const cmd::GetQuotaRoot&) {
  return AfterLogin("GETQUOTAROOT");
}
CommandTraits Of(const cmd::SetQuota&) {
  return AfterLogin("SETQUOTA");
}
CommandTraits Of(const cmd::Compress&) {
  return AfterLogin("COMPRESS");
}
constexpr CommandTraits Of(const cmd::Check&) {
  return Selected("CHECK", false, true);
}
constexpr CommandTraits Of(const cmd::Close&) {
  return Selected("CLOSE", false, false);
}
constexpr CommandTraits Of(const cmd::Unselect&) {
  return Selected("UNSELECT", false, false);
}
CommandTraits Of(const cmd::Expunge& command) {
  return Selected(command.uids ? "UID EXPUNGE" : "EXPUNGE", false, true);
}
CommandTraits Of(const cmd::Search& command) {
  return Selected(command.uid ? "UID SEARCH" : "SEARCH", !command.uid, false);
}
CommandTraits Of(const cmd::MultiSearch&) {
  return AfterLogin("ESEARCH");
}
CommandTraits Of(const cmd::Sort& command) {
  return Selected(command.search.uid ? "UID SORT" : "SORT", !command.search.uid, false);
}
CommandTraits Of(const cmd::Thread& command) {
  return Selected(command.search.uid ? "UID THREAD" : "THREAD", !command.search.uid, false);
}
CommandTraits Of(const cmd::CancelUpdate&) {
  return Selected("CANCELUPDATE", false, false);
}
CommandTraits Of(const cmd::Notify&) {
  return Syncing(AfterLogin("NOTIFY"));
}
CommandTraits Of(const cmd::Fetch& command) {
  return Selected(command.uid ? "UID FETCH" : "FETCH", !command.uid, false);
}
CommandTraits Of(const cmd::Store& command) {
  return Selected(command.uid ? "UID STORE" : "STORE", !command.uid, true);
}
CommandTraits Of(const cmd::Copy& command) {
  const char* name =
      command.move ? (command.uid ? "UID MOVE" : "MOVE") : (command.uid ? "UID COPY" : "COPY");
  CommandTraits traits = Selected(name, false, true);
  traits.by_number = !command.uid;
  return traits;
}

}  // namespace

CommandTraits TraitsOf(const Command& command) {
  return std::visit([](const auto& body) { return Of(body); }, command.body);
}

CommandTraits AppendTraits() {
  return Syncing(AfterLogin("APPEND"));
}

}  // namespace twinspool::imap
