"""Makes the goldens of this folder: label maps and what the reference tools say of them.

The tools run as they are, from their packages or a checkout; their code is not in this repository.

    CITYSCAPES   pip install cityscapesscripts==2.3.0: evalPixelLevelSemanticLabeling.evaluateImgLists
    BOUNDARY     github.com/bowenc0221/boundary-iou-api 37d2558: mask_to_boundary, per class and pooled
    COCOSTUFF    github.com/nightrome/cocostuffapi 675ff38: COCOStuffeval._computeMetrics
    ADE20K       github.com/CSAILVision/sceneparsing: intersectionAndUnion, pixelAccuracy
    IMAGENET_S   github.com/LUSSeg/ImageNet-S b2312ba: evaluator, on the CPU and in float64
    mmseg, detectron2: the published rules, written down here

    python make.py CHECKOUTS [SEED COUNT OUT]

CHECKOUTS holds boundary-iou-api, cocostuffapi, sceneparsing and ImageNet-S. With SEED, COUNT and
OUT other cases than the recorded ones are made, COUNT of each kind, for a wider comparison:
OVBENCH_CONVENTIONS=OUT go test -run Reference ./metrics

Recorded with numpy 2.4.6, torch 2.15.0, opencv 5.0.0, pycocotools 2.0.11.
"""
import base64, contextlib, io, json, math, os, pathlib, sys, tempfile, types, zlib
import numpy as np
import torch
from PIL import Image

checkouts = pathlib.Path(sys.argv[1])
seed, count = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 2 else (1, 0)
out = pathlib.Path(sys.argv[4] if len(sys.argv) > 2 else pathlib.Path(__file__).parent)
rng = np.random.default_rng(seed)
VOID = 65535
np.in1d = np.isin  # the name went with numpy 2.4, and cityscapesscripts still uses it


def pack(a):
    return base64.b64encode(zlib.compress(np.ascontiguousarray(a, dtype="<u2").tobytes(), 9)).decode()


def defined(d):
    return {k: float(v) for k, v in d.items() if v is not None and not np.isnan(v)}


