#!/usr/bin/env python3
"""Writes tests/golden/timm_resnets.safetensors: what timm's ResNets compute with weights made by a formula.

Run by hand, in a virtual environment with torch, timm and safetensors: scripts/golden/make_timm_reference.py
Weights and images are formulas of the tensor's name and the index (the same in tests/apps/timm_reference_test.cpp), so the
file holds results only: "<model>.logits" {4,10} in evaluation mode; for resnet18 also "grad/<tensor>", the first 16 values
of its gradient in OIHW order, and "norm/<tensor>", the gradient's norm, after one forward pass in training mode.
"""
import pathlib

import numpy as np
import timm
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/timm_resnets.safetensors"


def units(count, salt):
    """Values in [-0.5, 0.5): a multiplicative hash of (salt, index)."""
    index = np.arange(count, dtype=np.uint64) + np.uint64(salt) * np.uint64(1000003)
    hashed = (index * np.uint64(2654435761) + np.uint64(12345)) & np.uint64(0xFFFFFFFF)
    hashed = ((hashed ^ (hashed >> np.uint64(15))) * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    hashed ^= hashed >> np.uint64(13)
    return hashed.astype(np.float64) / 2.0**32 - 0.5


def salt_of(name):
    """FNV-1a, 32 bits."""
    hashed = 2166136261
    for byte in name.encode():
        hashed = ((hashed ^ byte) * 16777619) & 0xFFFFFFFF
    return hashed


def fill(model):
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        value = units(tensor.numel(), salt_of(name))
        if tensor.dim() >= 2:
            value = value * np.sqrt(24.0 / np.prod(tensor.shape[1:]))
        elif name.endswith("running_var"):
            value = 1.0 + value * 0.5
        elif name.endswith("weight"):
            value = 0.3 + value * 0.2
        else:
            value = value * 0.2
        tensor.copy_(torch.from_numpy(value.astype(np.float32)).reshape(tensor.shape))


images = torch.from_numpy((units(4 * 3 * 64 * 64, 999) * 4).astype(np.float32)).reshape(4, 3, 64, 64)
labels = torch.tensor([1, 3, 5, 7])
out = {}
for name in ("resnet18", "resnet34", "resnet50", "resnet152"):
    model = timm.create_model(name, num_classes=10)
    with torch.no_grad():
        fill(model)
        model.eval()
        out[f"{name}.logits"] = model(images).numpy()
        print(name, out[f"{name}.logits"][0, :4])
    if name == "resnet18":
        model.train()
        F.cross_entropy(model(images), labels).backward()
        for key, parameter in model.named_parameters():
            grad = parameter.grad.flatten().double()
            out["grad/" + key] = grad[:16].float().numpy()
            out["norm/" + key] = np.array([grad.norm().item()], np.float32)
save_file(out, OUT)
print(OUT, OUT.stat().st_size, "bytes")
