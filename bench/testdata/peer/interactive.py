"""Computes the scores of task interactive again from what a run kept (ovbench run --save maps,masks), in numpy.

    interactive.py RUN_DIR VOC_DIR SIDE

VOC_DIR is in VOC's layout, its background no class; SIDE is that of the segmenter's input in pixels. Feature surgery, points,
boxes and thresholded maps are made anew from the kept cosines, masks from the kept logits; prompts that differ from the kept
ones are counted. Prints JSON {method: {score: value}}. Needs numpy, Pillow and scipy.
"""

import glob
import json
import os
import sys

import numpy as np
from PIL import Image
from scipy import ndimage


def upsample(plane, h, w):
    """Bilinear, half-pixel centres, no antialias, edges clamped."""

    def weights(n, size):
        at = np.maximum((np.arange(n) + 0.5) * size / n - 0.5, 0)
        low = np.minimum(at.astype(int), size - 1)
        return low, np.minimum(low + 1, size - 1), at - low

    y0, y1, fy = weights(h, plane.shape[0])
    x0, x1, fx = weights(w, plane.shape[1])
    rows = plane[y0] * (1 - fy)[:, None] + plane[y1] * fy[:, None]
    return rows[:, x0] * (1 - fx) + rows[:, x1] * fx


def stretched(x):
    low, high = x.min(), x.max()
    return (x - low) / (high - low) if high > low else np.zeros_like(x)


def surgery(cosines, class_token, form):
    if form == "none":
        return cosines
    assert form == "labels", form
    w = np.exp(2 * class_token)
    w = w / w.sum() * len(w)
    weighted = w[:, None, None] * cosines
    return weighted - weighted.mean(0)


def points_of(cells, w, h, threshold, shrink):
    rows, cols = max(cells.shape[0] // shrink, 1), max(cells.shape[1] // shrink, 1)
    small = stretched(upsample(cells, rows, cols))
    n = min(int((small >= threshold).sum()), small.size // 2)
    order = np.argsort(small.ravel(), kind="stable")

    def place(cell):
        x, y = (cell % cols + 0.5) * w / cols, (cell // cols + 0.5) * h / rows
        return [int(min(x, w - 1)), int(min(y, h - 1))]

    return [place(c) for c in order[small.size - n :]], [place(c) for c in order[:n]]


def box_of(heat, threshold):
    parts, _ = ndimage.label(heat >= threshold)
    part = parts == parts.ravel()[heat.argmax()]
    ys, xs = np.nonzero(part)
    return [int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1]


def mask_of(low, w, h, side):
    scale = side / max(w, h)
    ww, hh = int(w * scale + 0.5), int(h * scale + 0.5)
    return upsample(upsample(low, side, side)[:hh, :ww], h, w) > 0


class Score:
    """IoU pooled by class, and of each mask."""

    def __init__(self):
        self.sums, self.each = {}, []

    def add(self, name, mask, truth, valid):
        i, u = (mask & truth & valid).sum(), ((mask | truth) & valid).sum()
        s = self.sums.setdefault(name, [0, 0])
        s[0], s[1] = s[0] + i, s[1] + u
        self.each.append(i / u if u else 0)


def main():
    run, voc, side = sys.argv[1], sys.argv[2], int(sys.argv[3])
    result = json.load(open(run + "/results.json"))
    classes = result["datasets"][0]["classes"]
    out = {}
    for m in result["methods"]:
        p, method = m["params"], m["name"]
        scores, right, first, differ = {}, {1: [0, 0], 0: [0, 0]}, [0, 0], 0
        for file in sorted(glob.glob(f"{run}/maps/*/{method}/*.npy")):
            cosines = np.load(file).astype(np.float64)
            maps = surgery(cosines, np.load(file.replace("/maps/", "/cls/")).astype(np.float64), p["redundant"])
            truth = np.asarray(Image.open(f"{voc}/SegmentationClass/{os.path.basename(file)[:-4]}.png")).astype(int)
            h, w = truth.shape
            truth = np.where((truth == 0) | (truth == 255), 255, truth - 1)
            kept, low = file.replace("/maps/", "/masks/")[:-4] + ".json", None
            prompts = json.load(open(kept)) if os.path.exists(kept) else []
            if prompts:
                low = np.load(kept[:-5] + ".npy").astype(np.float64)
            for c in np.unique(truth[truth != 255]):
                inside, valid = truth == c, truth != 255
                on, off = points_of(maps[c], w, h, p["point_threshold"], p["point_shrink"])
                for label, list_ in ((1, on), (0, off)):
                    judged = [(x, y) for x, y in list_ if valid[y, x]]
                    right[label][0] += sum(inside[y, x] == bool(label) for x, y in judged)
                    right[label][1] += len(judged)
                if on and valid[on[-1][1], on[-1][0]]:
                    first[0] += inside[on[-1][1], on[-1][0]]
                    first[1] += 1
                heat = upsample(stretched(maps[c]), h, w)
                scores.setdefault(("map", ""), Score()).add(c, heat >= p["map_threshold"], inside, valid)
                for k, q in enumerate(prompts):
                    if q["class"] != classes[c]:
                        continue
                    if q["from"] == "points":
                        differ += q["points"] != on + off or q["labels"] != [1] * len(on) + [0] * len(off)
                        name = "mask"
                    else:
                        differ += q["box"] != box_of(heat, p["map_threshold"])
                        name = "box"
                    masks = [mask_of(x, w, h, side) for x in low[k]]
                    best = 1 + int(np.argmax(q["iou"][1:]))
                    differ += q["chosen"] != best
                    ious = [(x & inside & valid).sum() / max(1, ((x | inside) & valid).sum()) for x in masks]
                    for suffix, i in (("", best), ("-single", 0), ("-oracle", 1 + int(np.argmax(ious[1:])))):
                        scores.setdefault((name, suffix), Score()).add(c, masks[i], inside, valid)
        made = out[method] = {"differ": int(differ)}
        for (name, suffix), s in scores.items():
            made[f"{name}-mIoU{suffix}"] = float(np.mean([i / u if u else 0 for i, u in s.sums.values()]))
            made[f"{name}-IoU{suffix}"] = float(np.mean(s.each))
        (a, b), (c, d) = right[1], right[0]
        for name, x, y in (("point-acc", a + c, b + d), ("point-acc+", a, b), ("point-acc-", c, d), ("hit@1", *first)):
            if y:
                made[name] = float(x / y)
    print(json.dumps(out))


if __name__ == "__main__":
    main()
