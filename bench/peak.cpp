// What this machine can do at most, on one thread and on all: the limits that the others are held against.
//   peak [--threads 1,2]    NTQ_CPU_ISA applies
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "base/limits.h"
#include "engine/backend/cpu_settings.h"

int main(int argc, char** argv) {
  using ntq::Limit;
  std::vector<int> threads = {1};
  if (ntq::cpu_threads() > 1) threads.push_back(ntq::cpu_threads());
  CLI::App app("The machine's limits: multiply-adds, dot products, copies");
  app.add_option("--threads", threads, "numbers of threads [1 and one per core]")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  CLI11_PARSE(app, argc, argv);
  struct Row {
    Limit limit;
    const char *name, *unit;
  };
  constexpr Row kLimits[] = {{Limit::fma, "float32 multiply-adds", "GFLOP/s"},
                             {Limit::bf16_dot, "bfloat16 dot products", "GFLOP/s"},
                             {Limit::byte_dot, "dot products of bytes", "GOP/s"},
                             {Limit::copy, "copy, read and written", "GB/s"}};
  std::printf("%-36s", "");
  for (const int t : threads) std::printf("%4d %s", t, t == 1 ? "thread " : "threads");
  std::printf("\n");
  for (const Row& row : kLimits) {
    const std::string isa = ntq::limit_isa(row.limit);
    std::printf("%-24s%-12s", row.name, isa.c_str());
    for (const int t : threads) {
      const double found = ntq::machine_limit(row.limit, isa, t);
      found > 0 ? std::printf("%12.1f", found) : std::printf("%12s", "-");
    }
    std::printf("  %s\n", row.unit);
  }
}
