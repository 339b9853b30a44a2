r"""Laws of a length: densities on (0, top] that are integrated and inverted to rounding.

    F(t) = int_0^t f / int_0^top f,    log f(t) = (n - 1) log sn(t) + log of a kernel
    dt/dtheta = -(dF/dtheta)/F'(t)                         (the quantile's derivative)

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
t            t                    a length, (..., k)
log f        log_density          of t, up to a constant
top          top                  end of the range, (..., 1)
u            u                    a mass below t, in [0, 1), (..., k)
x            x                    place in [0, 1] of t in the interval that counts, stretched
theta        (implicit)           the parameters that log_density holds, (..., 1)
============ ==================== ==================================================================

Every isotropic law on a space form is one number away from its centre: the distance t has a density
proportional to sn(t)^(n-1) times a kernel. In n dimensions sn(t)^(n-1) over- or underflows at once,
the closed forms of its integrals are alternating sums that lose all digits by n = 30 to 40, and
the mass sits in a shell that may be 1e-4 of the range wide. So: logarithms throughout, and a rule
that is laid over the mass only.

Domain: float64; log f rises to one maximum and falls from there (it is concave for sn^(n-1) and
everything that it is multiplied with here), and is finite inside.
Bound: 8 units of u (1 + kappa) in volumes, kappa the condition number; first derivatives only.
Proof: none, by the tests against mpmath's quadrature.
Certificate: Lorentz.log_ball_volume, Sphere.log_ball_volume
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

# Where the density is e^-46 = 1e-20 of its largest value the rest is below rounding.
_NEGLIGIBLE = 46.0
# Each round of the search divides the interval by 16: ten rounds find a mass as narrow as 1e-12
# of the range.
_ROUNDS = 10
_GRID = 32
# Enough for a mean, and for the mass up to anywhere: a panel of the second is so short that the
# density hardly changes in it, and four steps of Newton's method reach rounding. (But not in the
# last one where the range ends before the mass does; it holds 1e-10 of the mass.)
_PANELS, _ORDER = 32, 10
_SHORT_PANELS, _SHORT_ORDER = 128, 6
_NEWTON = 4


def _gauss_legendre(count: int) -> tuple[list[float], list[float]]:
    """Nodes and weights on [0, 1], by Newton's method on the Legendre polynomial."""
    nodes, weights = [], []
    for i in range(count):
        x = math.cos(math.pi * (i + 0.75) / (count + 0.5))
        slope = 1.0
        for _ in range(8):
            p, before = x, 1.0
            for k in range(2, count + 1):
                p, before = ((2 * k - 1) * x * p - (k - 1) * before) / k, p
            slope = count * (x * p - before) / (x * x - 1)
            x -= p / slope
        nodes.append((1 - x) / 2)
        weights.append(1 / ((1 - x * x) * slope * slope))
    return nodes, weights


_NODES, _WEIGHTS = _gauss_legendre(_ORDER)
_SHORT_NODES, _SHORT_WEIGHTS = _gauss_legendre(_SHORT_ORDER)


def _composite(nodes: list[float], panels: int) -> list[float]:
    """The nodes of a rule on [0, 1], once in each of so many panels of it."""
    return [(panel + node) / panels for panel in range(panels) for node in nodes]


_ALL_NODES = _composite(_NODES, _PANELS)
_ALL_SHORT_NODES = _composite(_SHORT_NODES, _SHORT_PANELS)


def _stretch(x: Tensor) -> tuple[Tensor, Tensor]:
    """A map of [0, 1] onto itself and its derivative, flat to fifth order at the ends.

    Panels crowd there: a density that ends like a broken power or a logarithm (the power spherical
    one and its derivative, at the antipode) becomes smooth enough for the rule.
    """
    w = 1 - x
    # The upper half of a binomial expansion of (x + w)^11: no term is negative.
    y = 462 * w + 330 * x
    y = w * y + 165 * x.square()
    y = w * y + 55 * x.square() * x
    y = w * y + 11 * x.square().square()
    y = w * y + x.square().square() * x
    return y * (x.square() * x).square(), 2772 * (x * w) ** 5


