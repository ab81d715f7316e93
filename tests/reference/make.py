"""Reference values by another system: writes the .nn files of this folder but figures.nn.

Each file holds `test` blocks whose expected values and gradients PyTorch computed in double precision from the same
numbers. A gradient is had by an optimizer that gives it back as the new parameter. Values are compared by `close`
(relative, but absolute below 1) and, where nothing cancels, by `off`, the relative error alone.
Run: python3 make.py; needs PyTorch.
"""
import os

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
F64, F32 = 1e-12, 1e-6  # tolerances

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
            self.lines += ["", LAYERS[layer]]

    def add(self, *lines):
        self.lines += lines

    def model(self, name, elem="f64", **tensors):
        self.add("", f"model {name}() {{")
        for key, t in tensors.items():
            init = t if isinstance(t, str) else literal(t)
            shape = ", ".join(map(str, t.shape))
            self.add(f"  param {key}: {elem}[{shape}] = {init}")
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


def compare(file, name, model, inputs, expression, value, loss=None, scalar=None, same=close, tolerance=F64):
    """A test of a value and, by `loss`, of its gradients. `scalar`: PyTorch's value of `loss`."""
    lines = [f"{key} = {model}.{key}" for key in inputs] + [same(expression, value, tolerance)]
    if loss:
        lines.append(f"minimize {loss} over {model} using gradient_of")
        lines += [same(f"{model}.{key}", g, tolerance) for key, g in gradients(scalar, inputs).items()]
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
    "softplus(x)": lambda x: F.softplus(x, threshold=1000),
    "softmax(x)": lambda x: F.softmax(x, -1),
    "log_softmax(x)": lambda x: F.log_softmax(x, -1),
}
MODERATE = [-6, -3.5, -2, -1.25, -0.5, -0.125, -0.001, 0, 0.001, 0.25, 0.75, 1, 1.5, 2.75, 4, 6, 7.5]
LARGE = [-10000, -1000, -700, -100, -85, -40, -20, -12, 12, 20, 40, 85, 100, 700, 1000, 10000]
# Where a sum of about 1 and -1 leaves few digits, in PyTorch too.
CANCELLING = ("gelu", "tanh(x)")


def activations():
    file = File("activations.nn", "activations and their gradients", ["gradient_of", "off", "weighed"])
    for elem, grids in (("f64", {"moderate": MODERATE, "large": LARGE}), ("f32", {"moderate": MODERATE, "large": LARGE})):
        for size, grid in grids.items():
            x, model = tensor(grid, elem), f"{size}_{elem}"
            file.model(model, elem, x=x)
            for expression, function in ACTIVATIONS.items():
                y = function(x)
                same = near if size == "moderate" and elem == "f64" and not expression.startswith(CANCELLING) else close
                compare(file, f"{expression}, {size}, {elem}", model, {"x": x}, expression, y, f"weighed({expression})",
                        weighed(y), same, F64 if elem == "f64" else F32)
    rows = tensor([[1000, -1000, 0], [1e30, 1e30, -1e30], [-5000, -5001, -5002], [0.5, 0.5, 0.5]])
    file.model("rows", x=rows)
    for name, function in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
        for axis in (-1, 0):
            expression, y = f"{name}(x, axis: {axis})", function(rows, axis)
            compare(file, f"{expression}, extremes", "rows", {"x": rows}, expression, y, f"weighed({expression})", weighed(y))
    x = tensor([-600, -200, -100, -81, -79, -30, -1, 0, 1, 30])
    file.model("tail", x=x)
    y = F.logsigmoid(x)
    compare(file, "the sigmoid of a large negative number is small, not cut off", "tail", {"x": x}, "log(sigmoid(x))", y,
            "weighed(log(sigmoid(x)))", weighed(y))
    x = tensor([-1e30, -1e12, 1e12, 1e30], "f32")
    file.model("huge", "f32", x=x)
    for expression in ("relu(x)", "leaky_relu(x)", "elu(x)", "selu(x)", "swish(x)", "sigmoid(x)", "tanh(x)", "softplus(x)"):
        y = ACTIVATIONS[expression](x)
        compare(file, f"{expression}, huge, f32", "huge", {"x": x}, expression, y, f"reduce_sum({expression})", y.sum(),
                close, F32)
    file.write()


# ---- losses


def hinge(p, z):
    return (1 - z * p).clamp(min=0).mean()


def bce_probabilities(p, z):
    return F.binary_cross_entropy(p.clamp(1e-7, 1 - 1e-7), z)


