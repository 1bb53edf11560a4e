// Counters, gauges and histograms in Prometheus' text form.
//
// Names start with twinspool_, base units, counters end in _total; no user or mailbox labels.
// Objects live as long as the registry; updating them is lock-free or nearly so and safe from any
// thread.
#pragma once

#include <map>
#include <memory>
#include <string>

namespace twinspool {

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Increment() = 0;
  /// `count` >= 0.
  virtual void Add(double count) = 0;
  virtual double value() const = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
};

using MetricLabels = std::map<std::string, std::string>;

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// The counter of that name and labels; made at the first call.
  Counter& GetCounter(const std::string& name, const std::string& help,
                      const MetricLabels& labels = {});
  Gauge& GetGauge(const std::string& name, const std::string& help,
                  const MetricLabels& labels = {});
  /// Buckets from 10 µs to 30 s.
  Histogram& GetSeconds(const std::string& name, const std::string& help,
                        const MetricLabels& labels = {});

  /// Text exposition format, version 0.0.4.
  std::string Expose();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspool
