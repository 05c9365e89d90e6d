"""Loads a VOC tree as PyTorch's data sets do: picture as RGB array, label map as its palette indices.

    python load.py VOC2012 SECONDS      prints seconds per sample, and Pillow's version and decoder
"""
import pathlib, sys, time

import numpy as np
import PIL
from PIL import Image, features


def load(root, name):
    image = np.asarray(Image.open(root / "JPEGImages" / (name + ".jpg")).convert("RGB"))
    label = np.asarray(Image.open(root / "SegmentationClass" / (name + ".png")))
    assert image.shape[:2] == label.shape
    return image, label


root, limit = pathlib.Path(sys.argv[1]), float(sys.argv[2])
names = (root / "ImageSets/Segmentation/val.txt").read_text().split()
for name in names:
    load(root, name)
start, n = time.perf_counter(), 0
while time.perf_counter() - start < limit:
    load(root, names[n % len(names)])
    n += 1
print((time.perf_counter() - start) / n, PIL.__version__, features.version("libjpeg_turbo"))
