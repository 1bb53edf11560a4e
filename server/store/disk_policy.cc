#include "server/store/disk_policy.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "server/store/disk_space.h"

namespace twinspool::store {
namespace {

/// How long an answer of the file system is good for.
constexpr std::int64_t kProbeMs = 200;

}  // namespace

DiskPolicy::DiskPolicy(std::string directory, DiskReserves reserves, Clock& clock)
    : directory_(std::move(directory)),
      reserves_(reserves),
      clock_(clock),
      probe_([this] { return FreeDiskBytes(directory_); }) {}

std::uint64_t DiskPolicy::FreeBytes() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Instant now = clock_.Now();
  if (asked_.ns < 0 || now.MsSince(asked_) >= kProbeMs) {
    own_free_ = probe_();
    asked_ = now;
  }
  return own_free_;
}

std::uint64_t DiskPolicy::FreeBytesNow() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    asked_ = Instant{-1};
  }
  return FreeBytes();
}

void DiskPolicy::OverrideFreeBytes(std::function<std::uint64_t()> probe) {
  const std::lock_guard<std::mutex> lock(mutex_);
  probe_ = std::move(probe);
  asked_ = Instant{-1};
}

Status DiskPolicy::Admit(Admission admission) {
  const std::uint64_t own = admission == Admission::kFree ? FreeBytesNow() : FreeBytes();
  const std::uint64_t peer = peer_free_.load();
  const std::uint64_t least = std::min(own, peer);
  const char* const whose = own <= peer ? "this node" : "the other node";
  const std::uint64_t needed = admission == Admission::kFree ? 0 : reserves_.hard_bytes;
  if (least < std::max(needed, limits::kDiskLastBytes)) {
    return OverQuota(std::string("the disk of ") + whose +
                     " is full: nothing can be changed until there is room");
  }
  if (admission == Admission::kBodies && least < reserves_.soft_bytes) {
    return OverQuota(std::string("the disk of ") + whose +
                     " is nearly full: no new mail until there is room");
  }
  return OkStatus();
}

Status DiskPolicy::AdmitCopy() {
  return FreeBytes() < std::max(reserves_.hard_bytes, limits::kDiskLastBytes)
             ? OverQuota("the disk of this node is full; the copy goes on when there is room")
             : OkStatus();
}

void DiskPolicy::TendBallast() {
  const std::uint64_t own = FreeBytes();
  if (own < reserves_.hard_bytes) {
    (void)DropBallast(directory_);
  } else if (own > reserves_.soft_bytes + reserves_.ballast_bytes &&
             BallastBytes(directory_) != reserves_.ballast_bytes) {
    (void)MakeBallast(directory_, reserves_.ballast_bytes);
  }
}

}  // namespace twinspool::store
