#include "engine/backend/cpu_settings.h"

#include "base/check.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace ntq {

void set_cpu_threads(int threads) {
  check(threads >= 1, "threads: at least 1, found ", threads);
  cpu::set_threads(threads);
}
int cpu_threads() { return cpu::threads(); }

void on_cpu_threads(int64_t tasks, const std::function<void(int64_t)>& task) { cpu::parallel_for(tasks, task); }
std::string cpu_isa() { return cpu::cpu_backend().isa(); }
MemoryUse cpu_memory() { return cpu::cpu_backend().memory(); }
void give_back_cpu_memory() { cpu::cpu_backend().give_back_memory(); }

}  // namespace ntq