def losses():
    generator = torch.Generator().manual_seed(1)
    normal = lambda *shape: brief(torch.randn(*shape, generator=generator, dtype=torch.float64) * 2)
    file = File("losses.nn", "losses and their gradients", ["gradient_of"])
    classes, dense_classes = [0, 3, 2, 2, 1], [[1, 0, 2], [2, 2, 0]]
    onehot = F.one_hot(torch.tensor(classes), 4).double()
    soft = torch.tensor([[0.7, 0.1, 0.2, 0], [0.25] * 4, [0, 0, 1, 0], [0, 0.5, 0.5, 0], [0.1, 0.2, 0.3, 0.4]]).double()
    truth, signs = [[0, 1, 1], [1, 0, 0]], [[-1, 1, 1], [1, -1, -1]]
    number = lambda t: torch.tensor(t)
    logit_cases = [
        ("cross_entropy(x, {y})", lambda x, y: F.cross_entropy(x, number(y)), classes, (5, 4)),
        ("cross_entropy(x, {y})", F.cross_entropy, onehot, (5, 4)),
        ("cross_entropy(x, {y})", F.cross_entropy, soft, (5, 4)),
        ("cross_entropy(x, {y})", lambda x, y: F.cross_entropy(x.reshape(-1, 4), number(y).reshape(-1)), dense_classes,
         (2, 3, 4)),
        ("nll(log_softmax(x), {y})", lambda x, y: F.nll_loss(F.log_softmax(x, -1), number(y)), classes, (5, 4)),
        ("nll(log(softmax(x)), {y})", lambda x, y: -(F.softmax(x, -1).log() * y).sum(-1).mean(), soft, (5, 4)),
        ("binary_cross_entropy(x, {y})", lambda x, y: F.binary_cross_entropy_with_logits(x, number(y).double()), truth, (2, 3)),
        ("binary_cross_entropy(x, {y})", F.binary_cross_entropy_with_logits, torch.tensor([[0.3, 0.9, 0], [1, 0.5, 0.25]]).double(),
         (2, 3)),
        ("binary_cross_entropy_from_probabilities(sigmoid(x), {y})",
         lambda x, y: bce_probabilities(torch.sigmoid(x), number(y).double()), truth, (2, 3)),
        ("mse(x, {y})", F.mse_loss, normal(3, 4), (3, 4)),
        ("mse(x, {y})", lambda x, y: F.mse_loss(x, y[:, None]), normal(5), (5, 1)),
        ("mae(x, {y})", F.l1_loss, normal(3, 4), (3, 4)),
        ("huber(x, {y})", F.huber_loss, normal(3, 4), (3, 4)),
        ("huber(x, {y}, delta: 2.5)", lambda x, y: F.huber_loss(x, y, delta=2.5), normal(3, 4), (3, 4)),
        ("hinge(x, cast({y}, T))", lambda x, y: hinge(x, number(y).double()), signs, (2, 3)),
        ("hinge(x, cast({y}, i64))", lambda x, y: hinge(x, 2 * number(y).double() - 1), truth, (2, 3)),
    ]
    for elem, tolerance in (("f64", F64), ("f32", F32)):
        for i, (expression, function, y, shape) in enumerate(logit_cases):
            x, model = tensor(normal(*shape), elem), f"case_{i}_{elem}"
            expected = tensor(y, elem).detach() if isinstance(y, torch.Tensor) else y
            file.model(model, elem, x=x)
            value = function(x, expected)
            call = expression.replace("{y}", literal(expected)).replace("T)", elem + ")")
            name = expression.replace("{y}", "classes" if not isinstance(y, torch.Tensor) else "y").replace("T)", elem + ")")
            compare(file, f"{name} of {elem}[{', '.join(map(str, shape))}], case {i}", model, {"x": x}, call, value, call,
                    value, close, tolerance)
        extreme = tensor([[1000, -1000, 0], [-80, 80, 90], [10000, 9999, -10000]], elem)
        file.model(f"extreme_{elem}", elem, x=extreme)
        for call, value in (("cross_entropy(x, [1, 0, 0])", F.cross_entropy(extreme, number([1, 0, 0]))),
                            ("cross_entropy(x, [[1, 0, 0], [0, 0, 1], [1, 0, 0]])", F.cross_entropy(extreme, number([0, 2, 0]))),
                            ("binary_cross_entropy(x, [[1, 1, 0], [0, 1, 0], [0, 1, 1]])",
                             F.binary_cross_entropy_with_logits(extreme, number([[1, 1, 0], [0, 1, 0], [0, 1, 1]]).double()))):
            compare(file, f"{call}, extremes, {elem}", f"extreme_{elem}", {"x": extreme}, call, value, call, value, close,
                    tolerance)
    certain = tensor([[1.0, 0, 0], [0, 1, 0]])
    file.model("certain", x=certain)
    value = bce_probabilities(certain, number([[1, 0, 1], [0, 1, 1]]).double())
    compare(file, "certain probabilities stay finite", "certain", {"x": certain},
            "binary_cross_entropy_from_probabilities(x, [[1, 0, 1], [0, 1, 1]])", value)
    file.write()


