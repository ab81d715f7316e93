"""Reference values by PyTorch for convolutions, pooling, resizing and normalisation: writes windows.nn and norms.nn.

As make.py does, but of larger results only the first values and a weighed sum are kept, and such a sum of each gradient.
PyTorch has channels first, and weights [out, in, taps..] ([in, out, taps..] where transposed): `first`, `weight` and
`transposed_weight` lead there from what the language has.
Run: python3 make_windows.py; needs PyTorch.
"""
import itertools

import torch
import torch.nn.functional as F

from make import F64, File, brief, close, literal, tensor, wave, weighed


def first(x):
    """[n, space.., c] to [n, c, space..]."""
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def weight(w):
    return w.movedim((-1, -2), (0, 1))


def transposed_weight(w, groups=1):
    """[taps.., c / groups, out] to [c, out / groups, taps..]."""
    split = w.unflatten(-1, (groups, -1)).movedim((-2, -3, -1), (0, 1, 2))
    return split.flatten(0, 1)


def shape_text(t):
    return "[" + ", ".join(map(str, t.shape)) + "]"


NUMBERS = itertools.count()


def sums(file, expression, function, inputs, given=False, elem="f64"):
    """A test of the value at the inputs (waves, or given as literals), of its shape, and of the gradients."""
    tolerance = F64 if elem == "f64" else 1e-4
    model = f"m_{next(NUMBERS)}"
    file.add("", f"model {model}() {{")
    for phase, (key, t) in enumerate(inputs.items()):
        start = literal(t) if given else "wave" if phase == 0 else f"wave({phase}.0)"
        file.add(f"  param {key}: {elem}{shape_text(t)} = {start}")
    file.add("}")
    y = function(**inputs)
    grads = torch.autograd.grad(weighed(y), list(inputs.values()))
    count = min(12, y.numel())
    name = expression.replace('"', "") + " of " + ", ".join(map(shape_text, inputs.values()))
    file.test(name, [
        *(f"{key} = {model}.{key}" for key in inputs),
        f"y = {expression}",
        f"expect shape(y) == {list(y.shape)}",
        close(f"reshape(y, [-1])[:{count}]", y.reshape(-1)[:count], tolerance),
        close("weighed(y)", weighed(y), tolerance),
        f"minimize weighed({expression}) over {model} using gradient_of",
        *(close(f"weighed({model}.{key})", weighed(g), tolerance) for key, g in zip(inputs, grads)),
    ])


def waves(**shapes):
    return {key: wave(*shape, phase=float(i)).requires_grad_() for i, (key, shape) in enumerate(shapes.items())}


