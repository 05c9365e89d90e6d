"""Makes testdata/segmentation.json: label maps and what mmsegmentation's rule says of them.

The rule as published: pixels with truth == ignore are dropped; intersection, prediction and label
areas are torch.histc over the bins 0..C-1; areas are added over images; mIoU, mAcc, mDice are
nanmean over classes. float64 here, because float32 sums are mmsegmentation's own rounding. Each
number is computed a second time from numpy.bincount and must agree.

    python make.py      # recorded with torch 2.15.0, numpy 2.4.6
"""
import json, pathlib
import numpy as np
import torch

rng = np.random.default_rng(471)


def areas_torch(truth, pred, classes, ignore):
    truth, pred = torch.tensor(truth, dtype=torch.float64), torch.tensor(pred, dtype=torch.float64)
    mask = truth != ignore
    truth, pred = truth[mask], pred[mask]
    h = lambda x: torch.histc(x, bins=classes, min=0, max=classes - 1).numpy()
    return h(pred[pred == truth]), h(truth), h(pred)


def areas_numpy(truth, pred, classes, ignore):
    truth, pred = np.array(truth), np.array(pred)
    keep = truth != ignore
    pred = np.minimum(pred[keep], classes)
    m = np.bincount(truth[keep] * (classes + 1) + pred, minlength=classes * (classes + 1)).reshape(classes, classes + 1)
    return np.diag(m).astype(float), m.sum(1).astype(float), m.sum(0)[:classes].astype(float)


def defined(x):
    return None if np.isnan(x) else float(x)


def case(name, classes, ignore, images):
    i, t, p = np.zeros((3, classes))
    for truth, pred in images:
        a, b = areas_torch(truth, pred, classes, ignore), areas_numpy(truth, pred, classes, ignore)
        assert all(np.array_equal(x, y) for x, y in zip(a, b)), name
        i, t, p = i + a[0], t + a[1], p + a[2]
    with np.errstate(all="ignore"):
        iou, acc, precision, dice = i / (t + p - i), i / t, i / p, 2 * i / (t + p)
        mean = lambda x: np.nan if np.isnan(x).all() else np.nanmean(x)
        seen = t > 0
        scores = {
            "mIoU": mean(iou),
            "mAcc": mean(acc),
            "aAcc": i.sum() / t.sum(),
            "FWIoU": (t[seen] / t.sum() * iou[seen]).sum() if seen.any() else np.nan,
            "mDice": mean(dice),
        }
    return {
        "name": name,
        "classes": classes,
        "ignore": ignore,
        "images": [{"truth": list(map(int, a)), "pred": list(map(int, b))} for a, b in images],
        "scores": {k: v for k, v in ((k, defined(v)) for k, v in scores.items()) if v is not None},
        "per_class": [
            {
                "intersection": int(i[c]),
                "truth": int(t[c]),
                "pred": int(p[c]),
                "scores": {k: v for k, v in ((k, defined(x[c])) for k, x in (("IoU", iou), ("Acc", acc), ("Precision", precision), ("Dice", dice))) if v is not None},
            }
            for c in range(classes)
        ],
    }


def noise(n, classes, ignore=None, p_ignore=0.0, right=0.6, pred_classes=None):
    truth = rng.integers(0, classes, n)
    pred = np.where(rng.random(n) < right, truth, rng.integers(0, pred_classes or classes, n))
    if ignore is not None:
        truth = np.where(rng.random(n) < p_ignore, ignore, truth)
    return truth, pred


def regions(n, classes, ignore):
    truth = np.repeat(rng.integers(0, classes, n // 7 + 1), 7)[:n]
    pred = np.repeat(np.concatenate([[0], truth])[:n][::5], 5)[:n]
    truth[::31] = ignore
    return truth, pred


I = 65535
cases = [
    # Hand-worked: three classes, the third predicted but absent: IoU 2/3, 2/3, 0, mean 4/9.
    case("predicted but absent", 3, I, [([0, 0, 0, 1, 1, 1], [0, 0, 2, 1, 1, 2])]),
    # Two images pooled: IoU 2/3, 1/2, 0, mean 7/18.
    case("pooled, one only predicted", 3, I, [([0, 0, 0], [0, 0, 2]), ([1, 1], [1, 2])]),
    # Four classes, two absent everywhere: IoU 2/3 and 3/4, mean 17/24.
    case("two absent everywhere", 4, I, [([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1])]),
    case("all ignored", 2, I, [([I, I], [0, 1])]),
    case("no image", 2, I, []),
    case("prediction out of range", 2, 255, [([0, 0, 1, 1], [0, 7, 255, 1])]),
    case("ignore is a class number", 3, 0, [([0, 1, 2, 0], [1, 1, 1, 0])]),
    case("one class absent from the truth of a perfect rest", 3, I, [([0, 1, 1], [0, 1, 1])]),
    case("noise 16x16, 5 classes", 5, I, [noise(256, 5)]),
    case("three noisy images with void", 21, 255, [noise(300, 21, 255, 0.1) for _ in range(3)]),
    case("predictions of 30 of 7 classes", 7, 255, [noise(200, 7, 255, 0.2, 0.5, 30)]),
    case("regions", 19, I, [regions(1001, 19, I), regions(1003, 19, I)]),
    case("few pixels, many classes", 150, I, [noise(61, 150, I, 0.1)]),
]

b = np.random.default_rng(3).random(37)
quantiles = {"values": b.tolist(), "q": [0, 0.025, 0.1, 1 / 3, 0.5, 0.975, 1]}
quantiles["want"] = np.quantile(b, quantiles["q"]).tolist()

out = pathlib.Path(__file__).parent / "segmentation.json"
text = ",\n".join(json.dumps(c) for c in cases)
out.write_text('{"cases": [\n' + text + '\n],\n"quantiles": ' + json.dumps(quantiles) + "}\n")
for c in cases[:3]:
    print(c["name"], c["scores"])
