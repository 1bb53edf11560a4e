// IMAP URLs of messages and their parts on this server (RFC 5092), as CATENATE takes them (RFC
// 4469), with PARTIAL (RFC 5550 §3). Pure.
//
//   /Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2/;PARTIAL=0.1024
//
// Only relative ones: a scheme, a server, URLAUTH, a search or a fragment are refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/status.h"
#include "common/types.h"
#include "server/imap/command.h"

namespace twinspool::imap {

struct ImapUrl {
  std::string mailbox;  // UTF-8, as decoded; empty: the selected one
  std::optional<UidValidity> uid_validity;
  Uid uid;
  Section section;
  /// A length that was not given is the largest there is.
  std::optional<Partial> partial;
};

/// Whether ParseImapUrl needs to know the selected mailbox.
bool NeedsBase(std::string_view url);

/// `selected`: the name of the selected mailbox, the URL's base; nothing: none is, the base is the
/// root. kInvalidArgument: it is no such URL.
Result<ImapUrl> ParseImapUrl(std::string_view url, const std::optional<std::string>& selected);

}  // namespace twinspool::imap
