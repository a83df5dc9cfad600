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
  // Together: more tensors than a launch takes, at places that are aligned and at others.
  for (const int64_t each : {1, 3, 4, 24, 8200}) {
    const int64_t tensors = each > 1000 ? 3 : 130, n = each * tensors;
    const auto call = [each, tensors](Backend& b, const Inputs& in, const Outputs& out) {
      std::vector<SgdTensor> all;
      for (int64_t i = 0; i < tensors; ++i) {
        const SgdUpdate update{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f * static_cast<float>(i % 7)};
        const ConstView g{static_cast<const float*>(in[0].data) + i * each, in[0].type, each};
        all.push_back({update, out[0].part(i * each, each), g, out[1].part(i * each, each)});
      }
      b.sgd_steps(all);
    };
    list.push_back({Primitive::sgd_step,
                    concat(tensors, " of ", each),
                    {some_values({n}, 3)},
                    {some_values({n}, 1), some_values({n}, 2)},
                    call,
                    1e-6});
  }
  for (const int64_t n : kLengths) add(std::to_string(n), some_values({n}, 3));
  add("wild", wild_values(99, 3));
  return list;
}

}  // namespace ntq::test
