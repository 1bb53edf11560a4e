#include "server/mime/envelope.h"

#include <array>
#include <optional>
#include <vector>

#include "server/mime/address.h"
#include "server/mime/ascii.h"
#include "server/mime/header.h"

namespace twinspool::mime {
namespace {

/// Octets of punctuation and NILs per address, roughly; drawn from the budget.
constexpr std::size_t kAddressOverhead = 20;

struct Envelope {
  using Text = std::optional<std::string>;
  using List = std::vector<Address>;
  Text date, subject, in_reply_to, message_id;
  List from, sender, reply_to, to, cc, bcc;
};

struct TextField {
  std::string_view name;
  Envelope::Text Envelope::*member;
};
struct ListField {
  std::string_view name;
  Envelope::List Envelope::*member;
};
constexpr std::array<TextField, 4> kTextFields = {{{"Date", &Envelope::date},
                                                   {"Subject", &Envelope::subject},
                                                   {"In-Reply-To", &Envelope::in_reply_to},
                                                   {"Message-ID", &Envelope::message_id}}};
constexpr std::array<ListField, 6> kListFields = {{{"From", &Envelope::from},
                                                   {"Sender", &Envelope::sender},
                                                   {"Reply-To", &Envelope::reply_to},
                                                   {"To", &Envelope::to},
                                                   {"Cc", &Envelope::cc},
                                                   {"Bcc", &Envelope::bcc}}};

void Collect(const HeaderField& field, Envelope* envelope) {
  for (const TextField& text : kTextFields) {
    Envelope::Text& value = envelope->*text.member;
    if (!value.has_value() && EqualsIgnoreCase(field.name, text.name)) {
      value = Unfold(field.value);
    }
  }
  for (const ListField& list : kListFields) {
    if (EqualsIgnoreCase(field.name, list.name)) {
      ParseAddressList(Unfold(field.value), &(envelope->*list.member));
    }
  }
}

Envelope ReadEnvelope(std::string_view header_block) {
  Envelope envelope;
  HeaderIterator fields(header_block);
  HeaderField field;
  while (fields.Next(&field)) {
    Collect(field, &envelope);
  }
  return envelope;
}

void WriteAddress(const Address& address, WireWriter* out) {
  out->Charge(kAddressOverhead);
  switch (address.kind) {
    case Address::Kind::kGroupStart:
      out->Raw("(NIL NIL ");
      out->String(address.name);
      out->Raw(" NIL)");
      return;
    case Address::Kind::kGroupEnd:
      out->Raw("(NIL NIL NIL NIL)");
      return;
    case Address::Kind::kMailbox:
      out->Raw("(");
      out->StringOrNil(address.name);
      out->Raw(" ");
      out->StringOrNil(address.route);
      out->Raw(" ");
      out->String(address.mailbox.empty() ? kMissingMailbox : std::string_view(address.mailbox));
      out->Raw(" ");
      out->String(address.host.empty() ? kMissingDomain : std::string_view(address.host));
      out->Raw(")");
  }
}

void WriteList(const Envelope::List& list, WireWriter* out) {
  if (list.empty() || !out->HasRoom()) {
    out->Raw("NIL");
    return;
  }
  bool in_group = false;
  out->Raw("(");
  for (const Address& address : list) {
    if (!out->HasRoom()) {
      break;
    }
    WriteAddress(address, out);
    in_group = address.kind == Address::Kind::kGroupStart ||
               (in_group && address.kind != Address::Kind::kGroupEnd);
  }
  out->Raw(in_group ? "(NIL NIL NIL NIL))" : ")");  // a list that was cut still closes its group
}

void WriteText(const Envelope::Text& text, WireWriter* out) {
  if (!text.has_value()) {
    out->Raw("NIL");
  } else {
    out->String(*text);
  }
}

}  // namespace

void WriteEnvelope(std::string_view header_block, WireWriter* out) {
  const Envelope envelope = out->HasRoom() ? ReadEnvelope(header_block) : Envelope{};
  out->Raw("(");
  WriteText(envelope.date, out);
  out->Raw(" ");
  WriteText(envelope.subject, out);
  const auto& sender = envelope.sender.empty() ? envelope.from : envelope.sender;
  const auto& reply_to = envelope.reply_to.empty() ? envelope.from : envelope.reply_to;
  for (const Envelope::List* list :
       {&envelope.from, &sender, &reply_to, &envelope.to, &envelope.cc, &envelope.bcc}) {
    out->Raw(" ");
    WriteList(*list, out);
  }
  out->Raw(" ");
  WriteText(envelope.in_reply_to, out);
  out->Raw(" ");
  WriteText(envelope.message_id, out);
  out->Raw(")");
}

std::string RenderEnvelope(std::string_view header_block) {
  WireWriter out;
  WriteEnvelope(header_block, &out);
  return out.Take();
}

}  // namespace twinspool::mime
