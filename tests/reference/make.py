"""Reference values by another system: writes the .nn files of this folder but figures*.nn and those of the other make_*.py.

Each file holds `test` blocks whose expected values and gradients PyTorch computed in double precision from the same
numbers. A gradient is had by an optimizer that gives it back as the new parameter. Values are compared by `close`
(relative, but absolute below 1) and, where nothing cancels, by `off`, the relative error alone.
Run: python3 make.py; needs PyTorch.
"""
import itertools
import os
import re
import types

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
F64, F32, ULPS = 1e-12, 1e-6, 1e-15  # tolerances; the last is for single functions

torch.set_default_dtype(torch.float64)

LAYERS = {
    "gradient_of": "# As an optimizer: the new parameter is the gradient.\n"
    "layer gradient_of(w: T[...], g: T[...]) -> T[...] { g }",
    "off": "# The relative error.\n"
    "layer off(a: T[...], b: T[...]) -> T[...] { where(a == b, 0, (a - b) / maximum(abs(a), abs(b))) }",
    "weighed": "# A scalar in which every element counts differently.\n"
    "layer weighed(y: T[...]) -> T[] {\n"
    "  reduce_sum(reshape(y, [-1]) * (cast(arange(size(y)) * 7 % 11, T) - 5.5) / 4)\n}",
    "wave": "# As an initialiser: numbers between -1 and 1.\n"
    "layer wave(shape: list, phase: float = 0.0, type: type = f32) {\n"
    "  n = 1\n  for d in shape { n = n * d }\n  reshape(sin(cast(arange(n), type) + phase), shape)\n}",
}


def weighed(y):
    return (y.reshape(-1) * ((torch.arange(y.numel()) * 7 % 11).double() - 5.5) / 4).sum()


def wave(*shape, phase=0.0):
    n = torch.Size(shape).numel()
    return torch.sin(torch.arange(n).double() + phase).reshape(shape)


def tensor(values, elem="f64"):
    """The values as a leaf in double precision, rounded to f32 first where the file will hold them so."""
    t = torch.as_tensor(values, dtype=torch.float64)
    return (t.float().double() if elem == "f32" else t.clone()).requires_grad_()


def literal(t):
    if isinstance(t, torch.Tensor):
        t = t.detach().tolist()
    return "[" + ", ".join(map(literal, t)) + "]" if isinstance(t, list) else repr(t)


def brief(t):
    """Short numbers for inputs: rounded to 1/64."""
    return torch.round(t * 64) / 64


class File:
    def __init__(self, name, what, layers=()):
        self.name = name
        self.lines = [f"# {name}: {what}", "# Made by make.py: change that."]
        for layer in layers:
            self.add("", LAYERS[layer])

    def add(self, *lines):
        self.lines += lines

    def model(self, name, elem="f64", **tensors):
        self.add("", f"model {name}() {{")
        for key, t in tensors.items():
            self.add(f"  param {key}: {elem}[{', '.join(map(str, t.shape))}] = {literal(t)}")
        self.add("}")

    def test(self, name, lines):
        self.add("", f'test "{name}" {{', *("  " + line for line in lines), "}")

    def write(self):
        with open(os.path.join(HERE, self.name), "w") as out:
            out.write("\n".join(self.lines) + "\n")


def close(expression, expected, tolerance=F64):
    return f"expect close({expression}, {literal(expected)}, {tolerance})"


def near(expression, expected, tolerance=F64):
    return f"expect close(off({expression}, {literal(expected)}), 0, {tolerance})"


def gradients(loss, inputs):
    """Of a scalar, by name; the inputs' own gradients stay untouched."""
    found = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True)
    return {name: g for name, g in zip(inputs, found) if g is not None}


# Scalars of a value, to take gradients of: in the language, and PyTorch's.
WEIGHED = "weighed({})", weighed
SUM = "reduce_sum({})", torch.sum
ITSELF = "{}", lambda y: y


def compare(file, name, model, inputs, expression, value, scalar=WEIGHED, same=close, tolerance=F64, first=()):
    """A test of a value and, unless `scalar` is None, of the gradients of that scalar of it."""
    lines = [*first, *(f"{key} = {model}.{key}" for key in inputs), same(expression, value, tolerance)]
    if scalar:
        loss = scalar[0].format(expression)
        lines.append(f"minimize {loss} over {model} using gradient_of")
        lines += [same(f"{model}.{key}", g, tolerance) for key, g in gradients(scalar[1](value), inputs).items()]
    file.test(name, lines)


# ---- activations

