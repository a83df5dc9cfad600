#!/usr/bin/env python3
"""Checks with Python's safetensors package the file that ntq's own writer makes.

    NTQ_WRITE_SAFETENSORS=/tmp/ntq.safetensors build/release/tests/ntq_engine_tests -tc="save: a file for Python"
    scripts/golden/read_safetensors.py /tmp/ntq.safetensors

Run by hand, never by the build: pip install torch numpy safetensors.
"""
import json
import struct
import sys
import zlib

import torch
from safetensors import safe_open

EXPECTED = {
    "codes": torch.tensor([1, 2, 255], dtype=torch.uint8),
    "conv1.weight": torch.tensor([[-0.5, 0.25], [1.0, 3.0]]),
    "steps": torch.tensor(-5, dtype=torch.int64),
    "half": torch.tensor([1.0, -2.0], dtype=torch.float16),
    "empty": torch.zeros((0, 3)),
}

path = sys.argv[1]
with safe_open(path, "pt") as file:
    metadata = file.metadata()
    assert set(file.keys()) == set(EXPECTED), list(file.keys())
    sums = json.loads(metadata["ntq.crc32"])
    for name, expected in EXPECTED.items():
        found = file.get_tensor(name)
        assert found.dtype == expected.dtype and torch.equal(found, expected), (name, found)
        assert sums[name] == f"{zlib.crc32(found.contiguous().numpy().tobytes()):08x}", name
assert metadata["model"] == 'resnet20 "\u00fc"' and metadata["epoch"] == "3", metadata

with open(path, "rb") as raw:
    (length,) = struct.unpack("<Q", raw.read(8))
    header = json.loads(raw.read(length))
assert length % 8 == 0
assert [name for name in header if name != "__metadata__"] == list(EXPECTED), "the order given"
print("ok:", path)
