#include "analyze/subspace.h"

#include <cmath>

#include "base/check.h"
#include "engine/random.h"

namespace ntq {

MatrixRow random_rows(uint64_t seed, uint32_t draw) {
  const RandomKey key{.seed = seed, .stream = stream_id("sharpness"), .step = draw};
  return [key](int64_t row, std::span<double> entries) {
    auto element = static_cast<uint64_t>(row) * entries.size();
    std::array<uint32_t, 4> words{};
    for (size_t j = 0; j < entries.size(); ++j, ++element) {  // random_unit(), a block at a time
      if (j == 0 || element % 4 == 0) words = random_block(key, element / 4);
      entries[j] = static_cast<double>(words[element % 4] >> 8) * 0x1p-24;
    }
  };
}

template <class Visit>
void Subspace::each_row(Visit&& visit) const {
  std::vector<double> row(length_.size());
  for (int64_t i = 0; i < rows_; ++i) {
    entries_(i, row);
    visit(static_cast<size_t>(i), row);
  }
}

Subspace::Subspace(int64_t rows, int64_t columns, MatrixRow entries) : rows_(rows), entries_(std::move(entries)) {
  check(columns >= 1 && columns <= rows, "a subspace of ", rows, " dimensions has 1 to ", rows, " of them, found ",
        columns);
  const auto p = static_cast<size_t>(columns);
  length_.assign(p, 0.0);
  gram_.assign(p * p, 0.0);
  each_row([&](size_t, const std::vector<double>& row) {
    for (size_t j = 0; j < p; ++j) {
      const double factor = row[j];
      double* const to = gram_.data() + j * p;
      for (size_t k = 0; k <= j; ++k) to[k] += factor * row[k];
    }
  });
  for (size_t j = 0; j < p; ++j) length_[j] = std::sqrt(gram_[j * p + j]);
  for (const double length : length_) check(length > 0, "a column of the subspace is zero");
}

template <class T>
std::vector<double> Subspace::products(const std::vector<T>& x) const {
  check(static_cast<int64_t>(x.size()) == rows_, "a subspace of ", rows_, " dimensions, found ", x.size());
  std::vector<double> out(length_.size());
  each_row([&](size_t i, const std::vector<double>& row) {
    const auto factor = static_cast<double>(x[i]);
    for (size_t j = 0; j < row.size(); ++j) out[j] += factor * row[j];
  });
  for (size_t j = 0; j < out.size(); ++j) out[j] /= length_[j];
  return out;
}

std::vector<double> Subspace::transposed_times(const std::vector<double>& g) const { return products(g); }

std::vector<double> Subspace::coordinates(const std::vector<float>& x) const {
  const size_t p = length_.size();
  std::vector<double> b = products(x), l(p * p);
  for (size_t i = 0; i < p; ++i) {  // Cholesky: L L^T of the scaled matrix
    for (size_t j = 0; j <= i; ++j) {
      double sum = gram_[i * p + j] / (length_[i] * length_[j]);
      for (size_t k = 0; k < j; ++k) sum -= l[i * p + k] * l[j * p + k];
      check(i != j || sum > 1e-12, "the columns of the subspace depend on each other");
      l[i * p + j] = i == j ? std::sqrt(sum) : sum / l[j * p + j];
    }
  }
  for (size_t i = 0; i < p; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= l[i * p + k] * b[k];
    b[i] /= l[i * p + i];
  }
  for (size_t i = p; i-- > 0;) {
    for (size_t k = i + 1; k < p; ++k) b[i] -= l[k * p + i] * b[k];
    b[i] /= l[i * p + i];
  }
  return b;
}

std::vector<float> Subspace::moved(const std::vector<float>& x, const std::vector<double>& y) const {
  check(static_cast<int64_t>(x.size()) == rows_ && y.size() == length_.size(), "a subspace of ", rows_, " and ",
        length_.size(), " dimensions, found ", x.size(), " and ", y.size());
  std::vector<double> scaled(y.size());
  for (size_t j = 0; j < y.size(); ++j) scaled[j] = y[j] / length_[j];
  std::vector<float> out(x.size());
  each_row([&](size_t i, const std::vector<double>& row) {
    double sum = 0;
    for (size_t j = 0; j < row.size(); ++j) sum += row[j] * scaled[j];
    out[i] = static_cast<float>(static_cast<double>(x[i]) + sum);
  });
  return out;
}

}  // namespace ntq
