"""Computes scores of the tasks explain and multilabel again from what a run kept (--save maps), in numpy.

    explain.py RUN_DIR VOC_DIR       a run of voc21 in one of the two tasks

Prints JSON {method: {convention: {score: value}}}. Needs numpy, Pillow and scikit-learn.
"""

import glob
import json
import os
import sys

import numpy as np
from PIL import Image

from scores import upsample

run, voc = sys.argv[1], sys.argv[2]
results = json.load(open(run + "/results.json"))
task = results["cells"][0]["task"]


def surgery(tokens, form):
    """Label-set feature surgery of cosines [1+N, T]: w = softmax(2 c_cls) / mean, S = w c - mean(w c), or c - mean(w c)."""
    if form == "none":
        return tokens
    w = np.exp(2 * (tokens[0] - tokens[0].max()))
    w = w / w.mean()
    return (w * tokens if form == "labels" else tokens) - (w * tokens).mean(1, keepdims=True)


def truth_of(name):
    return np.asarray(Image.open(f"{voc}/SegmentationClass/{name}.png")).astype(int)


def squared(m, truth, c):
    """The ImageNet-segmentation protocol of Chefer et al. on one map: true and false positives and negatives, AP of both planes."""
    from sklearn.metrics import average_precision_score

    m = upsample(m[None], 224, 224)[0]
    m = (m - m.min()) / (m.max() - m.min())
    small = np.asarray(Image.fromarray(truth.astype(np.uint8)).resize((224, 224), Image.NEAREST))
    keep = small != 255
    t, p, m = (small == c)[keep], (m > m.mean())[keep], m[keep]
    ap = average_precision_score(np.concatenate([~t, t]), np.concatenate([1 - m, m]))
    return (t & p).sum(), (~t & p).sum(), (t & ~p).sum(), (~t & ~p).sum(), ap


def explain(method, form):
    inside, outside, hits, means, squares = {}, {}, {}, {}, []
    for file in sorted(glob.glob(f"{run}/maps/voc21/{method}/*.npy")):
        name = os.path.basename(file)[:-4]
        patches, cls = np.load(file).astype(np.float64), np.load(file.replace("/maps/", "/cls/")).astype(np.float64)
        shape = patches.shape[1:]
        tokens = np.concatenate([cls[None], patches.reshape(len(patches), -1).T])
        maps = surgery(tokens, form)[1:].T.reshape(len(patches), *shape)
        truth = truth_of(name)
        for c in sorted(set(truth.ravel()) - {0, 255}):
            m = maps[c]
            squares.append(squared(m, truth, c))
            m = upsample(((m - m.min()) / (m.max() - m.min()))[None], *truth.shape)[0]
            mask, void = truth == c, truth == 255
            inside.setdefault(c, []).append(m[mask])
            outside.setdefault(c, []).append(m[~mask & ~void])
            means.setdefault(c, []).append(m[mask].mean() - m[~mask & ~void].mean())
            y, x = np.unravel_index(m.argmax(), m.shape)
            yy, xx = np.nonzero(mask)
            hits.setdefault(c, []).append(((yy - y) ** 2 + (xx - x) ** 2).min() < 15**2)

    def miou(t):
        ious = []
        for c in inside:
            i, o = np.concatenate(inside[c]), np.concatenate(outside[c])
            ious.append((i > t).sum() / (len(i) + (o > t).sum()))
        return float(np.mean(ious))

    tp, fp, fn, tn = np.sum([q[:4] for q in squares], axis=0)
    chefer = {
        "pixAcc": (tp + tn) / (tp + fp + fn + tn),
        "mIoU": (tp / (tp + fp + fn) + tn / (tn + fp + fn)) / 2,
        "mAP": np.mean([q[4] for q in squares]),
        "mF1": np.mean([2 * q[0] / (2 * q[0] + q[1] + q[2]) if q[0] else 0 for q in squares]),
    }
    return {"foreground": {
        "fg-mIoU": max(miou(k / 100) for k in range(100)),
        "fg-mIoU@0.5": miou(0.5),
        "mSC": float(np.mean([np.mean(v) for v in means.values()])),
        "pointing-seen": float(np.mean([np.mean(v) for v in hits.values()])),
    }, "imagenet-segmentation": {k: float(v) for k, v in chefer.items()}}


def multilabel(method):
    from sklearn.metrics import average_precision_score

    files = sorted(glob.glob(f"{run}/cls/voc21/{method}/*.npy"))
    cos = np.stack([np.load(f).astype(np.float64) for f in files])
    truth = np.zeros(cos.shape, int)
    for i, f in enumerate(files):
        for c in set(truth_of(os.path.basename(f)[:-4]).ravel()) - {0, 255}:
            truth[i, c] = 1
    soft = np.exp(100 * (cos - cos.max(1, keepdims=True)))
    ways = {"cosine": cos, "softmax": soft / soft.sum(1, keepdims=True), "surgery": np.stack([surgery(row[None], "labels")[0] for row in cos])}
    seen = [c for c in range(truth.shape[1]) if truth[:, c].any()]
    out = {}
    for way, s in ways.items():
        out[way] = {"mAP": float(np.mean([average_precision_score(truth[:, c], s[:, c]) for c in seen]))}
        for k in 3, 5:
            top = np.zeros_like(truth)
            np.put_along_axis(top, np.argsort(-s, axis=1, kind="stable")[:, :k], 1, axis=1)
            right = (top & truth).sum(0)
            p, r = right.sum() / top.sum(), right.sum() / truth.sum()
            out[way][f"OF1@{k}"] = 2 * p * r / (p + r)
            p = np.mean([right[c] / max(1, top[:, c].sum()) for c in seen])
            r = np.mean([right[c] / truth[:, c].sum() for c in seen])
            out[way][f"CF1@{k}"] = 2 * p * r / (p + r) if p + r else 0.0
    return out


out = {}
for m in results["methods"]:
    out[m["name"]] = explain(m["name"], m["params"]["redundant"]) if task == "explain" else multilabel(m["name"])
print(json.dumps(out))
