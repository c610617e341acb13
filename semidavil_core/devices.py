"""Where to compute: `auto` takes CUDA, then MPS, then the CPU."""

from __future__ import annotations

from semidavil_core.errors import InvalidSettings


def present_devices() -> tuple[str, ...]:
    """The kinds of device that are on this machine, the one that ``auto`` takes first."""
    return tuple(kind for kind, is_there in _available().items() if is_there)


def choose_device(name: str) -> str:
    """The torch device that `name` (``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``) stands for on this machine.

    Raises
    ------
    InvalidSettings
        The device is unknown or not on this machine.
    """
    import torch

    available = _available()
    if name == "auto":
        return present_devices()[0]
    kind, _, number = name.partition(":")
    if kind not in available or (number and not (kind == "cuda" and number.isdigit())):
        raise InvalidSettings(
            f"The device {name!r} is not known; allowed are auto, cpu, cuda, cuda:N and mps."
        )
    if not available[kind] or (number and int(number) >= torch.cuda.device_count()):
        raise InvalidSettings(f"The device {name!r} is not on this machine; use auto or cpu.")
    return name


def _available() -> dict[str, bool]:
    import torch

    return {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
