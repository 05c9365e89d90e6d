"""Checks an exported model with onnx.checker and runs it in Python's onnxruntime.

    export.py MODEL.onnx PIXELS.npy TOKENS.npy...      one file of expected tokens per output, in order

PIXELS are normalised as CLIP's; the model takes pictures, 0..255.

Prints the largest relative difference. Needs numpy, onnx and onnxruntime.
"""

import sys

import numpy as np
import onnx
import onnxruntime

path, pixels, expected = sys.argv[1], sys.argv[2], sys.argv[3:]
onnx.checker.check_model(path)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
mean, std = np.array([[0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]])[:, None, :, None, None]
picture = (255 * (np.load(pixels) * std + mean)).astype(np.float32)
outputs = session.run(None, {"pixels": picture})
assert len(outputs) == len(expected), (len(outputs), len(expected))
worst = 0.0
for got, file in zip(outputs, expected):
    want = np.load(file)
    assert got.shape == want.shape, (got.shape, want.shape)
    worst = max(worst, float(np.abs(got - want).max() / np.abs(want).max()))
print(worst)
