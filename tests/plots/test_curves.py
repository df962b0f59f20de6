"""What the figures of curves show, read back from the axes that were drawn."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.plots.curves import compare_curves, training_curves
from fathom.plots.labels import spread
from fathom.plots.style import save


def records(epochs: int, loss=lambda e: 1 / e, accuracy=lambda e: 1 - 0.5 / e) -> list[dict]:
    return [
        {"step": 10 * e, "epoch": e, "split": split, "loss": loss(e), "accuracy": accuracy(e)}
        for e in range(1, epochs + 1)
        for split in ("train", "valid")
    ]


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_a_panel_for_each_quantity_with_all_splits_named_at_their_ends():
    figure = training_curves(records(8), "lenet")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "accuracy"]
    assert texts(figure.axes[0]) == ["train 0.125", "valid 0.125"]
    for axes in figure.axes:
        assert axes.get_legend() is None
        assert axes.get_xlabel() == "epoch"
        assert list(axes.lines[0].get_xdata()) == list(range(1, 9))
    assert list(figure.axes[0].lines[1].get_ydata()) == [1 / e for e in range(1, 9)]
    assert figure.get_suptitle() == "lenet"


def test_lines_differ_by_colour_dash_and_marker():
    lines = training_curves(records(8)).axes[0].lines
    for read in ("get_color", "get_linestyle", "get_marker"):
        assert len({getattr(line, read)() for line in lines}) == 2


def test_a_split_looks_alike_in_every_panel():
    rows = [row for row in records(3) if row["split"] == "valid" or row.pop("loss")]
    loss, accuracy = training_curves(rows).axes
    by_name = dict(zip(["train", "valid"], accuracy.lines, strict=True))
    assert loss.lines[0].get_color() == by_name["valid"].get_color()


@pytest.mark.parametrize(("floor", "scale"), [(0.02, "linear"), (0.005, "log")])
def test_a_loss_that_spans_two_decades_is_logarithmic(floor, scale):
    figure = training_curves(records(9, loss=lambda e: max(floor, 10.0 ** (1 - e))))
    assert [axes.get_yscale() for axes in figure.axes] == [scale, "linear"]


def test_ticks_are_whole_epochs():
    ticks = training_curves(records(3)).axes[0].get_xticks()
    assert all(tick == round(tick) for tick in ticks)


def test_nothing_measured_is_said_and_can_be_saved(tmp_path):
    for name, figure in {"a": training_curves([]), "b": compare_curves({"x": []})}.items():
        assert "nothing measured yet" in [text.get_text() for text in figure.texts]
        save(figure, tmp_path / name)


@pytest.mark.parametrize("epochs", [1, 2, 300])
def test_any_number_of_epochs_can_be_saved(tmp_path, epochs):
    assert len(save(training_curves(records(epochs), "x"), tmp_path / "curves")) == 2


def test_runs_are_compared_on_what_was_held_out():
    runs = {"a/001": records(5), "a/002": records(7, loss=lambda e: 2 / e)}
    runs["b/001"] = [row for row in records(6) if row["split"] == "train"]
    axes = compare_curves(runs, "loss").axes[0]
    assert texts(axes) == ["a/001 0.200", "a/002 0.286", "b/001 0.167"]
    assert [len(line.get_xdata()) for line in axes.lines] == [5, 7, 6]


def test_a_run_without_the_quantity_is_left_out_and_the_others_keep_their_colours():
    rows = [{k: v for k, v in row.items() if k != "accuracy"} for row in records(3)]
    runs = {"a": records(3), "b": rows, "c": records(3)}
    whole, part = compare_curves(runs, "loss").axes[0], compare_curves(runs, "accuracy").axes[0]
    assert [t.split()[0] for t in texts(part)] == ["a", "c"]
    assert part.lines[1].get_color() == whole.lines[2].get_color()


def test_twenty_runs_look_twenty_ways():
    lines = compare_curves({f"{n}": records(4) for n in range(20)}).axes[0].lines
    assert len({(line.get_color(), str(line._dash_pattern)) for line in lines}) == 20


places = st.lists(st.floats(0, 100), max_size=7)


@given(places)
def test_labels_keep_their_distance_their_order_and_their_room(wanted):
    found = spread(wanted, 10, 100)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    there = [found[i] for i in order]
    assert all(b - a >= 10 - 1e-9 for a, b in itertools.pairwise(there))
    assert all(-1e-9 <= place <= 100 + 1e-9 for place in there)


@given(places)
def test_labels_that_do_not_touch_stay_where_they_are(wanted):
    apart = min((abs(a - b) for a, b in itertools.combinations(wanted, 2)), default=20)
    if apart > 10:
        assert spread(wanted, 10, 100) == pytest.approx(wanted)
