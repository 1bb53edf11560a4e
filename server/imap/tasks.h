// Every command of the session: Run starts it, and answers the Task that goes on with it, or null
// when it has finished already.
//
// Each is to end by one of Core::Finish and its kind. They may rely on what CommandTraits promises:
// a command of selected_only finds core.view().
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/status.h"
#include "server/imap/command.h"
#include "server/imap/core.h"

namespace twinspool::imap {

CommandTraits TraitsOf(const Command& command);
CommandTraits AppendTraits();

// cmd_session.cc
std::unique_ptr<Task> Run(Core& core, cmd::Capability command);
std::unique_ptr<Task> Run(Core& core, cmd::Noop command);
std::unique_ptr<Task> Run(Core& core, cmd::Check command);
std::unique_ptr<Task> Run(Core& core, cmd::Logout command);
std::unique_ptr<Task> Run(Core& core, const cmd::Id& command);
std::unique_ptr<Task> Run(Core& core, const cmd::Enable& command);
std::unique_ptr<Task> Run(Core& core, cmd::Namespace command);
std::unique_ptr<Task> Run(Core& core, cmd::Unauthenticate command);
std::unique_ptr<Task> Run(Core& core, const cmd::Compress& command);
/// What the store is told of a client that wants to log in. (capabilities.cc)
LoginClient ClientOf(const net::SessionHost& host);
// cmd_auth.cc
std::unique_ptr<Task> Run(Core& core, cmd::StartTls command);
std::unique_ptr<Task> Run(Core& core, cmd::Login command);
std::unique_ptr<Task> Run(Core& core, cmd::Authenticate command);
// cmd_select.cc
std::unique_ptr<Task> Run(Core& core, cmd::Select command);
std::unique_ptr<Task> Run(Core& core, cmd::Close command);
std::unique_ptr<Task> Run(Core& core, cmd::Unselect command);
// cmd_mailbox.cc
std::unique_ptr<Task> Run(Core& core, const cmd::Create& command);
std::unique_ptr<Task> Run(Core& core, const cmd::Delete& command);
std::unique_ptr<Task> Run(Core& core, const cmd::Rename& command);
std::unique_ptr<Task> Run(Core& core, const cmd::Subscribe& command);
std::unique_ptr<Task> Run(Core& core, const cmd::Status& command);
// cmd_acl.cc
std::unique_ptr<Task> Run(Core& core, cmd::SetAcl command);
std::unique_ptr<Task> Run(Core& core, const cmd::GetAcl& command);
std::unique_ptr<Task> Run(Core& core, const cmd::ListRights& command);
std::unique_ptr<Task> Run(Core& core, const cmd::MyRights& command);
// cmd_quota.cc
std::unique_ptr<Task> Run(Core& core, const cmd::GetQuota& command);
std::unique_ptr<Task> Run(Core& core, const cmd::GetQuotaRoot& command);
std::unique_ptr<Task> Run(Core& core, const cmd::SetQuota& command);
// cmd_metadata.cc
std::unique_ptr<Task> Run(Core& core, cmd::GetMetadata command);
std::unique_ptr<Task> Run(Core& core, cmd::SetMetadata command);
// cmd_list.cc
std::unique_ptr<Task> Run(Core& core, cmd::List command);
std::unique_ptr<Task> Run(Core& core, cmd::Lsub command);
// cmd_append.cc
std::unique_ptr<Task> RunAppend(Core& core, const AppendBegin& begin);
// cmd_fetch.cc
std::unique_ptr<Task> Run(Core& core, cmd::Fetch command);
// cmd_store.cc
std::unique_ptr<Task> Run(Core& core, cmd::Store command);
// cmd_copy.cc
std::unique_ptr<Task> Run(Core& core, cmd::Copy command);
std::unique_ptr<Task> Run(Core& core, cmd::Expunge command);
// cmd_search.cc
std::unique_ptr<Task> Run(Core& core, cmd::Search command);
std::unique_ptr<Task> Run(Core& core, const cmd::CancelUpdate& command);
// cmd_notify.cc
std::unique_ptr<Task> Run(Core& core, cmd::Notify command);
// cmd_multisearch.cc
std::unique_ptr<Task> Run(Core& core, cmd::MultiSearch command);
// cmd_sort.cc
std::unique_ptr<Task> Run(Core& core, cmd::Sort command);
std::unique_ptr<Task> Run(Core& core, cmd::Thread command);
// cmd_idle.cc
std::unique_ptr<Task> Run(Core& core, cmd::Idle command);

}  // namespace twinspool::imap