# ---- convolutions

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
# shapes of x and w, arguments
CONVOLUTIONS = [
    ((2, 9, 3), (3, 3, 4), {}),
    ((2, 9, 4), (3, 2, 6), dict(stride=2, padding=1, groups=2)),
    ((2, 12, 2), (3, 2, 5), dict(stride=3, padding=2, dilation=2)),
    ((2, 7, 6, 3), (3, 3, 3, 5), {}),
    ((2, 7, 6, 3), (3, 3, 3, 4), dict(padding=1)),
    ((2, 8, 9, 4), (3, 2, 4, 6), dict(stride=[2, 3], padding=[1, 0])),
    ((1, 9, 9, 4), (3, 3, 4, 3), dict(padding=2, dilation=[2, 1])),
    ((2, 6, 6, 8), (3, 3, 2, 8), dict(padding=1, groups=4)),
    ((2, 6, 6, 5), (3, 3, 1, 5), dict(stride=2, padding=1, groups=5)),
    ((2, 6, 6, 3), (3, 3, 1, 6), dict(padding=1, groups=3)),
    ((2, 5, 5, 6), (1, 1, 6, 4), {}),
    ((2, 5, 5, 6), (1, 1, 6, 4), dict(stride=2)),
    ((1, 10, 4, 3), (7, 1, 3, 4), dict(padding=[3, 0])),
    ((1, 17, 19, 16), (3, 3, 16, 20), dict(padding=1)),
    ((1, 14, 14, 3), (7, 7, 3, 24), dict(stride=2, padding=3)),
    ((1, 4, 5, 6, 2), (2, 3, 2, 2, 3), {}),
    ((2, 4, 5, 6, 4), (3, 1, 3, 2, 4), dict(stride=[1, 2, 2], padding=[1, 0, 1], groups=2)),
    ((1, 5, 6, 5, 2), (2, 2, 2, 2, 3), dict(dilation=2, padding=1)),
]
# Larger than the tiles of a kernel, with edges: in f32, whose tiles are the largest.
LARGE = [
    ((2, 13, 15, 19), (3, 3, 19, 37), dict(padding=1)),
    ((1, 19, 18, 64), (3, 3, 64, 70), dict(stride=2, padding=1)),
    ((2, 14, 14, 48), (3, 3, 16, 51), dict(padding=2, dilation=2, groups=3)),
    ((2, 11, 11, 33), (1, 1, 33, 65), dict(stride=2)),
    ((3, 12, 12, 40), (3, 3, 1, 40), dict(stride=2, padding=1, groups=40)),
    ((2, 101, 24), (7, 24, 40), dict(stride=2, padding=3)),
    ((1, 7, 9, 8, 20), (3, 3, 3, 20, 34), dict(padding=1)),
]
LARGE_TRANSPOSED = [
    ((2, 9, 10, 35), (3, 3, 35, 18), dict(stride=2, padding=1, output_padding=1)),
    ((2, 12, 12, 32), (2, 2, 32, 33), dict(stride=2)),
]
TRANSPOSED_CONVOLUTIONS = [
    ((2, 5, 3), (3, 3, 4), {}),
    ((2, 5, 4), (4, 2, 6), dict(stride=2, padding=1, groups=2)),
    ((2, 4, 4, 3), (2, 2, 3, 5), dict(stride=2)),
    ((2, 4, 5, 3), (3, 3, 3, 4), dict(stride=2, padding=1, output_padding=1)),
    ((1, 4, 5, 3), (3, 2, 3, 2), dict(stride=[1, 3], padding=[2, 0], output_padding=[0, 2], dilation=[2, 1])),
    ((1, 4, 4, 6), (3, 3, 1, 6), dict(stride=2, padding=1, groups=6)),
    ((1, 3, 4, 3, 2), (2, 3, 2, 2, 3), dict(stride=2, padding=[0, 1, 0])),
]


def arguments(given):
    return "".join(f", {key}: {value}" for key, value in given.items())


def convolve(file, x, w, given, elem):
    function = CONV[len(x) - 2]
    sums(file, f"conv(x, w{arguments(given)})",
         lambda x, w: last(function(first(x), weight(w), **given)), waves(x=x, w=w), elem=elem)


def convolve_back(file, x, w, given, elem):
    function, groups = TRANSPOSED[len(x) - 2], given.get("groups", 1)
    sums(file, f"conv_transpose(x, w{arguments(given)})",
         lambda x, w: last(function(first(x), transposed_weight(w, groups), **given)), waves(x=x, w=w), elem=elem)