def blobs(h, w, labels, n):
    """Rectangles and discs painted over each other."""
    a = np.full((h, w), labels[0])
    y, x = np.mgrid[:h, :w]
    for _ in range(n):
        cy, cx, ry, rx = rng.integers(0, h), rng.integers(0, w), rng.integers(1, h // 2 + 2), rng.integers(1, w // 2 + 2)
        inside = (abs(y - cy) < ry) & (abs(x - cx) < rx) if rng.random() < 0.5 else ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
        a[inside] = rng.choice(labels)
    return a


def worse(a, labels, share):
    """A prediction: a shifted, with noise and foreign blobs."""
    p = np.roll(a, (int(rng.integers(-2, 3)), int(rng.integers(-2, 3))), (0, 1))
    p = np.where(rng.random(a.shape) < share, rng.choice(labels, a.shape), p)
    y, x = (int(rng.integers(0, s)) for s in a.shape)
    p[y : y + 5, x : x + 9] = rng.choice(labels)
    return p


# ---------------------------------------------------------------- plain conventions


def histograms(images, classes):
    """Areas by mmsegmentation's three torch histograms, in float64."""
    total = np.zeros((3, classes))
    for truth, pred in images:
        t, p = torch.tensor(truth.astype(float)).flatten(), torch.tensor(pred.astype(float)).flatten()
        keep = t != VOID
        t, p = t[keep], p[keep]
        h = lambda x: torch.histc(x, bins=classes, min=0, max=classes - 1).numpy()
        total += [h(p[p == t]), h(t), h(p)]
    return total


def mmseg(images, classes):
    i, t, p = histograms(images, classes)
    mean = lambda x: None if np.isnan(x).all() else np.nanmean(x)
    return {"mIoU": mean(i / (t + p - i)), "mAcc": mean(i / t), "aAcc": i.sum() / t.sum()}


def matrix(images, classes):
    """[truth, prediction] with one more row and column for what is outside."""
    m = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    for truth, pred in images:
        np.add.at(m, (np.minimum(truth, classes).ravel(), np.minimum(pred, classes).ravel()), 1)
    return m


def cocostuff(images, classes):
    from pycocotools.cocostuffeval import COCOStuffeval

    full = matrix(images, classes)
    m = full[:classes].astype(float)
    if m.sum() == 0:
        return {}
    # The tool wants a square matrix: a class without truth takes the predictions out of range.
    square = np.vstack([m, np.zeros((1, classes + 1))])
    miou, fwiou, macc, pacc, _, _ = COCOStuffeval._computeMetrics(None, square)
    return {"mIoU": miou, "mAcc": macc, "aAcc": pacc, "FWIoU": fwiou}


def detectron2(images, classes):
    m = matrix(images, classes).T  # [prediction][truth]
    assert m[classes, :classes].sum() == 0, "detectron2 knows no predictions out of range"
    tp, gt, pred = m.diagonal()[:-1].astype(float), m[:-1, :-1].sum(0), m[:-1, :-1].sum(1)
    seen = gt > 0
    if not seen.any():
        return {}
    iou = tp[seen] / (gt + pred - tp)[seen]
    return {"mIoU": iou.mean(), "mAcc": (tp[seen] / gt[seen]).mean(), "aAcc": tp.sum() / gt.sum(), "FWIoU": (iou * gt[seen] / gt.sum()).sum()}


def ade20k(images, classes):
    from utils_eval import intersectionAndUnion, pixelAccuracy

    i, u, correct, labelled = np.zeros(classes), np.zeros(classes), 0, 0
    for truth, pred in images:
        label = np.where(truth == VOID, 0, truth + 1)
        guess = np.where(pred >= classes, 0, pred + 1)
        a, b = intersectionAndUnion(guess, label, classes)
        i, u = i + a, u + np.spacing(1) + b
        with np.errstate(all="ignore"):
            _, c, l = pixelAccuracy(guess, label)
        correct, labelled = correct + c, labelled + l
    if labelled == 0:
        return {}
    miou, acc = (i / u).mean(), correct / (np.spacing(1) + labelled)
    return {"mIoU": miou, "aAcc": acc, "Final": (miou + acc) / 2}


def imagenet_s_iou(images, classes):
    i, t, p = histograms(images, classes)
    return {"mIoU": (i / (t + p - i + 1e-10)).mean()} if t.sum() > 0 else {}


def plain_case(name, classes, images):
    images = [(np.array(t), np.array(p)) for t, p in images]
    with np.errstate(all="ignore"):
        scores = {"mmseg": mmseg(images, classes), "cocostuff": cocostuff(images, classes), "ade20k": ade20k(images, classes), "imagenet_s": imagenet_s_iou(images, classes)}
        alone = [mmseg([im], classes)["mIoU"] for im in images]
    if all((p < classes).all() for _, p in images):
        scores["detectron2"] = detectron2(images, classes)
    alone = [x for x in alone if x is not None]
    return {
        "name": name,
        "classes": classes,
        "images": [{"truth": pack(t), "pred": pack(p)} for t, p in images],
        "scores": {k: defined(v) for k, v in scores.items()},
        "image_miou": float(np.mean(alone)) if alone else None,
    }


# ---------------------------------------------------------------- boundary IoU


def boundary_case(name, classes, ratio, images):
    from boundary_iou.utils.boundary_utils import mask_to_boundary

    total = np.zeros((3, classes), dtype=np.int64)
    for truth, pred in images:
        valid = truth != VOID
        for c in range(classes):
            g = mask_to_boundary((truth == c).astype(np.uint8), ratio).astype(bool) & valid
            d = mask_to_boundary((pred == c).astype(np.uint8), ratio).astype(bool) & valid
            total[:, c] += [(g & d).sum(), g.sum(), d.sum()]
    i, t, p = total
    with np.errstate(all="ignore"):
        iou = i / (t + p - i)
    return {
        "name": name,
        "classes": classes,
        "ratio": ratio,
        "images": [{"width": t.shape[1], "height": t.shape[0], "truth": pack(t), "pred": pack(p)} for t, p in images],
        "areas": total.tolist(),
        "mbiou": None if np.isnan(iou).all() else float(np.nanmean(iou)),
    }


# ---------------------------------------------------------------- cityscapes


def cityscapes_case(name, images):
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as tool

    tool.args.quiet, tool.args.JSONOutput = True, False
    with tempfile.TemporaryDirectory() as folder:
        truths, preds = [], []
        for k, (truth, pred, instances) in enumerate(images):
            truths.append(f"{folder}/{k}_labelIds.png")
            preds.append(f"{folder}/{k}_pred.png")
            Image.fromarray(truth.astype(np.uint8)).save(truths[-1])
            Image.fromarray(pred.astype(np.uint8)).save(preds[-1])
            Image.fromarray(instances.astype(np.uint16)).save(f"{folder}/{k}_instanceIds.png")
        r = tool.evaluateImgLists(preds, truths, tool.args)
    return {
        "name": name,
        "images": [{"truth": pack(t), "pred": pack(p), "instances": pack(i)} for t, p, i in images],
        "scores": defined({"mIoU": r["averageScoreClasses"], "iIoU": r["averageScoreInstClasses"], "mIoU_category": r["averageScoreCategories"], "iIoU_category": r["averageScoreInstCategories"]}),
        "classes": {"IoU": defined(r["classScores"]), "iIoU": defined(r["classInstScores"])},
        "categories": {"IoU": defined(r["categoryScores"]), "iIoU": defined(r["categoryInstScores"])},
    }


def cityscapes_image(h, w, share, labels=range(34)):
    labels = list(labels)
    truth = blobs(h, w, labels, 30)
    instances = truth.copy()
    n = 0
    for v in np.unique(truth[truth >= 24]):
        where = truth == v
        parts = blobs(h, w, [0, 1, 2, 3], 8)
        for part in range(1, 4):  # part 0 stays a group
            if (where & (parts == part)).any():
                instances[where & (parts == part)] = v * 1000 + n
                n += 1
    return truth, worse(truth, labels, share), instances


# ---------------------------------------------------------------- ImageNet-S


def imagenet_s_tool():
    """The evaluator without its image files, progress bar and graphics card."""
    for name, content in {
        "torchvision": {}, "torchvision.datasets": {"ImageFolder": object}, "munkres": {"Munkres": object},
        "prettytable": {"PrettyTable": object}, "tqdm": {"tqdm": lambda x: x},
    }.items():
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(content)
    torch.Tensor.cuda = lambda self, *a, **k: self
    torch.set_default_dtype(torch.float64)
    folder = checkouts / "ImageNet-S"
    sys.path[:0] = [str(folder), str(folder / "evaluation")]
    os.chdir(folder / "evaluation")
    import evaluator
    from data.data import EvalDataset

    return evaluator.evaluator, EvalDataset.get_boundary_mask


class Loader(list):
    dataset = property(lambda self: self)


def imagenet_s_case(name, classes, images):
    evaluate, boundary = imagenet_s_tool()
    loader = Loader()
    for truth, pred in images:
        keep = truth != 1000
        one = [truth, pred, boundary(None, truth + 1), boundary(None, pred + 1)]
        loader.append([torch.from_numpy(x[keep].astype(np.float32)) for x in one])
    log = evaluate(loader, classes - 1)
    names = {"mIoU": "mIoU", "mBIoU": "mBIoU", "Acc": "imageAcc", "FMeasure": "Fmeasure"}
    names |= {k: "mIoU_" + k for k in ("S", "MS", "ML", "L")} | {"B" + k: "mBIoU_" + k for k in ("S", "MS", "ML", "L")}
    return {
        "name": name,
        "classes": classes,
        "images": [{"width": t.shape[1], "height": t.shape[0], "truth": pack(t), "pred": pack(p)} for t, p in images],
        "scores": defined({ours: log[theirs] / 100 for theirs, ours in names.items()}),
    }


def imagenet_s_image(h, w, classes, share, objects=3):
    truth = blobs(h, w, [0, 0, 0] + list(rng.choice(np.arange(1, classes), 2)) + [1000], objects)
    return truth, worse(truth, list(range(classes)), share)


# ---------------------------------------------------------------- cases

sys.path[:0] = [str(checkouts / "sceneparsing" / "evaluationCode"), str(checkouts / "boundary-iou-api")]
import pycocotools  # the installed one; only two files of the fork are needed, and its helper only for drawing

pycocotools.__path__.append(str(checkouts / "cocostuffapi" / "PythonAPI" / "pycocotools"))


def flat(t, p):
    return np.array([t]), np.array([p])


def noisy(classes, preds, share, void=0.1, shape=(23, 31)):
    truth = blobs(*shape, list(range(classes)), 12)
    pred = worse(truth, list(range(preds)), share)
    return np.where(rng.random(truth.shape) < void, VOID, truth), pred


def recorded():
    # The first three are the table of worked cases: mmseg 0.4444, 0.3889, 0.7083; COCO-Stuff 0.6667, 0.5833, 0.7083; ADE20K 0.3542 on the last.
    plain = [
        plain_case("predicted but absent", 3, [flat([0, 0, 0, 1, 1, 1], [0, 0, 2, 1, 1, 2])]),
        plain_case("pooled, one only predicted", 3, [flat([0, 0, 0], [0, 0, 2]), flat([1, 1], [1, 2])]),
        plain_case("two absent everywhere", 4, [flat([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1])]),
        plain_case("all ignored", 2, [flat([VOID, VOID], [0, 1])]),
        plain_case("an ignored image among others", 2, [flat([VOID], [1]), flat([0, 1], [0, 0])]),
        plain_case("all wrong", 2, [flat([0, 1], [1, 0])]),
        plain_case("out of range", 3, [flat([0, 1, 2, 2], [0, 9, VOID, 2])]),
        plain_case("regions, 19 classes", 19, [noisy(19, 19, 0.2) for _ in range(3)]),
        plain_case("regions, few of 171 classes", 171, [noisy(12, 171, 0.05) for _ in range(2)]),
        plain_case("ade, 150 classes", 150, [noisy(150, 150, 0.3), noisy(40, 150, 0.1, 0.4)]),
    ]
    boundary = [
        boundary_case("one pixel", 2, 0.02, [(np.zeros((1, 1), int), np.zeros((1, 1), int))]),
        boundary_case("thin", 3, 0.02, [(blobs(1, 40, [0, 1], 5), blobs(1, 40, [0, 1, 2], 5)), (blobs(40, 2, [0, 1], 5), blobs(40, 2, [0, 1], 5))]),
        boundary_case("whole image of one class", 2, 0.1, [(np.ones((20, 30), int), np.ones((20, 30), int))]),
        boundary_case("wider than the image", 2, 1, [(blobs(20, 30, [0, 1], 5), blobs(20, 30, [0, 1], 5))]),
        # 0.02 * 125 = 2.5 and 0.02 * 175 = 3.5: halves round to even.
        boundary_case("half to even", 3, 0.02, [(t := blobs(100, 75, [0, 1, 2, VOID], 9), worse(t % VOID, [0, 1, 2, 5], 0.002)), (t := blobs(105, 140, [0, 1, 2], 9), worse(t, [0, 1, 2], 0.001))]),
        boundary_case("no void, ratio 0.03", 4, 0.03, [(t := blobs(90, 120, [0, 1, 2, 3], 12), worse(t, [0, 1, 2, 3], 0.001))]),
        boundary_case("noise", 3, 0.02, [(rng.integers(0, 3, (30, 40)), rng.integers(0, 4, (30, 40)))]),
    ]
    cityscapes = [
        cityscapes_case("scenes", [cityscapes_image(48, 96, 0.1) for _ in range(3)]),
        cityscapes_case("caravan for car, parking for road", [(np.array([[26, 26, 26, 7, 7, 29, 0]]), np.array([[29, 26, 30, 9, 0, 26, 7]]), np.array([[26001, 26001, 26002, 7, 7, 29001, 0]]))]),
        cityscapes_case("groups only", [(np.array([[24, 24, 33]]), np.array([[24, 25, 33]]), np.array([[24, 24, 33]]))]),
        cityscapes_case("only predicted", [(np.array([[7, 7, 8]]), np.array([[24, 7, 33]]), np.array([[7, 7, 8]]))]),
        cityscapes_case("all ignored", [(np.array([[0, 4]]), np.array([[24, 7]]), np.array([[0, 4]]))]),
        cityscapes_case("train ids", [(np.array([[7, 23, 26, 33]]), np.array([[0, 10, 13, 18]]), np.array([[7, 23, 26001, 33001]]))]),
    ]
    imagenet = [
        imagenet_s_case("objects", 51, [imagenet_s_image(60, 80, 51, 0.01) for _ in range(5)]),
        imagenet_s_case("sizes at the limits", 4, [(np.repeat([[0] * 55 + [1] * 20 + [2] * 25], 10, 0), np.repeat([[0] * 50 + [1] * 30 + [2] * 20], 10, 0)), (np.repeat([[1] * 5 + [2] * 6 + [3] * 89], 10, 0), np.repeat([[1] * 5 + [0] * 6 + [3] * 89], 10, 0)), (np.repeat([[0] * 50 + [1] * 50], 10, 0), np.zeros((10, 100), int))]),
        imagenet_s_case("background only", 3, [(np.zeros((8, 9), int), np.zeros((8, 9), int)), (np.zeros((8, 9), int), np.full((8, 9), 2)), (np.full((4, 5), 1000) - 1000 * np.eye(4, 5, dtype=int), np.full((4, 5), 7))]),
        imagenet_s_case("two largest classes", 4, [(np.array([[0, 2, 2, 0]]), np.array([[1, 2, 0, 0]]))]),
    ]
    return {"plain": plain, "boundary": boundary, "cityscapes": cityscapes, "imagenet_s": imagenet}


def wide():
    r = lambda a, b: int(rng.integers(a, b))
    plain, boundary, cityscapes, imagenet = [], [], [], []
    for k in range(count):
        c = r(2, 40)
        plain.append(plain_case(f"plain {k}", c, [noisy(r(1, c + 1), r(1, c + 5), rng.random() ** 2, rng.random() ** 3, (r(5, 60), r(5, 60))) for _ in range(r(1, 5))]))
        c = r(1, 6)
        images = []
        for _ in range(r(1, 3)):
            t = blobs(r(1, 150), r(1, 150), list(range(c)) + [VOID] * r(0, 2), r(0, 15))
            images.append((t, worse(np.minimum(t, c), list(range(c + 1)), rng.random() ** 6)))
        boundary.append(boundary_case(f"boundary {k}", c, float(rng.choice([0.005, 0.02, 0.03, 0.1])), images))
        labels = sorted(set(rng.choice(34, r(2, 34)).tolist()))
        cityscapes.append(cityscapes_case(f"cityscapes {k}", [cityscapes_image(r(2, 70), r(2, 90), rng.random() ** 2, labels) for _ in range(r(1, 4))]))
        c = r(2, 30)
        imagenet.append(imagenet_s_case(f"imagenet_s {k}", c, [imagenet_s_image(r(4, 90), r(4, 90), c, rng.random() ** 4, r(1, 6)) for _ in range(r(1, 6))]))
    return {"plain": plain, "boundary": boundary, "cityscapes": cityscapes, "imagenet_s": imagenet}


out = out.absolute()
for kind, cases in (wide() if count else recorded()).items():
    (out / (kind + ".json")).write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(kind, len(cases))
