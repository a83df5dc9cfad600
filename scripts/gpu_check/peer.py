"""PyTorch's side of "speed", a process of its own: peer.py DEVICE limits, or peer.py DEVICE MODEL SIZE BATCH BITS MODE
with MODE eager or compiled. Prints one JSON object."""
import importlib.machinery
import importlib.util
import json
import pathlib
import sys
import time

import torch

COMPARE = pathlib.Path(__file__).resolve().parents[1] / "compare-pytorch"  # has the networks


def load(path):
    loader = importlib.machinery.SourceFileLoader("compare_pytorch", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("compare_pytorch", loader))
    sys.modules["compare_pytorch"] = module  # torch.compile looks the networks' classes up by their module
    loader.exec_module(module)
    return module


class Timer:
    def __init__(self, device):
        self.device, self.on_gpu = device, device.startswith("cuda")

    def wait(self):
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def seconds(self, call, times, rounds=5):
        """Of one call: the median of rounds of so many calls."""
        call()
        spent = []
        for _ in range(rounds):
            self.wait()
            start = time.perf_counter()
            for _ in range(times):
                call()
            self.wait()
            spent.append((time.perf_counter() - start) / times)
        return sorted(spent)[rounds // 2]


def use(dtype):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = dtype == "tf32"


def limits(timer):
    n, elements = (8192, 1 << 28) if timer.on_gpu else (512, 1 << 22)
    a, b, c = (torch.randn(n, n, device=timer.device) for _ in range(3))
    out = {}
    for dtype in ("fp32", "tf32"):
        use(dtype)
        out[f"{dtype}_gflops"] = 2 * n**3 / timer.seconds(lambda: torch.mm(a, b, out=c), 10) / 1e9
    x, y = (torch.zeros(elements, device=timer.device) for _ in range(2))
    out["copy_gb_per_s"] = 8 * elements / timer.seconds(lambda: y.copy_(x), 10) / 1e9
    return out


def training(timer, name, size, batch, bits, mode):
    run, step = load(COMPARE).peer(name, bits, size, batch, mode, "channels_last", timer.device)
    torch.backends.cudnn.benchmark = True  # at its best
    out = {}
    for dtype in ("fp32", "tf32"):
        use(dtype)
        for _ in range(3):
            step(run, dtype)
        out[dtype] = batch / timer.seconds(lambda: step(run, dtype), 10 if timer.on_gpu else 1, 5 if timer.on_gpu else 1)
    if timer.on_gpu:
        out["memory_mb"] = torch.cuda.max_memory_reserved(timer.device) / 1e6
    return out


def main():
    timer = Timer(sys.argv[1])
    if sys.argv[2] == "limits":
        found = limits(timer)
    else:
        name, size, batch, bits, mode = sys.argv[2:]
        found = training(timer, name, int(size), int(batch), int(bits), mode)
    print(json.dumps({**found, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
