"""Makes the small checkpoints beside this script, and expected.json: what torch itself reads from them.

    python make.py          # torch 2.15, safetensors 0.8

Every file holds a few tensors of a few numbers. expected.json maps file -> tensor -> {dtype, shape,
values in row-major order}, as torch.load, torch.jit.load or safetensors return them.
"""
import argparse
import collections
import json
import os
import warnings

import safetensors.torch
import torch
from torch import nn

warnings.simplefilter("ignore")
os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(0)
expected = {}


def record(name, tensors):
    expected[name] = {
        k: {"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape), "values": t.detach().double().flatten().tolist()}
        for k, t in tensors.items()
    }


def save(name, obj, tensors=None, **options):
    torch.save(obj, name, **options)
    record(name, obj if tensors is None else tensors)


plain = {"a.weight": torch.randn(2, 3), "a.bias": torch.randn(3), "scale": torch.tensor(4.25)}

# wrappers
save("plain.pt", plain)
save("ordered.pt", collections.OrderedDict(plain))
save("protocol4.pt", plain, pickle_protocol=4)
save("wrapped.pt", {"epoch": 3, "state_dict": plain}, plain)
save("module.pt", {"state_dict": {"module." + k: v for k, v in plain.items()}}, plain)
save("partly_module.pt", {"module.a": plain["a.bias"], "b": plain["scale"]})

# a training checkpoint: optimizer, scheduler, random state, options, and a class nobody else has
net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
optimizer = torch.optim.AdamW(net.parameters())
net(torch.randn(4, 3)).sum().backward()
optimizer.step()


class Recorder:
    def __init__(self):
        self.losses, self.best, self.tensor = [0.5, 0.25], {1, 2}, torch.ones(2)


save("training.pt", {
    "epoch": 7, "name": "vit", "args": argparse.Namespace(lr=1e-3, layers=[1, 2], big=1 << 80, small=-5, data=b"\x00\xff"),
    "state_dict": net.state_dict(), "optimizer": optimizer.state_dict(), "recorder": Recorder(),
    "rng": torch.get_rng_state(), "history": [(0, 0.5), (1, 0.25)], "frozen": frozenset({"a"}),
}, net.state_dict())

# element types
types = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
numbers = {str(t).removeprefix("torch."): torch.tensor([0, 1, 2, 100]).to(t) for t in types}
save("types.pt", numbers)
safetensors.torch.save_file(numbers, "types.safetensors", metadata={"format": "pt", "note": "ten types"})
record("types.safetensors", numbers)

# windows on storages
base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
save("views.pt", {
    "base": base, "transposed": base.T, "offset": base[1:3], "columns": base[:, 1:6:2], "expanded": base[:1].expand(3, 6),
    "empty": base[:0], "scalar": base[2, 3], "permuted": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
    "diagonal": base[:4, :4].diagonal(),
})

# tied weights, parameters, buffers and tensors with attributes
shared = nn.Parameter(torch.randn(2, 2))
noted = torch.randn(2)
noted.note = "an attribute"
with_state = nn.Parameter(torch.randn(2))
with_state.note = "an attribute"
save("parameters.pt", {"tied.a": shared, "tied.b": shared, "buffer": nn.Buffer(torch.randn(3)), "noted": noted, "with_state": with_state})


# TorchScript: nested modules, a tied child, a buffer, halves, attributes that are no tensors
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x):
        return self.norm(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.again = self.blocks[0]
        self.narrow = nn.Parameter(torch.randn(2, 1).half())
        self.register_buffer("input_resolution", torch.tensor(224))
        self.sizes = [1, 2]

    def forward(self, x):
        for b in self.blocks:
            x = b(x)
        return x + self.narrow.float().T


script = torch.jit.script(Net().eval())
torch.jit.save(script, "script.pt")
record("script.pt", torch.jit.load("script.pt").state_dict())

# shards
os.makedirs("sharded", exist_ok=True)
safetensors.torch.save_file({"a.weight": plain["a.weight"], "unmapped": torch.ones(1)}, "sharded/model-00001-of-00002.safetensors")
safetensors.torch.save_file({"a.bias": plain["a.bias"], "scale": plain["scale"]}, "sharded/model-00002-of-00002.safetensors")
first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
with open("sharded/model.safetensors.index.json", "w") as f:
    json.dump({"metadata": {"total_size": 40, "nested": {"kept": False}}, "weight_map": {"a.bias": second, "a.weight": first, "scale": second}}, f, indent=1)
record("sharded", plain)

# what is refused
torch.save(plain, "refused_legacy.pt", _use_new_zipfile_serialization=False)
torch.save({"w": torch.ones(2).to(torch.float8_e4m3fn)}, "refused_float8.pt")
torch.save({"w": torch.ones(2, dtype=torch.complex64)}, "refused_complex.pt")
torch.save({"w": torch.eye(2).to_sparse()}, "refused_sparse.pt")
torch.save({"w": torch.ones(2, dtype=torch.complex64).conj().imag}, "refused_negated.pt")
torch.save(net, "refused_module.pt")
torch.save(torch.ones(2), "refused_tensor.pt")
torch.save({"epoch": 1, "weights": plain}, "weights.pt") # read as plain.pt is

for name in "types.safetensors", "sharded/" + first, "sharded/" + second:
    os.chmod(name, 0o644)  # safetensors writes for the owner alone

with open("expected.json", "w") as f:
    json.dump(expected, f, indent=1)
    f.write("\n")
