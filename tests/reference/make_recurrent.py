"""Reference values by PyTorch for recurrent layers: writes recurrent.nn.

As make.py does; every gradient is compared element by element. The modules are PyTorch's own; what it does not have (the
reset gate before the product, peepholes, the update gate counted the other way) is written out over their weights.
Run: python3 make_recurrent.py; needs PyTorch.
"""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from make import File, close, literal, wave, weighed

N, T, IN, UNITS = 3, 4, 2, 3
LENGTHS = [2, 4, 1]


class WrittenGRU(nn.GRU):
    """before: the reset gate scales the state before the product. new: the update gate is the share of the new state."""

    def __init__(self, *sizes, before=False, new=False, **given):
        super().__init__(*sizes, **given)
        self.before, self.new = before, new

    def forward(self, x):
        h, steps = x.new_zeros(len(x), self.hidden_size), []
        w, b = self.weight_hh_l0.chunk(3), self.bias_hh_l0.chunk(3)
        for xt in x.unbind(1):
            z = (xt @ self.weight_ih_l0.T + self.bias_ih_l0).chunk(3, -1)
            r, u = (torch.sigmoid(z[i] + h @ w[i].T + b[i]) for i in (0, 1))
            g = torch.tanh(z[2] + ((r * h) @ w[2].T + b[2] if self.before else r * (h @ w[2].T + b[2])))
            h = u * g + (1 - u) * h if self.new else u * h + (1 - u) * g
            steps.append(h)
        return torch.stack(steps, 1), h


class PeepholeLSTM(nn.LSTM):
    def __init__(self, *sizes, **given):
        super().__init__(*sizes, **given)
        self.peephole = nn.Parameter(torch.empty(3, self.hidden_size))

    def forward(self, x):
        h = c = x.new_zeros(len(x), self.hidden_size)
        steps = []
        for xt in x.unbind(1):
            z = xt @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
            i, f, g, o = z.chunk(4, -1)
            i, f = i + self.peephole[0] * c, f + self.peephole[1] * c
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o + self.peephole[2] * c) * torch.tanh(c)
            steps.append(h)
        return torch.stack(steps, 1), (h, c)


def every(module, x):
    return module(x)[0]


def packed(module, x):
    steps = pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(module(steps)[0], batch_first=True, total_length=T)[0]


def ends(module, x):
    """What each direction of the last layer ends with, side by side."""
    steps = pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    state = module(steps)[1]
    state = state[0] if isinstance(state, tuple) else state
    directions = 2 if module.bidirectional else 1
    return torch.cat(list(state[-directions:]), -1)


def backwards(module, x):
    return module(x.flip(1))[0].flip(1)


# Where the parameters of a layer's directions lie, ours and PyTorch's.
ONE = {"{}_0": "l0"}
BOTH = {"bidirectional_0.forward": "l0", "bidirectional_0.backward": "l0_reverse"}
TOWER = {f"stacked_0.bidirectional_{i}.{way}": f"l{i}{end}"
         for i in (0, 1) for way, end in (("forward", ""), ("backward", "_reverse"))}
TWO = "biases: 2, forget_bias: 0.0"

