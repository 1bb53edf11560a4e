// CAPABILITY: what this session may use. Only what is whole stands here.
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

constexpr std::string_view kAlways = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE";

constexpr std::string_view kAfterLogin =
    " NAMESPACE IDLE UIDPLUS UNSELECT MOVE MULTIAPPEND CHILDREN LIST-EXTENDED LIST-STATUS"
    " SPECIAL-USE CREATE-SPECIAL-USE CONDSTORE QRESYNC UIDONLY ESEARCH SEARCHRES MULTISEARCH "
    "WITHIN PARTIAL CONTEXT=SEARCH CONTEXT=SORT NOTIFY"
    " SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS I18NLEVEL=1"
    " BINARY REPLACE CATENATE URL-PARTIAL METADATA LIST-METADATA ACL RIGHTS=texk LIST-MYRIGHTS "
    "QUOTA"
    " QUOTA=RES-STORAGE QUOTA=RES-MESSAGE PREVIEW SAVEDATE STATUS=SIZE OBJECTID UTF8=ACCEPT "
    "INPROGRESS UNAUTHENTICATE"
    " MESSAGELIMIT=";

}  // namespace

LoginClient ClientOf(const net::SessionHost& host) {
  return {LoginService::kImap, host.peer_address(), host.tls_exporter(), host.tls().client_names};
}

std::string Core::Capabilities() const {
  std::string text(kAlways);
  if (state_ == State::kNotAuthenticated) {
    if (host_.tls_available() && !host_.tls().active) {
      text += " STARTTLS";
    }
    if (!host_.secure_enough()) {
      return text + " LOGINDISABLED";
    }
    for (const std::string& mechanism : store_.LoginMechanisms(ClientOf(host_))) {
      text += " AUTH=" + mechanism;
    }
    return text;
  }
  text += kAfterLogin;
  AppendNumber(&text, limits::kAtomicMessagesMax);
  AppendNumber(&(text += " APPENDLIMIT="), store_.message_bytes_max());
  text += host_.compressed() ? "" : " COMPRESS=DEFLATE";
  return text;
}

}  // namespace twinspool::imap
