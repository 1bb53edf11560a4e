// TlsEngine: one server side of TLS as a pure transformer: ciphertext in, plaintext out, and back.
//
// OpenSSL reads straight from the caller's buffer and appends to one string, so an idle connection
// holds nothing but the SSL object itself (a BIO pair or ssl::stream would keep tens of KiB). No
// socket, no thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/tls.h"
#include "server/net/session.h"

struct ssl_st;
struct bio_st;

namespace twinspool::net {

/// Not thread-safe.
class TlsEngine {
 public:
  enum class Step {
    kDone,       // the handshake is over, or bytes were read
    kWantInput,  // all input is used up
    kClosed,     // the client said close_notify
    kFailed,     // not TLS, a forged record, no good certificate …; the connection is lost
  };

  /// Null when OpenSSL has no memory for it.
  static std::unique_ptr<TlsEngine> Server(const TlsContext& context);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  /// Points the engine at received ciphertext. The bytes must stay until a step answered
  /// kWantInput, or until DropInput.
  void GiveInput(std::string_view bytes) { input_ = bytes; }
  void DropInput() { input_ = {}; }

  Step Handshake();
  /// Decrypts up to `size` bytes; with kDone *read is > 0.
  Step Read(char* out, std::size_t size, std::size_t* read);
  /// Encrypts all of `plain` into output(). False: the connection is lost.
  bool Write(std::string_view plain);
  /// Puts a close_notify into output().
  void Shutdown();

  /// Ciphertext for the client. The caller sends and clears it.
  std::string& output() { return output_; }

  /// After the handshake.
  TlsInfo Describe() const;
  /// After the handshake: see SessionHost::tls_exporter.
  std::string Exporter() const;
  /// OpenSSL's reason for the last kFailed: "http request", "unsupported protocol" …
  const std::string& error() const { return error_; }

 private:
  struct BioFunctions;

  TlsEngine() = default;
  Step StepOf(int result);

  ssl_st* ssl_ = nullptr;
  std::string_view input_;
  std::string output_;
  std::string error_;
};

}  // namespace twinspool::net
