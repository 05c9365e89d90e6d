"""Writes the expected values of this folder's tests.

    python make.py pillow    # Pillow 13.0.0
    python make.py pillow13  # Pillow 13.0.0
    python make.py torch     # torch 2.15.0, kernels without fused multiply-add
    python make.py cv2       # opencv-python-headless 5.0.0.93
    python make.py pamr      # torch 2.15.0
    python make.py mosaic    # torch 2.15.0, kernels without fused multiply-add

Every case names its sizes; its input is the pseudo-random stream below, which
the Go tests generate too. "raw" is the whole output (base64, little-endian),
left out where it is long; "sha256" is always there.
"""

import base64
import hashlib
import json
import os
import sys

os.environ["ATEN_CPU_CAPABILITY"] = "default"

import numpy as np

LONGEST = 3000  # bytes of raw output kept


def stream(n, seed):
    """n numbers of 24 bits: the upper bits of a linear congruential generator."""
    out = np.empty(n, np.uint32)
    state = seed & 0xFFFFFFFF
    for i in range(n):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = state >> 8
    return out


def pixels(w, h, seed):
    return (stream(3 * w * h, seed) >> 16).astype(np.uint8).reshape(h, w, 3)


def numbers(w, h, channels, seed):
    """float32 in -1..1, [h, w, channels]; exact in 24 bits."""
    values = stream(w * h * channels, seed).astype(np.float32) / np.float32(1 << 23) - 1
    return values.reshape(h, w, channels)


def record(case, out):
    raw = np.ascontiguousarray(out).tobytes()
    case["sha256"] = hashlib.sha256(raw).hexdigest()
    if len(raw) <= LONGEST:
        case["raw"] = base64.b64encode(raw).decode()
    return case


IMAGES = [  # sw, sh, w, h
    (1, 1, 1, 1), (1, 1, 5, 3), (1, 7, 4, 2), (7, 1, 2, 4), (2, 2, 1, 1), (3, 2, 3, 2),
    (5, 4, 5, 9), (5, 4, 9, 4), (13, 11, 17, 19), (17, 19, 13, 11), (31, 29, 7, 5), (40, 3, 3, 40),
    (16, 12, 8, 6), (16, 12, 8, 24), (17, 13, 8, 6), (16, 12, 8, 5), (16, 12, 32, 24), (64, 48, 16, 12),
    (9, 9, 1, 1), (100, 75, 24, 24), (70, 52, 72, 72), (199, 101, 31, 33),
    (500, 375, 512, 512), (500, 375, 336, 252), (375, 500, 224, 224), (640, 427, 448, 299), (1024, 512, 512, 256),
]


PORTRAITS = [(55, 87, 26, 26), (88, 53, 105, 31), (68, 102, 62, 65)]  # where Pillow 13 begins with the height


