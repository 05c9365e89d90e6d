"""Makes positions.json and crop.json: what torch and torchvision's rules give for positional tables and pictures.

    make_positions.py DIR      needs torch, numpy and Pillow
"""

import json
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

g, width = 3, 2
table = torch.arange(g * g * width, dtype=torch.float32).sin().view(g, g, width)
planes = table.permute(2, 0, 1)[None]
cases = []
for rows, cols in ((3, 3), (2, 2), (5, 4), (3, 7), (6, 6)):
    if (rows, cols) == (g, g):
        same = table.flatten().tolist()
        out = {"bilinear": same, "bicubic": same, "bicubic-size": same, "bicubic-antialias": same}
    else:
        flat = lambda x: x[0].permute(1, 2, 0).flatten().tolist()
        out = {
            "bilinear": flat(F.interpolate(planes, size=(rows, cols), mode="bilinear", align_corners=False)),
            "bicubic": flat(F.interpolate(planes, scale_factor=((rows + 0.1) / g, (cols + 0.1) / g), mode="bicubic", align_corners=False)),
            "bicubic-size": flat(F.interpolate(planes, size=(rows, cols), mode="bicubic", align_corners=False)),
            "bicubic-antialias": flat(F.interpolate(planes, size=(rows, cols), mode="bicubic", antialias=True, align_corners=False)),
        }
    cases.append({"rows": rows, "cols": cols, "out": out})
json.dump({"torch": torch.__version__, "grid": g, "width": width, "table": table.flatten().tolist(), "cases": cases}, open(sys.argv[1] + "/positions.json", "w"))

# torchvision's Resize(n, BICUBIC) and CenterCrop(n) spelled out, then ToTensor and Normalize: bytes before normalisation are kept.
y, x = np.mgrid[0:23, 0:41]
picture = np.stack([(7 * x + 3 * y) % 256, (5 * x * y) % 256, (11 * y + x * x) % 256], -1).astype(np.uint8)
crops = []
for w, h in ((41, 23), (23, 23), (17, 22), (26, 23)):
    image = Image.fromarray(picture[:h, :w])
    for n in (8, 11, 24):
        size = (n, int(n * h / w)) if w <= h else (int(n * w / h), n)
        big = image.resize(size, Image.BICUBIC)
        left, top = int(round((size[0] - n) / 2)), int(round((size[1] - n) / 2))
        crops.append({"w": w, "h": h, "n": n, "pixels": np.asarray(big.crop((left, top, left + n, top + n))).flatten().tolist()})
json.dump({"pillow": Image.__version__, "cases": crops}, open(sys.argv[1] + "/crop.json", "w"))