ACTIVATIONS = {
    "relu(x)": F.relu,
    "leaky_relu(x)": F.leaky_relu,
    "leaky_relu(x, 0.3)": lambda x: F.leaky_relu(x, 0.3),
    "elu(x)": F.elu,
    "elu(x, 0.5)": lambda x: F.elu(x, 0.5),
    "selu(x)": F.selu,
    "gelu(x)": F.gelu,
    "gelu(x, approximate: true)": lambda x: F.gelu(x, approximate="tanh"),
    "swish(x)": F.silu,
    "sigmoid(x)": torch.sigmoid,
    "tanh(x)": torch.tanh,
    "relu6(x)": F.relu6,
    "hard_sigmoid(x)": lambda x: F.relu6(x + 3) / 6,  # the slope of F.hardsigmoid is rounded to f32
    "hard_swish(x)": F.hardswish,
    "mish(x)": F.mish,
    "softplus(x)": lambda x: F.softplus(x, threshold=40),
    "softmax(x)": lambda x: F.softmax(x, -1),
    "log_softmax(x)": lambda x: F.log_softmax(x, -1),
}
MODERATE = [-6, -3.5, -2, -1.25, -0.5, -0.125, -0.001, 0, 0.001, 0.25, 0.75, 1, 1.5, 2.75, 4, 6, 7.5]
LARGE = [-10000, -1000, -700, -100, -85, -40, -20, -12, 12, 20, 40, 85, 100, 700, 1000, 10000]
# Where a sum of about 1 and -1 leaves few digits, in PyTorch too.
CANCELLING = ("gelu", "tanh(x)")


HUGE = [-1e30, -1e12, 1e12, 1e30]
BOUNDLESS = ("relu(x)", "leaky_relu(x)", "elu(x)", "selu(x)", "swish(x)", "sigmoid(x)", "tanh(x)", "softplus(x)")


def activations():
    file = File("activations.nn", "activations and their gradients", ["gradient_of", "off", "weighed"])
    for elem, tolerance in (("f64", F64), ("f32", F32)):
        for size, grid in (("moderate", MODERATE), ("large", LARGE)):
            x, model = tensor(grid, elem), f"{size}_{elem}"
            file.model(model, elem, x=x)
            for expression, function in ACTIVATIONS.items():
                exact = size == "moderate" and elem == "f64" and not expression.startswith(CANCELLING)
                compare(file, f"{expression}, {size}, {elem}", model, {"x": x}, expression, function(x),
                        same=near if exact else close, tolerance=tolerance)
    rows = tensor([[1000, -1000, 0], [1e30, 1e30, -1e30], [-5000, -5001, -5002], [0.5, 0.5, 0.5]])
    file.model("rows", x=rows)
    for name, function in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
        for axis in (-1, 0):
            expression = f"{name}(x, axis: {axis})"
            compare(file, f"{expression}, extremes", "rows", {"x": rows}, expression, function(rows, axis))
    tail = tensor([-600, -200, -100, -81, -79, -30, -1, 0, 1, 30])
    file.model("tail", x=tail)
    compare(file, "the sigmoid of a large negative number is small, not cut off", "tail", {"x": tail},
            "log(sigmoid(x))", F.logsigmoid(tail))
    huge = tensor(HUGE, "f32")
    file.model("huge", "f32", x=huge)
    for expression in BOUNDLESS:
        compare(file, f"{expression}, huge, f32", "huge", {"x": huge}, expression, ACTIVATIONS[expression](huge), SUM,
                tolerance=F32)
    file.write()


# ---- losses


def hinge(p, signs):
    return (1 - signs * p).clamp(min=0).mean()


def bce(p, y):
    return F.binary_cross_entropy(p.clamp(1e-7, 1 - 1e-7), y.double())


def bce_logits(x, y):
    return F.binary_cross_entropy_with_logits(x, y.double())


def flat_cross_entropy(x, y):
    return F.cross_entropy(x.reshape(-1, x.shape[-1]), y.reshape(-1))


def focal(x, y, gamma=2):
    l = F.log_softmax(x, -1)
    return -(y * (1 - l.exp()) ** gamma * l).sum(-1).mean()


def binary_focal(x, y, gamma=2, alpha=None):
    """torchvision's sigmoid_focal_loss."""
    p = torch.sigmoid(x)
    loss = F.binary_cross_entropy_with_logits(x, y.double(), reduction="none") * (1 - (p * y + (1 - p) * (1 - y))) ** gamma
    return (loss if alpha is None else (alpha * y + (1 - alpha) * (1 - y)) * loss).mean()


def dice(p, y, smooth=1):
    return 1 - ((2 * (p * y).sum(1) + smooth) / (p.sum(1) + y.sum(1) + smooth)).mean()


