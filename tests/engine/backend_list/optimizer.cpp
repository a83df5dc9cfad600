// Updates of parameters, with their borders, and what is not finite.
#include "tests/engine/backend_list/list.h"
#include "tests/support/numeric_grad.h"

namespace ntq::test {

BackendCases optimizer_cases() {
  BackendCases list;
  const auto add = [&](const std::string& sizes, const Tensor& g) {
    const int64_t n = g.numel();
    Tensor square = some_values({n}, 4);
    for (int64_t i = 0; i < n; ++i) square.f32()[i] *= square.f32()[i];
    for (const bool option : {false, true}) {
      for (const float floor : {SgdUpdate{}.floor, 0.25f}) {
        const std::string name = concat(sizes, ", floor ", floor, option ? ", option" : "");
        SgdUpdate sgd{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 0.1f, .nesterov = option, .floor = floor};
        if (option == (floor > 0)) sgd.most_change = 1.25f;
        list.push_back({Primitive::sgd_step,
                        name,
                        {g},
                        {some_values({n}, 1), some_values({n}, 2)},
                        call_of(&Backend::sgd_step, sgd),
                        1e-6});
        AdamUpdate adam{.lr = 0.1f, .decay_lr = 0.05f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f};
        adam.square_scale = 1.5f, adam.weight_decay = 0.1f, adam.decoupled = option, adam.floor = floor;
        adam.most_change = sgd.most_change;
        list.push_back({Primitive::adam_step,
                        name,
                        {g},
                        {some_values({n}, 1), some_values({n}, 2), square},
                        call_of(&Backend::adam_step, adam),
                        2e-6});
      }
    }
  };
  for (const int64_t n : kLengths) add(std::to_string(n), some_values({n}, 3));
  add("wild", wild_values(99, 3));
  return list;
}

}  // namespace ntq::test
