"""Every source of chance under one seed; states that go through a file exactly."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
import torch

from fathom.core.errors import SettingError
from fathom.core.seeds import (
    current_seed,
    random_states,
    restore_random_states,
    seed_everything,
)


@pytest.fixture(autouse=True)
def own_chance():
    states = random_states()
    yield
    restore_random_states(states)


def drawn() -> list[float]:
    return [
        random.random(),
        random.gauss(0, 1),
        float(np.random.random()),
        float(np.random.standard_normal()),
        float(torch.rand(())),
        float(torch.randn(())),
    ]


def test_the_same_seed_gives_the_same_chance_everywhere():
    seed_everything(7)
    first = drawn()
    seed_everything(7)
    assert drawn() == first
    seed_everything(8)
    assert all(a != b for a, b in zip(drawn(), first, strict=True))


def test_states_go_through_a_file_that_is_loaded_safely():
    seed_everything(3)
    drawn()  # gauss and standard_normal now keep a second number back
    file = io.BytesIO()
    torch.save(random_states(), file)
    expected = [drawn() for _ in range(3)]
    file.seek(0)
    restore_random_states(torch.load(file, weights_only=True))
    assert [drawn() for _ in range(3)] == expected


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_the_ends_of_the_range_are_seeds(seed):
    seed_everything(seed)
    assert current_seed() == seed


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_beyond_the_range_is_refused(seed):
    with pytest.raises(SettingError, match=rf"--seed {seed}"):
        seed_everything(seed)
