"""Models of attention: parts against torch's, use against training, weights as they are shown."""

from __future__ import annotations

import math

import pytest
import torch

from fathom import scratch
from fathom.core.seeds import seed_everything
from fathom.models.bahdanau import bahdanau
from fathom.models.gpt import gpt
from fathom.models.positions import READY, PositionalEncoding, sinusoids
from fathom.models.transformer import EncoderBlock, transformer
from fathom.text.decode import greedy, reordered

BUILD = pytest.mark.parametrize("build", [transformer, bahdanau])
LIBRARIES = pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])
SOURCE, LENS = torch.tensor([[4, 5, 3, 1], [6, 3, 1, 1], [5, 4, 6, 3]]), torch.tensor([3, 2, 4])
GIVEN = torch.tensor([[2, 4, 5, 6, 5], [2, 5, 5, 4, 4], [2, 6, 4, 4, 5]])


@pytest.fixture(autouse=True)
def _seeded():
    seed_everything(0)


@LIBRARIES
@BUILD
def test_a_step_in_use_is_a_step_of_training(build, nn):
    model = build(8, 7, nn=nn).double().eval()
    whole = model((SOURCE, LENS, GIVEN))
    state = model.start(SOURCE, LENS)
    for step, token in enumerate(GIVEN.t()):
        logits, state = model.step(token, state)
        torch.testing.assert_close(logits, whole[:, step], rtol=1e-9, atol=1e-9)


@BUILD
def test_states_may_be_kept_gone_on_from_twice_and_reordered(build):
    model = build(8, 7).double().eval()
    state = model.start(SOURCE, LENS)
    _, state = model.step(GIVEN[:, 0], state)
    first, _ = model.step(GIVEN[:, 1], state)
    model.step(GIVEN[:, 2], state)
    order = torch.tensor([2, 0, 0])
    again, _ = model.step(GIVEN[order, 1], reordered(state, order))
    torch.testing.assert_close(again, first[order], rtol=1e-9, atol=1e-9)


@BUILD
def test_what_is_decoded_is_the_best_after_each_token(build):
    model = build(8, 7).double().eval()
    with torch.no_grad():
        decoded = greedy(model, SOURCE, LENS, begin=2, end=3, max_steps=6)
        begun = torch.cat([torch.full((3, 1), 2), decoded.tokens[:, :-1]], 1)
        best = model((SOURCE, LENS, begun)).argmax(-1)
    for row, expected in zip(decoded.tokens.tolist(), best.tolist(), strict=True):
        end = row.index(3) + 1 if 3 in row else len(row)
        assert row[:end] == expected[:end]


@BUILD
def test_what_follows_and_padding_make_no_difference(build):
    model = build(8, 7).double().eval()
    whole = model((SOURCE, LENS, GIVEN))
    later = GIVEN.clone()
    later[:, 3:] = 6
    torch.testing.assert_close(model((SOURCE, LENS, later))[:, :3], whole[:, :3])
    padded = SOURCE.masked_fill(SOURCE == 1, 7)
    torch.testing.assert_close(model((padded, LENS, GIVEN)), whole)
    alone = model((SOURCE[1:2, :2], LENS[1:2], GIVEN[1:2]))
    torch.testing.assert_close(alone, whole[1:2], rtol=1e-9, atol=1e-9)


@LIBRARIES
def test_a_source_of_no_length_is_not_looked_at(nn):
    model = transformer(8, 7, dropout=0.0, nn=nn)
    lens = torch.tensor([3, 0, 4])
    for mode in (True, False):
        model.train(mode).zero_grad()
        found = model((SOURCE, lens, GIVEN))
        found.square().sum().backward()
        assert found.isfinite().all()
        assert all(p.grad.isfinite().all() for p in model.parameters())
        other = SOURCE.clone()
        other[1] = 7
        torch.testing.assert_close(model((other, lens, GIVEN)), found)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@BUILD
