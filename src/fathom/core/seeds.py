"""Every source of chance under one seed, and its state for a checkpoint."""

from __future__ import annotations

import random
from typing import Any

from fathom.core.errors import SettingError


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices). Raises SettingError outside [0, 2**32)."""
    import numpy
    import torch

    if not 0 <= seed < 2**32:
        raise SettingError(f"--seed {seed}", "is not in [0, 4294967295]", "choose one that is")
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def be_deterministic() -> None:
    """Ask torch for kernels that give the same bits each time, with a warning where it has none."""
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False


def random_states() -> dict[str, Any]:
    """The states of all generators, as plain Python and tensors: `weights_only` loads them."""
    import numpy
    import torch

    numpys: Any = numpy.random.get_state(legacy=True)
    name, keys, position, has_gauss, gauss = numpys
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": [str(name), torch.from_numpy(keys.astype("int64")), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_random_states(states: dict[str, Any]) -> None:
    """Put back what `random_states` took."""
    import numpy
    import torch

    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
    name, keys, position, has_gauss, gauss = states["numpy"]
    numpy.random.set_state((name, keys.numpy().astype("uint32"), position, has_gauss, gauss))
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])


def current_seed() -> int:
    """The seed that `seed_everything` was last given: for data that are made anew in each run."""
    import torch

    return torch.initial_seed()
