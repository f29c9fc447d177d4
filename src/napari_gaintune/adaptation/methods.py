"""Named methods: each is a set of settings, as its paper has them, and nothing else."""

from __future__ import annotations

from typing import Any, Literal

MethodName = Literal["gaintuning", "restore-from-restored", "lan", "meta-transfer", "ain-transfer"]

# GainTuning's numbers are ours (decisions 002 and 005). Lee et al. 2020 take 10, 20 or 40 steps, each better than the one
# before; Kim et al. 2024 take 5, 10 or 20, and either of two objectives; Gunawan et al.
# 2022 take 5, in a network that was trained for it. Kim et al. 2020 (AINDNet) transfer from pairs and name no steps; where
# there are none, the objective and the steps are GainTuning's.
METHODS: dict[str, dict[str, Any]] = {
    "gaintuning": {
        "parameters": "channel-gains", "objective": "auto", "steps": 60, "learning_rate": 0.0, "pace": "clear",
        "stopping": "best",
    },
    "restore-from-restored": {
        "parameters": "all-weights", "objective": "restored", "steps": 40, "learning_rate": 0.0, "pace": "plain",
        "stopping": "fixed",
    },
    "lan": {
        "parameters": "input-offset", "objective": "zs-n2n", "steps": 20, "learning_rate": 0.0, "pace": "plain",
        "stopping": "fixed",
    },
    "meta-transfer": {
        "parameters": "heads", "objective": "masked-reconstruction", "steps": 5, "learning_rate": 0.0, "pace": "plain",
        "stopping": "fixed",
    },
    "ain-transfer": {
        "parameters": "ain", "objective": "auto", "steps": 60, "learning_rate": 0.0, "pace": "clear", "stopping": "best",
    },
}  # fmt: skip


def with_preset(given: dict[str, Any]) -> dict[str, Any]:
    """The settings ``given``, and those of their method where they are silent."""
    return METHODS.get(given.get("method", "gaintuning"), {}) | given
