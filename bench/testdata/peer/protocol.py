"""Makes the label maps of a run again, from pixels to labels, with windows, padding, refinement and thresholds.

    protocol.py RUN_DIR MODEL.onnx TEXTS.npy

RUN_DIR is a run of one method with panels and --save labels; MODEL.onnx is the method exported at any size the windows have;
TEXTS.npy holds the embeddings of all queries in their order. Prints JSON {sample: [labels that differ, labels, kinds of
labels]} for the first data set. Needs numpy, Pillow and onnxruntime. All sums are float64, and the canvas of all queries is held whole.
"""

import json
import sys

import numpy as np
from PIL import Image

try:
    import onnxruntime
    from scores import upsample
except ImportError as e:
    print(e, file=sys.stderr)
    sys.exit(3)

MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])
PATCH = 8


def around(x):
    """The 18 pixels 8 and 16 away, the centre twice: [18, C, H, W]."""
    h, w = x.shape[1:]
    out = []
    for d in (8, 16):
        p = np.pad(x, ((0, 0), (d, d), (d, d)), mode="edge")
        out += [p[:, y : y + h, z : z + w] for y in (0, d, 2 * d) for z in (0, d, 2 * d)]
    return np.stack(out)


def refine(planes, image, iterations):
    nine = around(image)
    others = [i for i in range(18) if i not in (4, 13)]
    weight = -(np.abs(image - nine[others]) / (1e-8 + 0.1 * nine.std(0, ddof=1))).mean(1)
    weight = np.exp(weight - weight.max(0))
    weight = (weight / weight.sum(0))[:, None]
    for _ in range(iterations):
        planes = (around(planes)[others] * weight).sum(0)
    return planes


def stitched(pixels, window, stride, pad, run, texts):
    """The cosines of all texts on the canvas: the mean of the windows' maps."""
    h, w = pixels.shape[1:]
    total, count = np.zeros((len(texts), h, w)), np.zeros((h, w))
    ch, cw = (min(window, h), min(window, w)) if window else (h, w)
    step = stride or 1
    ys = [min(i * step, h - ch) for i in range(max(h - ch + step - 1, 0) // step + 1)] if window else [0]
    xs = [min(i * step, w - cw) for i in range(max(w - cw + step - 1, 0) // step + 1)] if window else [0]
    for y in ys:
        for x in xs:
            cut = pixels[:, y : y + ch, x : x + cw]
            top = left = 0
            behind = pad == "corner"
            if pad != "none":
                ph, pw = -(-ch // PATCH) * PATCH, -(-cw // PATCH) * PATCH
                top, left = (0, 0) if behind else ((ph - ch) // 2, (pw - cw) // 2)
                cut = np.pad(cut, ((0, 0), (top, ph - ch - top), (left, pw - cw - left)))
            raw = cut * 255 * STD[:, None, None] + 255 * MEAN[:, None, None]  # the graph normalises by itself
            tokens = run(raw[None].astype(np.float32))[0, 1:].astype(np.float64)
            cosines = tokens / np.linalg.norm(tokens, axis=1, keepdims=True) @ texts.T
            grid = cosines.T.reshape(len(texts), cut.shape[1] // PATCH, cut.shape[2] // PATCH)
            m = upsample(grid, ch, cw) if behind else upsample(grid, *cut.shape[1:])
            total[:, y : y + ch, x : x + cw] += m[:, top : top + ch, left : left + cw]
            count[y : y + ch, x : x + cw] += 1
    return total / count


def labels(logits, classes, scale, threshold, area):
    p = np.exp(scale * (logits - logits.max(0)))
    p /= p.sum(0)
    n = max(classes) + 1
    p = np.stack([p[[q for q, c in enumerate(classes) if c == k]].max(0) for k in range(n)])
    if area > 0:
        won = np.bincount(p.argmax(0).ravel(), minlength=n)[1:]
        p[1:] *= (won > area * won.sum())[:, None, None]
    out = p.argmax(0)
    out[p.max(0) < threshold] = 0
    return out


def main(folder, model, texts):
    results = json.load(open(folder + "/results.json"))
    data, method = results["datasets"][0], results["methods"][0]["name"]
    f = data["protocol"]["fields"]
    window, stride, short = int(f["window"]), int(f["stride"]), int(f["size"].split("x")[0])
    classes = [k for k, queries in enumerate(data["queries"]) for _ in queries]
    texts = np.load(texts).astype(np.float64)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    session = onnxruntime.InferenceSession(model)
    name = session.get_inputs()[0].name
    out = {}
    for panel in results["panels"]:
        if panel["dataset"] != data["name"]:
            continue
        image = Image.open(f"{folder}/{panel['image']}").convert("RGB")
        w, h = image.size
        factor = min(int(f["long"]) / max(h, w), short / min(h, w))
        w2, h2 = int(w * factor + 0.5), int(h * factor + 0.5)
        image = image.resize((w2, h), Image.BICUBIC).resize((w2, h2), Image.BICUBIC)  # Pillow 13 may begin with the height
        pixels = ((np.asarray(image) / 255 - MEAN) / STD).transpose(2, 0, 1)
        logits = upsample(stitched(pixels, window, stride, f["pad"], lambda x: session.run(None, {name: x})[0], texts), h, w)
        if int(f["pamr"]):
            logits = refine(logits, upsample(pixels, h, w), int(f["pamr"]))
        want = labels(logits, classes, float(f["scale"]), float(f["threshold"]), float(f["area_threshold"]))
        got = np.asarray(Image.open(f"{folder}/labels/{data['name']}/{method}/{panel['id']}.png"))
        out[panel["id"]] = [int((got != want).sum()), int(got.size), len(np.unique(got))]
    print(json.dumps(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