# the call, PyTorch's module, what is taken of it, where the parameters lie
CASES = [
    ("simple_rnn(3, biases: 2)", nn.RNN(IN, UNITS, batch_first=True), every, ONE),
    ("simple_rnn(3, biases: 2, activation: relu)", nn.RNN(IN, UNITS, nonlinearity="relu", batch_first=True), every, ONE),
    ("simple_rnn(3, biases: 0, reverse: true)", nn.RNN(IN, UNITS, bias=False, batch_first=True), backwards, ONE),
    (f"lstm(3, {TWO})", nn.LSTM(IN, UNITS, batch_first=True), every, ONE),
    ("lstm(3, biases: 0)", nn.LSTM(IN, UNITS, bias=False, batch_first=True), every, ONE),
    (f"lstm(3, {TWO}, lengths: lengths)", nn.LSTM(IN, UNITS, batch_first=True), packed, ONE),
    (f"lstm(3, {TWO}, lengths: lengths, sequence: false)", nn.LSTM(IN, UNITS, batch_first=True), ends, ONE),
    (f"lstm(3, {TWO}, peepholes: true)", PeepholeLSTM(IN, UNITS, batch_first=True), every, ONE),
    ("gru(3)", nn.GRU(IN, UNITS, batch_first=True), every, ONE),
    ("gru(3, reverse: true)", nn.GRU(IN, UNITS, batch_first=True), backwards, ONE),
    ("gru(3, lengths: lengths, sequence: false)", nn.GRU(IN, UNITS, batch_first=True), ends, ONE),
    ('gru(3, update: "new")', WrittenGRU(IN, UNITS, new=True), every, ONE),
    ('gru(3, reset: "before", biases: 2)', WrittenGRU(IN, UNITS, before=True), every, ONE),
    ('gru(3, reset: "before", update: "new", biases: 2)', WrittenGRU(IN, UNITS, before=True, new=True), every, ONE),
    ("bidirectional(simple_rnn, units: 3)", nn.RNN(IN, UNITS, batch_first=True, bidirectional=True), every, BOTH),
    (f"bidirectional(partial(lstm, {TWO}), units: 3)", nn.LSTM(IN, UNITS, batch_first=True, bidirectional=True), every, BOTH),
    ("bidirectional(gru, units: 3, lengths: lengths)", nn.GRU(IN, UNITS, batch_first=True, bidirectional=True), packed, BOTH),
    ("stacked(partial(bidirectional, gru), units: 3, lengths: lengths, sequence: false)",
     nn.GRU(IN, UNITS, 2, batch_first=True, bidirectional=True), ends, TOWER),
]
NAMES = {"weight_ih_": "wx", "weight_hh_": "wh", "bias_ih_": "b", "bias_hh_": "bh"}


def parameters(call, module, places):
    """Pairs of our name and PyTorch's parameter; those that the call does not have are zero there."""
    pairs = []
    for place, end in places.items():
        path = place.format(call.split("(")[0])
        for theirs, ours in NAMES.items():
            p = getattr(module, theirs + end, None)
            if p is not None and ours == "bh" and "rnn" in call and "biases: 2" not in call:
                p.data.zero_()
            elif p is not None:
                pairs.append((f"{path}.{ours}", p))
        if hasattr(module, "peephole"):
            pairs.append((f"{path}.peephole", module.peephole))
    return pairs


def compare(file, number, call, module, function, places):
    model, x = f"m_{number}", wave(N, T, IN).requires_grad_()
    pairs = parameters(call, module, places)
    turned = [p.dim() == 2 and "peephole" not in name for name, p in pairs]
    lines = []
    for phase, ((name, p), turn) in enumerate(zip(pairs, turned), 1):
        start = wave(*(reversed(p.shape) if turn else p.shape), phase=float(phase))
        p.data = (start.T if turn else start).contiguous()
        lines.append(f"{model}.{name} := wave({list(start.shape)}, {phase}.0, type: f64)")
    y = function(module, x)
    grads = torch.autograd.grad(weighed(y), [x] + [p for _, p in pairs])
    file.add("", f"model x_{number}() {{ param x: f64[{N}, {T}, {IN}] = wave }}",
             f"model {model}() {{ x_{number}.x |> {call} }}")
    file.test(call.replace('"', ""), [
        *lines,
        close(f"{model}()", y),
        f"minimize weighed({model}()) over [{model}, x_{number}] using gradient_of",
        close(f"x_{number}.x", grads[0]),
        *(close(f"{model}.{name}", g.T if turn else g) for (name, _), turn, g in zip(pairs, turned, grads[1:])),
    ])


if __name__ == "__main__":
    torch.set_num_threads(1)
    file = File("recurrent.nn", "recurrent layers, and their gradients", ["gradient_of", "weighed", "wave"])
    file.add("", f"const lengths = {literal(LENGTHS)}")
    for number, case in enumerate(CASES):
        compare(file, number, *case)
    file.write()
