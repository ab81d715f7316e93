"""Networks for images by another system: weights as checkpoints of ours, images, and PyTorch's logits for them.

    python3 networks.py FOLDER NAME...    without a NAME: the small ones of networks.nn, which are kept in networks/

For each NAME: NAME.safetensors, NAME.csv (what `nnc predict` should print, computed in double precision) and, shared
by networks of one size, SIDE.idx (images, f32 [n, h, w, c]); of small_vit its weights as torchvision would save them,
too, torchvision.safetensors. Weights are random, from a fixed seed; stored means and variances are those of other
images, and off by a random amount. Needs PyTorch, not torchvision: the networks are written out here. Their modules
have the names that nnc gives to the calls in a body: the layer's, and how many of it came before.
"""
import json
import os
import re
import struct
import sys
from collections import Counter, OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

# ---- modules

CALLED = {nn.Conv2d: "conv2d", nn.BatchNorm2d: "batch_norm", nn.LayerNorm: "layer_norm", nn.Linear: "dense",
          nn.TransformerEncoderLayer: "transformer_encoder_layer"}


def numbered(modules):
    seen, named = Counter(), OrderedDict()
    for module in modules:
        layer = getattr(module, "layer", None) or CALLED.get(type(module), "plain")
        named[f"{layer}_{seen[layer]}"] = module
        seen[layer] += 1
    return named


class Chain(nn.Sequential):
    """The body of a layer of that name: modules one after the other."""

    def __init__(self, layer, *modules):
        super().__init__(numbered(modules))
        self.layer = layer


class Residual(Chain):
    """around(x) is added to what the others make of x."""

    def __init__(self, layer, *modules, around):
        super().__init__(layer, *modules, around)

    def forward(self, x):
        *inner, around = self.children()
        y = x
        for module in inner:
            y = module(y)
        return y + around(x)


class DenseLayer(Chain):
    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)


class SqueezeExcite(nn.Module):
    layer = "squeeze_excite"

    def __init__(self, channels, reduced, activation):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, reduced, 1), nn.Conv2d(reduced, channels, 1)
        self.activation = activation()

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(self.activation(self.fc1(x.mean((2, 3), keepdim=True)))))


class ChannelNorm(nn.LayerNorm):
    layer = "layer_norm"

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class ConvNextBlock(nn.Module):
    layer = "convnext_block"

    def __init__(self, c):
        super().__init__()
        self.depthwise_conv2d_0 = nn.Conv2d(c, c, 7, padding=3, groups=c)
        self.layer_norm_0 = nn.LayerNorm(c, 1e-6)
        self.dense_0, self.dense_1 = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)
        self.scale = nn.Parameter(torch.ones(c))

    def forward(self, x):
        y = self.layer_norm_0(self.depthwise_conv2d_0(x).movedim(1, -1))
        return x + (self.scale * self.dense_1(F.gelu(self.dense_0(y)))).movedim(-1, 1)


class Last(nn.Module):
    """Channels from first to last; with `flat`, places as one dimension."""

    def __init__(self, flat=False):
        super().__init__()
        self.flat = flat

    def forward(self, x):
        return x.flatten(2).mT if self.flat else x.movedim(1, -1)


class Token(nn.Module):
    """A class token before the places, and what tells them apart: parameters of the body and of learned_positions."""

    def __init__(self, width, places):
        super().__init__()
        self.class_token = nn.Parameter(torch.randn(1, width))
        self.positions = nn.Parameter(0.2 * torch.randn(places + 1, width))

    def forward(self, x):
        return torch.cat([self.class_token.expand(len(x), 1, -1), x], 1) + self.positions


class First(nn.Module):
    def forward(self, x):
        return x[:, 0]


