"""What is trained, how fast, and on which device."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from semidavil_core.errors import AdaptationFailed
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import Mode

_SMALL_TOWER = 30_000_000
_CLIP_NORM = 1.0


def resolve_mode(wanted: str, segmenter: Segmenter, device: torch.device) -> Mode:
    """`Mode.AUTO` made concrete: small towers and accelerators train the encoder, a large tower on a CPU is frozen."""
    mode = Mode(wanted)
    if mode is not Mode.AUTO:
        return mode
    size = sum(p.numel() for p in segmenter.tower.parameters())
    return Mode.FULL if device.type != "cpu" or size <= _SMALL_TOWER else Mode.CACHED


class Optimisation:
    """AdamW over the head and, in full mode, the tower's tuned part.

    Parameters
    ----------
    segmenter
        The student; parameters that are not trained lose their ``requires_grad``.
    mode
        `Mode.FULL` or `Mode.CACHED`.
    head_rate, tower_rate, weight_decay
        AdamW's numbers; norms and biases do not decay, and the tower's rate is multiplied by its ``rate_factor``.
    """

    def __init__(
        self, segmenter: Segmenter, *, mode: Mode, head_rate: float, tower_rate: float, weight_decay: float
    ) -> None:
        segmenter.requires_grad_(False)
        head = [*segmenter.guidance.parameters(), *segmenter.decoder.parameters()]
        tower = list(segmenter.tower.tuned_parameters()) if mode is Mode.FULL else []
        groups = []
        for parameters, rate in ((head, head_rate), (tower, tower_rate * segmenter.tower.rate_factor)):
            for decays in (True, False):
                members = [p for p in parameters if (p.ndim > 1) is decays]
                if members:
                    groups.append(
                        {"params": members, "lr": rate, "weight_decay": weight_decay if decays else 0.0}
                    )
        self._parameters: list[nn.Parameter] = [*head, *tower]
        for parameter in self._parameters:
            parameter.requires_grad_(True)
        self._rates = [float(g["lr"]) for g in groups]  # type: ignore[arg-type]
        self.optimizer = torch.optim.AdamW(groups)

    def apply(self, loss: Tensor, factor: float) -> None:
        """One step against `loss` with all rates scaled by `factor`.

        Raises
        ------
        AdaptationFailed
            The loss is not a finite number.
        """
        if not torch.isfinite(loss):
            raise AdaptationFailed(
                "The loss became infinite or not a number, so the round was ended at its last good state; lower the "
                "learning rates or check the images for corrupt content."
            )
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(
            self._parameters, _CLIP_NORM, error_if_nonfinite=True
        )  # or the weights would go the same way
        self.optimizer.step()


def mixed_precision(device: torch.device) -> AbstractContextManager[None]:
    """Half precision where it helps: CUDA always. On CPUs it was not faster for convolutions of this size."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
