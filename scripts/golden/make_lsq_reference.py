#!/usr/bin/env python3
"""Writes tests/golden/lsq_w4a4.safetensors: ten training steps of a tiny W4A4 LSQ network, recorded from PyTorch.

Run by hand, never by the build: pip install torch safetensors numpy, then scripts/golden/make_lsq_reference.py.
tests/models/reference_test.cpp builds the same network and compares losses, gradients and quantizer steps.

LSQ (arXiv 1902.08153) is discontinuous: a value on a rounding tie, at a border of the range or at ReLU's kink may fall
on either side of it in another implementation. So the seed of the initial weights, and then each batch, is searched: the
first one is taken that leaves every quantized value, weights and inputs, at least MARGIN of its step away from the
nearest tie or border, and what enters ReLU that far from 0. The search looks at these distances alone, never at losses
or gradients, and repeats exactly.
"""
import argparse
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

STEPS, BATCH, CLASSES = 10, 4, 5
LR, MOMENTUM, WEIGHT_DECAY, STEP_FLOOR = 0.05, 0.9, 1e-4, 1e-8
MARGIN = 2e-4  # of a quantizer step; rounding alone moves values by about 1e-6 (the float64 twin shows it)


class Round(torch.autograd.Function):
    """LSQ: s * round(clip(x / s)); strict mask at the borders; the step's gradient is scaled by g."""

    @staticmethod
    def forward(ctx, x, s, low, high, g):
        v = x / s
        ctx.save_for_backward(v)
        ctx.low, ctx.high, ctx.g = low, high, g
        return s * torch.round(torch.clamp(v, low, high))

    @staticmethod
    def backward(ctx, dy):
        (v,) = ctx.saved_tensors
        low, high = torch.as_tensor(ctx.low, dtype=v.dtype), torch.as_tensor(ctx.high, dtype=v.dtype)
        inside = (v > low) & (v < high)
        d = torch.where(inside, torch.round(v) - v, torch.where(v <= low, low, high))
        return dy * inside, ctx.g * (dy * d).sum().reshape(1), None, None, None


class Network:
    """Parameters by the name they have in ntq; every forward notes the smallest distance to a discontinuity."""

    def __init__(self, seed, dtype=torch.float32):
        random = np.random.default_rng(seed)

        def normal(*shape):
            return torch.tensor(random.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape), dtype=torch.float32).to(dtype)

        def uniform(low, high, size):
            return torch.tensor(random.uniform(low, high, size), dtype=torch.float32).to(dtype)

        self.p, self.stats, self.margin = {}, {}, math.inf
        for name, shape in (("conv1", (8, 3, 3, 3)), ("conv2", (16, 8, 3, 3)), ("conv3", (16, 16, 3, 3))):
            self.p[name + ".weight"] = normal(*shape)
        for name, channels in (("bn1", 8), ("bn2", 16), ("bn3", 16)):
            self.p[name + ".weight"] = uniform(0.5, 1.5, channels)
            self.p[name + ".bias"] = uniform(-0.3, 0.3, channels)
            self.stats[name] = [torch.zeros(channels, dtype=dtype), torch.ones(channels, dtype=dtype)]
        self.p["fc.weight"] = normal(CLASSES, 16)
        self.p["fc.bias"] = uniform(-0.3, 0.3, CLASSES)

    def quantize(self, name, x, signed, features):
        low, high = (-8, 7) if signed else (0, 15)
        if name not in self.p:  # first batch
            self.p[name] = (2 * x.detach().abs().mean() / math.sqrt(high)).reshape(1)
        s = self.p[name].requires_grad_()
        with torch.no_grad():
            v = (x / s).flatten()
            if not signed:
                v = v[v != 0]  # exact zeros come from ReLU and are zeros everywhere
            near_tie = ((v.clamp(low, high) - 0.5) - torch.round(v.clamp(low, high) - 0.5)).abs()
            near_border = torch.minimum((v - low).abs(), (v - high).abs())
            self.margin = min(self.margin, near_tie.min().item(), near_border.min().item())
        return Round.apply(x, s, low, high, 1 / math.sqrt(features * high))

    def layer(self, name, x, signed, op):
        w = self.p[name + ".weight"].requires_grad_()
        xq = self.quantize(name + ".input_quant.step", x, signed, x[0].numel())
        return op(xq, self.quantize(name + ".weight_quant.step", w, True, w.numel()))

    def norm_relu(self, name, x, residual=0):
        gamma, beta = (self.p[f"{name}.{part}"].requires_grad_() for part in ("weight", "bias"))
        y = F.batch_norm(x, *self.stats[name], gamma, beta, training=True, momentum=0.1, eps=1e-5) + residual
        self.margin = min(self.margin, y.detach().abs().min().item())  # ReLU's kink
        return F.relu(y)

    def loss(self, images, labels):
        """images {N,H,W,C}"""
        x = images.permute(0, 3, 1, 2)
        x = self.norm_relu("bn1", self.layer("conv1", x, True, lambda a, w: F.conv2d(a, w, padding=1)))
        x = self.norm_relu("bn2", self.layer("conv2", x, False, lambda a, w: F.conv2d(a, w, stride=2, padding=1)))
        x = self.norm_relu("bn3", self.layer("conv3", x, False, lambda a, w: F.conv2d(a, w, padding=1)), residual=x)
        logits = self.layer("fc", x.mean((2, 3)), False, F.linear) + self.p["fc.bias"].requires_grad_()
        return F.cross_entropy(logits, labels)

    def train_step(self, momenta, images, labels):
        """Returns the loss and the gradients; `momenta` is updated."""
        for p in self.p.values():
            p.grad = None
        loss = self.loss(images, labels)
        loss.backward()
        grads = {name: p.grad.clone() for name, p in self.p.items()}
        with torch.no_grad():
            for name, p in self.p.items():
                g = grads[name] if name.endswith(".step") else grads[name] + WEIGHT_DECAY * p
                momenta[name] = MOMENTUM * momenta[name] + g if name in momenta else g.clone()
                p -= LR * momenta[name]
                if name.endswith(".step"):
                    p.clamp_(min=STEP_FLOOR)
        return loss.item(), grads

    def state(self):
        return {n: p.detach().clone() for n, p in self.p.items()}, {n: [t.clone() for t in s] for n, s in self.stats.items()}

    def restore(self, state):
        self.p = {n: p.clone() for n, p in state[0].items()}
        self.stats = {n: [t.clone() for t in s] for n, s in state[1].items()}


