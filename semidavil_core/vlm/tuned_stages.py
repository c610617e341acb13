"""Which parameters contrastive pre-training moves: the projection and the last stages, so that little data forgets little."""

from __future__ import annotations

import re
from typing import Any, Final

from torch import nn

_STAGE: Final = re.compile(r"(?:^|\.)(?:resblocks|blocks|stages|layer)\.?(\d+)\.")
_TOP_SHARE: Final = 0.25


def last_stages(visual: Any) -> list[nn.Parameter]:
    """The projection, the last quarter of the stages (at least one), and what follows them."""
    named = dict(visual.named_parameters())
    stages = [int(found.group(1)) if (found := _STAGE.search(name)) else None for name in named]
    deepest = max((s for s in stages if s is not None), default=0)
    first = deepest + 1 - max(1, round((deepest + 1) * _TOP_SHARE))
    reached, chosen = False, []
    for (name, parameter), stage in zip(named.items(), stages, strict=True):
        reached = reached or (stage is not None and stage >= first)
        if reached or name == "proj":
            chosen.append(parameter)
    return chosen