class WindowAttention(nn.Module):
    """A picture [n, h, w, c] is filled up to whole windows and turned by half of one; what came from another edge is
    marked by a number a region."""

    layer = "window_attention"

    def __init__(self, c, heads, window, shift):
        super().__init__()
        self.bias = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads))
        self.qkv, self.proj = nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.heads, self.window, self.shift = heads, window, shift

    def relative(self):
        places = torch.stack(torch.meshgrid(*[torch.arange(self.window)] * 2, indexing="ij")).flatten(1)
        down, right = places[:, :, None] - places[:, None, :] + self.window - 1
        return self.bias[down * (2 * self.window - 1) + right].movedim(-1, 0)

    def windows(self, x):
        w = self.window
        n, tall, wide, c = x.shape
        return x.view(n, tall // w, w, wide // w, w, c).transpose(2, 3).reshape(n, -1, w * w, c)

    def forward(self, x):
        n, h, width, c = x.shape
        w = self.window
        x = F.pad(x, (0, 0, 0, -width % w, 0, -h % w))
        tall, wide = x.shape[1:3]
        shifts = [0 if w >= size else self.shift for size in (tall, wide)]
        regions = torch.zeros(1, tall, wide, 1)
        for i, rows in enumerate((slice(0, -w), slice(-w, -shifts[0] or tall), slice(-shifts[0] or tall, None))):
            for k, columns in enumerate((slice(0, -w), slice(-w, -shifts[1] or wide), slice(-shifts[1] or wide, None))):
                regions[:, rows, columns] = 3 * i + k
        regions = self.windows(regions)
        x = self.windows(torch.roll(x, [-s for s in shifts], (1, 2)))
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        scores = q @ k.mT / q.shape[-1] ** 0.5 + self.relative()
        scores = scores.masked_fill((regions != regions.mT)[:, :, None], -100)
        x = self.proj((scores.softmax(-1) @ v).transpose(2, 3).flatten(3))
        x = x.view(n, tall // w, wide // w, w, w, c).transpose(2, 3).reshape(n, tall, wide, c)
        return torch.roll(x, shifts, (1, 2))[:, :h, :width]


class SwinBlock(nn.Module):
    layer = "swin_block"

    def __init__(self, c, heads, window, shift):
        super().__init__()
        self.layer_norm_0, self.layer_norm_1 = nn.LayerNorm(c), nn.LayerNorm(c)
        self.window_attention_0 = WindowAttention(c, heads, window, shift)
        self.feed_forward_0 = Chain("feed_forward", nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c))

    def forward(self, x):
        x = x + self.window_attention_0(self.layer_norm_0(x))
        return x + self.feed_forward_0(self.layer_norm_1(x))


class PatchMerging(nn.Module):
    layer = "patch_merging"

    def __init__(self, c):
        super().__init__()
        self.layer_norm_0, self.dense_0 = nn.LayerNorm(4 * c), nn.Linear(4 * c, 2 * c, bias=False)

    def forward(self, x):
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        parts = [x[:, i % 2::2, i // 2::2] for i in range(4)]
        return self.dense_0(self.layer_norm_0(torch.cat(parts, -1)))


class Pool(nn.Module):
    def __init__(self, axes=(2, 3)):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.mean(self.axes)


class DenseOfImage(nn.Linear):
    """Of a flattened image, which PyTorch has channels first."""

    layer = "dense"

    def __init__(self, channels, side, outputs):
        super().__init__(channels * side * side, outputs)
        self.image = channels, side, side


# ---- blocks


def conv_norm(inputs, channels, kernel, stride=1, groups=1, activation=nn.ReLU):
    conv = nn.Conv2d(inputs, channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return Chain("conv_norm", conv, nn.BatchNorm2d(channels), *([activation()] if activation else []))


def shortcut(inputs, channels, stride):
    same = stride == 1 and inputs == channels
    return nn.Identity() if same else Chain("shortcut", conv_norm(inputs, channels, 1, stride, activation=None))


def basic_block(inputs, channels, stride):
    inner = conv_norm(inputs, channels, 3, stride), conv_norm(channels, channels, 3, activation=None)
    return [Residual("basic_block", *inner, around=shortcut(inputs, channels, stride)), nn.ReLU()], channels


def bottleneck(inputs, channels, stride):
    inner = (conv_norm(inputs, channels, 1), conv_norm(channels, channels, 3, stride),
             conv_norm(channels, 4 * channels, 1, activation=None))
    return [Residual("bottleneck", *inner, around=shortcut(inputs, 4 * channels, stride)), nn.ReLU()], 4 * channels


def inverted_residual(inputs, channels, widened, kernel=3, stride=1, activation=nn.ReLU6, squeeze=0):
    inner = [conv_norm(inputs, widened, 1, activation=activation)] if widened != inputs else []
    inner.append(conv_norm(widened, widened, kernel, stride, widened, activation))
    inner += [SqueezeExcite(widened, squeeze, activation)] if squeeze else []
    inner.append(conv_norm(widened, channels, 1, activation=None))
    if stride == 1 and inputs == channels:
        return Residual("inverted_residual", *inner, around=nn.Identity())
    return Chain("inverted_residual", *inner)


def vgg_stage(inputs, channels, count):
    convs = [(nn.Conv2d(channels if i else inputs, channels, 3, padding=1), nn.ReLU()) for i in range(count)]
    return Chain("vgg_stage", *sum(convs, ()), nn.MaxPool2d(2))


# ---- networks


def residual(block, widths, counts, classes):
    """The stem is as wide as the first stage."""
    channels = widths[0]
    parts = [conv_norm(3, channels, 7, 2), nn.MaxPool2d(3, 2, 1)]
    for i, (width, count) in enumerate(zip(widths, counts)):
        for k in range(count):
            made, channels = block(channels, width, 2 if k == 0 and i > 0 else 1)
            parts += made
    return [*parts, Pool(), nn.Linear(channels, classes)]


def vgg_features(widths, counts):
    return [vgg_stage(*row) for row in zip([3, *widths], widths, counts)]


def vgg_top(channels, side, hidden, classes):
    return [nn.AdaptiveAvgPool2d(side), nn.Flatten(), DenseOfImage(channels, side, hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes)]


def inverted(stem, rows, last, activation, excite):
    """Rows: how many times wider inside, channels, blocks, stride of the first, kernel."""
    parts, inputs = [conv_norm(3, stem, 3, 2, activation=activation)], stem
    for times, channels, count, stride, kernel in rows:
        for i in range(count):
            squeeze = max(1, inputs // 4) if excite else 0
            parts.append(inverted_residual(inputs, channels, times * inputs, kernel, 1 if i else stride, activation,
                                           squeeze))
            inputs = channels
    return [*parts, conv_norm(inputs, last, 1, activation=activation), Pool()]


def densenet(counts, growth, stem, classes):
    parts, c = [conv_norm(3, stem, 7, 2), nn.MaxPool2d(3, 2, 1)], stem
    for i, count in enumerate(counts):
        if i > 0:
            narrowed = nn.Conv2d(c, c // 2, 1, bias=False)
            parts.append(Chain("transition", nn.BatchNorm2d(c), nn.ReLU(), narrowed, nn.AvgPool2d(2)))
            c //= 2
        for _ in range(count):
            parts.append(DenseLayer(
                "dense_layer", nn.BatchNorm2d(c), nn.ReLU(), nn.Conv2d(c, 4 * growth, 1, bias=False),
                nn.BatchNorm2d(4 * growth), nn.ReLU(), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)))
            c += growth
    return Chain("densenet", *parts, nn.BatchNorm2d(c), nn.ReLU(), Pool(), nn.Linear(c, classes))


def convnext(widths, counts, classes):
    parts = [nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0], 1e-6)]
    for i, (c, count) in enumerate(zip(widths, counts)):
        if i > 0:
            parts += [ChannelNorm(widths[i - 1], 1e-6), nn.Conv2d(widths[i - 1], c, 2, 2)]
        parts += [ConvNextBlock(c) for _ in range(count)]
    return Chain("convnext", *parts, Pool(), nn.LayerNorm(widths[-1], 1e-6), nn.Linear(widths[-1], classes))


def vit(side, patch, width, depth, heads, classes):
    parts = [Chain("patch_embedding", nn.Conv2d(3, width, patch, patch)), Last(flat=True), Token(width, (side // patch) ** 2)]
    parts += [nn.TransformerEncoderLayer(width, heads, 4 * width, 0, F.gelu, 1e-6, True, True) for _ in range(depth)]
    return Chain("vit", *parts, nn.LayerNorm(width, 1e-6), First(), nn.Linear(width, classes))


def swin(width, depths, heads, classes, window):
    parts, c = [nn.Conv2d(3, width, 4, 4), Last(), nn.LayerNorm(width)], width
    for i, depth in enumerate(depths):
        if i > 0:
            parts.append(PatchMerging(c))
            c *= 2
        parts += [SwinBlock(c, heads[i], window, k % 2 * (window // 2)) for k in range(depth)]
    return Chain("swin", *parts, nn.LayerNorm(c), Pool((1, 2)), nn.Linear(c, classes))


WIDTHS = 64, 128, 256, 512
MOBILE = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3), (6, 96, 3, 1, 3), (6, 160, 3, 2, 3),
          (6, 320, 1, 1, 3))
EFFICIENT = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
             (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))
SMALL = (1, 8, 1, 1, 3), (3, 8, 2, 2, 3), (2, 12, 2, 2, 5)

# The side of the images, and what the model's body holds.
NETWORKS = {
    "resnet18": (64, lambda: [Chain("resnet", *residual(basic_block, WIDTHS, (2, 2, 2, 2), 1000))]),
    "resnet50": (64, lambda: [Chain("resnet", *residual(bottleneck, WIDTHS, (3, 4, 6, 3), 1000))]),
    "vgg16": (64, lambda: [Chain("vgg", Chain("vgg_features", *vgg_features((*WIDTHS, 512), (2, 2, 3, 3, 3))),
                                 *vgg_top(512, 7, 4096, 1000))]),
    "mobilenet_v2": (64, lambda: [Chain("v2_features", *inverted(32, MOBILE, 1280, nn.ReLU6, False)),
                                  nn.Linear(1280, 1000)]),
    "densenet121": (64, lambda: [densenet((6, 12, 24, 16), 32, 64, 1000)]),
    "efficientnet_b0": (224, lambda: [Chain("efficientnet", Chain(
        "efficientnet_features", *inverted(32, EFFICIENT, 1280, nn.SiLU, True)), nn.Linear(1280, 1000))]),
    "convnext_tiny": (64, lambda: [convnext((96, 192, 384, 768), (3, 3, 9, 3), 1000)]),
    "vit_b_16": (64, lambda: [vit(64, 16, 768, 12, 12, 1000)]),
    "swin_t": (64, lambda: [swin(96, (2, 2, 6, 2), (3, 6, 12, 24), 1000, 7)]),
    "small_resnet18": (32, lambda: residual(basic_block, (8, 12, 16), (2, 1, 1), 10)),
    "small_resnet50": (32, lambda: residual(bottleneck, (4, 6, 8), (2, 2, 1), 10)),
    "small_vgg16": (32, lambda: vgg_features((6, 8, 12), (2, 2, 3)) + vgg_top(12, 3, 24, 10)),
    "small_mobilenet_v2": (32, lambda: inverted(8, SMALL, 32, nn.ReLU6, False) + [nn.Linear(32, 10)]),
    "small_densenet121": (32, lambda: [densenet((2, 2, 3, 1), 4, 8, 10)]),
    "small_efficientnet_b0": (32, lambda: inverted(8, SMALL, 32, nn.SiLU, True) + [nn.Linear(32, 10)]),
    "small_convnext_tiny": (32, lambda: [convnext((8, 8, 12, 16), (1, 1, 2, 1), 10)]),
    "small_vit": (32, lambda: [vit(32, 8, 12, 2, 3, 10)]),
    "small_swin": (32, lambda: [swin(6, (2, 2), (1, 2), 10, 3)]),
}

# ---- weights


@torch.no_grad()
def randomise(net, images):
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight.normal_(0, (2 / module.weight[0].numel()) ** 0.5)
            if module.bias is not None:
                module.bias.normal_(0, 0.1)
        elif isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.2)
        elif isinstance(module, ConvNextBlock):
            module.scale.uniform_(0.2, 0.6)
        elif isinstance(module, nn.MultiheadAttention):
            module.in_proj_weight.normal_(0, (2 / module.embed_dim) ** 0.5)
            module.in_proj_bias.normal_(0, 0.1)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    for module in net.modules():
        # As in trained networks a block adds little, so that rounding does not grow with depth.
        if isinstance(module, Residual):
            list(module.children())[-2].batch_norm_0.weight *= 0.3
    net.train()
    net(images)
    net.eval()
    for norm in norms:
        deviation = norm.running_var.sqrt()
        norm.running_mean += 0.1 * deviation * torch.randn_like(deviation)
        norm.running_var *= torch.empty_like(deviation).uniform_(0.7, 1.4)


# PyTorch's names of a layer's parts, where ours are others.
PARTS = {"self_attn": "attention", "linear1": "mlp.dense_0", "linear2": "mlp.dense_1"}


def tensors(module, path):
    """Names and tensors, channels last."""
    if isinstance(module, nn.Conv2d):
        yield f"{path}.w", module.weight.permute(2, 3, 1, 0)
    elif isinstance(module, DenseOfImage):
        outputs, inputs = module.weight.shape
        yield f"{path}.w", module.weight.reshape(outputs, *module.image).permute(2, 3, 1, 0).reshape(inputs, outputs)
    elif isinstance(module, nn.Linear):
        yield f"{path}.w", module.weight.T
    elif isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
        yield from [(f"{path}.gamma", module.weight), (f"{path}.beta", module.bias)]
    elif isinstance(module, ConvNextBlock):
        yield f"{path}.scale", module.scale
    elif isinstance(module, nn.MultiheadAttention):
        yield from [(f"{path}.in_proj.w", module.in_proj_weight.T), (f"{path}.in_proj.b", module.in_proj_bias)]
    elif isinstance(module, WindowAttention):
        yield f"{path}.bias", module.bias
    elif isinstance(module, Token):
        body = path.rpartition(".")[0]
        yield from [(f"{body}.class_token", module.class_token), (f"{body}.learned_positions_0.w", module.positions)]
    if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
        yield f"{path}.b", module.bias
    if isinstance(module, nn.BatchNorm2d):
        yield from [(f"{path}.mean", module.running_mean), (f"{path}.var", module.running_var)]
    for name, child in module.named_children():
        yield from tensors(child, f"{path}.{PARTS.get(name, name)}")


# torchvision's names for a vision transformer, from ours, as regular expressions.
TORCHVISION = [(r"^small_vit\.vit_0\.", ""), (r"^patch_embedding_0\.conv2d_0", "conv_proj"), (r"^dense_0", "heads.head"),
               (r"^learned_positions_0\.w", "encoder.pos_embedding"), (r"^layer_norm_0", "encoder.ln"),
               (r"^transformer_encoder_layer_", "encoder.layers.encoder_layer_"), (r"\.norm(.)\.", r".ln_\1."),
               (r"\.attention\.", ".self_attention."), (r"\.in_proj\.w$", ".in_proj_weight"),
               (r"\.in_proj\.b$", ".in_proj_bias"), (r"\.mlp\.dense_0", ".mlp.0"), (r"\.mlp\.dense_1", ".mlp.3"),
               (r"\.(w|gamma)$", ".weight"), (r"\.(b|beta)$", ".bias")]


def as_torchvision(named):
    """Names and tensors as torchvision's own checkpoints have them: kernels [out, in, ..], a batch of one."""
    for name, tensor in named:
        for pattern, theirs in TORCHVISION:
            name = re.sub(pattern, theirs, name)
        if name in ("class_token", "encoder.pos_embedding"):
            tensor = tensor[None]
        elif tensor.dim() > 1:
            tensor = tensor.movedim((-1, -2), (0, 1))
        yield name, tensor


def bytes_of(tensor):
    return tensor.detach().contiguous().numpy().astype("<f4").tobytes()


def write_safetensors(path, named):
    header, end = {}, 0
    for name, tensor in named:
        begin, end = end, end + 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, tensor in named:
            out.write(bytes_of(tensor))


def write_idx(path, images):
    with open(path, "wb") as out:
        out.write(struct.pack(f">4B{images.dim()}I", 0, 0, 0x0D, images.dim(), *images.shape))
        out.write(images.numpy().astype(">f4").tobytes())


def write_csv(path, logits):
    with open(path, "w") as out:
        out.write(",".join(["row", *(f"y_{i}" for i in range(logits.shape[1]))]) + "\n")
        for i, row in enumerate(logits.tolist()):
            out.write(",".join([str(i + 1), *(f"{value:.12g}" for value in row)]) + "\n")


def write(folder, name):
    torch.manual_seed(1)
    side, body = NETWORKS[name]
    net = Chain(name, *body())
    randomise(net, torch.randn(6, 3, side, side))
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(2))
    path = os.path.join(folder, name)
    write_safetensors(path + ".safetensors", list(tensors(net, name)))
    if name == "small_vit":
        write_safetensors(os.path.join(folder, "torchvision.safetensors"), list(as_torchvision(tensors(net, name))))
    write_idx(os.path.join(folder, f"{side}.idx"), images.permute(0, 2, 3, 1))
    with torch.no_grad():
        write_csv(path + ".csv", net.double()(images.double()))


if __name__ == "__main__":
    for name in sys.argv[2:] or [name for name in NETWORKS if name.startswith("small_")]:
        write(sys.argv[1], name)