def test_half_precision_trains(build, dtype):
    if build is bahdanau and dtype == torch.float16:
        pytest.skip("torch has no GRU of half precision on every processor")
    model = build(8, 7).to(dtype)
    model((SOURCE, LENS, GIVEN)).float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_an_encoder_block_is_torch_s_layer():
    ours = EncoderBlock(6, 3, 5, 0.0, torch.nn).double()
    theirs = torch.nn.TransformerEncoderLayer(6, 3, 5, 0.0, batch_first=True).double()
    with torch.no_grad():
        theirs.self_attn.in_proj_bias.zero_()
        theirs.self_attn.out_proj.bias.zero_()
        theirs.self_attn.in_proj_weight.copy_(ours.attention.query_key_value.weight)
        theirs.self_attn.out_proj.weight.copy_(ours.attention.output.weight)
        for one, other in ((theirs.linear1, ours.ffn.inner), (theirs.linear2, ours.ffn.output)):
            one.load_state_dict(other.state_dict())
        for norm, of in ((theirs.norm1, ours.add_norm1), (theirs.norm2, ours.add_norm2)):
            norm.load_state_dict(of.norm.state_dict())
    x = torch.randn(2, 4, 6, dtype=torch.float64)
    mask = torch.arange(4) < torch.tensor([[[4]], [[2]]])
    expected = theirs(x, src_key_padding_mask=~mask.squeeze(1))
    torch.testing.assert_close(ours(x, mask), expected, rtol=1e-9, atol=1e-9)


@BUILD
def test_maps_are_shares_of_what_may_be_seen(build):
    model = build(8, 7).double().eval()
    found = model.maps((SOURCE, LENS, GIVEN))
    layers, heads = (2, 4) if build is transformer else (1, 1)
    assert found["source"].shape == (3, layers, heads, 5, 4)
    for maps in found.values():
        torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]).double())
    for row, length in enumerate(LENS):
        assert not found["source"][row, ..., length:].any()
    if build is transformer:
        assert not found["decoder"].triu(1).any()
        assert not found["encoder"][1, ..., 2:].any()


def test_gpt_reads_piece_by_piece_what_it_reads_at_once():
    model = gpt(9, hidden_size=12, num_layers=2, num_heads=3).double().eval()
    tokens = torch.randint(9, (2, 7))
    whole = model(tokens)
    torch.testing.assert_close(model((tokens, True)), whole)
    state, found = None, []
    for piece in tokens.split([1, 3, 1, 2], dim=1):
        logits, state = model.read(piece, state)
        found.append(logits)
    torch.testing.assert_close(torch.cat(found, 1), whole, rtol=1e-9, atol=1e-9)
    later = tokens.clone()
    later[:, 4:] = 0
    torch.testing.assert_close(model(later)[:, :4], whole[:, :4])
    maps = model.maps(tokens)
    assert maps.shape == (2, 2, 3, 7, 7)
    assert not maps.triu(1).any()


def test_gpt_begins_anew_when_its_context_is_full():
    model = gpt(9, hidden_size=12, num_layers=2, num_heads=3, context=6).double().eval()
    tokens = torch.randint(9, (1, 40))
    state = None
    for step in range(40):
        logits, state = model.read(tokens[:, step : step + 1], state)
        seen = state.tokens.shape[1]
        assert 3 <= seen <= 6 or seen == step + 1
        torch.testing.assert_close(state.tokens, tokens[:, step + 1 - seen : step + 1])
        torch.testing.assert_close(logits[:, -1], model(state.tokens)[:, -1])


@pytest.mark.parametrize("size", [1, 2, 5, 32])
def test_positions_are_sines_and_cosines(size):
    codes = sinusoids(30, size)
    for t in (0, 1, 17, 29):
        for column in range(size):
            angle = t / 10_000 ** (2 * (column // 2) / size)
            wave = math.cos(angle) if column % 2 else math.sin(angle)
            assert float(codes[t, column]) == pytest.approx(wave, abs=1e-12)
    torch.testing.assert_close(sinusoids(4, size, first=11), codes[11:15])


@pytest.mark.parametrize("size", [3, 8])
def test_there_is_a_position_for_any_length(size):
    encoding = PositionalEncoding(size).double()
    nothing = torch.zeros(2, READY + 9, size, dtype=torch.float64)
    expected = sinusoids(READY + 9, size)
    found = encoding(nothing)
    torch.testing.assert_close(found, expected.expand(2, -1, -1), rtol=0, atol=1e-7)
    late = encoding(nothing[:, :4], READY - 2)
    torch.testing.assert_close(late, found[:, READY - 2 : READY + 2], rtol=0, atol=1e-7)
    assert not encoding.state_dict()
    assert encoding.to("meta").table.device.type == "meta", "the table goes where the model goes"
