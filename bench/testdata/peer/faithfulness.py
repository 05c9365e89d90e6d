"""Deletion and insertion of RISE, and the insertion of Grad-ECLIP, again, in numpy, torch and onnxruntime.

    faithfulness.py RUN_DIR MODEL.onnx TEXTS.npy    # a run of voc21 with --save maps and all panels; cosines [B, 1+N, T] of plain CLIP

Prints JSON {method: {"deletion": AUC, "insertion": AUC, "grad-eclip insertion": AUC}}, means over the images.
"""

import glob
import json
import os
import sys

try:
    import numpy as np
    import onnxruntime
    import torch
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    from scores import upsample
except ImportError as e:
    print(e, file=sys.stderr)
    sys.exit(3)

run, model, texts = sys.argv[1:]
results = json.load(open(run + "/results.json"))
texts = np.load(texts).astype(np.float32)
texts /= np.linalg.norm(texts, axis=1, keepdims=True)
session = onnxruntime.InferenceSession(model)
side = session.get_inputs()[0].shape[2]
mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)[:, None, None]
std = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)[:, None, None]


def surgery(tokens, form):
    if form == "none":
        return tokens
    w = np.exp(2 * (tokens[0] - tokens[0].max()))
    w = w / w.mean()
    return w * tokens - (w * tokens).mean(1, keepdims=True)


def probabilities(image):
    cos = session.run(None, {"pixels": image[None].astype(np.float32), "texts": texts})[0][0, 0, 1:].astype(np.float64)
    p = np.exp(100 * (cos - cos.max()))  # class 0, the background, is not asked
    return p / p.sum()


# RISE's substrate of insertion: its kernel and its convolution.
line = np.zeros((11, 11))
line[5, 5] = 1
kernel = np.zeros((3, 3, 11, 11))
for c in range(3):
    kernel[c, c] = gaussian_filter(line, 5)
blur = lambda x: torch.nn.functional.conv2d(torch.from_numpy(x[None]), torch.from_numpy(kernel).float(), padding=5)[0].numpy()


def curve(start, finish, order, points, score):
    out = []
    for k in points:
        x = start.reshape(3, -1).copy()
        x[:, order[:k]] = finish.reshape(3, -1)[:, order[:k]]
        out.append(score(x.reshape(start.shape)))
    return out


auc = lambda y: (sum(y) - y[0] / 2 - y[-1] / 2) / (len(y) - 1)
out = {}
for m in results["methods"]:
    rows = []
    for file in sorted(glob.glob(f"{run}/maps/voc21/{m['name']}/*.npy")):
        patches, cls = np.load(file).astype(np.float64), np.load(file.replace("/maps/", "/cls/")).astype(np.float64)
        # The picture as the run decoded it: decoders of JPEG differ by a few grey levels.
        picture = Image.open(f"{run}/panels/voc21/{os.path.basename(file)[:-4]}/image.png").convert("RGB")
        picture = picture.resize((side, picture.height), Image.BICUBIC).resize((side, side), Image.BICUBIC)  # Pillow 13 may begin with the height
        x = (np.asarray(picture, np.float32).transpose(2, 0, 1) / 255 - mean) / std
        c = probabilities(x).argmax()
        tokens = surgery(np.concatenate([cls[None], patches.reshape(len(patches), -1).T]), m["params"]["redundant"])
        heat = tokens[1:, c + 1].reshape(1, *patches.shape[1:])
        heat = upsample((heat - heat.min()) / (heat.max() - heat.min()), side, side)[0].astype(np.float32).ravel()
        order = np.argsort(heat, kind="stable")[::-1]
        n = side * side
        points = [*range(0, n, max(224, -(-n // 224))), n]
        p = lambda image: probabilities(image)[c]
        hit = lambda image: float(probabilities(image).argmax() == c)
        black = np.broadcast_to(-mean / std, x.shape)
        rows.append({
            "deletion": auc(curve(x, 0 * x, order, points, p)),
            "insertion": auc(curve(blur(x), x, order, points, p)),
            "grad-eclip insertion": auc(curve(black, x, order, [10 * k * max(1, n // 200) for k in range(1, 11)] + [n], hit)),
        })
    out[m["name"]] = {k: float(np.mean([r[k] for r in rows])) for k in rows[0]}
print(json.dumps(out))