def corners(box, row, column, rows, columns):
    x, y, w, h = (column + box[0]) / columns, (row + box[1]) / rows, box[2].clamp(min=0), box[3].clamp(min=0)
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def overlap(a, b):
    """Intersection over union of boxes by their corners."""
    across, down = torch.min(a[2], b[2]) - torch.max(a[0], b[0]), torch.min(a[3], b[3]) - torch.max(a[1], b[1])
    common = across.clamp(min=0) * down.clamp(min=0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return (common / (areas[0] + areas[1] - common).clamp(min=1e-9)).detach()


def root(v):
    return torch.sign(v) * torch.sqrt(v.abs() + 1e-6)


def yolo(x, y, boxes=2, coordinates=5, empty=0.5):
    """The loss of the paper, a cell at a time."""
    samples, rows, columns, _ = x.shape
    loss = 0
    for n, row, column in itertools.product(range(samples), range(rows), range(columns)):
        cell, truth = x[n, row, column], y[n, row, column]
        guesses = cell[: 5 * boxes].reshape(boxes, 5)
        overlaps = [overlap(corners(g, row, column, rows, columns), corners(truth, row, column, rows, columns)) for g in guesses]
        best = max(range(boxes), key=lambda i: overlaps[i])
        for i, guess in enumerate(guesses):
            if truth[4] and i == best:
                loss = loss + coordinates * ((guess[:2] - truth[:2]) ** 2).sum() + (guess[4] - overlaps[i]) ** 2
                loss = loss + coordinates * ((root(guess[2:4]) - torch.sqrt(truth[2:4] + 1e-6)) ** 2).sum()
            else:
                loss = loss + empty * guess[4] ** 2
        if truth[4]:
            loss = loss + ((cell[5 * boxes :] - truth[5:]) ** 2).sum()
    return loss / samples


GENERATOR = torch.Generator().manual_seed(1)


def normal(*shape):
    return brief(torch.randn(*shape, generator=GENERATOR) * 2)


WEIGHTS = torch.tensor([1, 0.5, 0, 3])
GRID = torch.zeros(2, 2, 3, 8)  # x, y, width, height, object, three classes
GRID[0, 0, 1] = torch.tensor([0.5, 0.25, 0.5, 0.75, 1, 0, 1, 0])
GRID[0, 1, 2] = torch.tensor([0.75, 0.5, 0.25, 0.5, 1, 1, 0, 0])
GRID[1, 0, 0] = torch.tensor([0.125, 0.875, 1, 0.75, 1, 0, 0, 1])
CLASSES = torch.tensor([0, 3, 2, 2, 1])
SOFT = torch.tensor([[0.7, 0.1, 0.2, 0], [0.25] * 4, [0, 0, 1, 0], [0, 0.5, 0.5, 0], [0.1, 0.2, 0.3, 0.4]])
TRUTH, SIGNS = torch.tensor([[0, 1, 1], [1, 0, 0]]), torch.tensor([[-1, 1, 1], [1, -1, -1]])

# expression, PyTorch's of the prediction x and the target y, y, the shape of x
LOSSES = [
    ("cross_entropy(x, y)", F.cross_entropy, CLASSES, (5, 4)),
    ("cross_entropy(x, cast(y, i64))", F.cross_entropy, CLASSES, (5, 4)),
    ("cross_entropy(x, y)", lambda x, y: F.cross_entropy(x, y.double()), F.one_hot(CLASSES, 4), (5, 4)),
    ("cross_entropy(x, y)", F.cross_entropy, SOFT, (5, 4)),
    ("cross_entropy(x, y)", flat_cross_entropy, torch.tensor([[1, 0, 2], [2, 2, 0]]), (2, 3, 4)),
    ("cross_entropy(x, y, smoothing: 0.1)", lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1), CLASSES, (5, 4)),
    ("cross_entropy(x, y, smoothing: 0.25)", lambda x, y: F.cross_entropy(x, y, label_smoothing=0.25), SOFT, (5, 4)),
    ("cross_entropy(x, y, weights: [1, 0.5, 0, 3])", lambda x, y: F.cross_entropy(x, y, weight=WEIGHTS), CLASSES, (5, 4)),
    ("cross_entropy(x, y, weights: [1, 0.5, 0, 3])", lambda x, y: F.cross_entropy(x, y, weight=WEIGHTS), SOFT, (5, 4)),
    ("cross_entropy(x, y, 0.1, weights: [1, 0.5, 0, 3])",
     lambda x, y: F.cross_entropy(x, y, weight=WEIGHTS, label_smoothing=0.1), CLASSES, (5, 4)),
    ("focal(x, y)", lambda x, y: focal(x, F.one_hot(y, 4)), CLASSES, (5, 4)),
    ("focal(x, y, gamma: 0.5)", lambda x, y: focal(x, y, 0.5), SOFT, (5, 4)),
    ("binary_focal(x, y)", lambda x, y: binary_focal(x, y), TRUTH, (2, 3)),
    ("binary_focal(x, y, gamma: 1.5, alpha: 0.25)", lambda x, y: binary_focal(x, y, 1.5, 0.25), TRUTH, (2, 3)),
    ("dice_loss(softmax(x), y)", lambda x, y: dice(F.softmax(x, -1), F.one_hot(y, 4)), torch.tensor([[0, 3, 2], [2, 1, 0]]),
     (2, 3, 4)),
    ("dice_loss(sigmoid(x), y, smooth: 0.5)", lambda x, y: dice(torch.sigmoid(x), y[..., None], 0.5), TRUTH, (2, 3, 1)),
    ("yolo_loss(x, y)", yolo, GRID, (2, 2, 3, 13)),
    ("yolo_loss(x, y, boxes: 1, coordinates: 3.0, empty: 0.25)", lambda x, y: yolo(x, y, 1, 3, 0.25), GRID, (2, 2, 3, 8)),
    ("nll(log_softmax(x), y)", lambda x, y: F.nll_loss(F.log_softmax(x, -1), y), CLASSES, (5, 4)),
    ("nll(log(softmax(x)), y)", lambda x, y: -(F.softmax(x, -1).log() * y).sum(-1).mean(), SOFT, (5, 4)),
    ("binary_cross_entropy(x, y)", bce_logits, TRUTH, (2, 3)),
    ("binary_cross_entropy(x, cast(y, i64))", bce_logits, TRUTH, (2, 3)),
    ("binary_cross_entropy(x, y)", bce_logits, torch.tensor([[0.3, 0.9, 0], [1, 0.5, 0.25]]), (2, 3)),
    ("binary_cross_entropy_from_probabilities(sigmoid(x), y)", lambda x, y: bce(torch.sigmoid(x), y), TRUTH, (2, 3)),
    ("mse(x, y)", F.mse_loss, normal(3, 4), (3, 4)),
    ("mse(x, y)", lambda x, y: F.mse_loss(x, y[:, None]), normal(5), (5, 1)),
    ("mae(x, y)", F.l1_loss, normal(3, 4), (3, 4)),
    ("huber(x, y)", F.huber_loss, normal(3, 4), (3, 4)),
    ("huber(x, y, delta: 2.5)", lambda x, y: F.huber_loss(x, y, delta=2.5), normal(3, 4), (3, 4)),
    ("hinge(x, y)", hinge, SIGNS, (2, 3)),
    ("hinge(x, cast(y, type(x)))", hinge, SIGNS, (2, 3)),
    ("hinge(x, cast(y, i64))", lambda x, y: hinge(x, 2 * y - 1), TRUTH, (2, 3)),
]
# The same of logits that exp cannot take.
EXTREME = [[1000, -1000, 0], [-80, 80, 90], [10000, 9999, -10000]]
EXTREMES = [
    ("cross_entropy(x, y)", F.cross_entropy, torch.tensor([1, 0, 0])),
    ("cross_entropy(x, y)", lambda x, y: F.cross_entropy(x, y.double()), F.one_hot(torch.tensor([0, 2, 0]))),
    ("binary_cross_entropy(x, y)", bce_logits, torch.tensor([[1, 1, 0], [0, 1, 0], [0, 1, 1]])),
]


