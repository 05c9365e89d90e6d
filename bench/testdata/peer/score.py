"""Makes inputs for ovbench score and what the reference tools say of them: score.py DIR SEED.

Prints a JSON list of cases: {"name", "args" (of ovbench score), "want": {score: value, or null where it is undefined},
"classes": [{score: value or null}] or absent, "error": part of the message, for inputs that are refused}.

mmsegmentation's and the COCO-Stuff, detectron2, ADE20K and ImageNet-S rules are written out in numpy from their definitions.
cityscapesScripts, scikit-learn and OpenCV (the erosion of Boundary IoU) are run as they are; a module that is missing drops its cases.
"""

import json
import os
import sys

import numpy as np
from PIL import Image

out, rng = sys.argv[1], np.random.default_rng(int(sys.argv[2]))
cases = []


def save(folder, maps, kind="L"):
    os.makedirs(folder, exist_ok=True)
    for i, m in enumerate(maps):
        if kind == "I;16":
            img = Image.fromarray(m.astype(np.uint16))
        elif kind == "P":
            img = Image.fromarray(m.astype(np.uint8), "L").copy()
            img.putpalette([v for k in range(256) for v in (k * 37 % 256, k * 91 % 256, k * 13 % 256)])
        elif kind == "RGB":
            img = Image.fromarray(np.stack([m % 256, m // 256, 0 * m], -1).astype(np.uint8))
        else:
            img = Image.fromarray(m.astype(np.uint8))
        img.save(f"{folder}/{i:03d}.png")


def none(x):
    return None if x is None or np.isnan(x) else float(x)


def histograms(truth, pred, n, ignore=255, reduce=False):
    """Intersection, truth and prediction by class, as mmsegmentation's intersect_and_union; pooled."""
    area = np.zeros((3, n), np.int64)
    for t, p in zip(truth, pred):
        t = t.astype(np.int64)
        if reduce:
            t = np.where(t == 0, 255, t) - 1
            t[t == 254] = 255
        keep = t != ignore
        t, p = t[keep], p[keep].astype(np.int64)
        for row, x in enumerate((p[p == t], t, p)):
            area[row] += np.bincount(x[(x >= 0) & (x < n)], minlength=n)
    return area


def pooled(area, rule):
    i, t, p = area.astype(float)
    with np.errstate(all="ignore"):
        iou, acc, dice = i / (t + p - i), i / t, 2 * i / (t + p)
        if rule == "cocostuff":
            iou[t == 0] = np.nan
        if rule in ("ade20k", "imagenet_s"):
            iou = np.nan_to_num(iou)
        import warnings

        warnings.simplefilter("ignore")
        s = {"mIoU": np.nanmean(iou), "mAcc": np.nanmean(acc), "aAcc": i.sum() / t.sum(), "mDice": np.nanmean(dice)}
        s["FWIoU"] = np.nansum((t / t.sum() * iou)[t > 0]) if t.sum() else np.nan
        if rule == "ade20k":
            s["Final"] = (s["mIoU"] + s["aAcc"]) / 2
    if t.sum() == 0:
        s = dict.fromkeys(s, None)
    return {k: none(v) for k, v in s.items()}, [{"IoU": none(a), "Acc": none(b), "Dice": none(c)} for a, b, c in zip(iou, acc, dice)]


def segmentation(name, truth, pred, n, rule="mmseg", kind="L", flags=(), reduce=False, ignore=255):
    t, p = f"{out}/{name}/t", f"{out}/{name}/p"
    save(t, truth, kind)
    save(p, pred, kind)
    want, classes = pooled(histograms(truth, pred, n, ignore, reduce), rule)
    args = ["--task", "segmentation", "--truth", t, "--pred", p, "--classes", str(n), "--convention", rule, *flags]
    cases.append({"name": name, "args": args, "want": want, "classes": classes})


def refused(name, truth, pred, n, error, flags=()):
    t, p = f"{out}/{name}/t", f"{out}/{name}/p"
    save(t, truth)
    save(p, pred)
    cases.append({"name": name, "args": ["--truth", t, "--pred", p, "--classes", str(n), *flags], "error": error})


def draw(n, values, size=(37, 53), blob=1):
    small = [rng.choice(values, (-(-size[0] // blob), -(-size[1] // blob))) for _ in range(n)]
    return [np.kron(m, np.ones((blob, blob), int))[: size[0], : size[1]] for m in small]


for rule in "mmseg", "cityscapes", "cocostuff", "ade20k":
    truth = draw(4, [0, 1, 2, 4, 255])  # 3 is predicted and never true, 5 neither
    segmentation(f"{rule}-noise", truth, draw(4, [0, 1, 2, 3, 4]), 6, rule)
    segmentation(f"{rule}-blobs", draw(3, range(5), (64, 48), 9), draw(3, range(5), (64, 48), 7), 5, rule, "P")
    segmentation(f"{rule}-one-class", draw(2, [2]), draw(2, [2, 3]), 6, rule)
    segmentation(f"{rule}-void", draw(2, [255]), draw(2, [0, 1]), 3, rule)
    segmentation(f"{rule}-void-image", [*draw(1, [255]), *draw(1, [0, 1, 255])], draw(2, [0, 1, 2]), 3, rule)
    segmentation(f"{rule}-pixel", draw(1, [1], (1, 1)), draw(1, [0], (1, 1)), 2, rule)
# Predictions that are no class are misses of the truth; the ignored value as a prediction too.
segmentation("out-of-range", draw(3, [0, 1, 2, 255]), draw(3, [0, 1, 2, 3, 200, 255]), 3)
segmentation("sixteen", draw(2, [0, 1, 300, 299, 65535]), draw(2, [0, 1, 300, 299]), 301, kind="I;16", flags=["--ignore", "65535"], ignore=65535)
segmentation("reduce", draw(3, [0, 1, 2, 3, 255]), draw(3, [0, 1, 2]), 3, flags=["--reduce-zero-label"], reduce=True)
segmentation("ignore-zero", draw(3, [0, 1, 2]), draw(3, [0, 1, 2]), 3, flags=["--ignore", "0"], ignore=0)
segmentation("large", draw(1, range(19), (1024, 2048), 32), draw(1, range(19), (1024, 2048), 3), 19, "cityscapes")
refused("unknown", draw(1, [0, 1, 7]), draw(1, [0, 1]), 3, "truth has label 7 at x")
refused("sizes", draw(1, [0, 1], (4, 6)), draw(1, [0, 1], (6, 4)), 3, "predictions are scored at the size of the truth")
refused("missing", draw(2, [0, 1]), draw(1, [0, 1]), 3, "1 of 2 label maps have no prediction, the first is 001.png")


def erode(mask, d):
    """Boundary IoU's mask_to_boundary, with its own padding."""
    import cv2

    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=d)[1:-1, 1:-1]


def boundary(name, truth, pred, n):
    i, u, seen = np.zeros(n), np.zeros(n), False
    for t, p in zip(truth, pred):
        d = max(1, int(round(0.02 * np.sqrt(t.shape[0] ** 2 + t.shape[1] ** 2))))
        keep = t != 255
        seen |= keep.any()
        for c in range(n):
            edges = [(m - erode(m, d)).astype(bool) & keep for m in ((t == c).astype(np.uint8), (p == c).astype(np.uint8))]
            i[c] += (edges[0] & edges[1]).sum()
            u[c] += (edges[0] | edges[1]).sum()
    segmentation(name, truth, pred, n, flags=["--boundary"])
    with np.errstate(all="ignore"):
        cases[-1]["want"]["mBIoU"] = none(np.nanmean(i / u))


try:
    import cv2  # noqa: F401
except ImportError:
    pass
else:
    boundary("boundary-noise", draw(2, [0, 1, 255]), draw(2, [0, 1, 2]), 3)
    boundary("boundary-blobs", draw(3, [0, 1, 2, 255], (120, 200), 41), draw(3, [0, 1, 2], (120, 200), 37), 4)


def imagenet_s(name, truth, pred, n, kind):
    """mIoU over all classes with background, epsilon 1e-10; image accuracy; F-measure with beta^2 = 0.3."""
    t, p = f"{out}/{name}/t", f"{out}/{name}/p"
    save(t, truth, kind)
    save(p, pred, kind)
    i, tt, pp = histograms(truth, pred, n, 1000).astype(float)
    hits, f = 0, []
    for a, b in zip(truth, pred):
        keep = a != 1000
        a, b = a[keep], b[keep]
        counts = np.bincount(b, minlength=n)[1:]
        best = counts.argmax() + 1
        hits += counts.max() > 0 and (a == best).any()
        both = ((a > 0) & (b > 0)).sum()
        pr, re = both / max(1, (b > 0).sum()), both / max(1, (a > 0).sum())
        f.append(1.3 * pr * re / (0.3 * pr + re) if both else 0)
    want = {"mIoU": float(np.mean(i / (tt + pp - i + 1e-10))), "imageAcc": hits / len(truth), "Fmeasure": float(np.mean(f))}
    cases.append({"name": name, "args": ["--truth", t, "--pred", p, "--classes", str(n), "--convention", "imagenet_s"], "want": want})


imagenet_s("imagenet-s", draw(3, [0, 1, 300, 1000]), draw(3, [0, 1, 2, 300]), 301, "RGB")
imagenet_s("imagenet-s-background", draw(2, [0, 1]), draw(2, [0]), 51, "RGB")


def cityscapes(name, truth, pred, instances):
    import contextlib
    import io

    import cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling as e

    np.in1d = np.isin  # which numpy 2.4 took away
    t, p = f"{out}/{name}/t", f"{out}/{name}/p"
    os.makedirs(t), os.makedirs(p)
    files = [], []
    for k, (a, b, c) in enumerate(zip(truth, pred, instances)):
        stem = f"aachen_{k:06d}_000019"
        files[0].append(f"{p}/{stem}_pred.png"), files[1].append(f"{t}/{stem}_gtFine_labelIds.png")
        Image.fromarray(b.astype(np.uint8)).save(files[0][-1])
        Image.fromarray(a.astype(np.uint8)).save(files[1][-1])
        Image.fromarray(c.astype(np.uint16)).save(f"{t}/{stem}_gtFine_instanceIds.png")
    e.args.evalInstLevelScore, e.args.evalPixelAccuracy, e.args.JSONOutput, e.args.quiet = True, False, False, True
    with contextlib.redirect_stdout(io.StringIO()):
        r = e.evaluateImgLists(*files, e.args)
    want = {"mIoU": r["averageScoreClasses"], "iIoU": r["averageScoreInstClasses"],
            "mIoU_category": r["averageScoreCategories"], "iIoU_category": r["averageScoreInstCategories"]}
    args = ["--truth", t, "--pred", p, "--classes", "34", "--convention", "cityscapes"]
    cases.append({"name": name, "args": args, "want": {k: none(v) for k, v in want.items()}})


def street(n, values, size, blob):
    """Label ids and instance ids: things get numbers by blob, a few are groups without one."""
    truth = draw(n, values, size, blob)
    ids = []
    for m in truth:
        number = np.kron(rng.integers(0, 6, (-(-size[0] // blob), -(-size[1] // blob))), np.ones((blob, blob), int))[: size[0], : size[1]]
        ids.append(np.where((m >= 24) & (m != 29) & (m != 30) & (number > 0), m * 1000 + number, m))
    return truth, ids


try:
    import cityscapesscripts  # noqa: F401
except ImportError:
    pass
else:
    everything = [*range(34)]
    truth, ids = street(3, everything, (60, 90), 7)
    cityscapes("cityscapes-ids", truth, [np.where(rng.random(t.shape) < 0.7, t, p) for t, p in zip(truth, draw(3, everything, (60, 90), 5))], ids)
    truth, ids = street(2, [7, 8, 23, 24, 26, 33], (40, 50), 9)
    cityscapes("cityscapes-few", truth, draw(2, [0, 7, 9, 24, 25, 29], (40, 50), 3), ids)


def multilabel(name, truth, scores, flags=(), kind=np.float64):
    from sklearn.metrics import average_precision_score

    os.makedirs(f"{out}/{name}")
    t, p = f"{out}/{name}/t.npy", f"{out}/{name}/p.npy"
    np.save(t, truth), np.save(p, scores.astype(kind))
    scores = scores.astype(kind).astype(np.float64)
    ap = []
    for c in range(truth.shape[1]):
        keep = truth[:, c] >= 0
        y, s = truth[keep, c], scores[keep, c]
        ap.append(average_precision_score(y, s) if y.any() else None)
    seen = [a for a in ap if a is not None]
    want = {"mAP": float(np.mean(seen)) if seen else None}
    if (truth >= 0).all() and truth.any():
        here = [c for c in range(truth.shape[1]) if truth[:, c].any()]
        for k in 3, 5:
            if k > truth.shape[1]:
                continue
            top = np.zeros_like(truth)
            np.put_along_axis(top, np.argsort(-scores, axis=1, kind="stable")[:, :k], 1, axis=1)
            right = (top & truth).sum(0)
            P, R = right.sum() / top.sum(), right.sum() / truth.sum()
            want |= {f"OP@{k}": P, f"OR@{k}": R, f"OF1@{k}": 2 * P * R / (P + R) if P + R else 0}
            P, R = np.mean([right[c] / max(1, top[:, c].sum()) for c in here]), np.mean([right[c] / truth[:, c].sum() for c in here])
            want |= {f"CP@{k}": P, f"CR@{k}": R, f"CF1@{k}": 2 * P * R / (P + R) if P + R else 0}
    args = ["--task", "multilabel", "--truth", t, "--pred", p, *flags]
    cases.append({"name": name, "args": args, "want": want, "classes": [{"AP": none(a)} for a in ap]})


def bad_scores(name, scores, truth, error):
    os.makedirs(f"{out}/{name}")
    np.save(f"{out}/{name}/t.npy", truth), np.save(f"{out}/{name}/p.npy", scores)
    cases.append({"name": name, "args": ["--task", "multilabel", "--truth", f"{out}/{name}/t.npy", "--pred", f"{out}/{name}/p.npy"], "error": error})


try:
    import sklearn  # noqa: F401
except ImportError:
    pass
else:
    some = lambda *s: (rng.random(s) < 0.2).astype(np.int64)
    multilabel("tags", some(200, 9), rng.standard_normal((200, 9)))
    multilabel("tags-ties", some(300, 7), rng.integers(0, 4, (300, 7)).astype(float))
    multilabel("tags-all-tied", some(50, 6), np.zeros((50, 6)))
    multilabel("tags-no-positives", some(40, 8) * (np.arange(8) % 3 > 0), rng.standard_normal((40, 8)))
    multilabel("tags-nothing-true", 0 * some(10, 6), rng.standard_normal((10, 6)))
    multilabel("tags-all-true", 1 + 0 * some(10, 6), rng.standard_normal((10, 6)))
    multilabel("tags-difficult", some(100, 5) * rng.choice([1, -1], (100, 5)), rng.integers(0, 9, (100, 5)).astype(float))
    multilabel("tags-float32", some(500, 6).astype(np.uint8), rng.standard_normal((500, 6)) * 1e-6 + 1, kind=np.float32)
    multilabel("tags-huge", some(60, 6), rng.choice([-1e308, -1.0, 0.0, 1e-308, 1e308], (60, 6)))
    multilabel("tags-one-image", np.array([[1, 0, 1, 0]]), np.array([[0.3, 0.2, 0.1, 0.9]]))
    multilabel("tags-one-class", some(30, 1), rng.standard_normal((30, 1)))
    multilabel("tags-negative-zero", some(30, 4), rng.choice([-0.0, 0.0], (30, 4)))
    s = rng.standard_normal((5, 4))
    s[3, 1] = np.nan
    bad_scores("tags-nan", s, some(5, 4), "image 3, class 1: score NaN")
    bad_scores("tags-shape", rng.standard_normal((5, 3)), some(5, 4), "both are [images, classes]")
    bad_scores("tags-two", rng.standard_normal((5, 4)), 2 + some(5, 4), "want 1 for present, 0 for absent, -1 for difficult")

print(json.dumps(cases))
