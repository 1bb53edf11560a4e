#include "replica/wire.h"

namespace twinspool::replica {
namespace {

/// Writes one body of the role machine into a wire message.
struct BodyWriter {
  proto::PeerMessage* out;

  void operator()(const core::Hello& body) const {
    out->mutable_hello()->set_is_primary(body.is_primary);
    out->mutable_hello()->set_reply(body.reply);
    out->mutable_hello()->set_mode(core::ModeName(body.mode));
  }
  void operator()(const core::Ack& body) const {
    out->mutable_ack()->set_durable_upto(body.durable_upto.value());
  }
  void operator()(const core::InSync& body) const {
    out->mutable_in_sync()->set_cfgno(body.cfgno);
    out->mutable_in_sync()->set_length(body.length.value());
  }
  void operator()(const core::Revoke& body) const { out->mutable_revoke()->set_cfgno(body.cfgno); }
  void operator()(const core::Revoked& body) const {
    out->mutable_revoked()->set_cfgno(body.cfgno);
  }
  void operator()(const core::Resign& body) const {
    out->mutable_resign()->set_cfgno(body.cfgno);
    out->mutable_resign()->set_seq(body.seq.value());
    out->mutable_resign()->set_take_over(body.take_over);
  }
  void operator()(const core::ResignHeld& body) const {
    out->mutable_resign_held()->set_cfgno(body.cfgno);
  }
  void operator()(const core::Reclaim& body) const {
    out->mutable_reclaim()->set_cfgno(body.cfgno);
  }
  void operator()(const core::Reclaimed& body) const {
    out->mutable_reclaimed()->set_cfgno(body.cfgno);
  }
  void operator()(const core::Expel& body) const { out->mutable_expel()->set_cfgno(body.cfgno); }
  void operator()(const core::Expelled& body) const {
    out->mutable_expelled()->set_cfgno(body.cfgno);
  }
};

std::optional<core::MessageBody> ReadBody(const proto::PeerMessage& in) {
  switch (in.body_case()) {
    case proto::PeerMessage::kHello: {
      const std::optional<core::Mode> mode = core::ParseMode(in.hello().mode());
      if (!mode) {
        return std::nullopt;
      }
      return core::Hello{
          .is_primary = in.hello().is_primary(), .reply = in.hello().reply(), .mode = *mode};
    }
    case proto::PeerMessage::kAck:
      return core::Ack{.durable_upto = CommitSeq(in.ack().durable_upto())};
    case proto::PeerMessage::kInSync:
      return core::InSync{.cfgno = in.in_sync().cfgno(),
                          .length = CommitSeq(in.in_sync().length())};
    case proto::PeerMessage::kRevoke:
      return core::Revoke{.cfgno = in.revoke().cfgno()};
    case proto::PeerMessage::kRevoked:
      return core::Revoked{.cfgno = in.revoked().cfgno()};
    case proto::PeerMessage::kResign:
      return core::Resign{.cfgno = in.resign().cfgno(),
                          .seq = CommitSeq(in.resign().seq()),
                          .take_over = in.resign().take_over()};
    case proto::PeerMessage::kResignHeld:
      return core::ResignHeld{.cfgno = in.resign_held().cfgno()};
    case proto::PeerMessage::kReclaim:
      return core::Reclaim{.cfgno = in.reclaim().cfgno()};
    case proto::PeerMessage::kReclaimed:
      return core::Reclaimed{.cfgno = in.reclaimed().cfgno()};
    case proto::PeerMessage::kExpel:
      return core::Expel{.cfgno = in.expel().cfgno()};
    case proto::PeerMessage::kExpelled:
      return core::Expelled{.cfgno = in.expelled().cfgno()};
    default:
      return std::nullopt;
  }
}

}  // namespace

proto::PeerMessage ToWire(const core::Message& message) {
  proto::PeerMessage out;
  out.set_epoch(message.epoch.value());
  out.set_from_incarnation(message.from.value());
  out.set_to_incarnation(message.to.value());
  std::visit(BodyWriter{&out}, message.body);
  return out;
}

std::optional<core::Message> FromWire(const proto::PeerMessage& message) {
  std::optional<core::MessageBody> body = ReadBody(message);
  if (!body) {
    return std::nullopt;
  }
  return core::Message{.epoch = Epoch(message.epoch()),
                       .from = Incarnation(message.from_incarnation()),
                       .to = Incarnation(message.to_incarnation()),
                       .body = *body};
}

}  // namespace twinspool::replica