def losses():
    file = File("losses.nn", "losses and their gradients", ["gradient_of"])
    for elem, tolerance in (("f64", F64), ("f32", F32)):
        cases = [(tensor(normal(*shape), elem), *case) for *case, shape in LOSSES]
        cases += [(tensor(EXTREME, elem), *case) for case in EXTREMES]
        for i, (x, expression, function, y) in enumerate(cases):
            model = f"x_{i}_{elem}"
            file.model(model, elem, x=x)
            y = tensor(y, elem).detach() if y.is_floating_point() else y
            compare(file, f"{expression}, {elem}, case {i}", model, {"x": x}, expression, function(x, y), ITSELF,
                    tolerance=tolerance, first=[f"y = {literal(y)}"])
        certain = tensor([[1, 0, 0], [0, 1, 0.25]], elem)  # f32 has no 1 - 1e-7: its nearest is 1 - 1.19e-7
        file.model(f"certain_{elem}", elem, x=certain)
        for y in (torch.tensor([[1, 0, 1], [0, 1, 1]]), torch.tensor([[1, 0, 0.5], [0, 1, 0.5]])):
            compare(file, f"binary cross-entropy of certain probabilities, {literal(y)}, {elem}", f"certain_{elem}",
                    {"x": certain}, "binary_cross_entropy_from_probabilities(x, y)", bce(certain, y), None,
                    tolerance=F64 if elem == "f64" else 0.02, first=[f"y = {literal(y)}"])
        row = torch.log(torch.tensor([1, 0.25]))
        file.test(f"0 log 0 is 0, {elem}", [
            f"p = cast([[1, 0, 0], [0, 0.25, 0.75]], {elem})",
            close("nll(log(p), [[1, 0, 0], [0, 1, 0]])", -row.mean(), tolerance),
            close("nll(log(p), [0, 1])", -row.mean(), tolerance)])
    file.write()


# ---- optimizers

# The arguments are given where our default is not PyTorch's (rmsprop: rho is 0.9 here, 0.99 there).
OPTIMIZERS = {
    "sgd(lr: 0.05)": lambda p: torch.optim.SGD(p, 0.05),
    "momentum(lr: 0.02, mu: 0.9)": lambda p: torch.optim.SGD(p, 0.02, momentum=0.9),
    "nesterov(lr: 0.02, mu: 0.8)": lambda p: torch.optim.SGD(p, 0.02, momentum=0.8, nesterov=True),
    "adam(lr: 0.1)": lambda p: torch.optim.Adam(p, 0.1),
    "adam(lr: 0.1, beta1: 0.8, beta2: 0.95, eps: 1e-3)": lambda p: torch.optim.Adam(p, 0.1, (0.8, 0.95), 1e-3),
    "adamw(lr: 0.1)": lambda p: torch.optim.AdamW(p, 0.1),
    "adamw(lr: 0.1, decay: 0.2)": lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.2),
    "rmsprop(lr: 0.1)": lambda p: torch.optim.RMSprop(p, 0.1, alpha=0.9),
    "rmsprop(lr: 0.05, rho: 0.99)": lambda p: torch.optim.RMSprop(p, 0.05),
    "adagrad(lr: 0.5)": lambda p: torch.optim.Adagrad(p, 0.5),
    "adadelta": lambda p: torch.optim.Adadelta(p),
    "adadelta(lr: 0.5, rho: 0.95, eps: 1e-4)": lambda p: torch.optim.Adadelta(p, 0.5, rho=0.95, eps=1e-4),
}