# ---- optimizers

# The arguments are given where our default is not PyTorch's (rmsprop: rho is 0.9 here, 0.99 there).
OPTIMIZERS = {
    "sgd(lr: 0.05)": lambda p: torch.optim.SGD(p, 0.05),
    "momentum(lr: 0.02, mu: 0.9)": lambda p: torch.optim.SGD(p, 0.02, momentum=0.9),
    "nesterov(lr: 0.02, mu: 0.8)": lambda p: torch.optim.SGD(p, 0.02, momentum=0.8, nesterov=True),
    "adam(lr: 0.1)": lambda p: torch.optim.Adam(p, 0.1),
    "adam(lr: 0.1, beta1: 0.8, beta2: 0.95, eps: 1e-3)": lambda p: torch.optim.Adam(p, 0.1, betas=(0.8, 0.95), eps=1e-3),
    "adamw(lr: 0.1)": lambda p: torch.optim.AdamW(p, 0.1),
    "adamw(lr: 0.1, decay: 0.2)": lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.2),
    "rmsprop(lr: 0.1)": lambda p: torch.optim.RMSprop(p, 0.1, alpha=0.9),
    "rmsprop(lr: 0.05, rho: 0.99)": lambda p: torch.optim.RMSprop(p, 0.05),
    "adagrad(lr: 0.5)": lambda p: torch.optim.Adagrad(p, 0.5),
    "adadelta": lambda p: torch.optim.Adadelta(p),
    "adadelta(lr: 0.5, rho: 0.95, eps: 1e-4)": lambda p: torch.optim.Adadelta(p, 0.5, rho=0.95, eps=1e-4),
}


def bowl(w, b):
    return ((w - 0.5) ** 2 * torch.tensor([1.0, 4, 0.25]).double()).sum() + 0.1 * (w**4).sum() + (torch.cos(b) * w).sum()


def optimizers():
    file = File("optimizers.nn", "six steps of each optimizer, all parameters after each")
    start_w, start_b = [[1.5, -0.5, 2], [-1, 0.25, 0]], [0.25, -1, 3]
    for elem, tolerance in (("f64", F64), ("f32", F32)):
        file.model(f"point_{elem}", elem, w=torch.tensor(start_w), b=torch.tensor(start_b))
    file.add("", "layer bowl(w: T[2, 3], b: T[3]) -> T[] {",
             "  reduce_sum((w - 0.5) ** 2 * [1, 4, 0.25]) + 0.1 * reduce_sum(w ** 4) + reduce_sum(cos(b) * w)", "}")
    for expression, make in OPTIMIZERS.items():
        w, b = tensor(start_w), tensor(start_b)
        optimizer, ws, bs = make([w, b]), [], []
        for _ in range(6):
            optimizer.zero_grad()
            bowl(w, b).backward()
            optimizer.step()
            ws.append(w.tolist())
            bs.append(b.tolist())
        for elem, tolerance in (("f64", F64), ("f32", F32)):
            m = f"point_{elem}"
            file.test(f"{expression}, {elem}", [
                "w = [" + ",\n       ".join(map(literal, ws)) + "]", "b = [" + ",\n       ".join(map(literal, bs)) + "]",
                "for i in 0..6 {", f"  minimize bowl({m}.w, {m}.b) over {m} using {expression}",
                f"  expect close({m}.w, w[i], {tolerance})", f"  expect close({m}.b, b[i], {tolerance})", "}"
            ])
    file.write()


# ---- operations


