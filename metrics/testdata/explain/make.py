"""Makes explain.json and imagenet_segmentation.json: maps, masks and what their definitions say of them.

The definition of the explainability scores is that in the doc of metrics.ExplainSummary, spelled out
with one comparison per threshold. PxAP is scikit-learn's average_precision_score over levels; Otsu's
threshold is OpenCV's of the level image; the AP and F1 of ImageNet-segmentation are scikit-learn's.

    python make.py      # recorded with numpy 2.4.6, scikit-learn 1.9.1, opencv-python-headless 5.0.0.93
"""
import json, pathlib, warnings
import cv2
import numpy as np
from sklearn.metrics import average_precision_score, f1_score

warnings.filterwarnings("ignore")
rng = np.random.default_rng(28)
T = np.arange(100, dtype=np.float32) / np.float32(100)
f32 = lambda a: np.asarray(a, dtype=np.float32)
here = pathlib.Path(__file__).parent


def levels(m):
    return (m[:, None] > T[None]).sum(1).astype(np.uint8)


def otsu(m):
    return int(cv2.threshold(levels(m).reshape(1, -1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0])


def clean(m):
    return np.nan_to_num(m, nan=0.0)


def iou(pairs, thresholds):
    """Pooled IoU per class, at one threshold or one per pair, then the mean over classes."""
    I, U = {}, {}
    for (image, c, m, mask), t in zip(pairs, thresholds):
        keep, pred, truth = mask != 2, clean(m) > t, mask == 1
        I[c] = I.get(c, 0) + int((pred & truth & keep).sum())
        U[c] = U.get(c, 0) + int(((pred | truth) & keep).sum())
    return float(np.mean([I[c] / U[c] for c in sorted(I)])) if I else None


def image_iou(pairs, t):
    per = {}
    for p in pairs:
        per.setdefault(p[1], []).append(iou([p], [t]))
    return float(np.mean([np.mean(v) for _, v in sorted(per.items())]))


def best(curve):
    return int(np.argmax(curve))  # first maximum: the lowest threshold


def score(pairs):
    curve = lambda ps: [iou(ps, [t] * len(ps)) for t in T]
    all_curve, even, odd = curve(pairs), [p for p in pairs if p[0] % 2 == 0], [p for p in pairs if p[0] % 2 == 1]
    out, found = {}, {"Best": best(all_curve) / 100}
    out["fg-mIoU"] = max(all_curve)
    out["fg-mIoU@0.5"] = all_curve[50]
    if even:
        found["BestOfEven"] = best(curve(even)) / 100
    if even and odd:
        ke, ko = best(curve(even)), best(curve(odd))
        found["BestOfOdd"] = ko / 100
        out["fg-mIoU@other-half"] = iou(pairs, [T[ko] if p[0] % 2 == 0 else T[ke] for p in pairs])
    out["fg-mIoU@otsu"] = iou(pairs, [T[otsu(clean(p[2]))] for p in pairs])
    images = [image_iou(pairs, t) for t in T]
    out["fg-mIoU-image"], found["BestImage"] = max(images), best(images) / 100
    kept = [(levels(clean(m))[mask != 2], mask[mask != 2] == 1) for _, _, m, mask in pairs]
    out["PxAP"] = float(average_precision_score(np.concatenate([k[1] for k in kept]), np.concatenate([k[0] for k in kept])))
    per = {}
    for _, c, m, mask in pairs:
        if (mask == 0).any():
            m = clean(m).astype(np.float64)
            per.setdefault(c, []).append(m[mask == 1].mean() - m[mask == 0].mean())
    if per:
        out["mSC"] = float(np.mean([np.mean(v) for _, v in sorted(per.items())]))
        out["mSC-pairs"] = float(np.mean([x for _, v in sorted(per.items()) for x in v]))
    flat = [np.isnan(m).sum() == 0 and m.min() == m.max() for _, _, m, _ in pairs]
    found["Maps"], found["Classes"] = len(pairs), len({p[1] for p in pairs})
    found["NaN"] = sum(bool(np.isnan(p[2]).any()) for p in pairs)
    found["Constant"] = sum(map(bool, flat))
    found["Tied"] = sum(bool((clean(p[2]) == clean(p[2]).max()).sum() > 1) for p, f in zip(pairs, flat) if not f)
    found["Full"] = sum(bool(not (p[3] == 0).any()) for p in pairs)
    return {"scores": out, "found": found}


def case(name, classes, pairs):
    return {
        "name": name,
        "classes": classes,
        "maps": [{"image": i, "class": c, "score": [None if np.isnan(v) else float(v) for v in m], "mask": mask.tolist()} for i, c, m, mask in pairs],
        **score(pairs),
    }


def blob(n, kind):
    mask = np.zeros(n, dtype=np.uint8)
    a = rng.integers(0, n // 2)
    mask[a : a + rng.integers(2, n // 2)] = 1
    mask[rng.integers(0, n, 3)] = 2
    if not (mask == 1).any():
        mask[0] = 1
    noise = rng.random(n)
    m = 0.45 * (mask == 1) + 0.55 * noise
    if kind == "grid":  # every value is a threshold: strictness shows
        m = np.round(m, 2)
    if kind == "coarse":
        m = np.round(m * 4) / 4
    return f32(m), mask


def many(images, classes, n, kinds):
    out = []
    for i in range(images):
        for c in sorted(rng.choice(classes, rng.integers(1, 3), replace=False).tolist()):
            m, mask = blob(n, kinds[rng.integers(len(kinds))])
            out.append((i, c, m, mask))
    return out


m8 = lambda v: np.asarray(v, dtype=np.uint8)
nan_map = f32([0.9, np.nan, 0.2, 0.4])
cases = [
    case("one perfect map", 1, [(0, 0, f32([1, 0.5, 0, 0]), m8([1, 1, 0, 0]))]),
    case("values on the grid", 3, many(6, 3, 60, ["grid"])),
    case("coarse values", 4, many(7, 4, 40, ["coarse"])),
    case("smooth values", 5, many(12, 5, 80, ["noise"])),
    case("all kinds", 6, many(15, 6, 50, ["noise", "grid", "coarse"])),
    case("odd maps", 3, [
        (0, 0, nan_map, m8([1, 1, 0, 0])),
        (1, 0, f32([0.5] * 4), m8([1, 0, 2, 0])),
        (2, 1, f32([0.3, 0.6, 0.6, 0.1]), m8([1, 1, 2, 1])),
        (3, 2, f32([0, 0, 0, 0]), m8([0, 0, 0, 1])),
    ]),
    case("even images only", 2, [p for p in many(9, 2, 30, ["noise"]) if p[0] % 2 == 0]),
]
(here / "explain.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


# ImageNet-segmentation: stretch to 0..1 in float32, mean as the threshold.
def segment(m, mask):
    m = f32(m)
    with np.errstate(all="ignore"):
        m = (m - m.min()) / (m.max() - m.min())
    fg, both = m > f32(m.astype(np.float64).mean()), np.stack([np.float32(1) - m, m])
    both[np.isnan(both)] = 0
    keep = mask != 2
    truth, pred = mask[keep] == 1, fg[keep]
    hot = np.stack([~truth, truth])
    return {
        "TP": int((pred & truth).sum()), "FP": int((pred & ~truth).sum()),
        "FN": int((~pred & truth).sum()), "TN": int((~pred & ~truth).sum()),
        "AP": float(average_precision_score(hot.reshape(-1), both[:, keep].reshape(-1))),
    }, float(f1_score(truth, pred))


images = []
for kind in ["noise", "grid", "coarse", "noise"]:
    m, mask = blob(90, kind)
    images.append((f32(m * 7 - 3), mask))
images.append((f32([0.25] * 8), m8([1, 0, 0, 1, 2, 0, 0, 0])))  # flat
images.append((f32([1, 2, 3, 4]), m8([0, 0, 0, 2])))  # no foreground
rows, f1 = zip(*[segment(m, mask) for m, mask in images])
tp, fp, fn, tn = (sum(r[k] for r in rows) for k in ("TP", "FP", "FN", "TN"))
out = {
    "images": [{"score": m.tolist(), "mask": mask.tolist(), "want": r} for (m, mask), r in zip(images, rows)],
    "scores": {
        "pixAcc": (tp + tn) / (tp + fp + fn + tn),
        "mIoU": (tp / (tp + fp + fn) + tn / (tn + fp + fn)) / 2,
        "mAP": float(np.mean([r["AP"] for r in rows])),
        "mF1": float(np.mean(f1)),
    },
}
(here / "imagenet_segmentation.json").write_text(json.dumps(out) + "\n")
for c in cases:
    print(c["name"], c["scores"], c["found"])
print(out["scores"])