def bowl(w, b):
    return ((w - 0.5) ** 2 * torch.tensor([1.0, 4, 0.25])).sum() + 0.1 * (w**4).sum() + (torch.cos(b) * w).sum()


def rounds(lists):
    """A list of lists, one a line."""
    return "[" + ",\n    ".join(map(literal, lists)) + "]"


def optimizers():
    file = File("optimizers.nn", "six steps of each optimizer, all parameters after each")
    start = {"w": [[1.5, -0.5, 2], [-1, 0.25, 0]], "b": [0.25, -1, 3]}
    for elem in ("f64", "f32"):
        file.model(f"point_{elem}", elem, **{key: torch.tensor(values) for key, values in start.items()})
    file.add("", "layer bowl(w: T[2, 3], b: T[3]) -> T[] {",
             "  reduce_sum((w - 0.5) ** 2 * [1, 4, 0.25]) + 0.1 * reduce_sum(w ** 4) + reduce_sum(cos(b) * w)", "}")
    for expression, make in OPTIMIZERS.items():
        p = {key: tensor(values) for key, values in start.items()}
        optimizer, seen = make(list(p.values())), {key: [] for key in p}
        for _ in range(6):
            optimizer.zero_grad()
            bowl(**p).backward()
            optimizer.step()
            for key, t in p.items():
                seen[key].append(t.tolist())
        for elem, tolerance in (("f64", F64), ("f32", F32)):
            m = f"point_{elem}"
            file.test(f"{expression}, {elem}", [
                *(f"{key} = {rounds(lists)}" for key, lists in seen.items()),
                "for i in 0..6 {",
                f"  minimize bowl({m}.w, {m}.b) over {m} using {expression}",
                f"  expect close({m}.w, w[i], {tolerance})",
                f"  expect close({m}.b, b[i], {tolerance})",
                "}",
            ])
    file.write()


# ---- operations


def small_inputs():
    generator = torch.Generator().manual_seed(2)
    shapes = {"x": (3, 4), "y": (3, 4), "p": (3, 4), "v": (4,), "c": (3, 1), "m": (4, 5)}
    shapes.update(a=(2, 3, 4), b=(2, 4, 3))
    values = {name: brief(torch.randn(*shape, generator=generator) * 1.5) for name, shape in shapes.items()}
    values["p"] = values["p"].abs() + 0.25
    return {name: tensor(t) for name, t in values.items()}


