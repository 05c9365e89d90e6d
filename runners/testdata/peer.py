"""Methods in PyTorch on the CPU: the peer that speed and numbers are compared with.

    peer.py MODEL_DIR PIXELS.npy THREADS REPEATS f32|bf16 OUT_DIR METHOD...

MODEL_DIR is a Hugging Face CLIP, PIXELS [1, 3, H, W]. Each method runs alone, as its paper's code does, and all together in one pass
that shares whatever they have in common, the best that one can write. Writes <method>.npy of both to OUT_DIR and prints JSON: the
seconds of the processor and of the clock that each repeat took, by method, and "one pass". Positions are bilinear throughout. Attention
is scaled_dot_product_attention, PyTorch's fastest on a CPU; a method computes nothing twice. Needs torch, safetensors and numpy.
"""

import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file


class CLIP:
    def __init__(self, directory, dtype):
        self.w = {k: v.to(dtype) for k, v in load_file(directory + "/model.safetensors").items()}
        vision = json.load(open(directory + "/config.json"))["vision_config"]
        self.layers, self.heads = vision["num_hidden_layers"], vision["num_attention_heads"]
        self.patch, self.eps = vision["patch_size"], vision["layer_norm_eps"]
        self.quick = vision["hidden_act"] == "quick_gelu"
        self.gaussians = {}

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

    def attend(self, q, k, v, p, **options):
        x = F.scaled_dot_product_attention(q, k, v, **options)
        return self.out(x, p)

    def out(self, x, p):
        return self.linear(x.transpose(1, 2).flatten(2), p + "self_attn.out_proj")

    def qkv(self, h, p):
        return (self.split(self.linear(h, p + "self_attn." + s)) for s in ("q_proj", "k_proj", "v_proj"))

    def mlp(self, x, p):
        h = self.linear(self.norm(x, p + "layer_norm2"), p + "mlp.fc1")
        h = h * torch.sigmoid(1.702 * h) if self.quick else F.gelu(h)
        return self.linear(h, p + "mlp.fc2")

    def project(self, x):
        return self.linear(self.norm(x, "vision_model.post_layernorm"), "visual_projection")

    def tokens(self, pixels, method):
        """Projected tokens of one method."""
        o = self.embed(pixels)
        second = {"clip_surgery": 6, "gem": 6}.get(method, 0)  # blocks with a second path
        last = self.layers - (method not in ("clip", "clip_surgery", "gem"))
        n = o
        for i in range(last):
            p = f"vision_model.encoder.layers.{i}."
            if i == self.layers - second:
                n = o
            h = self.norm(o, p + "layer_norm1")
            q, k, v = self.qkv(h, p)
            if i >= self.layers - second:
                n = n + (self.attend(v, v, v, p) if method == "clip_surgery" else self.gem(h, q, k, v, p))
                if i == last - 1 and method == "gem":
                    break  # its second path has a class token of its own
            o = o + self.attend(q, k, v, p)
            o = o + self.mlp(o, p)
        if method == "clip":
            return self.project(o)
        if method == "clip_surgery":
            return self.project(torch.cat([o[:, :1], n[:, 1:]], 1))
        if method == "gem":
            return self.project(n)
        p = f"vision_model.encoder.layers.{last}."
        q, k, v = self.qkv(self.norm(o, p + "layer_norm1"), p)
        sdpa = F.scaled_dot_product_attention
        if method == "maskclip":
            x = self.out(v, p)
        elif method == "sclip":
            x = self.out(sdpa(q, q, v) + sdpa(k, k, v), p)
        elif method == "clearclip":
            return self.project(self.attend(q, q, v, p))
        elif method == "naclip":
            return self.project(self.attend(k, k, v, p, attn_mask=self.neighbourhood(pixels)))
        o = o + x
        return self.project(o + self.mlp(o, p))

    def one_pass(self, pixels, methods):
        """Projected tokens of many methods: one trunk, second paths beside it, last blocks behind it."""
        o, n, g, out = self.embed(pixels), None, None, {}
        sdpa = F.scaled_dot_product_attention
        for i in range(self.layers):
            p = f"vision_model.encoder.layers.{i}."
            if i == self.layers - 6:
                n = g = o
            h = self.norm(o, p + "layer_norm1")
            q, k, v = self.qkv(h, p)
            if i >= self.layers - 6 and "clip_surgery" in methods:
                n = n + self.attend(v, v, v, p)
            if i >= self.layers - 6 and "gem" in methods:
                g = g + self.gem(h, q, k, v, p)
            if i == self.layers - 1:
                qq = sdpa(q, q, v) if {"sclip", "clearclip"} & set(methods) else None
                x = {"maskclip": lambda: self.out(v, p), "sclip": lambda: self.out(qq + sdpa(k, k, v), p)}
                for name in x:
                    if name in methods:
                        y = o + x[name]()
                        out[name] = self.project(y + self.mlp(y, p))
                if "clearclip" in methods:
                    out["clearclip"] = self.project(self.out(qq, p))
                if "naclip" in methods:
                    out["naclip"] = self.project(self.attend(k, k, v, p, attn_mask=self.neighbourhood(pixels)))
            o = o + self.attend(q, k, v, p)
            o = o + self.mlp(o, p)
        out["clip"] = self.project(o)
        if "clip_surgery" in methods:
            out["clip_surgery"] = self.project(torch.cat([o[:, :1], n[:, 1:]], 1))
        if "gem" in methods:
            out["gem"] = self.project(g)
        return out

    def gem(self, h, q, k, v, p):
        temperature = h.norm(dim=-1).mean() * q.shape[-1] ** -0.5
        total = 0
        for z in (v, k, q):
            z = F.normalize(z, dim=-1) * temperature.sqrt()
            z = F.normalize(F.scaled_dot_product_attention(z, z, z, scale=1.0), dim=-1) * temperature.sqrt()
            total = total + F.scaled_dot_product_attention(z, z, v, scale=1.0)
        return self.out(total / 3, p)

    def neighbourhood(self, pixels, sigma=5.0):
        rows, cols = pixels.shape[2] // self.patch, pixels.shape[3] // self.patch
        if (rows, cols) not in self.gaussians:
            y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
            at = torch.stack([y.flatten(), x.flatten()], 1).float()
            self.gaussians[rows, cols] = F.pad(torch.exp(-torch.cdist(at, at) ** 2 / (2 * sigma**2)), (1, 0, 1, 0))[None, None].to(pixels.dtype)
        return self.gaussians[rows, cols]


def timed(run):
    cpu, clock = time.process_time(), time.perf_counter()
    out = run()
    return out, [time.process_time() - cpu, time.perf_counter() - clock]


def main():
    directory, pixels, threads, repeats, precision, out, *methods = sys.argv[1:]
    torch.set_num_threads(int(threads))
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[precision]
    model, x = CLIP(directory, dtype), torch.from_numpy(np.load(pixels)).to(dtype)
    seconds = {name: [] for name in [*methods, "one pass"]}
    with torch.inference_mode():
        together = model.one_pass(x, methods)  # also warms up
        for _ in range(int(repeats)):
            for name in methods:
                alone, took = timed(lambda: model.tokens(x, name))
                seconds[name].append(took)
            together, took = timed(lambda: model.one_pass(x, methods))
            seconds["one pass"].append(took)
        for name in methods:
            np.save(f"{out}/{name}.npy", model.tokens(x, name).float().numpy())
            np.save(f"{out}/{name} in one pass.npy", together[name].float().numpy())
    print(json.dumps({"torch": torch.__version__, "seconds": seconds}))


main()
