// StoreForgotten: replica::ForgottenUsers over the marks that forgetting a user leaves in meta, in
// the same batch as everything else of it (schema.h, ForgottenKey).
#pragma once

#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "replica/ports.h"

namespace twinspool::store {

class Engine;
class RoleGate;
class VisibilityControl;

class StoreForgotten final : public replica::ForgottenUsers {
 public:
  /// None is owned; all outlive this.
  StoreForgotten(Engine& engine, RoleGate& gate, VisibilityControl& visibility)
      : engine_(engine), gate_(gate), visibility_(visibility) {}

  Result<std::vector<UserId>> Forgotten() override;
  Status Settle(UserId user) override;

 private:
  Engine& engine_;
  RoleGate& gate_;
  VisibilityControl& visibility_;
};

}  // namespace twinspool::store