def convolutions(file):
    for elem, forward, back in (("f64", CONVOLUTIONS, TRANSPOSED_CONVOLUTIONS), ("f32", LARGE, LARGE_TRANSPOSED)):
        for case in forward:
            convolve(file, *case, elem)
        for case in back:
            convolve_back(file, *case, elem)
    # `same`: the odd place comes last, as in Keras
    for n, k, stride in ((7, 3, 1), (8, 4, 1), (8, 3, 2), (9, 2, 3)):
        missing = max((-(-n // stride) - 1) * stride + k - n, 0)
        pads = (missing // 2, missing - missing // 2) * 2
        sums(file, f"conv(x, w, stride: {stride}, padding: same)",
             lambda x, w: last(F.conv2d(F.pad(first(x), pads), weight(w), stride=stride)),
             waves(x=(1, n, n, 2), w=(k, k, 2, 3)))


# ---- pooling

MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
MAXIMA = [
    ((2, 9, 3), dict(size=3)),
    ((2, 8, 7, 3), dict(size=2)),
    ((2, 8, 7, 3), dict(size=2, stride=1)),
    ((2, 8, 7, 3), dict(size=2, stride=3)),
    ((1, 9, 8, 2), dict(size=3, stride=2, padding=1)),
    ((1, 9, 8, 2), dict(size=3, stride=2, ceil="true")),
    ((1, 10, 7, 2), dict(size=[3, 2], stride=[3, 2], padding=[1, 0], ceil="true")),
    ((1, 9, 9, 2), dict(size=3, stride=2, dilation=2)),
    ((1, 4, 5, 6, 2), dict(size=[2, 3, 2], stride=[1, 2, 2])),
]
AVERAGES = [
    ((2, 9, 3), dict(size=3, stride=2)),
    ((2, 8, 7, 3), dict(size=2)),
    ((1, 9, 8, 2), dict(size=3, stride=2, padding=1)),
    ((1, 9, 8, 2), dict(size=3, stride=2, padding=1, count_padding="true")),
    ((1, 9, 8, 2), dict(size=3, stride=2, padding=1, ceil="true")),
    ((1, 10, 8, 2), dict(size=[3, 4], stride=[2, 3], padding=[1, 2], ceil="true", count_padding="true")),
    ((1, 10, 8, 2), dict(size=[3, 4], stride=[2, 3], padding=[1, 2], ceil="true")),
    ((1, 5, 6, 5, 2), dict(size=2, stride=[2, 1, 2], padding=1, ceil="true")),
    ((1, 5, 6, 5, 2), dict(size=2, stride=[2, 1, 2], padding=1, ceil="true", count_padding="true")),
]


def pool(table, counts, x, size, stride=None, ceil=False, count_padding=False, **rest):
    if counts:
        rest["count_include_pad"] = bool(count_padding)
    return last(table[x.dim() - 2](first(x), size, stride or size, ceil_mode=bool(ceil), **rest))


def poolings(file):
    for name, table, cases in (("max_pool", MAX, MAXIMA), ("avg_pool", AVERAGE, AVERAGES)):
        for x, given in cases:
            sums(file, f"{name}(x{arguments(given)})",
                 lambda x: pool(table, name == "avg_pool", x, **given), waves(x=x))
    generator = torch.Generator().manual_seed(4)
    for given in (dict(size=2), dict(size=3, stride=1), dict(size=3, stride=2, padding=1)):
        x = tensor(torch.randint(-1, 2, (2, 6, 6, 3), generator=generator))
        sums(file, f"max_pool(x{arguments(given)})", lambda x: pool(MAX, False, x, **given), {"x": x}, given=True)
    for shape, size in (((2, 7, 3), 3), ((2, 8, 6, 3), [3, 6]), ((1, 7, 5, 2), 7), ((1, 4, 5, 6, 2), [2, 3, 4])):
        function = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}[len(shape) - 2]
        sums(file, f"adaptive_avg_pool(x, {size})", lambda x: last(function(first(x), size)), waves(x=shape))
    for keep in ("false", "true"):
        axes = dict(dim=(1, 2), keepdim=keep == "true")
        sums(file, f"global_avg_pool(x, keep: {keep})", lambda x: x.mean(**axes), waves(x=(2, 4, 3, 5)))
        sums(file, f"global_max_pool(x, keep: {keep})", lambda x: x.amax(**axes), waves(x=(2, 4, 3, 5)))


# ---- sizes

RESIZED = [((2, 5, 3), [8]), ((1, 4, 6, 2), [8, 12]), ((1, 5, 4, 2), [8, 7]), ((1, 9, 10, 2), [4, 5]), ((1, 3, 3, 2), [1, 5]),
           ((1, 2, 3, 4, 2), [4, 5, 3])]
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def resizing(file):
    for shape, size in RESIZED:
        sums(file, f"resize(x, {size})", lambda x: last(F.interpolate(first(x), size, mode="nearest")), waves(x=shape))
        for corners in (False, True):
            sums(file, f'resize(x, {size}, mode: "bilinear", align_corners: {str(corners).lower()})',
                 lambda x: last(F.interpolate(first(x), size, mode=LINEAR[x.dim() - 2], align_corners=corners)),
                 waves(x=shape))
    for mode in ("nearest", "bilinear"):
        sums(file, f'upsample(x, [2, 3], mode: "{mode}")',
             lambda x: last(F.interpolate(first(x), scale_factor=(2, 3), mode=mode)), waves(x=(2, 3, 4, 2)))
    sums(file, "zero_pad(x, [[1, 2], [0, 3]])", lambda x: F.pad(x, (0, 0, 0, 3, 1, 2)), waves(x=(2, 3, 4, 2)))
    sums(file, "crop(x, [[1, 2], [0, 3]])", lambda x: x[:, 1:-2, :-3], waves(x=(2, 5, 4, 2)))
    sums(file, "channel_shuffle(x, 3)", lambda x: x.unflatten(-1, (3, 2)).mT.flatten(-2), waves(x=(2, 2, 3, 6)))


def windows():
    file = File("windows.nn", "convolutions, pooling and resizing, and their gradients", ["gradient_of", "weighed", "wave"])
    convolutions(file)
    poolings(file)
    resizing(file)
    file.write()


# ---- normalisation: the layers, their gamma and beta among the parameters

def layer_norm(x, gamma, beta, axes=1, eps=1e-5):
    inner = x.shape[-axes:]
    return F.layer_norm(x, inner, gamma.reshape(inner), beta.reshape(inner), eps)


def rms_norm(x, gamma):
    return x * torch.rsqrt((x**2).mean(-1, keepdim=True) + 1e-6) * gamma


# the call, PyTorch's, shape of x, shapes of gamma and beta
NORMS = [
    ("layer_norm", layer_norm, (2, 3, 4, 6), ["gamma", "beta"], 6),
    ("layer_norm(eps: 1e-3)", lambda x, gamma, beta: layer_norm(x, gamma, beta, eps=1e-3), (5, 6), ["gamma", "beta"], 6),
    ("layer_norm(3)", lambda x, gamma, beta: layer_norm(x, gamma, beta, 3), (2, 3, 2, 4), ["gamma", "beta"], 24),
    ("layer_norm(2, scale: false, center: false)", lambda x: F.layer_norm(x, x.shape[-2:]), (2, 3, 4), [], 0),
    ("group_norm(2)", lambda x, gamma, beta: last(F.group_norm(first(x), 2, gamma, beta)), (2, 3, 4, 6), ["gamma", "beta"], 6),
    ("group_norm(3, eps: 1e-2)", lambda x, gamma, beta: F.group_norm(x, 3, gamma, beta, 1e-2), (4, 6), ["gamma", "beta"], 6),
    ("group_norm(1)", lambda x, gamma, beta: last(F.group_norm(first(x), 1, gamma, beta)), (2, 2, 3, 2, 4), ["gamma", "beta"], 4),
    ("instance_norm", lambda x: last(F.instance_norm(first(x))), (2, 3, 4, 5), [], 0),
    ("instance_norm(scale: true, center: true)", lambda x, gamma, beta: last(F.instance_norm(first(x), weight=gamma, bias=beta)),
     (2, 7, 4), ["gamma", "beta"], 4),
    ("rms_norm", rms_norm, (2, 3, 5), ["gamma"], 5),
    ("local_response_norm", lambda x: last(F.local_response_norm(first(x), 5)), (2, 3, 2, 7), [], 0),
    ("local_response_norm(4, alpha: 0.5, beta: 0.6, k: 2.0)",
     lambda x: last(F.local_response_norm(first(x), 4, 0.5, 0.6, 2.0)), (2, 3, 2, 7), [], 0),
]


def normed(file, number, call, function, shape, names, size):
    model, name = f"m_{number}", call.split("(")[0]
    scaled = {key: wave(size, phase=float(i)).requires_grad_() for i, key in enumerate(names, 1)}
    x = wave(*shape).requires_grad_()
    file.add("", f"model x_{number}() {{ param x: f64{shape_text(x)} = wave }}",
             f"model {model}() -> f64{shape_text(x)} {{ x_{number}.x |> {call} }}")
    over = f"[{model}, x_{number}]" if names else f"x_{number}"
    y = function(x, **scaled)
    grads = torch.autograd.grad(weighed(y), [x, *scaled.values()])
    file.test(f"{call} of {shape_text(x)}", [
        *(f"{model}.{name}_0.{key} := wave([{size}], {i}.0, type: f64)" for i, key in enumerate(names, 1)),
        close(f"reshape({model}(), [-1])[:12]", y.reshape(-1)[:12]),
        close(f"weighed({model}())", weighed(y)),
        f"minimize weighed({model}()) over {over} using gradient_of",
        close(f"weighed(x_{number}.x)", weighed(grads[0])),
        *(close(f"weighed({model}.{name}_0.{key})", weighed(g)) for key, g in zip(names, grads[1:])),
    ])


def norms():
    file = File("norms.nn", "layers that normalise, and their gradients", ["gradient_of", "weighed", "wave"])
    for number, case in enumerate(NORMS):
        normed(file, number, *case)
    batch_norm(file)
    file.write()


def batch_norm(file):
    """Two steps of training, the second with a shorter batch, then evaluation with what they kept: train blocks, since
    tests do not train. Every report is how far off a value is."""
    samples = brief(wave(7, 2, 3, 5, phase=0.25) * 2 + wave(7, 2, 3, 5, phase=4.0) ** 2)
    k = (torch.arange(30) * 7 % 11 - 5.5).reshape(2, 3, 5) / 4
    file.add("", f"const k = {literal(k)}", f"const samples = {literal(samples)}",
             "data rows = values(x: samples + samples[:1]) |> shuffle(false) |> split(test: 1)", "",
             "layer farthest(a: T[...], b) -> T[] { reduce_max(abs(a - b)) }")
    for name, given in (("keras", "momentum: 0.99, eps: 1e-3"), ("torch", "unbiased: true")):
        p = [torch.ones(2, 3, 5).requires_grad_(), torch.ones(5).requires_grad_(), torch.zeros(5).requires_grad_()]
        momentum, eps = (0.01, 1e-3) if name == "keras" else (0.1, 1e-5)
        mean, var, losses = torch.zeros(5), torch.ones(5), []
        for batch in (samples[:4], samples[4:]):
            x = batch * p[0]
            m, v = x.detach().mean((0, 1, 2)), x.detach().var((0, 1, 2), unbiased=name == "torch")
            mean, var = mean + momentum * (m - mean), var + momentum * (v - var)
            y = last(F.batch_norm(first(x), None, None, p[1], p[2], True, eps=eps))
            loss = ((y + y**2) * k).sum()
            losses.append(loss.item())
            p = [(w - 0.01 * g).detach().requires_grad_() for w, g in zip(p, torch.autograd.grad(loss, p))]
        quiet = last(F.batch_norm(first(samples * p[0]), mean, var, p[1], p[2], eps=eps))
        held = {"s": p[0], "batch_norm_0.gamma": p[1], "batch_norm_0.beta": p[2], "batch_norm_0.mean": mean,
                "batch_norm_0.var": var}
        file.add("", f"model {name}_net(x: f64[2, 3, 5]) -> f64[2, 3, 5] {{", "  param s: f64[2, 3, 5] = 1",
                 f"  (x * s) |> batch_norm({given})", "}",
                 f"train {name} {{", "  data: rows", "  batch: 4", "  step (x) {",
                 f"    y = {name}_net(cast(x, f64))", "    loss = reduce_sum((y + y ** 2) * k)",
                 f"    minimize loss over {name}_net using sgd(lr: 0.01)",
                 f"    report off: abs(where(step == 0, loss - {losses[0]!r}, loss - {losses[1]!r}))", "  }",
                 "  eval (x) {",
                 f"    off = farthest({name}_net(cast(samples, f64)), {literal(quiet)})",
                 *(f"    off = maximum(off, farthest({name}_net.{key}, {literal(t)}))" for key, t in held.items()),
                 "    minimize off", "    report off: off", "  }", "}")
        file.test(f"batch_norm, {name}: with the statistics that it begins with", [
            f"x = cast({literal(samples[:2])}, f64)",
            close(f"{name}_net(x)", samples[:2] / (1 + eps) ** 0.5)])


if __name__ == "__main__":
    torch.set_num_threads(1)
    windows()
    norms()
