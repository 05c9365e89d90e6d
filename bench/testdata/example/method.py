"""A method of one's own, in Python, for ovbench to score.

    ovbench export --model demo --method clip --similarities --out clip.onnx
    ovbench encode text sofa cat --model demo --templates surgery85 --out texts.npy
    python method.py clip.onnx texts.npy pictures/images 96 predictions --smooth 1
    ovbench import mine.yaml --pred predictions --as smoothed --out out/smoothed
    ovbench compare out/mine out/smoothed --methods clip,smoothed

The method: neighbours mostly belong to one thing, so each patch takes on a share of the mean of the 3 x 3 around it. What
is written is one array of scores [words, rows, cols] for each picture, under the picture's name.
"""

import argparse
import pathlib

import numpy as np
import onnxruntime
from PIL import Image

p = argparse.ArgumentParser()
p.add_argument("model", help="graph with the inputs pixels and texts")
p.add_argument("texts", help="embeddings of the words [words, E]")
p.add_argument("pictures", type=pathlib.Path)
p.add_argument("size", type=int, help="side of the network's input, as the suite's protocol has it")
p.add_argument("out", type=pathlib.Path)
p.add_argument("--smooth", type=float, default=1, help="share of the mean of the neighbourhood")
a = p.parse_args()

session = onnxruntime.InferenceSession(a.model)
texts = np.load(a.texts)
a.out.mkdir(parents=True, exist_ok=True)
for path in sorted(a.pictures.iterdir()):
    picture = Image.open(path).convert("RGB").resize((a.size, a.size), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture, np.float32).transpose(2, 0, 1)[None]  # [1, 3, size, size], 0..255: the graph normalises
    cosines = session.run(None, {"pixels": pixels, "texts": texts})[0][0, 1:]  # [patches, words], without the class token
    side = int(len(cosines) ** 0.5)
    maps = cosines.T.reshape(len(texts), side, side)
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode="edge")
    mean = sum(padded[:, y : y + side, x : x + side] for y in range(3) for x in range(3)) / 9
    np.save(a.out / f"{path.stem}.npy", maps + a.smooth * (mean - maps))
