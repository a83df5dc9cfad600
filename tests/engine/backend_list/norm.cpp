// Batch norm: statistics with their update, application with residual and ReLU, gradients.
#include "tests/engine/backend_list/list.h"
#include "tests/support/numeric_grad.h"

namespace ntq::test {
namespace {

void add_norm(BackendCases& list, int64_t rows, int64_t channels) {
  const std::string sizes = concat(rows, " rows of ", channels, " channels");
  const Tensor x = some_values({rows * channels}, 1), dy = some_values({rows * channels}, 2);
  const Tensor y = some_values({rows * channels}, 7), residual = some_values({rows * channels}, 8);
  const Tensor gamma = some_values({channels}, 3), beta = some_values({channels}, 4), mean = some_values({channels}, 5);
  Tensor inv_std = some_values({channels}, 6);
  for (int64_t c = 0; c < channels; ++c) inv_std.f32()[c] += 1.5f;

  Tensor shifted = x.clone();  // the mean of one channel may be so near to 0 that its digits are rounding
  for (int64_t i = 0; i < x.numel(); ++i) shifted.f32()[i] += 0.5f;
  list.push_back({Primitive::batch_norm_stats,
                  sizes,
                  {shifted},
                  {output(channels), output(channels), mean, inv_std},
                  [](Backend& b, const Inputs& in, const Outputs& out) {
                    b.batch_norm_stats(in[0], {out[0], out[1], out[2], out[3], 0.1f, 1e-5f});
                  },
                  2e-6});
  for (const bool relu : {false, true}) {
    for (const bool add : {false, true}) {
      list.push_back({Primitive::batch_norm_apply,
                      concat(sizes, relu ? ", ReLU" : "", add ? ", residual" : ""),
                      {x, mean, inv_std, gamma, beta, residual},
                      {output(x.numel())},
                      [relu, add](Backend& b, const Inputs& in, const Outputs& out) {
                        b.batch_norm_apply({.x = in[0],
                                            .mean = in[1],
                                            .inv_std = in[2],
                                            .gamma = in[3],
                                            .beta = in[4],
                                            .residual = add ? in[5] : ConstView(),
                                            .relu = relu},
                                           out[0]);
                      },
                      1e-6});
    }
    for (const bool frozen : {false, true}) {
      // d_residual is asked for where the ReLU masks it.
      std::vector<Tensor> outputs{output(x.numel()), output(channels), output(channels)};
      if (relu) outputs.push_back(output(x.numel()));
      list.push_back({Primitive::batch_norm_grad,
                      concat(sizes, relu ? ", ReLU" : "", frozen ? ", frozen" : ""),
                      {x, mean, inv_std, gamma, y, dy},
                      outputs,
                      [relu, frozen](Backend& b, const Inputs& in, const Outputs& out) {
                        b.batch_norm_grad({.x = in[0],
                                           .mean = in[1],
                                           .inv_std = in[2],
                                           .gamma = in[3],
                                           .relu = relu,
                                           .y = relu ? in[4] : ConstView(),
                                           .dy = in[5],
                                           .frozen = frozen},
                                          {out[0], out[1], out[2], relu ? out[3] : View()});
                      },
                      1e-5});
    }
  }
}

// With a quantizer behind it: codes and the checked step, then the gradients.
void add_codes(BackendCases& list, int64_t rows, int64_t channels) {
  const Tensor x = some_values({rows * channels}, 1), residual = some_values({rows * channels}, 8);
  const Tensor gamma = some_values({channels}, 3), beta = some_values({channels}, 4), mean = some_values({channels}, 5);
  const Tensor inv_std = Tensor::full({channels}, 1.3f), step = Tensor::from({1}, {0.07f});
  const Tensor dy = some_values({rows * channels}, 2);
  for (int options = 0; options < 4; ++options) {
    const bool relu = options & 1, add = options & 2;
    const QuantRange range{relu ? 0.0f : -8.0f, 7};
    const auto args = [relu, add](const Inputs& in) {
      return NormArgs{.x = in[0],
                      .mean = in[1],
                      .inv_std = in[2],
                      .gamma = in[3],
                      .beta = in[4],
                      .residual = add ? in[5] : ConstView(),
                      .relu = relu};
    };
    const std::string sizes =
        concat(rows, " rows of ", channels, " channels", relu ? ", ReLU" : "", add ? ", residual" : "");
    list.push_back({Primitive::batch_norm_codes,
                    sizes,
                    {x, mean, inv_std, gamma, beta, residual, step},
                    {output(x.numel(), relu ? DType::u8 : DType::i8), output(1)},
                    [args, range](Backend& b, const Inputs& in, const Outputs& out) {
                      b.batch_norm_codes(args(in), range, in[6], out[0], out[1]);
                    }});
    std::vector<Tensor> outputs{output(x.numel()), output(channels), output(channels), output(1)};
    if (add) outputs.push_back(output(x.numel()));
    list.push_back(
        {Primitive::batch_norm_codes_grad,
         sizes,
         {x, mean, inv_std, gamma, beta, residual, step, dy},
         outputs,
         [args, range, add](Backend& b, const Inputs& in, const Outputs& out) {
           NormArgs a = args(in);
           a.dy = in[7];
           const QuantizeArgs quantizer{.range = range, .grad_scale = 0.5f};
           b.batch_norm_codes_grad(a, quantizer, in[6], {out[0], out[1], out[2], add ? out[4] : View()}, out[3]);
         },
         5e-5});
  }
}

// Codes of values that have other readers too: their gradients are added, then go the way of one.
void add_codes_beside(BackendCases& list, int64_t rows, int64_t channels) {
  const int64_t n = rows * channels;
  const Tensor x = some_values({n}, 1), y = some_values({n}, 7), dy = some_values({n}, 2),
               of_codes = some_values({n}, 9);
  const Tensor gamma = some_values({channels}, 3), mean = some_values({channels}, 5), step = Tensor::from({1}, {0.07f});
  const Tensor inv_std = Tensor::full({channels}, 1.3f);
  for (int options = 0; options < 8; ++options) {
    const bool relu = options & 1, add = options & 2, in_place = options & 4;
    std::vector<Tensor> outputs{in_place ? (add ? of_codes : dy) : output(n), output(channels), output(channels),
                                output(1)};
    if (add) outputs.push_back(in_place ? dy : output(n));
    list.push_back({Primitive::batch_norm_codes_grad,
                    concat("beside the values, ", rows, " rows of ", channels, " channels", relu ? ", ReLU" : "",
                           add ? ", residual" : "", in_place ? ", in place" : ""),
                    {x, mean, inv_std, gamma, y, step, dy, of_codes},
                    outputs,
                    [=](Backend& b, const Inputs& in, const Outputs& out) {
                      const View d_residual = add ? out[4] : View();
                      const NormArgs args{.x = in[0],
                                          .mean = in[1],
                                          .inv_std = in[2],
                                          .gamma = in[3],
                                          .relu = relu,
                                          .y = in[4],
                                          .dy = !in_place ? in[6]
                                                : add     ? ConstView(out[4])
                                                          : ConstView(out[0]),
                                          .dy_codes = in_place && add ? ConstView(out[0]) : in[7]};
                      b.batch_norm_codes_grad(args, {.range = {relu ? 0.0f : -8.0f, 7}, .grad_scale = 0.5f}, in[5],
                                              {out[0], out[1], out[2], d_residual}, out[3]);
                    },
                    5e-5});
  }
}

// A gradient in the memory of dy, and a ReLU whose mask is in x.
void add_in_place(BackendCases& list) {
  constexpr int64_t kChannels = 19, kSize = 77 * kChannels;
  const Tensor x = some_values({kSize}, 1), dy = some_values({kSize}, 2), gamma = some_values({kChannels}, 3);
  const Tensor beta = some_values({kChannels}, 4), mean = some_values({kChannels}, 5);
  const Tensor inv_std = Tensor::full({kChannels}, 1.3f);
  const Tensor y = some_values({kSize}, 7);
  list.push_back(
      {Primitive::batch_norm_grad,
       "mask of x, dx in dy",
       {x, mean, inv_std, gamma, y, y, beta},
       {dy, output(kChannels), output(kChannels)},
       [](Backend& b, const Inputs& in, const Outputs& out) {
         b.batch_norm_grad(
             {.x = in[0], .mean = in[1], .inv_std = in[2], .gamma = in[3], .beta = in[6], .relu = true, .dy = out[0]},
             {out[0], out[1], out[2]});
       },
       1e-5});
  // A residual that no gradient is asked for: what the ReLU masks is in y, or in what y is made of.
  for (const bool in_y : {false, true}) {
    list.push_back({Primitive::batch_norm_grad,
                    in_y ? "mask of y alone" : "mask of x and a residual",
                    {x, mean, inv_std, gamma, y, dy, beta},
                    {output(kSize), output(kChannels), output(kChannels)},
                    [in_y](Backend& b, const Inputs& in, const Outputs& out) {
                      NormArgs args{.x = in[0], .mean = in[1], .inv_std = in[2], .gamma = in[3], .beta = in[6]};
                      args.relu = true;
                      args.dy = in[5];
                      (in_y ? args.y : args.residual) = in[4];
                      b.batch_norm_grad(args, {out[0], out[1], out[2]});
                    },
                    1e-5});
  }
  list.push_back(
      {Primitive::batch_norm_grad,
       "d_residual in dy",
       {x, mean, inv_std, gamma, y},
       {output(kSize), output(kChannels), output(kChannels), dy},
       [](Backend& b, const Inputs& in, const Outputs& out) {
         b.batch_norm_grad(
             {.x = in[0], .mean = in[1], .inv_std = in[2], .gamma = in[3], .relu = true, .y = in[4], .dy = out[3]},
             {out[0], out[1], out[2], out[3]});
       },
       1e-5});
}

// One value that is not finite, the last: its step is none.
void add_unfinite_codes(BackendCases& list) {
  constexpr int64_t kChannels = 12, kSize = 500 * kChannels;
  Tensor x = some_values({kSize}, 1);
  x.f32()[kSize - 1] = INFINITY;
  list.push_back({Primitive::batch_norm_codes,
                  "one value is not finite",
                  {x, some_values({kChannels}, 5), Tensor::full({kChannels}, 1.3f), Tensor::full({kChannels}, 0.7f),
                   some_values({kChannels}, 4), Tensor::from({1}, {0.07f})},
                  {output(kSize, DType::i8), output(1)},
                  [](Backend& b, const Inputs& in, const Outputs& out) {
                    const NormArgs args{.x = in[0], .mean = in[1], .inv_std = in[2], .gamma = in[3], .beta = in[4]};
                    b.batch_norm_codes(args, {-8, 7}, in[5], out[0], out[1]);
                  }});
}

}  // namespace

BackendCases norm_cases() {
  BackendCases list;
  add_in_place(list);
  add_unfinite_codes(list);
  // 117: strips of every width for vectors of 16; 4500: a row longer than a run of the step's sums.
  for (const int64_t channels : {1, 3, 8, 15, 16, 17, 33, 64, 117, 200}) add_codes(list, 77, channels);
  add_codes(list, 3, 4500);
  for (const int64_t channels : {3, 64}) add_codes(list, 5000, channels);  // in several parts
  for (const int64_t channels : {1, 17, 64}) add_codes_beside(list, 77, channels);
  add_codes_beside(list, 5000, 19);
  for (const int64_t channels : {1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 117, 200}) {
    add_norm(list, 2, channels);
    add_norm(list, 77, channels);
  }
  for (const int64_t channels : {1, 3, 17, 64}) add_norm(list, 5000, channels);  // in several parts
  Tensor var = wild_values(99, 1);
  for (int64_t i = 0; i < 99; ++i) var.f32()[i] = std::abs(var.f32()[i]);
  list.push_back({Primitive::inverse_std,
                  "what is not finite gives no number",
                  {var},
                  {output(99)},
                  [](Backend& b, const Inputs& in, const Outputs& out) { b.inverse_std(in[0], 1e-5f, out[0]); },
                  0,
                  1e-6});
  // A mean far from 0 must not spoil the variance.
  Tensor far = some_values({4096 * 3}, 1);
  for (int64_t i = 0; i < far.numel(); ++i) far.f32()[i] = 10000.0f + (i / 3 % 2 ? 0.5f : -0.5f);
  list.push_back({Primitive::batch_norm_stats,
                  "a large mean",
                  {far},
                  {output(3), output(3), Tensor::zeros({3}), Tensor::zeros({3})},
                  [](Backend& b, const Inputs& in, const Outputs& out) {
                    b.batch_norm_stats(in[0], {out[0], out[1], out[2], out[3], 1.0f, 0.0f});
                  },
                  1e-4});
  return list;
}

}  // namespace ntq::test
