#pragma once
// Where the time of a training goes: the primitives of the backend, by operator, as forward, backward, update or
// validation. Bytes and operations come from their arguments, shares from the machine's limits, measured once. What
// does not go through a backend (decoding, the loader, integers in validation) is no row; it is in the seconds of all.
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/limits.h"
#include "engine/backend/profiled.h"
#include "engine/module.h"
#include "engine/op_watch.h"

namespace ntq {

/// What a device of the host's memory can do on the threads in use; 0: unknown.
struct MachineLimits {
  double fma = 0, bf16_dot = 0, byte_dot = 0;  ///< billions of operations per second
  double copy = 0;                             ///< GB/s
  /// Of products of a and b that give y. Where one of them is bfloat16, so are the products (codes read by a filter of
  /// float32, say); without an instruction of its own it is multiplied as float32.
  double products(DType a, DType b, DType y) const;
};
MachineLimits measure_limits();

struct ProfileRow {
  std::string phase;      ///< forward, backward, update or validation
  std::string op;         ///< as in graphs; "" for what belongs to none: optimizer, sums of gradients
  std::string primitive;  ///< with sizes of image, kernel and channels for convolutions
  int64_t calls = 0;
  double seconds = 0, flop = 0, bytes = 0;
  double least_seconds = 0;  ///< at the limit of products or of copies, whichever takes longer; 0: unknown
};

/// One call, for a trace; `row` says what it was.
struct ProfileEvent {
  size_t row;
  const std::string* layer;  ///< whose parameters the op read; null: none
  double begin, seconds;     ///< begin: since the profile began
  double flop, bytes;
};

/// One at a time. From its construction to its end every primitive of the model's device, and every op of the thread
/// that made it, is counted; results stay the same to the bit.
class Profile {
 public:
  /// Measures the limits first. At most so many events are kept; rows count on.
  explicit Profile(const Module& model, size_t most_events = 100'000);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  void begin_training() { begin(Part::forward); }       ///< from here on forward, backward, update
  void begin_validation() { begin(Part::validation); }  ///< from here on validation
  void end_step();
  /// Counts what is under way, and nothing from then on.
  void stop();

  const MachineLimits& limits() const { return limits_; }
  int64_t steps() const { return steps_; }
  double training_seconds() const { return training_seconds_; }
  double validation_seconds() const { return validation_seconds_; }
  const std::vector<ProfileRow>& rows() const { return rows_; }  ///< in the order of their first call
  const std::vector<ProfileEvent>& events() const { return events_; }
  int64_t left_out() const { return left_out_; }  ///< events past the most that are kept
  /// Begin and length of the steps of which all events are kept.
  const std::vector<std::pair<double, double>>& step_times() const { return step_times_; }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Part { forward, backward, update, validation };
  void begin(Part part);
  void take(const PrimitiveCall& call);
  /// Whose the calls since the last one were.
  void assign(const char* op, const std::string* layer);
  void count(const PrimitiveCall& call, const char* op, const std::string* layer);
  const std::string* layer_of(const std::vector<Tensor>& inputs) const;
  const std::string* layer_of(const Tensor& tensor, int depth) const;

  Device device_;
  MachineLimits limits_;
  size_t most_events_;
  OpWatch watch_;
  const OpWatch* watch_before_ = nullptr;
  bool running_ = true;
  Part part_ = Part::forward;
  const char* gradient_of_ = nullptr;  // the op whose gradient is under way
  const std::string* gradient_layer_ = nullptr;
  std::vector<PrimitiveCall> pending_;  // whose op is not known yet
  Clock::time_point start_, part_begin_, step_begin_;
  double training_seconds_ = 0, validation_seconds_ = 0;
  int64_t steps_ = 0, left_out_ = 0;
  std::map<const void*, std::string> layers_;  // of parameters
  std::map<std::tuple<std::string, std::string, std::string>, size_t> index_;
  std::vector<ProfileRow> rows_;
  std::vector<ProfileEvent> events_;
  std::vector<std::pair<double, double>> step_times_;
};

}  // namespace ntq
