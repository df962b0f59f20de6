"""Batches of a text: every window against the book's definition, resumed anywhere, nothing lost."""

from __future__ import annotations

import itertools

import pytest
import torch

from fathom.core.errors import DataError, SettingError
from fathom.core.order import derive
from fathom.data.token_batches import TokenBatches


def text(count):
    return torch.arange(count, dtype=torch.int32)


def epoch(batches, number=0, first=0, seed=3):
    return [(tokens, fresh, after) for (tokens, fresh), after in batches.epoch(seed, number, first)]


@pytest.mark.parametrize("random", [False, True])
@pytest.mark.parametrize(("count", "rows", "steps"), [(35, 2, 5), (100, 3, 7), (1_000, 32, 4)])
def test_targets_are_the_next_tokens(random, count, rows, steps):
    batches = TokenBatches(text(count), batch_size=rows, num_steps=steps, random=random)
    found = epoch(batches)
    assert len(found) == len(batches) > 0
    for tokens, _, after in found:
        assert tokens.shape == after.shape == (rows, steps)
        assert after.dtype == torch.int64
        assert torch.equal(after, tokens + 1)
    assert sum(after.numel() for _, _, after in found) == batches.examples


@pytest.mark.parametrize("offset", range(5))
def test_read_in_order_it_is_the_book_s(offset):
    """Rows are equal parts of what follows the offset; a batch is the next columns of all."""
    seed = next(s for s in range(100) if derive(s, 0, 1) % 5 == offset)
    batches = TokenBatches(text(35), batch_size=2, num_steps=5)
    columns = (35 - 1 - 4) // 2  # as many as the largest offset leaves
    parts = text(35)[offset : offset + 2 * columns].view(2, -1)
    for number, (tokens, fresh, _) in enumerate(epoch(batches, seed=seed)):
        assert torch.equal(tokens, parts[:, number * 5 : number * 5 + 5])
        assert fresh is (number == 0)


def test_each_row_goes_on_where_it_ended():
    found = epoch(TokenBatches(text(500), batch_size=4, num_steps=10))
    for (_, _, after), (tokens, fresh, _) in itertools.pairwise(found):
        assert torch.equal(after[:, -1], tokens[:, 0])
        assert not fresh


def test_shuffled_windows_are_all_windows_once_and_each_is_fresh():
    batches = TokenBatches(text(35), batch_size=2, num_steps=5, random=True)
    found = epoch(batches)
    offset = derive(3, 0, 1) % 5
    starts = sorted(int(row[0]) for tokens, _, _ in found for row in tokens)
    assert starts == [offset + 5 * i for i in range(6)]
    assert all(fresh for _, fresh, _ in found)


@pytest.mark.parametrize("random", [False, True])
def test_epochs_differ_and_are_a_function_of_the_seed(random):
    batches = TokenBatches(text(400), batch_size=4, num_steps=10, random=random)
    firsts = [
        [tokens.tolist() for tokens, _, _ in epoch(batches, number, seed=s)]
        for s, number in ((0, 0), (0, 0), (0, 1), (0, 2), (1, 0))
    ]
    assert firsts[0] == firsts[1]
    assert len({str(found) for found in firsts}) > 2


@pytest.mark.parametrize("random", [False, True])
def test_it_goes_on_from_any_batch(random):
    batches = TokenBatches(text(400), batch_size=4, num_steps=10, random=random)
    everything = epoch(batches, 2)
    for first in range(len(batches) + 1):
        rest = epoch(batches, 2, first)
        assert len(rest) == len(everything) - first
        for ours, theirs in zip(rest, everything[first:], strict=True):
            assert torch.equal(ours[0], theirs[0])
            assert ours[1] is theirs[1]


@pytest.mark.parametrize(("count", "rows", "steps"), [(101, 4, 10), (101, 4, 7), (7, 2, 50)])
def test_whole_leaves_out_only_what_fills_no_row(count, rows, steps):
    batches = TokenBatches(text(count), batch_size=rows, num_steps=steps, whole=True)
    for number in (0, 5):
        seen = torch.cat([after.flatten() for _, _, after in epoch(batches, number)])
        assert sorted(seen.tolist()) == list(range(1, 1 + (count - 1) // rows * rows))
        assert len(seen) == batches.examples


def test_too_short_a_text_says_what_it_needs():
    with pytest.raises(DataError, match=r"train: 10 tokens .* at least 21 tokens"):
        TokenBatches(text(10), batch_size=2, num_steps=7)
    assert len(TokenBatches(text(21), batch_size=2, num_steps=7)) == 1
    with pytest.raises(SettingError, match="num_steps 0"):
        TokenBatches(text(10), batch_size=2, num_steps=0)


def test_limited_and_fingerprinted():
    batches = TokenBatches(text(400), batch_size=4, num_steps=10)
    assert len(epoch(batches.limit(2))) == 2
    assert batches.limit(2).examples == 80
    assert len(batches.limit(99)) == len(batches)
    assert batches.fingerprint() == TokenBatches(text(400), batch_size=2, num_steps=3).fingerprint()
    assert (
        batches.fingerprint() != TokenBatches(text(401), batch_size=4, num_steps=10).fingerprint()
    )
    with pytest.raises(SettingError):
        batches.limit(0)