def small_inputs():
    generator = torch.Generator().manual_seed(2)
    normal = lambda *shape: tensor(brief(torch.randn(*shape, generator=generator, dtype=torch.float64) * 1.5))
    return {
        "x": normal(3, 4), "y": normal(3, 4), "v": normal(4), "c": normal(3, 1), "m": normal(4, 5),
        "a": normal(2, 3, 4), "b": normal(2, 4, 3), "p": tensor(brief(normal(3, 4).detach().abs() + 0.25)),
    }


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
    ("where(x > 0, sqrt(maximum(x, 1e-3)), 0)", lambda i: torch.where(i.x > 0, i.x.clamp(min=1e-3).sqrt(), 0.0), True),
    ("cast(x >= v, f64)", lambda i: (i.x >= i.v).double(), False),
    ("cast(not (x > y) and p < 1 or v == v, f64)", lambda i: torch.ones(3, 4).double(), False),
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
RANGES = {
    "exp": [-744, -708.25, -300.7, -1e-3, 1e-300, 1e-8, 0.6931471805599453, 1, 88.75, 500.1, 709.75],
    "log": [5e-324, 1e-310, 2.3e-308, 1e-17, 0.5, 0.999999999, 1, 1.0000000001, 2, 1e10, 1.7e308],
    "sqrt": [0, 5e-324, 1e-300, 2, 1e300, 1.7e308],
    "tanh": [-1e300, -19.5, -0.6, -1e-9, 1e-300, 1e-5, 0.3, 0.625, 1, 3, 22, 710],
    "erf": [-1e300, -5.9, -1e-9, 1e-300, 0.3, 0.84375, 1.25, 2.85, 4, 6],
    "sin": [-1e15, -1e5, -3.141592653589793, -1e-9, 1e-300, 0.5, 1.5707963267948966, 3, 22, 355, 1e4, 1e8, 1e22, 1e300],
    "cos": [-1e15, -1e5, -3.141592653589793, -1e-9, 1e-300, 0.5, 1.5707963267948966, 3, 11, 22, 1e4, 1e8, 1e22, 1e300],
    "floor": [-1e300, -2.5, -2, -1e-300, 0, 0.9999999999999999, 4503599627370495.5, 1e300],
}
POWERS = [(2, 0.5), (0.5, 1000), (1.0000001, 1e7), (-2, 3), (-2, 4), (-0.5, -3), (10, 300), (10, -300), (0, 0), (0, 2), (7, 0),
          (1e-300, -1), (1.5, 1700), (3, -640.5), (0.9999999999999999, 1e16), (-1, 1e15 + 1)]


class Names:
    def __init__(self, values):
        self.__dict__.update(values)


def operations():
    file = File("operations.nn", "operations and their gradients", ["gradient_of", "off", "weighed", "wave"])
    inputs = small_inputs()
    file.model("t", **inputs)
    for expression, function, differentiable in OPERATIONS:
        value = function(Names(inputs))
        words = "".join(ch if ch.isalnum() or ch == "_" else " " for ch in expression).split()
        used = {name: t for name, t in inputs.items() if name in words}
        compare(file, expression, "t", used, expression, value, f"weighed({expression})" if differentiable else None,
                weighed(value) if differentiable else None)
    for name, arguments in RANGES.items():
        x = torch.tensor(arguments, dtype=torch.float64)
        file.model(f"range_{name}", x=x)
        file.test(f"{name} over its range", [near(f"{name}(range_{name}.x)", getattr(torch, name)(x))])
    base, exponent = (torch.tensor(side, dtype=torch.float64) for side in zip(*POWERS))
    file.model("range_pow", x=base, y=exponent)
    file.test("pow over its range", [near("range_pow.x ** range_pow.y", base**exponent)])
    zero = {"x": tensor([0, 0, 0, 2]), "y": tensor([0, 1, 2, 0])}
    file.model("zero_pow", **zero)
    y = zero["x"] ** zero["y"]
    compare(file, "powers of 0 and to 0", "zero_pow", {"x": zero["x"], "y": zero["y"]}, "x ** y", y, "weighed(x ** y)", weighed(y))
    products(file)
    file.write()