# expression, PyTorch's, whether it has a gradient
OPERATIONS = [
    ("x + v * c", lambda i: i.x + i.v * i.c, True),
    ("x - y", lambda i: i.x - i.y, True),
    ("x / p", lambda i: i.x / i.p, True),
    ("v / p", lambda i: i.v / i.p, True),
    ("-x", lambda i: -i.x, True),
    ("3 - x * 2", lambda i: 3 - i.x * 2, True),
    ("abs(x)", lambda i: i.x.abs(), True),
    ("sign(x)", lambda i: i.x.sign(), False),
    ("exp(x)", lambda i: i.x.exp(), True),
    ("log(p)", lambda i: i.p.log(), True),
    ("sqrt(p)", lambda i: i.p.sqrt(), True),
    ("rsqrt(p)", lambda i: i.p.rsqrt(), True),
    ("tanh(x)", lambda i: i.x.tanh(), True),
    ("erf(x)", lambda i: i.x.erf(), True),
    ("sin(x)", lambda i: i.x.sin(), True),
    ("cos(x)", lambda i: i.x.cos(), True),
    ("floor(x)", lambda i: i.x.floor(), False),
    ("ceil(x)", lambda i: i.x.ceil(), False),
    ("x % p", lambda i: i.x % i.p, True),
    ("x % -0.75", lambda i: i.x % -0.75, True),
    ("p % v", lambda i: i.p % i.v, True),
    ("x // p", lambda i: torch.div(i.x, i.p, rounding_mode="floor"), False),
    ("p ** y", lambda i: i.p**i.y, True),
    ("pow(p, v)", lambda i: i.p**i.v, True),
    ("x ** 2", lambda i: i.x**2, True),
    ("x ** 3", lambda i: i.x**3, True),
    ("x ** 7", lambda i: i.x**7, True),
    ("p ** 2.5", lambda i: i.p**2.5, True),
    ("p ** -0.5", lambda i: i.p**-0.5, True),
    ("p ** 0.5", lambda i: i.p**0.5, True),
    ("2 ** x", lambda i: 2**i.x, True),
    ("(x - x) ** 2", lambda i: (i.x - i.x) ** 2, True),
    ("square(x)", lambda i: i.x.square(), True),
    ("maximum(x, y)", lambda i: torch.maximum(i.x, i.y), True),
    ("minimum(x, v)", lambda i: torch.minimum(i.x, i.v), True),
    ("clamp(x, -1, 1.1)", lambda i: i.x.clamp(-1, 1.1), True),
    ("where(x > y, x * y, y - x)", lambda i: torch.where(i.x > i.y, i.x * i.y, i.y - i.x), True),
    ("where(v < 0, x, p)", lambda i: torch.where(i.v < 0, i.x, i.p), True),
    ("where(x > 0, sqrt(maximum(x, 0.01)), 0)", lambda i: torch.where(i.x > 0, i.x.clamp(min=0.01).sqrt(), 0), True),
    ("cast(x >= v, f64)", lambda i: (i.x >= i.v).double(), False),
    ("cast(not (x > y) and p < 1 or v == v, f64)", lambda i: torch.ones(3, 4).double(), False),
    ("cast(cast(x / 3, f32), f64)", lambda i: (i.x / 3).float().double(), True),
    ("stop_gradient(x) * x", lambda i: i.x.detach() * i.x, True),
    ("reduce_sum(a)", lambda i: i.a.sum(), True),
    ("reduce_sum(a, axis: 0)", lambda i: i.a.sum(0), True),
    ("reduce_sum(a, axis: 1)", lambda i: i.a.sum(1), True),
    ("reduce_sum(a, axis: [0, 2], keep: true)", lambda i: i.a.sum((0, 2), keepdim=True), True),
    ("reduce_mean(a)", lambda i: i.a.mean(), True),
    ("reduce_mean(a, axis: -1)", lambda i: i.a.mean(-1), True),
    ("reduce_mean(a, axis: [0, 1], keep: true)", lambda i: i.a.mean((0, 1), keepdim=True), True),
    ("reduce_max(a, axis: 1)", lambda i: i.a.amax(1), True),
    ("reduce_max(a)", lambda i: i.a.amax(), True),
    ("reduce_max(floor(x) + x - x, axis: 1) * v[0]", lambda i: i.x.floor().amax(1) * i.v[0], True),
    ("reduce_min(a, axis: [0, -1])", lambda i: i.a.amin((0, -1)), True),
    ("variance(a, axis: -1)", lambda i: i.a.var(-1, unbiased=False), True),
    ("variance(a)", lambda i: i.a.var(unbiased=False), True),
    ("log(reduce_sum(exp(a), axis: 1))", lambda i: i.a.logsumexp(1), True),
    ("cast(argmax(a), f64)", lambda i: i.a.argmax(-1).double(), False),
    ("cast(argmax(a, axis: 0), f64)", lambda i: i.a.argmax(0).double(), False),
    ("x @ m", lambda i: i.x @ i.m, True),
    ("transpose(x) @ y", lambda i: i.x.T @ i.y, True),
    ("x @ transpose(y)", lambda i: i.x @ i.y.T, True),
    ("transpose(m) @ transpose(x)", lambda i: i.m.T @ i.x.T, True),
    ("a @ b", lambda i: i.a @ i.b, True),
    ("a @ m", lambda i: i.a @ i.m, True),
    ("y @ b", lambda i: i.y @ i.b, True),
    ("transpose(a) @ a", lambda i: i.a.transpose(1, 2) @ i.a, True),
    ("v @ m", lambda i: i.v @ i.m, True),
    ("a @ v", lambda i: i.a @ i.v, True),
    ("v @ v", lambda i: i.v @ i.v, True),
    ("tanh(x @ m) @ transpose(m) + v", lambda i: (i.x @ i.m).tanh() @ i.m.T + i.v, True),
    ("reshape(a, [4, 6])", lambda i: i.a.reshape(4, 6), True),
    ("reshape(a, [3, -1])", lambda i: i.a.reshape(3, -1), True),
    ("transpose(a)", lambda i: i.a.transpose(-1, -2), True),
    ("transpose(a, [2, 0, 1])", lambda i: i.a.permute(2, 0, 1), True),
    ("reshape(transpose(a, [1, 0, 2]), [3, 8])", lambda i: i.a.permute(1, 0, 2).reshape(3, 8), True),
    ("broadcast(c, [2, 3, 4])", lambda i: i.c.broadcast_to(2, 3, 4), True),
    ("concat([x, y])", lambda i: torch.cat([i.x, i.y], -1), True),
    ("concat([x, y, x * 2], axis: 0)", lambda i: torch.cat([i.x, i.y, i.x * 2], 0), True),
    ("concat([a, transpose(b)], axis: 1)", lambda i: torch.cat([i.a, i.b.transpose(1, 2)], 1), True),
    ("stack([x, y, p], axis: 1)", lambda i: torch.stack([i.x, i.y, i.p], 1), True),
    ("split(x, 2)[1] * split(y, [3, 1])[1]", lambda i: i.x[:, 2:] * i.y[:, 3:], True),
    ("pad(x, [[1, 2], [0, 3]])", lambda i: F.pad(i.x, (0, 3, 1, 2)), True),
    ("pad(a, [0, 1, [2, 0]], fill: -1.5)", lambda i: F.pad(i.a, (2, 0, 1, 1), value=-1.5), True),
    ("reverse(a)", lambda i: i.a.flip(-1), True),
    ("reverse(a, axis: 0)", lambda i: i.a.flip(0), True),
    ("x[1]", lambda i: i.x[1], True),
    ("x[-1, 2]", lambda i: i.x[-1, 2], True),
    ("x[:, 1:3]", lambda i: i.x[:, 1:3], True),
    ("x[0:3:2, 1::2]", lambda i: i.x[0:3:2, 1::2], True),
    ("a[..., -1]", lambda i: i.a[..., -1], True),
    ("a[1, ..., :2]", lambda i: i.a[1, ..., :2], True),
    ("a[:, 1:, ::3]", lambda i: i.a[:, 1:, ::3], True),
    ("x[:2] * x[1:]", lambda i: i.x[:2] * i.x[1:], True),
    ("take(x, [2, 0, 2, 2, 1])", lambda i: i.x[[2, 0, 2, 2, 1]], True),
    ("take(a, [[3, 0], [0, 0]], axis: -1)", lambda i: i.a[..., torch.tensor([[3, 0], [0, 0]])], True),
    ("gather(a, [1, 1, 0], axis: 1)", lambda i: i.a[:, [1, 1, 0]], True),
    ("scatter_add(x, [2, 2, 0], y)", lambda i: i.x.index_add(0, torch.tensor([2, 2, 0]), i.y), True),
    ("scatter_add(x, [1, 3], y[:, 1:3] * p[:, :2], axis: 1)",
     lambda i: i.x.index_add(1, torch.tensor([1, 3]), i.y[:, 1:3] * i.p[:, :2]), True),
    ("one_hot([2, 0, 1], 3, f64) @ x", lambda i: F.one_hot(torch.tensor([2, 0, 1]), 3).double() @ i.x, True),
]

