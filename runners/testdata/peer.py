"""Plain CLIP, then CLIP Surgery, in PyTorch on the CPU: the peer that speed and numbers are compared with.

    peer.py MODEL_DIR PIXELS.npy THREADS REPEATS OUT_DIR

MODEL_DIR is a Hugging Face CLIP, PIXELS [1, 3, H, W]. Writes clip.npy and clip_surgery.npy to OUT_DIR and prints
JSON with the best seconds of each forward. Attention is scaled_dot_product_attention, PyTorch's fastest on a CPU.
Needs torch, safetensors and numpy.
"""

import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file


class CLIP:
    def __init__(self, directory):
        self.w = {k: v.float() for k, v in load_file(directory + "/model.safetensors").items()}
        vision = json.load(open(directory + "/config.json"))["vision_config"]
        self.layers, self.heads = vision["num_hidden_layers"], vision["num_attention_heads"]
        self.patch, self.eps = vision["patch_size"], vision["layer_norm_eps"]
        self.quick = vision["hidden_act"] == "quick_gelu"

    def norm(self, x, name):
        w = self.w[name + ".weight"]
        return F.layer_norm(x, w.shape, w, self.w[name + ".bias"], self.eps)

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w.get(name + ".bias"))

    def split(self, x):
        b, n, d = x.shape
        return x.view(b, n, self.heads, d // self.heads).transpose(1, 2)

    def embed(self, pixels):
        x = F.conv2d(pixels, self.w["vision_model.embeddings.patch_embedding.weight"], stride=self.patch)
        rows, cols = x.shape[2:]
        x = x.flatten(2).transpose(1, 2)
        table = self.w["vision_model.embeddings.position_embedding.weight"]
        side = int((len(table) - 1) ** 0.5)
        if (rows, cols) != (side, side):
            grid = table[1:].view(1, side, side, -1).permute(0, 3, 1, 2)
            grid = F.interpolate(grid, size=(rows, cols), mode="bilinear", align_corners=False)
            table = torch.cat([table[:1], grid[0].permute(1, 2, 0).reshape(rows * cols, -1)])
        cls = self.w["vision_model.embeddings.class_embedding"].view(1, 1, -1).expand(len(x), -1, -1)
        return self.norm(torch.cat([cls, x], 1) + table, "vision_model.pre_layrnorm")

    def attend(self, q, k, v, p):
        x = F.scaled_dot_product_attention(q, k, v)
        return self.linear(x.transpose(1, 2).flatten(2), p + "self_attn.out_proj")

    def tokens(self, pixels, depth):
        """Projected tokens of plain CLIP (depth 0), or of CLIP Surgery over the last depth blocks."""
        o = self.embed(pixels)
        n = o
        for i in range(self.layers):
            p = f"vision_model.encoder.layers.{i}."
            if i == self.layers - depth:
                n = o
            h = self.norm(o, p + "layer_norm1")
            q, k, v = (self.split(self.linear(h, p + "self_attn." + s)) for s in ("q_proj", "k_proj", "v_proj"))
            if i >= self.layers - depth:
                n = n + self.attend(v, v, v, p)
            o = o + self.attend(q, k, v, p)
            h = self.linear(self.norm(o, p + "layer_norm2"), p + "mlp.fc1")
            h = h * torch.sigmoid(1.702 * h) if self.quick else F.gelu(h)
            o = o + self.linear(h, p + "mlp.fc2")
        x = torch.cat([o[:, :1], n[:, 1:]], 1) if depth else o
        return self.linear(self.norm(x, "vision_model.post_layernorm"), "visual_projection")


def main():
    directory, pixels, threads, repeats, out = sys.argv[1:]
    torch.set_num_threads(int(threads))
    model, x = CLIP(directory), torch.from_numpy(np.load(pixels))
    seconds = {}
    with torch.inference_mode():
        for name, depth in (("clip", 0), ("clip_surgery", 6)):
            np.save(f"{out}/{name}.npy", model.tokens(x, depth).numpy())  # also warms up
        for _ in range(int(repeats)):
            for name, depth in (("clip", 0), ("clip_surgery", 6)):
                start = time.perf_counter()
                model.tokens(x, depth)
                seconds[name] = min(seconds.get(name, 1e9), time.perf_counter() - start)
    print(json.dumps({"torch": torch.__version__, **seconds}))


main()
