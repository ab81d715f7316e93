"""Reference values by PyTorch for attention and the layers of transformers: writes attention.nn.

As make_windows.py does: the first values and a weighed sum of each result and of each gradient, x and the memory's among
them. The parameters are waves that both sides compute. What PyTorch 1.13 has no module for (grouped queries, rotary
positions) is written out here in its operations.
The networks of the zoo that are made of them are small ones of networks.py.
Run: python3 make_attention.py; needs PyTorch.
"""
import itertools

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.stateless import functional_call

import networks
from make import File, close, wave, weighed

TOLERANCE = 1e-10  # of f64: sums pass through several layers

# PyTorch's name, ours; matrices lie the other way round there.
NAMES = [("self_attn", "attention"), ("multihead_attn", "memory_attention"), ("in_proj_weight", "in_proj.w"),
         ("in_proj_bias", "in_proj.b"), ("q_proj_weight", "in_proj.w"), ("linear1", "mlp.dense_0"),
         ("linear2", "mlp.dense_1")]
NUMBERS = itertools.count()


def our_name(name):
    for theirs, ours in NAMES:
        name = name.replace(theirs, ours)
    return name.replace(".weight", ".gamma" if "norm" in name else ".w").replace(
        ".bias", ".beta" if "norm" in name else ".b")


def start(name, shape, phase):
    """Ours, in PyTorch and in the language."""
    factor, middle = (0.3, 1) if name.endswith("gamma") else (1 if name in ("x", "y") else 0.4, 0)
    value = (middle + factor * wave(*shape, phase=phase)).requires_grad_()
    return value, f"{middle} + {factor} * wave({list(shape)}, phase: {phase}, type: TYPE)"


def few(expression, t, tolerance):
    count = min(8, t.numel())
    return [f"expect shape({expression}) == {list(t.shape)}",
            close(f"reshape({expression}, [-1])[:{count}]", t.reshape(-1)[:count], tolerance),
            close(f"weighed({expression})", weighed(t), tolerance)]


def begin(file, expression, held, inputs, elem="f64"):
    """A model of the inputs; its name, the tensors that are held, by name, and the lines that give it the same."""
    model = f"m_{next(NUMBERS)}"
    file.add("", f"model {model}() {{", *(f"  param {key}: {elem}{list(held[key])}" for key in inputs),
             f"  {expression}", "}")
    lines, values = [], {}
    for i, (key, shape) in enumerate(held.items()):
        values[key], text = start(key, shape, 0.5 * i)
        lines.append(f"{model}.{key} := {text.replace('TYPE', elem)}")
    return model, values, lines


def expected(model, y, gradients, elem="f64"):
    tolerance = TOLERANCE if elem == "f64" else 2e-5
    lines = few(f"{model}()", y, tolerance)
    lines.append(f"minimize weighed({model}()) over {model} using gradient_of")
    return lines + sum((few(f"{model}.{key}", g, tolerance) for key, g in gradients.items()), [])


def sums(file, expression, function, inputs, parameters=(), layer="", elem="f64"):
    """A test of function(inputs, parameters): `inputs` by name with shapes, `parameters` by our names within `layer`."""
    held = {**inputs, **{f"{layer}.{key}": shape for key, shape in dict(parameters).items()}}
    model, values, lines = begin(file, expression, held, inputs, elem)
    y = function(*(values[key] for key in inputs), {key: values[f"{layer}.{key}"] for key in dict(parameters)})
    gradients = dict(zip(held, torch.autograd.grad(weighed(y), list(values.values()))))
    file.test(f"{expression} of {elem}", lines + expected(model, y, gradients, elem))


def network(file, expression, net, shape):
    """The same of a whole network of networks.py, whose `tensors` are its parameters as they lie here."""
    layer = f"{net.layer}_0"
    held = {"x": shape, **{key: t.shape for key, t in networks.tensors(net, layer)}}
    model, values, lines = begin(file, expression, held, ["x"])
    with torch.no_grad():
        for key, t in networks.tensors(net, layer):
            t.copy_(values[key])
    y = net(values["x"].movedim(-1, 1))
    weighed(y).backward()
    for p in net.parameters():
        p.data = p.grad
    gradients = {"x": values["x"].grad, **dict(networks.tensors(net, layer))}
    file.test(expression, lines + expected(model, y, gradients))


# ---- modules