def products(file):
    """Matrix products larger than a tile, with edges: sums over them, and their gradients'."""
    cases = [("x @ y", (33, 65), (65, 17)), ("transpose(x) @ y", (65, 33), (65, 17)), ("x @ transpose(y)", (33, 65), (17, 65)),
             ("x @ y", (3, 19, 40), (3, 40, 21)), ("x @ y", (3, 19, 40), (40, 21)), ("x @ y", (1, 300), (300, 1)),
             ("x @ y", (129, 1), (1, 130)), ("x @ y", (70, 300), (300, 40))]
    for i, (expression, left, right) in enumerate(cases):
        x, y = wave(*left).requires_grad_(), wave(*right, phase=0.5).requires_grad_()
        sizes = [", ".join(map(str, side)) for side in (left, right)]
        file.add("", f"model product_{i}() {{", f"  param x: f64[{sizes[0]}] = wave", f"  param y: f64[{sizes[1]}] = wave(0.5)", "}")
        turned = lambda t, name: t.transpose(-1, -2) if f"transpose({name})" in expression else t
        z = turned(x, "x") @ turned(y, "y")
        gx, gy = torch.autograd.grad(weighed(z), [x, y])
        m = f"product_{i}"
        lines = [f"x = {m}.x", f"y = {m}.y", close(f"weighed({expression})", weighed(z)), close(f"({expression})[0]", z[0, ..., :9] if z.dim() == 2 else z[0, 0, :9])]
        lines[-1] = close(f"({expression})[{'0, ' * (z.dim() - 1)}:{min(9, z.shape[-1])}]", z[(0,) * (z.dim() - 1)][:9])
        lines += [f"minimize weighed({expression}) over {m} using gradient_of", close(f"weighed({m}.x)", weighed(gx)),
                  close(f"weighed({m}.y)", weighed(gy))]
        file.test(f"{expression} of [{sizes[0]}] and [{sizes[1]}]", lines)


# ---- networks


def mlp():
    generator = torch.Generator().manual_seed(3)
    normal = lambda *shape: brief(torch.randn(*shape, generator=generator, dtype=torch.float64) * 0.7)
    sizes, x, y = (4, 6, 5, 3), normal(7, 4) * 2, [0, 2, 1, 1, 0, 2, 2]
    start = {f"w{i}": normal(sizes[i], sizes[i + 1]) for i in range(3)}
    file = File("mlp.nn", "a net of three dense layers, three steps of Adam: the loss and all parameters")
    file.add("", f"const samples = {literal(x)}", f"const classes = {literal(y)}")
    for elem, tolerance in (("f64", F64), ("f32", F32)):
        file.add("", f"model net_{elem}(x: {elem}[4]) -> {elem}[3] {{", "  x" + "\n    ".join(
            f" |> dense({sizes[i + 1]}, init: {literal(start[f'w{i}'])}, name: \"d{i}\"){' |> tanh' if i == 0 else ' |> relu' if i == 1 else ''}"
            for i in range(3)), "}")
        p = {key: tensor(w) for key, w in start.items()}
        p.update({f"b{i}": tensor(torch.zeros(sizes[i + 1])) for i in range(3)})
        optimizer, lines = torch.optim.Adam(p.values(), 0.05), ["x = cast(samples, " + elem + ")"]
        for _ in range(3):
            h = torch.tanh(x @ p["w0"] + p["b0"])
            loss = F.cross_entropy(F.relu(h @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"], torch.tensor(y))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            lines += [close(f"cross_entropy(net_{elem}(x), classes)", loss, tolerance)]
            lines += [f"minimize cross_entropy(net_{elem}(x), classes) over net_{elem} using adam(lr: 0.05)"]
            lines += [close(f"net_{elem}.d{i}.{k}", p[f"{k}{i}"], tolerance) for i in range(3) for k in "wb"]
        file.test(f"three steps, {elem}", lines)
    file.write()


def backprop(steps):
    """The exercise of figures.nn, weights only: the loss after so many steps."""
    w1, w2 = tensor([[0.15, 0.25], [0.2, 0.3]]), tensor([[0.4, 0.5], [0.45, 0.55]])
    x, target = torch.tensor([[0.05, 0.1]]).double(), torch.tensor([[0.01, 0.99]]).double()
    for step in range(steps + 1):
        y = torch.sigmoid(torch.sigmoid(x @ w1 + 0.35) @ w2 + 0.6)
        loss = ((y - target) ** 2).sum() / 2
        g1, g2 = torch.autograd.grad(loss, [w1, w2])
        if step < steps:
            w1, w2 = (w1 - 0.5 * g1).detach().requires_grad_(), (w2 - 0.5 * g2).detach().requires_grad_()
    return loss.item(), y.tolist()


if __name__ == "__main__":
    torch.set_num_threads(1)
    activations()
    losses()
    optimizers()
    operations()
    mlp()
    for steps in (1, 100, 10000):
        print("backpropagation exercise,", steps, "steps: loss", *map(repr, backprop(steps)))
