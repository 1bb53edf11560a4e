// Rules broken on purpose. The copy of the role machine that role_mutation_test links (made by
// mutate.py from mutations.toml) and the modelled world ask here whether theirs is. With the
// shipped machine nothing is ever broken.
#pragma once

#include "replica/core/role.h"
#include "tests/roles/mutations.h"

namespace twinspool::replica::core::explore {

inline Mutation g_mutation = Mutation::kNone;

inline bool Mutated(Mutation mutation) {
  return g_mutation == mutation;
}

/// A broken rule lets messages count that are dead otherwise.
inline bool MutatedBinding() {
  return Mutated(Mutation::kNoStreamBinding) || Mutated(Mutation::kReplyWithoutNonce) ||
         Mutated(Mutation::kAckOldEpoch);
}

/// What a broken rule lets survive a restart.
inline void RememberVolatile(const RoleState& was, RoleState* now) {
  if (Mutated(Mutation::kEligiblePersisted)) {
    now->eligible = was.eligible;
  }
  if (Mutated(Mutation::kCompleteSurvivesRestart) && was.complete) {
    now->complete = true;
    now->role = now->control.resigned ? now->role : Role::kPrimary;
    now->reads_need = now->log_end;
  }
}

}  // namespace twinspool::replica::core::explore