def draw_batch(step, attempt):
    random = np.random.default_rng([step, attempt])
    labels = random.integers(0, CLASSES, BATCH)
    images = random.normal(0, 1, (BATCH, 8, 8, 3)) + 0.3 * labels[:, None, None, None] - 0.6
    return torch.tensor(images, dtype=torch.float32), torch.tensor(labels)


def weight_margin(net):
    """Distance of the quantized weights alone: a batch is refused when the update that it causes comes too close."""
    net.margin = math.inf
    with torch.no_grad():
        for name in ("conv1", "conv2", "conv3", "fc"):
            net.quantize(name + ".weight_quant.step", net.p[name + ".weight"], True, 1)
    return net.margin


def choose_network():
    for seed in range(1000):
        net = Network(seed)
        if weight_margin(net) >= MARGIN:
            print(f"initial weights: seed {seed}")
            return net, seed
    raise SystemExit("no initial weights found: lower MARGIN")


def choose_step(net, momenta, step):
    """One training step on the first batch whose distances are large enough; returns (batch, loss, gradients, margin)."""
    before, momenta_before = net.state(), dict(momenta)
    for attempt in range(100000):
        batch = draw_batch(step, attempt)
        net.margin = math.inf
        loss, grads = net.train_step(momenta, *batch)
        margin = net.margin
        if margin >= MARGIN and weight_margin(net) >= MARGIN:
            print(f"step {step + 1}: batch {attempt}, loss {loss:.6f}, distance {margin:.1e}")
            return batch, loss, grads, margin
        net.restore(before)
        momenta.clear()
        momenta.update(momenta_before)
    raise SystemExit(f"no batch found for step {step + 1}: lower MARGIN")


def as_stored(tensor):
    """Filters {Cout,Cin,Kh,Kw} -> {Cout,Kh,Kw,Cin}."""
    return np.ascontiguousarray((tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor).detach().numpy())


def float64_deviation(seed, batches, losses, final):
    """The same ten steps in float64: how far rounding alone carries two implementations apart."""
    net, momenta = Network(seed, torch.float64), {}
    exact = [net.train_step(momenta, images.double(), labels)[0] for images, labels in batches]
    values = max(((net.p[n].detach() - p.detach()).abs().max() / p.detach().abs().max()).item() for n, p in final.items())
    print(f"float64 twin: losses within {max(abs(a - b) for a, b in zip(exact, losses)):.1e}, "
          f"final parameters within {values:.1e} of each tensor's maximum")


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=root / "tests/golden/lsq_w4a4.safetensors")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    net, seed = choose_network()
    out = {"init/" + name: as_stored(p.clone()) for name, p in net.p.items() if not name.endswith(".step")}
    momenta, steps, batches, losses, margins = {}, {}, [], [], []
    for step in range(STEPS):
        batch, loss, grads, margin = choose_step(net, momenta, step)
        batches.append(batch)
        losses.append(loss)
        margins.append(margin)
        if step in (0, STEPS - 1):
            out.update({f"grad{step + 1}/{name}": as_stored(g) for name, g in grads.items()})
        for name in (n for n in net.p if n.endswith(".step")):
            steps.setdefault(name, []).append(net.p[name].item())
    out.update({"final/" + name: as_stored(p) for name, p in net.p.items()})
    for name, (mean, var) in net.stats.items():
        out[f"final/{name}.running_mean"], out[f"final/{name}.running_var"] = mean.numpy(), var.numpy()
    out.update({"steps/" + name: np.array(values, np.float32) for name, values in steps.items()})
    out["images"] = np.stack([images.numpy() for images, _ in batches])
    out["labels"] = np.stack([labels.numpy() for _, labels in batches]).astype(np.int32)
    out["losses"] = np.array(losses, np.float32)
    float64_deviation(seed, batches, losses, net.p)
    save_file(out, args.out, {"made_by": "scripts/golden/make_lsq_reference.py", "torch": torch.__version__,
                              "seed": str(seed), "smallest_distance": f"{min(margins):.2e}"})
    print(f"{args.out}: {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
