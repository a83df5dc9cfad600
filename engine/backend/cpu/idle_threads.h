#pragma once
// Threads that wait for work sleep. OpenMP's runtimes let them spin for milliseconds, which takes the cores from all
// else that runs, and the variables that say otherwise are read before main().

namespace ntq::cpu {

/// Call it before a thread's first parallel region of `team` threads. A policy that the user has chosen
/// (OMP_WAIT_POLICY, GOMP_SPINCOUNT, KMP_BLOCKTIME) stands. Never fails: at worst, threads spin.
void let_waiting_threads_sleep(int team);

/// True when the system gives this process `extra` more threads: starts them, and ends them again.
bool can_start_threads(int extra);

}  // namespace ntq::cpu
