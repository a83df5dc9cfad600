#!/usr/bin/env python3
"""Writes tests/golden/images.safetensors: small image files as Pillow writes them, and what Pillow reads and resizes.

Run by hand, in a virtual environment with numpy, pillow and safetensors: scripts/golden/make_images.py
For each file NAME: "NAME" holds its bytes; "NAME/pixels" {H,W,3} what Pillow decodes to RGB; "NAME/paper" and
"NAME/field" {28,28,3} the evaluation crops of data/crop.h at side 28 (the 256 of the full size is 32 then).
"""
import io
import pathlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/images.safetensors"
SIDE, RESIZED = 28, 32


def picture(height, width):
    """Gradients, a disc and fine stripes: smooth parts and sharp edges."""
    y, x = np.mgrid[0:height, 0:width]
    disc = ((y - height / 2) ** 2 + (x - width / 3) ** 2 < (height / 4) ** 2) * 120
    stripes = ((x + y) // 2 % 2) * 40
    red = x * 255 // width
    green = np.clip(y * 200 // height + disc // 2, 0, 255)
    blue = np.clip(60 + disc + stripes, 0, 255)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8), "RGB")


def encoded(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def crops(image):
    width, height = image.size
    low = lambda a, b: int(round((a - b) / 2.0))
    paper = image.resize((RESIZED, RESIZED), Image.BILINEAR)
    at = low(RESIZED, SIDE)
    yield "paper", paper.crop((at, at, at + SIDE, at + SIDE))
    if width < height:
        size = (RESIZED, int(RESIZED * height / width))
    else:
        size = (int(RESIZED * width / height), RESIZED)
    field = image.resize(size, Image.BILINEAR)
    left, top = low(size[0], SIDE), low(size[1], SIDE)
    yield "field", field.crop((left, top, left + SIDE, top + SIDE))


wide, tall, tiny = picture(75, 101), picture(90, 70), picture(9, 7)
alpha = wide.convert("RGBA")
alpha.putalpha(Image.linear_gradient("L").resize(wide.size))
files = {
    "wide.jpg": encoded(wide, format="JPEG", quality=90),
    "progressive.jpg": encoded(tall, format="JPEG", quality=85, progressive=True),
    "gray.jpg": encoded(tall.convert("L"), format="JPEG", quality=90),
    "cmyk.jpg": encoded(wide.convert("CMYK"), format="JPEG", quality=90),
    "full.jpg": encoded(tall, format="JPEG", quality=90, subsampling=0),
    "tiny.jpg": encoded(tiny, format="JPEG", quality=90),
    "alpha.png": encoded(alpha, format="PNG", optimize=True),
    "palette.png": encoded(tall.quantize(32), format="PNG", optimize=True),
    "lossy.webp": encoded(wide, format="WEBP", quality=85),
    "alpha.webp": encoded(alpha, format="WEBP", lossless=True, exact=True),
    "plain.bmp": encoded(tiny, format="BMP"),
    "palette.bmp": encoded(tall.quantize(32), format="BMP"),
}
tensors = {}
for name, data in files.items():
    image = Image.open(io.BytesIO(data)).convert("RGB")
    tensors[name] = np.frombuffer(data, np.uint8)
    tensors[name + "/pixels"] = np.asarray(image)
    for kind, crop in crops(image):
        tensors[f"{name}/{kind}"] = np.asarray(crop)
save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, OUT)
print(OUT, OUT.stat().st_size, "bytes")
