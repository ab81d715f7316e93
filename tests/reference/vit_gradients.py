"""Every gradient of ViT-B/16 against PyTorch's, from the same weights and images.

    python3 vit_gradients.py FOLDER NNC

An optimizer that gives the gradient as the new parameter leaves all of them in a checkpoint of one step. Prints the
farthest, relative to the length of its tensor; status 1 if that is beyond 1e-4. Needs PyTorch.
"""
import json
import os
import struct
import subprocess
import sys

import torch

import networks

NAME, SIDE = "vit_b_16", 64
PROGRAM = """import "ZOO/vit.nn"

data images = idx("64.idx") |> shuffle(false)
layer gradient_of(w: T[...], g: T[...]) -> T[...] { g }

train {
  data: images;  batch: 2;  steps: 1
  load: "vit_b_16.safetensors"
  save: every(1, to: "gradients.safetensors")
  step (x) { minimize reduce_mean(vit_b_16(x) ** 2) over vit_b_16 using gradient_of }
}
"""


def read(path):
    """Names and tensors of f32 in a safetensors file."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), bytearray(file.read())
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            yield name, torch.frombuffer(data[begin:end], dtype=torch.float32).reshape(entry["shape"])


def gradients():
    torch.manual_seed(1)
    net = networks.Chain(NAME, *networks.NETWORKS[NAME][1]())
    networks.randomise(net, torch.randn(6, 3, SIDE, SIDE))
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    net.double()
    (net(images.double()) ** 2).mean().backward()
    for p in net.parameters():
        p.data = p.grad
    return dict(networks.tensors(net, NAME))


def main(folder, nnc):
    zoo = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/zoo")
    networks.write(folder, NAME)
    with open(os.path.join(folder, "gradients.nn"), "w") as out:
        out.write(PROGRAM.replace("ZOO", zoo))
    subprocess.run([nnc, "run", "gradients.nn", "--set", f"side={SIDE}"], cwd=folder, check=True)
    expected, farthest, seen = gradients(), (0.0, ""), set()
    for name, found in read(os.path.join(folder, "gradients.safetensors")):
        right = expected[name].detach()
        farthest = max(farthest, (((found.double() - right).norm() / right.norm()).item(), name))
        seen.add(name)
    print(f"{len(seen)} gradients, the farthest {farthest[1]}: {farthest[0]:.2g}")
    return seen == set(expected) and farthest[0] < 1e-4


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
