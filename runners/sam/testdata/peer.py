"""Segment Anything in PyTorch on the CPU: the peer that speed is compared with.

    peer.py SAM.safetensors PIXELS.npy THREADS REPEATS PROMPTS OUT_DIR

SAM.safetensors is a ViT-B with the authors' names, PIXELS [1, 3, 1024, 1024]. Runs the authors' own modules (package
segment_anything), writes embedding.npy to OUT_DIR and prints JSON with the least seconds and CPU seconds of the image
encoder and of the mask decoder for PROMPTS prompts of 20 points, one after the other, and the peak of resident memory in
bytes. Needs torch, torchvision, safetensors, segment_anything and numpy.
"""

import json
import resource
import sys
import time

import numpy as np
import torch
from safetensors.torch import load_file
from segment_anything import sam_model_registry


def least(repeats, run):
    wall, cpu = [], []
    for _ in range(repeats):
        t, c = time.perf_counter(), time.process_time()
        out = run()
        wall.append(time.perf_counter() - t)
        cpu.append(time.process_time() - c)
    return out, {"wall": min(wall), "cpu": min(cpu)}


def main(weights, pixels, threads, repeats, prompts, out):
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    sam = sam_model_registry["vit_b"]()
    sam.load_state_dict(load_file(weights))
    sam.eval()
    x = torch.from_numpy(np.load(pixels))
    embedding, encoder = least(repeats, lambda: sam.image_encoder(x))
    points = torch.rand(1, 20, 2) * 1024
    labels = torch.arange(20)[None] % 2

    def decode():
        for _ in range(prompts):
            sparse, dense = sam.prompt_encoder(points=(points, labels), boxes=None, masks=None)
            sam.mask_decoder(image_embeddings=embedding, image_pe=sam.prompt_encoder.get_dense_pe(),
                             sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense, multimask_output=True)

    _, decoder = least(repeats, decode)
    np.save(out + "/embedding.npy", embedding.numpy())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"encoder": encoder, "decoder": decoder, "memory": memory}))


if __name__ == "__main__":
    w, p, t, r, n, o = sys.argv[1:]
    main(w, p, int(t), int(r), int(n), o)
