"""Computes a run's scores again from the maps it kept (ovbench run --save maps), in numpy.

    scores.py RUN_DIR VOC_DIR [reduce_zero_label]

Prints JSON {method: {score: value}} with mIoU, mAcc and aAcc, and the share of pixels whose label differs from the
kept label map, for one data set in VOC's layout. Needs numpy and Pillow.
"""

import glob
import json
import os
import sys

import numpy as np
from PIL import Image


def upsample(planes, h, w):
    """Bilinear, half-pixel centres, no antialias, edges clamped: [T, rows, cols] to [T, h, w]."""

    def weights(n, size):
        at = np.maximum((np.arange(n) + 0.5) * size / n - 0.5, 0)
        low = np.minimum(at.astype(int), size - 1)
        return low, np.minimum(low + 1, size - 1), at - low

    y0, y1, fy = weights(h, planes.shape[1])
    x0, x1, fx = weights(w, planes.shape[2])
    rows = planes[:, y0] * (1 - fy)[:, None] + planes[:, y1] * fy[:, None]
    return rows[:, :, x0] * (1 - fx) + rows[:, :, x1] * fx


def main():
    run, voc, reduce_zero = sys.argv[1], sys.argv[2], len(sys.argv) > 3
    out = {}
    for folder in sorted(glob.glob(run + "/maps/*/*")):
        method = os.path.basename(folder)
        total, pixels, differ = 0, 0, 0
        for file in sorted(glob.glob(folder + "/*.npy")):
            planes = np.load(file).astype(np.float64)
            classes = len(planes)
            name = os.path.basename(file)[:-4] + ".png"
            truth = np.asarray(Image.open(f"{voc}/SegmentationClass/{name}")).astype(int)
            if reduce_zero:
                truth = np.where((truth == 0) | (truth == 255), 255, truth - 1)
            labels = upsample(planes, *truth.shape).argmax(0)
            kept = folder.replace("/maps/", "/labels/") + "/" + name
            if os.path.exists(kept):
                differ += (np.asarray(Image.open(kept)) != labels).sum()
            pixels += labels.size
            valid = truth != 255
            total = total + np.bincount(truth[valid] * classes + labels[valid], minlength=classes**2).reshape(classes, classes)
        hit, t, p = np.diag(total), total.sum(1), total.sum(0)
        with np.errstate(invalid="ignore"):
            out[method] = {
                "mIoU": float(np.nanmean(hit / (t + p - hit))),
                "mAcc": float(np.nanmean(hit / t)),
                "aAcc": float(hit.sum() / t.sum()),
                "differ": float(differ / pixels),
            }
    print(json.dumps(out))


if __name__ == "__main__":
    main()
