"""correct: the device and its versions; every primitive against its definition or the portable kernels; convolutions of
codes, exact, in float32 and TF32; batches and training steps of small networks and of a ResNet-20 beside the CPU's; the same bytes
from two trainings, and from those that were killed and went on."""
import csv
import shutil
import subprocess
import time

from gpu_check.machine import Failed


def losses(folder):
    """Of every step of a training of one stage."""
    (table,) = folder.glob("*/steps.csv")
    with open(table, newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def same_bytes(first, second):
    names = sorted(str(path.relative_to(first)) for path in first.glob("*/*.bin"))
    different = [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()]
    if different or not names:
        raise Failed(", ".join(different) + ": other bytes")
    return f"{len(names)} checkpoints"


def device_and_versions(machine):
    command, _ = machine.training("versions", machine.device, "--limit-train", "16")
    start = machine.run(command, 120)
    line = next((line for line in start.splitlines() if line.startswith("  device ")), None)
    if line is None:
        raise Failed("the start block names no device")
    facts = [line.split(None, 1)[1]]
    if shutil.which("nvidia-smi"):
        query = "--query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit"
        facts += machine.run(["nvidia-smi", query, "--format=csv,noheader"], 30).strip().splitlines()
    return "; ".join(facts)


def primitives(machine):
    return machine.cases("engine", "every backend agrees*", 300)


def codes(machine):
    return machine.cases("engine", "devices: convolutions of whole numbers*", 180)


def products(machine):
    return machine.cases("engine", "devices: products of float32*", 60)


def small_steps(machine):
    return machine.cases("models", "a*training step on another device*", 180)


def steps_beside_cpu(machine):
    return machine.cases("models", "ten training steps on another device*", 180)


def batches(machine):
    return machine.cases("data", "batches on a device*,crops at all borders*,a batch that is not all there*", 60)


def trainings(machine):
    return machine.cases("train", "a training on another device*,what is trained in TF32*,a training ends with the*", 60)


def training_beside_cpu(machine):
    """Left to themselves, trainings part: what is rounded otherwise grows. The first step has not had the time."""
    ours, cpus = (losses(machine.train(f"beside-{i}", device, "--bits", "32", "--limit-train", "160"))
                  for i, device in enumerate([machine.device, "cpu"]))
    apart = [abs(a - b) / max(abs(b), 1e-6) for a, b in zip(ours, cpus)]
    if len(ours) != len(cpus) or not apart[0] < 1e-5 or not max(apart) < 0.2:
        raise Failed(f"losses of {len(ours)} and {len(cpus)} steps, apart by " + " ".join(f"{x:.1e}" for x in apart))
    return f"first loss within {apart[0]:.1e}, those of {len(ours)} steps within {max(apart):.1e}"


def accuracies(machine):
    """Low-bit trainings part within a few steps; where they end is what can be compared."""
    if not machine.is_gpu:
        return "left out of a rehearsal: too long"
    words = []
    for method in ("lsq", "ntq"):
        ends = []
        for i, device in enumerate((machine.device, "cpu")):
            folder = machine.train(f"end-{method}-{i}", device, "--bits", "4", "--method", method,
                                   "--limit-train", "4096", "--batch-size", "32", "--limit-val", "1000")
            (table,) = folder.glob("*w4a4*/metrics.csv")
            with open(table, newline="") as file:
                ends.append(float(list(csv.DictReader(file))[-1]["val_top1"]))
        words.append(f"{method} {ends[0]:.1f}% and the CPU {ends[1]:.1f}%")
        if abs(ends[0] - ends[1]) > 8:  # two accuracies of 1000 images differ by 2 as a rule
            raise Failed(", ".join(words))
    return ", ".join(words)


QUANTIZED = ["--bits", "4", "--method", "ntq", "--limit-train", "96"]


def two_runs(machine):
    return same_bytes(machine.train("one", machine.device, *QUANTIZED), machine.train("two", machine.device, *QUANTIZED))


def resume(machine, name="fp32", *options):
    options = [*QUANTIZED, "--save-every", "3", *options]
    whole = machine.train(name + "-whole", machine.device, *options)
    command, folder = machine.training(name + "-killed", machine.device, *options)
    process = subprocess.Popen(command, env=machine.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while process.poll() is None and not list(folder.glob("*/last.bin")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    if process.wait() == 0:
        raise Failed("the training had ended before it could be killed")
    machine.run([machine.build / "apps/ntq-train", "--resume", "--output", folder], 240)
    return same_bytes(whole, folder)


def tf32(machine):
    """Killed and gone on in TF32, which the run folder has to remember."""
    return resume(machine, "tf32", "--precision", "tf32")


CHECKS = {
    "device and versions": device_and_versions,
    "primitives": primitives,
    "convolutions of codes, float32 and TF32": codes,
    "products of float32 are that": products,
    "training steps of small networks": small_steps,
    "ten steps of ResNet-20, each from the CPU's state": steps_beside_cpu,
    "batches made on the device, the CPU's bits": batches,
    "small trainings, however batches come": trainings,
    "a training of ResNet-20 beside the CPU's": training_beside_cpu,
    "accuracies at the end beside the CPU's": accuracies,
    "two trainings, the same bytes": two_runs,
    "killed and gone on, the same bytes": resume,
    "killed and gone on in TF32, the same bytes": tf32,
}