N, HEADS = 8, 2
SHAPES = {"x": (3, 5, N), "y": (3, 4, N)}
CAUSAL = torch.ones(5, 5).tril() == 0  # true: hidden
LENGTHS = torch.tensor([5, 2, 3])
HIDDEN = torch.arange(5) >= LENGTHS[:, None]
HIDDEN_OF_MEMORY = torch.arange(4) >= torch.tensor([[4], [1], [2]])
EVERY_OTHER = (torch.arange(5)[:, None] + torch.arange(5)) % 2 == 1


def of_module(file, expression, module, call, inputs=("x",), elem="f64", shapes=SHAPES):
    """call(run, x, ..): run(*arguments) is the module with the parameters given."""
    shaped = {our_name(name): (p.T.shape if p.dim() == 2 else p.shape) for name, p in module.named_parameters()}
    theirs = {our_name(name): name for name, _ in module.named_parameters()}

    def function(*arguments):
        *tensors, parameters = arguments
        weights = {theirs[key]: p.T if p.dim() == 2 else p for key, p in parameters.items()}
        return call(lambda *a, **k: functional_call(module, weights, a, k), *tensors)

    layer = expression.split("|>")[1].split("(")[0].strip() + "_0"
    sums(file, expression, function, {key: shapes[key] for key in inputs}, shaped, layer, elem)


def attend(**options):
    return lambda run, x, y=None: run(x, *([x, x] if y is None else [y, y]), need_weights=False, **options)[0]


def modules(file):
    def attention(bias=True):
        return nn.MultiheadAttention(N, HEADS, bias=bias, batch_first=True)

    for elem in ("f64", "f32"):
        of_module(file, "x |> multi_head_attention(2)", attention(), attend(), elem=elem)
        of_module(file, "x |> transformer_encoder_layer(2, hidden: 12)",
                  nn.TransformerEncoderLayer(N, HEADS, 12, 0, batch_first=True), lambda run, x: run(x), elem=elem)
        of_module(file, "x |> transformer_decoder_layer(y, 2, hidden: 12)",
                  nn.TransformerDecoderLayer(N, HEADS, 12, 0, batch_first=True),
                  lambda run, x, y: run(x, y, tgt_mask=CAUSAL), ("x", "y"), elem)
    of_module(file, "x |> multi_head_attention(2, bias: false)", attention(False), attend())
    of_module(file, "x |> multi_head_attention(2, causal: true)", attention(), attend(attn_mask=CAUSAL))
    of_module(file, "x |> multi_head_attention(2, keys: [5, 2, 3])", attention(), attend(key_padding_mask=HIDDEN))
    of_module(file, "x |> multi_head_attention(2, causal: true, keys: [5, 2, 3])", attention(),
              attend(attn_mask=CAUSAL, key_padding_mask=HIDDEN))
    of_module(file, "x |> multi_head_attention(2, mask: (iota([5, 5]) + iota([5, 5], 1)) % 2 == 0)", attention(),
              attend(attn_mask=EVERY_OTHER))
    of_module(file, "x |> multi_head_attention(2, memory: y)", attention(), attend(), ("x", "y"))
    of_module(file, "x |> multi_head_attention(2, memory: y, keys: iota([3, 4], 1) < [[4], [1], [2]])", attention(),
              attend(key_padding_mask=HIDDEN_OF_MEMORY), ("x", "y"))
    of_module(file, "x |> transformer_encoder_layer(4, hidden: 12, activation: gelu, norm_first: true, keys: [5, 2, 3])",
              nn.TransformerEncoderLayer(N, 4, 12, 0, F.gelu, batch_first=True, norm_first=True),
              lambda run, x: run(x, src_key_padding_mask=HIDDEN))
    of_module(file, "x |> transformer_decoder_layer(y, 2, hidden: 12, norm_first: true, memory_keys: [4, 1, 2])",
              nn.TransformerDecoderLayer(N, HEADS, 12, 0, batch_first=True, norm_first=True),
              lambda run, x, y: run(x, y, tgt_mask=CAUSAL, memory_key_padding_mask=HIDDEN_OF_MEMORY), ("x", "y"))


# ---- written out


