"""Both towers of a checkpoint with random weights, as transformers or open_clip compute them.

hf DIR PIXELS IDS OUT             DIR is a CLIPModel; writes image.npy [B, 1+N, E], all tokens, and text.npy [T, n, E], all tokens
open_clip CONFIG PIXELS IDS OUT   makes a model from CONFIG (JSON) in OUT; writes image.npy [B, E] and text.npy [T, E]
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch

kind, source, pixels, ids, out = sys.argv[1], Path(sys.argv[2]), *map(np.load, sys.argv[3:5]), Path(sys.argv[5])
pixels, ids = torch.from_numpy(pixels), torch.from_numpy(ids).long()

with torch.inference_mode():
    if kind == "hf":
        from transformers import CLIPModel

        model = CLIPModel.from_pretrained(source).eval().float()
        hidden = model.vision_model(pixel_values=pixels).last_hidden_state
        image = model.visual_projection(model.vision_model.post_layernorm(hidden))
        text = model.text_projection(model.text_model(input_ids=ids).last_hidden_state)
    else:
        from open_clip.model import CLIP, CustomTextCLIP
        from safetensors.torch import save_file

        torch.manual_seed(7)
        config = json.loads(source.read_text())["model_cfg"]
        model = (CustomTextCLIP if config.pop("custom_text", False) else CLIP)(**config).eval()
        for name, p in model.named_parameters():
            if p.ndim == 1:  # so that norms and biases count
                p.add_(torch.randn_like(p) * 0.1)
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.add_(torch.randn_like(b) * 0.1)
            if name.endswith("running_var"):
                b.mul_(torch.rand_like(b) + 0.5)
        state = {k: v.contiguous().clone() for k, v in model.state_dict().items()}
        save_file(state, out / "open_clip_model.safetensors")
        (out / "open_clip_config.json").write_text(source.read_text())
        image, text = model.encode_image(pixels), model.encode_text(ids)

np.save(out / "image.npy", image.float().numpy())
np.save(out / "text.npy", text.float().numpy())
