"""OpenAI's CLIP with a vision transformer, under the names of Hugging Face's CLIPModel, as small as one likes."""

import json
import math
import struct

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])


def quick_gelu(x):
    return F.silu(1.702 * x) / 1.702  # x sigmoid(1.702 x)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x, causal):
        b, n, w = x.shape
        three = (self.q_proj, self.k_proj, self.v_proj)
        qkv = F.linear(x, torch.cat([m.weight for m in three]), torch.cat([m.bias for m in three]))
        q, k, v = qkv.view(b, n, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4).contiguous().flatten(1, 2)
        # Written out: torch's fused attention takes five times as long backwards in bfloat16 on a CPU.
        a = torch.bmm(q, k.transpose(1, 2) * (w // self.heads) ** -0.5)
        if causal:
            a = a + torch.full((n, n), -math.inf, dtype=a.dtype).triu(1)
        x = torch.bmm(a.softmax(-1, dtype=a.dtype), v)
        return self.out_proj(x.view(b, self.heads, n, -1).transpose(1, 2).reshape(b, n, w))


class MLP(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(quick_gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attn, self.mlp = Attention(width, heads), MLP(width)

    def forward(self, x, causal):
        x = x + self.self_attn(self.layer_norm1(x), causal)
        return x + self.mlp(self.layer_norm2(x))


class Encoder(nn.Module):
    def __init__(self, width, layers, heads):
        super().__init__()
        self.layers = nn.ModuleList(Block(width, heads) for _ in range(layers))

    def forward(self, x, causal=False):
        for block in self.layers:
            x = block(x, causal)
        return x


class Vision(nn.Module):
    def __init__(self, image, patch, width, layers, heads):
        super().__init__()
        self.image, self.patch, self.grid = image, patch, image // patch
        self.embeddings = nn.Module()
        self.embeddings.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.embeddings.patch_embedding = nn.Conv2d(3, width, patch, patch, bias=False)
        self.embeddings.position_embedding = nn.Embedding(1 + self.grid**2, width)
        self.pre_layrnorm, self.post_layernorm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.encoder = Encoder(width, layers, heads)

    def forward(self, pixels, keep=None):
        """pixels: uint8 [B, H, W, 3]; keep: patches to look at [B, K], all if None (Li et al., FLIP, CVPR 2023)."""
        b, g, p = len(pixels), self.grid, self.patch
        x = pixels.view(b, g, p, g, p, 3).permute(0, 1, 3, 5, 2, 4).reshape(b, g * g, 3, p * p)
        position = self.embeddings.position_embedding.weight
        at = position[1:]
        if keep is not None:
            x = x.gather(1, keep[:, :, None, None].expand(-1, -1, 3, p * p))
            at = at[keep]
        x = (x.float() / 255 - MEAN[:, None]) / STD[:, None]
        x = F.linear(x.flatten(2), self.embeddings.patch_embedding.weight.flatten(1)) + at
        cls = (self.embeddings.class_embedding + position[0]).expand(b, 1, -1)
        x = self.encoder(self.pre_layrnorm(torch.cat([cls, x], 1)))
        return self.post_layernorm(x[:, 0])


class Text(nn.Module):
    def __init__(self, vocab, context, width, layers, heads):
        super().__init__()
        self.embeddings = nn.Module()
        self.embeddings.token_embedding = nn.Embedding(vocab, width)
        self.embeddings.position_embedding = nn.Embedding(context, width)
        self.encoder = Encoder(width, layers, heads)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, ids):
        """ids [B, T], padded behind the end token, whose id is the largest."""
        x = self.embeddings.token_embedding(ids) + self.embeddings.position_embedding.weight[: ids.shape[1]]
        x = self.encoder(x, causal=True)
        return self.final_layer_norm(x[torch.arange(len(ids)), ids.argmax(1)])


def waves(grid, width):
    """Where a patch lies as sines and cosines of its row and column (Vaswani et al., 2017), from two patches a wave to four grids:
    a model that sees few pictures need not find out first which patches are neighbours."""
    frequency = 2 * math.pi / torch.logspace(math.log10(2.5), math.log10(4 * grid), width // 4)
    phase = torch.arange(grid)[:, None] * frequency
    one = torch.cat([phase.sin(), phase.cos()], 1)
    rows, columns = one[:, None].expand(-1, grid, -1), one[None].expand(grid, -1, -1)
    return 0.4 * torch.cat([rows, columns], 2).reshape(grid * grid, width)


class CLIP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.shape = c
        self.vision_model = Vision(c["image"], c["patch"], c["width"], c["layers"], c["heads"])
        self.text_model = Text(c["vocab"], c["context"], c["text_width"], c["text_layers"], c["text_heads"])
        self.visual_projection = nn.Linear(c["width"], c["embed"], bias=False)
        self.text_projection = nn.Linear(c["text_width"], c["embed"], bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.reset()

    def reset(self):
        """OpenAI's initialisation, but for positions here, and for patches in whiten."""
        for tower, width, layers in (
            (self.vision_model, self.shape["width"], self.shape["layers"]),
            (self.text_model, self.shape["text_width"], self.shape["text_layers"]),
        ):
            for block in tower.encoder.layers:
                a, m = block.self_attn, block.mlp
                for linear, std in (
                    *((x, width**-0.5) for x in (a.q_proj, a.k_proj, a.v_proj)),
                    *((x, width**-0.5 * (2 * layers) ** -0.5) for x in (a.out_proj, m.fc2)),
                    (m.fc1, (2 * width) ** -0.5),
                ):
                    nn.init.normal_(linear.weight, std=std)
                    nn.init.zeros_(linear.bias)
        nn.init.normal_(self.vision_model.embeddings.position_embedding.weight, std=self.shape["width"] ** -0.5)
        with torch.no_grad():
            self.vision_model.embeddings.position_embedding.weight[1:] = waves(self.vision_model.grid, self.shape["width"])
        nn.init.normal_(self.text_model.embeddings.token_embedding.weight, std=0.02)
        nn.init.normal_(self.text_model.embeddings.position_embedding.weight, std=0.01)
        for linear in (self.visual_projection, self.text_projection):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5)

    @torch.no_grad()
    def whiten(self, pixels):
        """Starts the patch embedding as the principal components of patches of pixels [B, H, W, 3], each scaled to the same spread
        (Jordan, arXiv 2404.00498): random directions see little but the mean colour, and edges are what shapes are known by."""
        conv, p = self.vision_model.embeddings.patch_embedding.weight, self.vision_model.patch
        x = ((pixels.float() / 255 - MEAN) / STD).permute(0, 3, 1, 2)
        x = F.unfold(x, p, stride=p // 2).transpose(1, 2).reshape(-1, 3 * p * p).double()
        x = x - x.mean(0)
        value, vector = torch.linalg.eigh(x.T @ x / len(x))
        value, vector = value.flip(0)[: len(conv)], vector.flip(1)[:, : len(conv)]
        conv.copy_((vector / (value + 0.02).sqrt()).T.reshape(conv.shape))

    def images(self, pixels, keep=None):
        return F.normalize(self.visual_projection(self.vision_model(pixels, keep)).float(), dim=-1)

    def texts(self, ids):
        return F.normalize(self.text_projection(self.text_model(ids)).float(), dim=-1)

    def save(self, folder):
        """Writes model.safetensors in half precision, and config.json."""
        c, header, data, at = self.shape, {"__metadata__": {"format": "pt"}}, [], 0
        for name, t in sorted(self.state_dict().items()):
            raw = t.detach().numpy().astype(np.float16).tobytes()
            header[name] = {"dtype": "F16", "shape": list(t.shape), "data_offsets": [at, at + len(raw)]}
            data.append(raw)
            at += len(raw)
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        temp = folder / "model.safetensors.part"
        temp.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))
        temp.rename(folder / "model.safetensors")
        common = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
        tower = lambda width, layers, heads: {
            "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers, "num_attention_heads": heads,
        }
        config = {
            "architectures": ["CLIPModel"],
            "model_type": "clip",
            "projection_dim": c["embed"],
            "vision_config": tower(c["width"], c["layers"], c["heads"]) | {"image_size": c["image"], "patch_size": c["patch"]} | common,
            "text_config": tower(c["text_width"], c["text_layers"], c["text_heads"])
            | {"vocab_size": c["vocab"], "max_position_embeddings": c["context"]} | common
            | {"bos_token_id": c["vocab"] - 2, "eos_token_id": c["vocab"] - 1},
        }
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def load(folder):
    """Reads back what save wrote."""
    config = json.loads((folder / "config.json").read_text())
    v, t = config["vision_config"], config["text_config"]
    net = CLIP(dict(
        image=v["image_size"], patch=v["patch_size"], width=v["hidden_size"], layers=v["num_hidden_layers"], heads=v["num_attention_heads"],
        vocab=t["vocab_size"], context=t["max_position_embeddings"], text_width=t["hidden_size"], text_layers=t["num_hidden_layers"],
        text_heads=t["num_attention_heads"], embed=config["projection_dim"],
    ))
    raw = (folder / "model.safetensors").read_bytes()
    (n,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8 : 8 + n]), raw[8 + n :]
    del header["__metadata__"]
    array = lambda x: np.frombuffer(data[slice(*x["data_offsets"])], np.float16).astype(np.float32).reshape(x["shape"])
    net.load_state_dict({name: torch.from_numpy(array(x)) for name, x in header.items()})
    return net
