"""`fathom check` and `bench`: certificates and timings."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fathom.cli.output import Answer, stderr, table

if TYPE_CHECKING:
    from rich.console import Console


def check(pattern: str | None = None, /, *, speed: bool = True) -> Answer:
    """Certificates: scratch against torch, same weights, same inputs, outputs and gradients.

    Errors are relative, in float64. Speeds are our time over torch's, on one thread, in one run:
    of a whole pass, then forward and backward by themselves.
    Exit status 1 where a pair differs.

    Args:
        pattern: only pairs whose name has this in it; wildcards are understood
        speed: measure speed too

    Example:
        fathom check
        fathom check Conv --no-speed
        fathom check 'optim.*' --json
    """
    from fathom.check.certificates import check_each

    rows = []
    with stderr().status("checking…") as status:
        for row in check_each(pattern, speed=speed):
            rows.append(row)
            status.update(f"checked {row.pair}")
    failed = [row for row in rows if row.failed]

    def page(console: Console) -> None:
        cells = [
            [
                row.pair,
                row.samples,
                _error(row.forward_error),
                _error(row.backward_error),
                _times(row.speed),
                _times(row.speed_forward),
                _times(row.speed_backward),
                row.verdict,
            ]
            for row in rows
        ]
        heads = ["pair", "cases", "outputs", "grads", "speed", "fwd", "bwd", "verdict"]
        console.print(table(heads, cells, right=range(1, 7)))
        for row in rows:
            if row.why:
                console.print(f"\n{row.pair}: {row.why}", markup=False)
        counts: dict[str, int] = {}
        for row in rows:
            counts[row.verdict] = counts.get(row.verdict, 0) + 1
        told = ", ".join(f"{verdict} {count}" for verdict, count in counts.items())
        console.print(f"\n{len(rows)} pairs: {told}")

    return Answer([asdict(row) for row in rows], page, exit_status=1 if failed else 0)


def _error(value: float | None) -> str:
    return "-" if value is None else f"{value:.0e}" if value else "0"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"


def bench(pattern: str | None = None, /, *, rounds: int = 5) -> Answer:
    """Timings against peers: CPU time on one thread, in turn, medians, as ratios of one run.

    The peer is the book's way of doing the same; `bare` is a loop over the same tensors that does
    nothing else, so that `of bare` tells what the engine costs.

    Args:
        pattern: only benchmarks whose name has this in it
        rounds: how often each is timed

    Example:
        fathom bench lenet
        fathom bench --json
    """
    from fathom.bench.race import bench as races

    rows: list[Any] = []
    with stderr().status("timing…") as status:
        for row in races(pattern, rounds=rounds):
            rows.append(row)
            status.update(f"timed {row.name}")

    def page(console: Console) -> None:
        cells = [
            [
                row.name,
                f"{row.ours:,.0f}",
                f"{row.peer:,.0f}",
                f"{row.bare:,.0f}",
                "{:.2f}x [{:.2f}, {:.2f}]".format(row.over_peer, *row.over_peer_range),
                f"{row.of_bare:.2f}",
            ]
            for row in rows
        ]
        heads = ["", "fathom", "the book", "bare loop", "over the book", "of bare"]
        console.print(table(heads, cells, right=range(1, 6)))
        units = ", ".join(dict.fromkeys(row.unit for row in rows))
        console.print(f"\n{units}; medians of {rows[0].rounds} rounds, on one thread each")

    return Answer([asdict(row) for row in rows], page)
