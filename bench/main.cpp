// Google Benchmark's main, which says first what it runs on.
#include <benchmark/benchmark.h>

#include <cstdio>

#include "engine/backend/registry.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  std::fprintf(stderr, "%s\n", ntq::backend_for({}).describe().c_str());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