# Arguments over the whole range of each function: the relative error is asked for.
ANGLES = [-1e15, -1e5, -3.141592653589793, -1e-9, 1e-300, 0.5, 1.5707963267948966, 3.141592653589793, 1e4, 1e8, 1e22,
          1e300]
RANGES = {
    "exp": [-744, -708.25, -300.7, -1e-3, 1e-300, 1e-8, 0.6931471805599453, 1, 88.75, 500.1, 709.75],
    "log": [5e-324, 1e-310, 2.3e-308, 1e-17, 0.5, 0.999999999, 1, 1.0000000001, 2, 1e10, 1.7e308],
    "sqrt": [0, 5e-324, 1e-300, 2, 1e300, 1.7e308],
    "tanh": [-1e300, -19.5, -0.6, -1e-9, 1e-300, 1e-5, 0.3, 0.625, 1, 3, 22, 710],
    "erf": [-1e300, -5.9, -1e-9, 1e-300, 0.3, 0.84375, 1.25, 2.85, 4, 6],
    "sin": [*ANGLES, 3, 6.283185307179586, 22, 355],
    "cos": [*ANGLES, 4.71238898038469, 11],
    "floor": [-1e300, -2.5, -2, -1e-300, 0, 0.9999999999999999, 4503599627370495.5, 1e300],
}
POWERS = [(2, 0.5), (0.5, 1000), (1.0000001, 1e7), (-2, 3), (-2, 4), (-0.5, -3), (10, 300), (10, -300), (0, 0), (0, 2),
          (7, 0), (1e-300, -1), (1.5, 1700), (3, -640.5), (0.9999999999999999, 1e16), (-1, 1e15 + 1)]

# Matrix products larger than a tile, with edges.
PRODUCTS = [
    ("x @ y", (33, 65), (65, 17)),
    ("transpose(x) @ y", (65, 33), (65, 17)),
    ("x @ transpose(y)", (33, 65), (17, 65)),
    ("x @ y", (3, 19, 40), (3, 40, 21)),
    ("x @ y", (3, 19, 40), (40, 21)),
    ("x @ y", (1, 300), (300, 1)),
    ("x @ y", (129, 1), (1, 130)),
    ("x @ y", (70, 300), (300, 40)),
]


def ranges(file):
    for name, arguments in RANGES.items():
        x = torch.tensor(arguments)
        file.model(f"range_{name}", x=x)
        file.test(f"{name} over its range", [near(f"{name}(range_{name}.x)", getattr(torch, name)(x), ULPS)])
    base, exponent = (torch.tensor(side) for side in zip(*POWERS))
    file.model("range_pow", x=base, y=exponent)
    file.test("pow over its range", [near("range_pow.x ** range_pow.y", base**exponent, ULPS)])
    zero = {"x": tensor([0, 0, 0, 2]), "y": tensor([0, 1, 2, 0])}
    file.model("zero_pow", **zero)
    compare(file, "powers of 0 and to 0", "zero_pow", zero, "x ** y", zero["x"] ** zero["y"])