class RadialLaw:
    """The law on (0, top] of density proportional to exp(log_density(t)).

    Args:
        log_density: maps t (..., k), in float64, to (..., k); differentiable in whatever
            parameters it holds, of shape (..., 1). It must not depend on them through ``top``.
        top: end of the range, (..., 1), in the leading axes of the parameters.
    """

    def __init__(self, log_density: Callable[[Tensor], Tensor], top: Tensor) -> None:
        self.log_density = log_density
        with torch.no_grad():
            top = top.detach()
            mode = self._mode(top)
            self._peak = log_density(mode)
            left, right = self._edges(mode, top)
            self._left, self._width = left, right - left

    def _mode(self, top: Tensor) -> Tensor:
        """The t of the largest density, to 16^-10 of the range."""
        # The two panels beside the best point of a grid contain the maximum, as there is one only.
        low, high = top * 0, top
        grid = _grid(top)
        for _ in range(_ROUNDS):
            values = self.log_density(low + (high - low) * grid)
            best = values.argmax(-1, keepdim=True)
            step = (high - low) / _GRID
            low, high = (
                low + step * (best - 1).clamp(min=0),
                low + step * (best + 1).clamp(max=_GRID),
            )
        return (low + high) / 2

    def _edges(self, mode: Tensor, top: Tensor) -> tuple[Tensor, Tensor]:
        """The points beyond which nothing counts: outside of the true ones by a hair."""
        grid = _grid(top)
        floor = self._peak - _NEGLIGIBLE
        # On each side the panel in which the density crosses the floor is divided again and again.
        low, near_low, near_high, high = top * 0, mode, mode, top
        for _ in range(_ROUNDS):
            rising, falling = (near_low - low) / _GRID, (high - near_high) / _GRID
            left = self.log_density(low + (near_low - low) * grid[..., 1:]) < floor
            right = self.log_density(near_high + (high - near_high) * grid[..., :-1]) >= floor
            below, above = left.sum(-1, keepdim=True), right.sum(-1, keepdim=True)
            low, near_low = low + rising * below, low + rising * (below + 1).clamp(max=_GRID)
            start = near_high
            near_high, high = start + falling * (above - 1).clamp(min=0), start + falling * above
        return low, high

    def _density(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(t, density in x relative to its peak), x in [0, 1] along the interval that counts."""
        y, slope = _stretch(x)
        t = self._left + self._width * y
        return t, (self.log_density(t) - self._peak).exp() * slope

    def _rule(self) -> tuple[Tensor, Tensor]:
        """(t, log of weight times density relative to the peak), (..., nodes)."""
        y, slope = _stretch(self._left.new_tensor(_ALL_NODES))
        weights = self._left.new_tensor(_WEIGHTS * _PANELS) / _PANELS
        t = self._left + self._width * y
        return t, self.log_density(t) - self._peak + (weights * slope).log()

    def log_normaliser(self) -> Tensor:
        """log of the integral of exp(log_density), (...), differentiable in the parameters.

        Its derivative is the mean of that of log_density: a sum without cancellation.
        """
        _, terms = self._rule()
        return terms.logsumexp(-1) + (self._width.log() + self._peak).squeeze(-1)

    def expectation(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Mean of function(t), (...), differentiable."""
        t, terms = self._rule()
        return (terms.softmax(-1) * function(t)).sum(-1)

    def quantile(self, u: Tensor, *, implicit: bool = True) -> Tensor:
        r"""The t with mass u below it: (..., k) in [0, 1) -> (..., k), float64.

        With ``implicit`` it has a derivative in the parameters, at about the cost of the value.

        By Newton's method inside of a short panel. The derivative in the parameters is that of
        the implicit function, :math:`dt = -dF(t)/F'(t)` (Figurnov, Mohamed & Mnih 2018),
        of first order only.
        """
        with torch.no_grad():
            x, panel = self._invert(u.double())
            y, _ = _stretch(x)
            t = self._left + self._width * y
        if not implicit:
            return t
        # With A and B the masses below and above t, dF is (B dA - A dB)/(A + B)^2: sums of one
        # sign, which keep their digits in both tails.
        below, above = self._masses(x, panel)
        with torch.no_grad():
            density = (self.log_density(t) - self._peak).exp() / self._width
            scale = 1 / ((below + above) * density.where(density > 0, torch.inf))
        # Its value is exactly zero: only the derivative counts.
        moved = (above.detach() * below - below.detach() * above) * scale
        return t - moved

    def _panels(self) -> Tensor:
        """Mass of each panel, (..., panels)."""
        x = self._left.new_tensor(_ALL_SHORT_NODES)
        weights = self._left.new_tensor(_SHORT_WEIGHTS) / _SHORT_PANELS
        _, density = self._density(x)
        density = density.reshape(*density.shape[:-1], _SHORT_PANELS, _SHORT_ORDER)
        return (density * weights).sum(-1)

    def _part(self, start: Tensor, end: Tensor) -> Tensor:
        """Mass between two x of one panel."""
        nodes, weights = start.new_tensor(_SHORT_NODES), start.new_tensor(_SHORT_WEIGHTS)
        length = (end - start).unsqueeze(-1)
        x = start.unsqueeze(-1) + length * nodes
        _, density = self._density(x.flatten(-2))
        return (density.reshape(*density.shape[:-1], *x.shape[-2:]) * weights * length).sum(-1)

    def _invert(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """(x, index of its panel)."""
        cumulative = self._panels().cumsum(-1)
        cumulative = cumulative.expand(*u.shape[:-1], _SHORT_PANELS).contiguous()
        total = cumulative[..., -1:]
        wanted = u * total
        panel = torch.searchsorted(cumulative, wanted.contiguous(), right=True)
        panel = panel.clamp(max=_SHORT_PANELS - 1)
        before = torch.cat([total * 0, cumulative], dim=-1)
        wanted = wanted - before.gather(-1, panel)
        mass = (cumulative.gather(-1, panel) - before.gather(-1, panel)).clamp(min=1e-300)
        low, high = _ends(panel, u)
        # Newton's method on the logarithms of the mass and of x - low: exact for a power, which the
        # mass of the first panel is, and as fast as the plain one in the others. The clamps keep
        # logarithms of masses that underflow finite.
        wanted = wanted.clamp(min=1e-300)
        length = (high - low) * (wanted / mass).clamp(1e-3, 1)
        for _ in range(_NEWTON):
            _, density = self._density(low + length)
            part = self._part(low, low + length).clamp(min=1e-300)
            rate = (density * length / part).clamp(min=1e-3)
            length = torch.minimum(length * ((wanted / part).log() / rate).exp(), high - low)
        return low + length, panel

    def _masses(self, x: Tensor, panel: Tensor) -> tuple[Tensor, Tensor]:
        """Masses below and above x, differentiable in the parameters."""
        panels = self._panels()
        panels = panels.expand(*x.shape[:-1], _SHORT_PANELS)
        none = panels[..., :1] * 0
        upwards = torch.cat([none, panels.cumsum(-1)], dim=-1)
        downwards = torch.cat([panels.flip(-1).cumsum(-1).flip(-1), none], dim=-1)
        low, high = _ends(panel, x)
        below = upwards.gather(-1, panel) + self._part(low, x)
        above = downwards.gather(-1, panel + 1) + self._part(x, high)
        return below, above


def _ends(panel: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    low = panel.to(like.dtype) / _SHORT_PANELS
    return low, low + 1 / _SHORT_PANELS


def _grid(like: Tensor) -> Tensor:
    return torch.linspace(0, 1, _GRID + 1, dtype=like.dtype, device=like.device)


def uniform_law(n: int, log_sn_ratio: Callable[[Tensor], Tensor], reach: Tensor) -> RadialLaw:
    """Law of x = r/reach, r the distance from the centre of points uniform in a geodesic ball.

    Args:
        n: dimension of the space.
        log_sn_ratio: log(sn(t)/t) of t (...).
        reach: radius of the ball, (..., 1), in the units of ``log_sn_ratio``.
    """

    def log_density(x: Tensor) -> Tensor:
        if n == 1:  # 0 times log 0 is not 0
            return (x * reach) * 0
        return (n - 1) * (x.log() + log_sn_ratio(x * reach))

    return RadialLaw(log_density, torch.ones_like(reach))