def pillow():
    """In two steps, the width and then the height: the bytes of every Pillow's resize up to 12."""
    from PIL import Image

    filters = {"box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
    for seed, (sw, sh, w, h) in enumerate(IMAGES + PORTRAITS):
        image = Image.fromarray(pixels(sw, sh, seed))
        for name, f in filters.items():
            yield record({"op": name, "seed": seed, "sw": sw, "sh": sh, "w": w, "h": h}, np.asarray(image.resize((w, sh), f).resize((w, h), f)))


def pillow13():
    """In one step, as Pillow 13 does it; the last four lie on both sides of its rule."""
    from PIL import Image

    filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
    for seed, (sw, sh, w, h) in enumerate(IMAGES[-5:] + PORTRAITS + [(20, 40, 10, 20), (20, 40, 10, 19), (20, 40, 30, 39), (20, 40, 30, 41)]):
        image = Image.fromarray(pixels(sw, sh, seed))
        for name, f in filters.items():
            yield record({"op": name, "seed": seed, "sw": sw, "sh": sh, "w": w, "h": h}, np.asarray(image.resize((w, h), f)))


def cv2():
    import cv2

    for seed, (sw, sh, w, h) in enumerate(IMAGES):
        out = cv2.resize(pixels(sw, sh, seed), (w, h), interpolation=cv2.INTER_LINEAR)
        yield record({"op": "linear", "seed": seed, "sw": sw, "sh": sh, "w": w, "h": h}, out)


# Planes [h, w, 4]: with four planar channels torch takes its generic kernel, and so
# it does with output sizes above 128 in sum for the bilinear rule.
TABLES = [
    (7, 7, 14, 14), (14, 14, 32, 32), (16, 16, 36, 36), (14, 14, 9, 9), (14, 14, 28, 21),
    (1, 1, 3, 2), (1, 5, 2, 7), (6, 1, 3, 4), (14, 14, 14, 14), (5, 7, 13, 3), (2, 3, 11, 12),
]
MAPS = [(7, 7, 70, 61), (2, 1, 80, 60), (1, 4, 50, 90), (32, 32, 500, 375), (37, 28, 640, 480), (14, 14, 14, 140), (90, 70, 71, 60), (200, 150, 70, 65)]


def torch():
    import torch
    import torch.nn.functional as F

    assert torch.backends.cpu.get_cpu_capability() == "DEFAULT"
    torch.set_num_threads(1)

    def case(op, seed, sw, sh, w, h, **how):
        planes = torch.from_numpy(numbers(sw, sh, 4, seed)).permute(2, 0, 1)[None].contiguous()
        if "scale_factor" not in how:
            how["size"] = (h, w)
        out = F.interpolate(planes, align_corners=False, **how)[0].permute(1, 2, 0).numpy()
        c = {"op": op, "seed": seed, "sw": sw, "sh": sh, "w": out.shape[1], "h": out.shape[0], "channels": 4}
        if "scale_factor" in how:
            c["stepY"], c["stepX"] = (1.0 / f for f in how["scale_factor"])
        return record(c, out)

    for seed, sizes in enumerate(MAPS):
        yield case("bilinear", seed, *sizes, mode="bilinear")
    for seed, (sw, sh, w, h) in enumerate(TABLES):
        yield case("bicubic", seed, sw, sh, w, h, mode="bicubic")
        yield case("bicubic", seed, sw, sh, w, h, mode="bicubic", scale_factor=((h + 0.1) / sh, (w + 0.1) / sw))
        yield case("bicubic-antialias", seed, sw, sh, w, h, mode="bicubic", antialias=True)
    for seed, (sw, sh, w, h) in enumerate(MAPS):
        logits = torch.from_numpy(numbers(sw, sh, 7, seed)).permute(2, 0, 1)[None].contiguous()
        planes = F.interpolate(logits, size=(h, w), mode="bilinear", align_corners=False)[0]
        c = {"seed": seed, "sw": sw, "sh": sh, "w": w, "h": h, "channels": 7}
        yield record({"op": "labels"} | c, planes.argmax(0).numpy().astype("<u2"))
        # The segmentation post-processing: queries 0,1 are class 0, 2 is class 1, 3,4 class 2, 5,6 class 3.
        p = (planes.double() * 4).softmax(0)
        p = torch.stack([p[0:2].amax(0), p[2], p[3:5].amax(0), p[5:7].amax(0)])
        best, label = p.max(0)
        label[best < 0.6] = 0
        yield record({"op": "rule"} | c, label.numpy().astype("<u2"))
    yield case("bicubic-antialias", 99, 100, 75, 24, 33, mode="bicubic", antialias=True)


def pamr():
    """Pixel-adaptive mask refinement, from its formula; the values equal those of its authors' code to 1e-6.

    Of long planes every k-th number is kept, k = 1 + length // 700.
    """
    import torch
    import torch.nn.functional as F

    def around(x, d):  # the nine pixels d apart, [9, C, H, W]
        h, w = x.shape[-2:]
        p = F.pad(x[None], [d] * 4, mode="replicate")[0]
        return torch.stack([p[:, y : y + h, z : z + w] for y in (0, d, 2 * d) for z in (0, d, 2 * d)])

    for seed, (w, h, n, iterations) in enumerate([(1, 1, 1, 10), (3, 5, 2, 10), (44, 37, 3, 10), (61, 50, 5, 1), (40, 70, 6, 10)]):
        image = torch.from_numpy(numbers(w, h, 3, seed)).permute(2, 0, 1).contiguous()
        planes = torch.from_numpy(numbers(w, h, n, seed + 100)).permute(2, 0, 1).contiguous()
        nine = torch.cat([around(image, 8), around(image, 16)])
        others = [i for i in range(18) if i not in (4, 13)]
        distance = (image - nine[others]).abs() / (1e-8 + 0.1 * nine.std(0))
        weight = (-distance.mean(1)).softmax(0)[:, None]
        for _ in range(iterations):
            planes = (torch.cat([around(planes, 8), around(planes, 16)])[others] * weight).sum(0)
        out = planes.numpy().ravel()
        yield record({"op": "pamr", "seed": seed, "w": w, "h": h, "channels": n, "iterations": iterations}, out[:: 1 + len(out) // 700])


# Canvas W x H, window, stride, padding to a multiple of 16, size of the picture, queries.
MOSAICS = [
    (448, 336, 224, 112, False, 500, 375, 7), (597, 448, 448, 224, True, 640, 480, 7), (336, 503, 224, 112, False, 333, 500, 7),
    (300, 200, 96, 32, False, 150, 100, 7), (100, 70, 224, 112, True, 120, 90, 7), (100, 70, 224, 112, False, 120, 90, 7), (230, 140, 112, 56, False, 700, 421, 7),
]


def mosaic():
    """Sliding windows stitched on a whole canvas, as SCLIP's segmentor does it, then decoded with an area threshold."""
    import torch
    import torch.nn.functional as F

    assert torch.backends.cpu.get_cpu_capability() == "DEFAULT"
    torch.set_num_threads(1)
    for seed, (W, H, crop, stride, pad, w, h, n) in enumerate(MOSAICS):
        canvas, count = torch.zeros(1, n, H, W), torch.zeros(1, 1, H, W)
        k = 0
        for j in range(max(H - crop + stride - 1, 0) // stride + 1):
            for i in range(max(W - crop + stride - 1, 0) // stride + 1):
                y2, x2 = min(j * stride + crop, H), min(i * stride + crop, W)
                y1, x1 = max(y2 - crop, 0), max(x2 - crop, 0)
                th, tw = y2 - y1, x2 - x1
                ph, pw = (-(-th // 16) * 16, -(-tw // 16) * 16) if pad else (th, tw)
                logits = torch.from_numpy(numbers(pw // 16, ph // 16, n, 1000 * seed + k)).permute(2, 0, 1)[None].contiguous()
                m = F.interpolate(logits, size=(ph, pw), mode="bilinear", align_corners=False)
                top, left = (ph - th) // 2, (pw - tw) // 2
                canvas[:, :, y1:y2, x1:x2] += m[:, :, top : top + th, left : left + tw]
                count[:, :, y1:y2, x1:x2] += 1
                k += 1
        planes = F.interpolate(canvas / count, size=(h, w), mode="bilinear", align_corners=False)[0]
        c = {"seed": seed, "sw": W, "sh": H, "w": w, "h": h, "channels": n, "window": crop, "stride": stride, "pad": pad, "tiles": k}
        yield record({"op": "argmax"} | c, planes.argmax(0).numpy().astype("<u2"))
        # Queries 0,1 are class 0, 2 is class 1, 3,4 class 2, 5,6 class 3.
        p = (planes.double() * 4).softmax(0)
        p = torch.stack([p[0:2].amax(0), p[2], p[3:5].amax(0), p[5:7].amax(0)])
        area = F.one_hot(p.argmax(0), 4).sum((0, 1))[1:]
        p[1:] *= (area > 0.25 * area.sum())[:, None, None]
        best, label = p.max(0)
        label[best < 0.4] = 0
        yield record({"op": "area"} | c, label.numpy().astype("<u2"))
        out = planes.numpy().ravel()
        yield record({"op": "planes"} | c, out[:: 1 + len(out) // 300])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        cases = [json.dumps(c) for c in {"pillow": pillow, "pillow13": pillow13, "torch": torch, "cv2": cv2, "pamr": pamr, "mosaic": mosaic}[name]()]
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".json"), "w") as f:
            f.write("[\n" + ",\n".join(cases) + "\n]\n")
