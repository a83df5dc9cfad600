#!/usr/bin/env python3
"""Writes tests/golden/python_safetensors.safetensors with Python's safetensors package, for tests/engine/serialize_test.cpp.

Run by hand, never by the build: pip install torch numpy safetensors, then scripts/golden/make_safetensors.py.
"""
import pathlib

import torch
from safetensors.torch import save_file

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"

save_file(
    {
        "conv1.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4 - 0.5,  # -0.5, -0.25, ... 0.75
        "half": torch.tensor([1.0, -2.0, 65504.0], dtype=torch.float16),
        "brain": torch.tensor([1.0, -2.0, 3.0e38], dtype=torch.bfloat16),
        "bn1.num_batches_tracked": torch.tensor(1 << 40, dtype=torch.int64),
        "codes": torch.tensor([[0, 1], [127, 255]], dtype=torch.uint8),
        "empty": torch.zeros((0, 4), dtype=torch.float32),
    },
    GOLDEN / "python_safetensors.safetensors",
    metadata={"format": "pt", "note": 'quotes " and \u00fcmlauts'},
)
