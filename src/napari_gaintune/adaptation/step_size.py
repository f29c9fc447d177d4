"""How far a step may go: as far as its gradient stands out of the noise of the crops."""

from __future__ import annotations

import torch


def signal_share(optimiser: torch.optim.Adam) -> float:
    """The part of the gradient's power that is signal, 0 to 1, averaged over everything that has a gradient.

    Adam divides by the gradient's size: where the gradient is nothing but noise, it walks as fast as anywhere. Of the
    squared average gradient m**2 noise alone makes up the share rho of the mean square v, rho being the sum of the
    squared weights in m; the signal is what is left, (m**2 / v - rho) / (1 - rho). 0 before two steps were taken. Takes the
    gradients of the steps as independent of each other. Balles and Hennig 2018 (variance adaptation of
    M-SVAG), here one factor for all parameters.
    """
    states = [optimiser.state[p] for group in optimiser.param_groups for p in group["params"] if p in optimiser.state]
    if not states:
        return 0.0
    first, second = (float(beta) for beta in optimiser.param_groups[0]["betas"])
    step = int(states[0]["step"])
    rho: float = (1 - first) * (1 + first**step) / ((1 + first) * (1 - first**step))
    if step < 2:
        return 0.0
    mean = torch.cat([state["exp_avg"].flatten() for state in states]) / (1 - first**step)
    square = torch.cat([state["exp_avg_sq"].flatten() for state in states]) / (1 - second**step)
    alive = square > torch.finfo(square.dtype).tiny  # a rectifier that never passes has no gradient at all
    if not alive.any():
        return 0.0
    ratio = float((mean[alive].square() / square[alive]).mean())
    return min(1.0, max(0.0, (ratio - rho) / (1 - rho)))
