"""Mixed pictures: shares as SciPy's Beta has them, labels by what is seen."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from fathom.core.order import uniforms
from fathom.vision.mixing import _beta, cutmix, mixup

INDICES = torch.arange(64)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5, 1.0, 3.0])
def test_shares_are_of_the_beta_distribution(alpha):
    lots = torch.linspace(0.001, 0.999, 997, dtype=torch.float64)
    expected = torch.from_numpy(stats.beta.ppf(lots.numpy(), alpha, alpha))
    torch.testing.assert_close(_beta(lots, alpha), expected, rtol=1e-3, atol=1e-5)
    drawn = _beta(uniforms(torch.arange(4000), 0, 0, 1)[:, 0], alpha)
    assert stats.kstest(drawn.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-3


@pytest.mark.parametrize("mix", [mixup(5), cutmix(5)], ids=["mixup", "cutmix"])
def test_labels_are_what_is_seen_of_each(mix):
    """Pictures of one value each, its class: the mean of a mixed one tells the shares."""
    labels = torch.randint(5, (64,), generator=torch.Generator().manual_seed(0))
    batch = labels.float()[:, None, None, None].expand(64, 3, 12, 10).contiguous()
    mixed, shares = mix(batch, labels, INDICES, 3, 1)
    torch.testing.assert_close(shares.sum(1), torch.ones(64))
    torch.testing.assert_close((shares * torch.arange(5)).sum(1), mixed.mean((1, 2, 3)))
    assert (shares.max(1).values < 0.999).any()
    ours = torch.nn.functional.one_hot(labels, 5)
    assert ((shares > 0) <= ((ours + ours.roll(1, 0)) > 0)).all()


def test_cutmix_lays_one_rectangle():
    batch = torch.zeros(64, 1, 16, 16)
    batch[::2] = 1
    mixed, shares = cutmix(2)(batch, torch.arange(64) % 2, INDICES, 0, 0)
    for picture, before, share in zip(mixed[:, 0], batch[:, 0], shares, strict=True):
        other = picture != before
        rows, columns = other.any(1), other.any(0)
        assert other.sum() == rows.sum() * columns.sum()
        assert share.max() == pytest.approx(max(1 - other.float().mean(), other.float().mean()))


def test_epochs_and_seeds_differ():
    batch, labels = torch.rand(64, 1, 8, 8), torch.arange(64) % 4
    for mix in (mixup(4), cutmix(4)):
        seen = [mix(batch, labels, INDICES, *when)[0] for when in [(0, 0), (0, 1), (1, 0), (0, 0)]]
        assert torch.equal(seen[0], seen[3])
        assert not torch.equal(seen[0], seen[1])
        assert not torch.equal(seen[0], seen[2])