def product(file, model, expression, left, right):
    """The start of the product, and sums over it and its gradients."""
    x, y = wave(*left).requires_grad_(), wave(*right, phase=0.5).requires_grad_()
    shapes = [", ".join(map(str, side)) for side in (left, right)]
    file.add("", f"model {model}() {{")
    file.add(f"  param x: f64[{shapes[0]}] = wave", f"  param y: f64[{shapes[1]}] = wave(0.5)", "}")
    z = (x.mT if "transpose(x)" in expression else x) @ (y.mT if "transpose(y)" in expression else y)
    gx, gy = torch.autograd.grad(weighed(z), [x, y])
    file.test(f"{expression} of [{shapes[0]}] and [{shapes[1]}]", [
        f"x = {model}.x",
        f"y = {model}.y",
        close(f"reshape({expression}, [-1])[:{min(9, z.numel())}]", z.reshape(-1)[:9]),
        close(f"weighed({expression})", weighed(z)),
        f"minimize weighed({expression}) over {model} using gradient_of",
        close(f"weighed({model}.x)", weighed(gx)),
        close(f"weighed({model}.y)", weighed(gy)),
    ])


def operations():
    file = File("operations.nn", "operations and their gradients", ["gradient_of", "off", "weighed", "wave"])
    inputs = small_inputs()
    file.model("t", **inputs)
    for expression, function, differentiable in OPERATIONS:
        used = {name: t for name, t in inputs.items() if re.search(rf"\b{name}\b", expression)}
        compare(file, expression, "t", used, expression, function(types.SimpleNamespace(**inputs)),
                WEIGHED if differentiable else None)
    ranges(file)
    for i, (expression, left, right) in enumerate(PRODUCTS):
        product(file, f"product_{i}", expression, left, right)
    file.write()


# ---- networks

NET = [(4, 6, "tanh"), (6, 5, "relu"), (5, 3, None)]


def net_model(file, elem, start):
    file.add("", f"model net_{elem}(x: {elem}[4]) -> {elem}[3] {{")
    for i, (_, units, activation) in enumerate(NET):
        file.add(f"  {'  |>' if i else 'x |>'} dense({units}, init: {literal(start[f'w{i}'])}, name: \"d{i}\")"
                 + (f" |> {activation}" if activation else ""))
    file.add("}")


def mlp():
    generator = torch.Generator().manual_seed(3)
    x, y = brief(torch.randn(7, 4, generator=generator) * 1.5), [0, 2, 1, 1, 0, 2, 2]
    start = {f"w{i}": brief(torch.randn(*shape, generator=generator) * 0.7) for i, (*shape, _) in enumerate(NET)}
    p = {key: tensor(w) for key, w in start.items()}
    p.update({f"b{i}": tensor([0] * units) for i, (_, units, _) in enumerate(NET)})
    optimizer, seen, losses_seen = torch.optim.Adam(p.values(), 0.05), {key: [] for key in p}, []
    for _ in range(3):
        h = F.relu(torch.tanh(x @ p["w0"] + p["b0"]) @ p["w1"] + p["b1"])
        loss = F.cross_entropy(h @ p["w2"] + p["b2"], torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses_seen.append(loss.item())
        for key, t in p.items():
            seen[key].append(t.tolist())
    file = File("mlp.nn", "a net of three dense layers, three steps of Adam: the loss and all parameters after each")
    file.add("", f"const samples = {literal(x)}", f"const classes = {literal(y)}")
    for elem, tolerance in (("f64", F64), ("f32", F32)):
        net_model(file, elem, start)
        file.test(f"three steps, {elem}", [
            f"x = cast(samples, {elem})",
            f"losses = {literal(losses_seen)}",
            *(f"{key} = {rounds(lists)}" for key, lists in seen.items()),
            "for i in 0..3 {",
            f"  loss = cross_entropy(net_{elem}(x), classes)",
            f"  expect close(loss, losses[i], {tolerance})",
            f"  minimize loss over net_{elem} using adam(lr: 0.05)",
            *(f"  expect close(net_{elem}.d{key[1]}.{key[0]}, {key}[i], {tolerance})" for key in p),
            "}",
        ])
    file.write()


def backprop(steps):
    """The exercise of figures.nn, weights only: the loss after so many steps, and the outputs."""
    w1, w2 = tensor([[0.15, 0.25], [0.2, 0.3]]), tensor([[0.4, 0.5], [0.45, 0.55]])
    x, target = torch.tensor([[0.05, 0.1]]), torch.tensor([[0.01, 0.99]])
    optimizer = torch.optim.SGD([w1, w2], 0.5)
    for step in range(steps + 1):
        y = torch.sigmoid(torch.sigmoid(x @ w1 + 0.35) @ w2 + 0.6)
        loss = ((y - target) ** 2).sum() / 2
        if step < steps:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return f"loss {loss.item()!r}, outputs {y.tolist()}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    activations()
    losses()
    optimizers()
    operations()
    mlp()
    for count in (1, 100, 10000):
        print(f"back-propagation in figures.nn, {count} steps: {backprop(count)}")
