"""speed: images per second of whole training steps, in full precision and as W4A4 NTQ, in float32 and TF32, beside PyTorch
(channels_last; eager and compiled; the same arithmetic; public LSQ modules beside NTQ), and what share that is of the
machine's limits, which PyTorch measures: matrix products, and copies for all between convolutions. Medians of queued
steps; with engines as heuristics choose them, and "timed", by NTQ_CUDNN_PLANS, as PyTorch's are here. `floor`: the time
that both limits ask for, one after the other, as a share of ours."""
import pathlib

from gpu_check.machine import Failed, last_json

PEER = pathlib.Path(__file__).resolve().with_name("peer.py")
NETWORKS = [("resnet18", 32, 128), ("resnet50", 224, 128)]
QUEUED = {"resnet18": (5, 10), "resnet50": (3, 3)}  # how many times, and how many steps at a time
SMALL = [("resnet20", 32, 4)]  # to rehearse
BITS = (32, 4)
found = {}  # what other checks have measured, by their names


def networks(machine):
    return NETWORKS if machine.is_gpu else SMALL


def peer(machine, *words):
    device = machine.device if machine.is_gpu else "cpu"
    return last_json(machine.run([machine.options.python, PEER, device, *words], 200))


def limits(machine):
    found["limits"] = measured = peer(machine, "limits")
    return ", ".join(f"{key} {value:.0f}" for key, value in measured.items() if key != "torch"), measured


def shares(machine, ours, precision):
    measured = found.get("limits")
    if measured is None or "flop_per_image" not in ours:
        return {}
    rate = ours["images_per_second"]
    matrix = rate * ours["flop_per_image"] / 1e9 / measured[f"{precision}_gflops"]
    copies = rate * ours["bytes_between_per_image"] / 1e9 / measured["copy_gb_per_s"]
    return {"matrix": matrix, "copy": copies, "floor": matrix + copies}


def ours(which, bits, precision, timed):
    def check(machine):
        program = machine.build / "bench/train_step"
        if not program.exists():
            raise Failed("there is no bench/train_step; configure with -DNTQ_BUILD_BENCH=ON")
        if which >= len(networks(machine)):
            return "left out of a rehearsal"
        name, size, batch = networks(machine)[which]
        times, together = QUEUED.get(name, (1, 1))
        plans = {"NTQ_CUDNN_PLANS": str(machine.folder / "plans.txt")} if timed else {}
        result = last_json(machine.run([program, "--device", machine.device, "--model", name, "--size", size, "--batch",
                                        batch, "--bits", bits, "--precision", precision, "--warmup", 1, "--steps", times,
                                        "--together", together], 90, **plans))
        result["shares"] = shares(machine, result, precision)
        best = found.get((which, bits, precision))
        if best is None or best["images_per_second"] < result["images_per_second"]:
            found[(which, bits, precision)] = result
        words = [f"{name} {size}x{size}, batch {batch}", f"{result['images_per_second']:.0f} images/s",
                 f"{result['device_memory_mb']:.0f} MB"]
        return ", ".join(words + [f"{key} {100 * value:.0f}%" for key, value in result["shares"].items()]), result

    return check


def theirs(which, bits, mode):
    def check(machine):
        if which >= len(networks(machine)):
            return "left out of a rehearsal"
        result = peer(machine, *networks(machine)[which], bits, mode)
        words = [f"PyTorch {result['torch']}, {mode}"]
        for precision in ("fp32", "tf32"):
            mine = found.get((which, bits, precision))
            ratio = f" (ours {mine['images_per_second'] / result[precision]:.2f} of it)" if mine else ""
            words.append(f"{precision} {result[precision]:.0f} images/s{ratio}")
        if "memory_mb" in result:
            words.append(f"{result['memory_mb']:.0f} MB")
        return ", ".join(words), result

    return check


def name_of(which, bits):
    return f"{NETWORKS[which][0]}, {'full precision' if bits == 32 else f'W{bits}A{bits} NTQ'}"


EACH = [(which, bits) for which in range(len(NETWORKS)) for bits in BITS]
CHECKS = {"limits": limits}
for each in EACH:  # each network beside PyTorch at once: a part whose time is over has lost whole networks, not all ratios
    CHECKS.update({f"{name_of(*each)}, {p}{how}": ours(*each, p, how != "")
                   for p in ("tf32", "fp32") for how in ("", ", timed")})
    CHECKS.update({f"{name_of(*each)}, beside PyTorch {m}": theirs(*each, m) for m in ("eager", "compiled")})
