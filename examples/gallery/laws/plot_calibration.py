"""
Is a predicted uncertainty one?
===============================

A model that says of each item how uncertain it is should be wrong more often where it says so,
and its intervals should hold as many data as they promise. :mod:`spaceforms.losses.metrics` has
both, here of three models of data whose true noise is known.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.losses.metrics import aurc, calibration, interval_coverage, pit, risk_coverage

n = 4000
noise = torch.empty(n, dtype=torch.float64).log_normal_(-1.0, 0.7)
x = noise * torch.randn(n, dtype=torch.float64)
hit = (x.abs() < 0.5).double()
models = {
    "the true noise": noise,
    "too sure by half": noise / 2,
    "one number for all": noise.square().mean().sqrt().expand(n) * (1 + 1e-6 * torch.rand(n)),
}

# %%
# Left: are intervals of a probability p hit with p? Right: does the error fall when the uncertain
# are left out? A model that is too sure may still rank well, and the reverse.
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.9))
levels = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
for k, (name, sigma) in enumerate(models.items()):
    chances = pit(x, torch.zeros(n).double(), sigma * 2**0.5, torch.tensor(2.0).double())
    left.plot(levels, interval_coverage(chances, levels), color=f"C{k}", label=name)
    right.plot(
        *risk_coverage(sigma, 1 - hit), color=f"C{k}", linestyle=":" if k == 1 else "-", label=name
    )
    found = calibration(sigma, hit)
    area = aurc(sigma, 1 - hit)
    print(f"{name:19} S {found.spearman:+.2f}, area under the risk-coverage curve {area:.3f}")
left.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, zorder=0)
left.set(xlabel="probability of the interval", ylabel="share of data inside", aspect="equal")
left.legend()
right.set(
    xlabel="share of items kept, the most certain first",
    ylabel="share of them that miss",
    ylim=(0, None),
)
plt.show()
