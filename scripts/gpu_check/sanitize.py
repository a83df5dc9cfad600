"""sanitize: compute-sanitizer on tiny shapes: accesses out of bounds, races in shared memory, barriers that are misused. A
training step with all that a quantized one has, and the primitives; cuDNN's kernels are checked for their accesses alone.
Its initcheck is left out: it takes minutes, and of memory that our allocator hands out again it knows nothing. The
emulated device of the tests finds what is read before it is written."""
import shutil

from gpu_check.machine import Failed

OURS = ["--kernel-name", "kns=3ntq4cuda"]  # of mangled names


PROGRAM = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")


def sanitizer(tool):
    if PROGRAM is None:
        raise Failed("there is no compute-sanitizer; it comes with CUDA's toolkit (cuda-sanitizer-13-0)")
    return [PROGRAM, "--tool", tool, "--error-exitcode", "86", "--print-limit", "10",
            *(OURS if tool != "memcheck" else [])]


def left_out(machine):
    return not machine.is_gpu and PROGRAM is None


def training_under(tool):
    def check(machine):
        if left_out(machine):
            return "left out of a rehearsal without compute-sanitizer"
        before = sanitizer(tool)
        command, _ = machine.training(tool, machine.device, "--bits", "4", "--pretrain-epochs", "0", "--limit-train",
                                      "8", "--batch-size", "4", "--limit-val", "4", "--no-start-eval")
        machine.run([*before, *command], 80)
        return "2 steps and an evaluation of ResNet-20, NTQ at 4 bits"

    return check


def primitives_under(tool):
    return lambda machine: "left out of a rehearsal without compute-sanitizer" if left_out(machine) else machine.cases(
        "engine", "every backend agrees*", machine.seconds_left(), sanitizer(tool))


CHECKS = {f"{what}, {tool}": check(tool)
          for what, check in (("a training", training_under), ("primitives", primitives_under))
          for tool in ("memcheck", "synccheck", "racecheck")}  # the last one takes the longest
