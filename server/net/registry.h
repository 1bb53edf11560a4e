// Registry: the connections of one listener, and what they share.
//
// Internal to server/net. It owns the connections: one lives until it removes itself.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/net/listener.h"

namespace twinspool::net {

class Connection;

/// Thread-safe.
class Registry {
 public:
  explicit Registry(ListenerOptions options) : options_(std::move(options)) {}

  const ListenerOptions& options() const { return options_; }
  ListenerStats& stats() { return stats_; }

  /// Reserves a place for a client of `address`. False: over a limit. An empty address (Unix
  /// socket) counts only in the total.
  bool Reserve(const std::string& address);
  /// The client of a place that was reserved without an address has this one. False: over a limit;
  /// the place stays as it is.
  bool Name(const std::string& address);
  /// Gives a reserved place back that never became a connection.
  void Release(const std::string& address);
  /// Fills a reserved place.
  void Add(std::shared_ptr<Connection> connection);
  /// Drops the connection and its place.
  void Remove(const Connection* connection, const std::string& address);

  std::vector<std::shared_ptr<Connection>> All() const;
  std::size_t size() const;
  /// True when no connection is left; false when `wait_ms` have passed before.
  bool WaitEmpty(std::int64_t wait_ms);

 private:
  void ReleaseLocked(const std::string& address);

  const ListenerOptions options_;
  ListenerStats stats_;
  mutable std::mutex mutex_;
  std::condition_variable empty_;
  // Guarded by mutex_.
  std::size_t places_ = 0;
  std::unordered_map<std::string, std::size_t> per_address_;
  std::unordered_map<const Connection*, std::shared_ptr<Connection>> connections_;
};

}  // namespace twinspool::net
