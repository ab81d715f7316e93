"""The polynomials of compiler/loops/mathlib_*.c: near-minimax fits by Remez exchange in 60 digits.

Each is the p(z) of least weighted error |w(z) (f(z) - p(z))| on an interval; coefficients are then rounded to the
type.
Run: python3 minimax.py [name ...]; needs mpmath.
"""
import sys
from mpmath import mp, mpf, matrix, lu_solve, exp, log, tanh, erf, erfc, sin, cos, sqrt, pi, nstr

mp.dps = 60


def remez(f, weight, low, high, powers, rounds=12):
    """Coefficients for the given powers of z, and the weighted error."""
    n = len(powers)
    points = [(low + high) / 2 - (high - low) / 2 * cos(pi * (mpf(i) + mpf(1) / 2) / (n + 1)) for i in range(n + 1)]
    for _ in range(rounds):
        a, b = matrix(n + 1, n + 1), matrix(n + 1, 1)
        for i, z in enumerate(points):
            for j, k in enumerate(powers):
                a[i, j] = z**k
            a[i, n] = (-1) ** i / weight(z)
            b[i] = f(z)
        c = lu_solve(a, b)
        error = lambda z: weight(z) * (f(z) - sum(c[j] * z**k for j, k in enumerate(powers)))
        grid = [(low + high) / 2 - (high - low) / 2 * cos(pi * mpf(i) / 600) for i in range(601)]
        e = [error(z) for z in grid]
        # the extremes of each stretch of one sign
        best, peaks = 0, []
        for i in range(1, 601):
            if e[i] * e[best] < 0:
                peaks.append(best)
                best = i
            elif abs(e[i]) > abs(e[best]):
                best = i
        peaks.append(best)
        worst = max(abs(x) for x in e)
        if len(peaks) < n + 1:
            print('few peaks', len(peaks), n + 1, file=sys.stderr)
            break
        while len(peaks) > n + 1:
            peaks.pop(0 if abs(e[peaks[0]]) < abs(e[peaks[-1]]) else -1)
        new = [grid[i] for i in peaks]
        if abs(abs(c[n]) - worst) < worst / 500:
            break
        points = new
    return [c[j] for j in range(n)], worst


def rounded(x, bits):
    if x == 0:
        return x
    e = int(mp.floor(mp.log(abs(x), 2)))
    scale = mpf(2) ** (bits - 1 - e)
    return mp.nint(x * scale) / scale


def fit(name, f, weight, low, high, degree, bits):
    low, high = mpf(low), mpf(high)
    c, worst = remez(f, weight, low, high, list(range(degree + 1)), 20)
    known = [rounded(x, bits) for x in c]
    grid = [(low + high) / 2 - (high - low) / 2 * cos(pi * mpf(i) / 500) for i in range(501)]
    final = max(abs(weight(z) * (f(z) - sum(c * z**i for i, c in enumerate(known)))) for z in grid if z != 0)
    print(f"{name}: error 2^{nstr(mp.log(final, 2), 5)}")
    print("  " + ", ".join(float(c).hex() for c in known))
    sys.stdout.flush()


L = log(mpf(2)) / 2
F = (sqrt(mpf(2)) / 2 - 1, sqrt(mpf(2)) - 1)
tiny = mpf(10) ** -25


def series(f, at_zero):
    """f away from 0, its limit at 0, where the formula cancels."""
    return lambda z: at_zero if abs(z) < tiny else f(z)


def root(f):
    """A function of z = x^2."""
    return lambda z: f(sqrt(z))


def erfc_log(center):
    return lambda u: log(erfc(u + center))


expq = series(lambda r: (exp(r) - 1 - r) / r**2, mpf(1) / 2)
logq = series(lambda x: (log(1 + x) - x + x * x / 2) / x**3, mpf(1) / 3)
atanhq = series(root(lambda s: (log((1 + s) / (1 - s)) / s - 2) / s**2), mpf(2) / 3)
atanhqq = series(root(lambda s: ((log((1 + s) / (1 - s)) / s - 2) / s**2 - mpf(2) / 3) / s**2), mpf(2) / 5)
tanhq = series(root(lambda x: (tanh(x) / x - 1) / x**2), -mpf(1) / 3)
erfq = root(lambda x: erf(x) / x if x > tiny else 2 / sqrt(pi))
sinq = series(root(lambda x: (sin(x) / x - 1) / x**2), -mpf(1) / 6)
cosq = series(root(lambda x: (cos(x) - 1 + x * x / 2) / x**4), mpf(1) / 24)
S = (sqrt(mpf(2)) - 1) ** 2 / (sqrt(mpf(2)) + 1) ** 2 * mpf("1.0001")
P = (pi / 4) ** 2 * mpf("1.0001")

FITS = {
    "exp_f32": lambda: fit("exp_f32", expq, lambda r: (r * r + mpf('0.002')) / exp(r), -L, L, 4, 24),
    "exp_f64": lambda: fit("exp_f64", expq, lambda r: (r * r + mpf('0.002')) / exp(r), -L, L, 9, 53),
    "log_f32": lambda: fit("log_f32", logq, lambda x: x * x + mpf('0.002'), F[0], F[1], 6, 24),
    "log_f64": lambda: fit("log_f64", atanhq, lambda z: z + tiny, 0, S, 6, 53),
    "tanh_f32": lambda: fit("tanh_f32", tanhq, lambda z: z + tiny, 0, mpf("0.625") ** 2, 4, 24),
    "tanh_f64": lambda: fit("tanh_f64", tanhq, lambda z: z + tiny, 0, mpf("0.625") ** 2, 10, 53),
    "sin_f32": lambda: fit("sin_f32", sinq, lambda z: z + tiny, 0, P, 3, 24),
    "cos_f32": lambda: fit("cos_f32", cosq, lambda z: z * z + tiny, 0, P, 3, 24),
    "sin_f64": lambda: fit("sin_f64", sinq, lambda z: z + tiny, 0, P, 5, 53),
    "cos_f64": lambda: fit("cos_f64", cosq, lambda z: z * z + tiny, 0, P, 5, 53),
    "erf_f32": lambda: fit("erf_f32", erfq, lambda z: mpf(1), 0, mpf("0.875") ** 2, 5, 24),
    "erf_f64": lambda: fit("erf_f64", erfq, lambda z: mpf(1), 0, mpf("0.875") ** 2, 11, 53),
    "erfc_f32": lambda: fit("erfc_f32", erfc_log(mpf(1)), lambda u: erfc(u + 1) + mpf(10) ** -5, mpf("0.875") - 1, mpf(4) - 1, 7, 24),
    "erfc_f64": lambda: fit("erfc_f64", erfc_log(mpf(1)), lambda u: erfc(u + 1) + mpf(10) ** -10, mpf("0.875") - 1, mpf(6) - 1, 19, 53),
    "pow_log_f32": lambda: fit("pow_log_f32", atanhq, lambda z: z + tiny, 0, S, 4, 53),
    "pow_exp_f32": lambda: fit("pow_exp_f32", expq, lambda r: (r * r + mpf('0.002')) / exp(r), -L, L, 5, 53),
    "pow_log_f64": lambda: fit("pow_log_f64", atanhqq, lambda z: z * z + tiny, 0, S, 7, 53),
}

for name in sys.argv[1:] or FITS:
    FITS[name]()