def heads_of(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(-2, -3)


def turned(x, base=10000.0, halves=False):
    """RoFormer's, as a product of complex numbers."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2])[:, None] * base ** (-torch.arange(half) / half)
    a, b = x.split(half, -1) if halves else x.unflatten(-1, (half, 2)).unbind(-1)
    z = torch.complex(a, b) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([z.real, z.imag], -1) if halves else torch.stack([z.real, z.imag], -1).flatten(-2)


def grouped(x, p, memory=None, groups=HEADS, turn=lambda x: x, hidden=None, size=None):
    """Four heads; queries look at keys of the same memory in groups. hidden: for all heads, or by their number."""
    size = size or x.shape[-1] // 4
    n, width = 4 * size, groups * size
    y = x if memory is None else memory
    if "in_proj.memory_w" in p:
        q, kv = x @ p["in_proj.w"], y @ p["in_proj.memory_w"]
    else:
        q, kv = x @ p["in_proj.w"][:, :n], y @ p["in_proj.w"][:, n:]
    q, kv = q + p["in_proj.b"][:n], kv + p["in_proj.b"][n:]
    q, k, v = turn(heads_of(q, 4)), turn(heads_of(kv[..., :width], groups)), heads_of(kv[..., width:], groups)
    out = []
    for head in range(4):
        g = head * groups // 4
        scores = q[:, head] @ k[:, g].transpose(-1, -2) / size**0.5
        if hidden is not None:
            scores = scores.masked_fill(hidden(head) if callable(hidden) else hidden, -torch.inf)
        out.append(F.softmax(scores, -1) @ v[:, g])
    return torch.cat(out, -1) @ p["out_proj.w"] + p["out_proj.b"]


def projections(keys, n=N, memory=None, queries=None):
    queries = queries or n
    into = {"in_proj.w": (n, queries + 2 * keys)}
    if memory is not None:
        into = {"in_proj.w": (n, queries), "in_proj.memory_w": (memory, 2 * keys)}
    return {**into, "in_proj.b": (queries + 2 * keys,), "out_proj.w": (queries, n), "out_proj.b": (n,)}


def written_out(file):
    layer = "multi_head_attention_0"
    one = {"x": SHAPES["x"]}
    for groups in (1, 2):
        sums(file, f"x |> multi_head_attention(4, kv_heads: {groups}, causal: true)",
             lambda x, p: grouped(x, p, groups=groups, hidden=CAUSAL), one, projections(2 * groups), layer)
    places = torch.arange(5)[:, None] + torch.arange(5)
    mask = "(iota([4, 5, 5]) + iota([4, 5, 5], 1) + iota([4, 5, 5], 2)) % 3 != 0"
    sums(file, f"x |> multi_head_attention(4, kv_heads: 2, keys: [5, 2, 3], mask: {mask})",
         lambda x, p: grouped(x, p, groups=2, hidden=lambda head: HIDDEN[:, None] | ((places + head) % 3 == 0)), one,
         projections(4), layer)
    sums(file, "x |> multi_head_attention(4, memory: y)", lambda x, y, p: grouped(x, p, y, 4),
         {**one, "y": (3, 4, 6)}, projections(N, memory=6), layer)
    sums(file, "x |> multi_head_attention(4, kv_heads: 2, memory: y)", lambda x, y, p: grouped(x, p, y, 2),
         {**one, "y": (3, 4, N)}, projections(4), layer)
    sums(file, "x |> multi_head_attention(4, kv_heads: 2, size: 3)", lambda x, p: grouped(x, p, groups=2, size=3), one,
         projections(6, queries=12), layer)
    sums(file, "x |> multi_head_attention(4, positions: rotary_positions)",
         lambda x, p: grouped(x, p, groups=4, turn=turned), {"x": (2, 5, 16)}, projections(16, 16), layer)
    sums(file, "x |> rotary_positions", lambda x, p: turned(x), {"x": (2, 3, 4, 6)})
    sums(file, "x |> rotary_positions(base: 500.0, halves: true)", lambda x, p: turned(x, 500, True), {"x": (4, 6)})
    sums(file, "x |> sinusoidal_positions", lambda x, p: x + sinusoids(7, 6), {"x": (2, 7, 6)})
    sums(file, "x |> learned_positions", lambda x, p: x + p["w"], one, {"w": (5, N)}, "learned_positions_0")
    sums(file, "embedding([[0, 5, 1], [1, 1, 3]], 6, 4, type: f64)",
         lambda p: F.embedding(torch.tensor([[0, 5, 1], [1, 1, 3]]), p["w"]), {}, {"w": (6, 4)}, "embedding_0")
    q, k, v, b = "qkvb"
    shapes = {"q": (2, 3, 4), "k": (2, 5, 4), "v": (2, 5, 3)}

    def scaled(q, k, v, p, bias=0, scale=0.5):
        return F.softmax(scale * q @ k.transpose(-1, -2) + bias, -1) @ v

    sums(file, "attention(q, k, v)", scaled, shapes)
    sums(file, "attention(q, k, v, scale: 2.0)", lambda *a: scaled(*a, scale=2), shapes)
    sums(file, "attention(q, k, v, bias: b)", lambda q, k, v, b, p: scaled(q, k, v, p, b), {**shapes, "b": (3, 5)})
    sums(file, "attention(q, k, v, causal: true)",
         lambda *a: scaled(*a, bias=torch.full((3, 5), -torch.inf).triu(3)), shapes)
    sums(file, "x |> patch_embedding(2, 5)",
         lambda x, p: F.conv2d(x.movedim(-1, 1), p["conv2d_0.w"].permute(3, 2, 0, 1), p["conv2d_0.b"], 2).flatten(2).mT,
         {"x": (2, 4, 6, 3)}, {"conv2d_0.w": (2, 2, 3, 5), "conv2d_0.b": (5,)}, "patch_embedding_0")


def sinusoids(t, n):
    """A row a place, a sine and a cosine a wavelength."""
    angles = torch.arange(t)[:, None] / 10000 ** (torch.arange(0, n, 2) / n)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


# ---- a language model: tokens share their table with the head, nothing has a bias

GPT = """
layer small_gpt(ids: list, next: list) {
  param tokens: f64[10, 8] = normal
  norm = partial(layer_norm, center: false)
  x = take(tokens, ids) |> learned_positions
  for i in 0..2 {
    x = x |> transformer_encoder_layer(2, causal: true, norm_first: true, norm: norm, activation: gelu, bias: false)
  }
  cross_entropy((x |> norm) @ transpose(tokens), next)
}"""
IDS, NEXT = [[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]], [[1, 4, 1, 5, 9], [2, 6, 5, 3, 5]]


def language_model(file):
    def block(i):
        return {"norm1.gamma": (N,), "attention.in_proj.w": (N, 3 * N), "attention.out_proj.w": (N, N), "norm2.gamma": (N,),
                "mlp.dense_0.w": (N, 4 * N), "mlp.dense_1.w": (4 * N, N)}, f"transformer_encoder_layer_{i}"

    def loss(p):
        x = F.embedding(torch.tensor(IDS), p["tokens"]) + p["learned_positions_0.w"]
        for i in range(2):
            w = {key: p[f"{block(i)[1]}.{key}"] for key in block(i)[0]}
            q, k, v = (heads_of(t, HEADS) for t in
                       (F.layer_norm(x, (N,), w["norm1.gamma"]) @ w["attention.in_proj.w"]).split(N, -1))
            scores = (q @ k.mT / 2).masked_fill(CAUSAL, -torch.inf)
            x = x + (F.softmax(scores, -1) @ v).transpose(1, 2).flatten(2) @ w["attention.out_proj.w"]
            x = x + F.gelu(F.layer_norm(x, (N,), w["norm2.gamma"]) @ w["mlp.dense_0.w"]) @ w["mlp.dense_1.w"]
        logits = F.layer_norm(x, (N,), p["layer_norm_0.gamma"]) @ p["tokens"].T
        return F.cross_entropy(logits.flatten(0, 1), torch.tensor(NEXT).flatten())

    parameters = {"tokens": (10, N), "learned_positions_0.w": (5, N)}
    for i in range(2):
        shapes, layer = block(i)
        parameters.update({f"{layer}.{key}": shape for key, shape in shapes.items()})
    file.add(GPT)
    sums(file, f"small_gpt({IDS}, {NEXT})", loss, {}, {**parameters, "layer_norm_0.gamma": (N,)}, "small_gpt_0")


if __name__ == "__main__":
    torch.set_num_threads(1)
    file = File("attention.nn", "attention and layers of transformers, and their gradients", ["gradient_of", "weighed", "wave"])
    file.add("", 'import "../../examples/zoo/vit.nn"', 'import "../../examples/zoo/swin.nn"')
    modules(file)
    written_out(file)
    network(file, "x |> vit(4, 8, 2, 2)", networks.vit(8, 4, 8, 2, 2, 1000), (2, 8, 8, 3))
    network(file, "x |> swin(4, [2, 2], [1, 2], 0.1, window: 3)", networks.swin(4, (2, 2), (1, 2), 1000, 3),
            (2, 16, 20, 3))
    language_model(file)
    file.write()
