"""How many parameters networks have, counted from the tables of their papers."""

from __future__ import annotations

from itertools import pairwise


def conv(inputs: int, outputs: int, kernel: int = 1, *, bias: bool = True, norm: bool = False):
    """A convolution with square windows; a norm has a scale and a shift for each map."""
    return outputs * (inputs * kernel * kernel + bias + 2 * norm)


def dense(*widths: int) -> int:
    """Linear layers in a row, each with biases."""
    return sum((a + 1) * b for a, b in pairwise(widths))


def row(inputs: int, *layers: tuple[int, int], bias: bool = True, norm: bool = False) -> int:
    """Convolutions in a row, each (maps, window)."""
    total = 0
    for outputs, kernel in layers:
        total += conv(inputs, outputs, kernel, bias=bias, norm=norm)
        inputs = outputs
    return total


def book_alexnet(w: int, side: int, classes: int) -> int:
    maps = row(1, (w, 11), (w * 8 // 3, 5), (4 * w, 3), (4 * w, 3), (w * 8 // 3, 3))
    hidden = w * 128 // 3
    return maps + dense(w * 8 // 3 * side**2, hidden, hidden, classes)


def alexnet(w: int, classes: int) -> int:
    maps = row(3, (w, 11), (3 * w, 5), (6 * w, 3), (4 * w, 3), (4 * w, 3))
    return maps + dense(4 * w * 36, 64 * w, 64 * w, classes)


def vgg_maps(inputs: int, w: int, blocks: tuple[int, ...], *, norm: bool) -> int:
    wide = zip(blocks, (1, 2, 4, 8, 8), strict=True)
    return row(inputs, *((w * k, 3) for count, k in wide for _ in range(count)), norm=norm)


def nin(w: int, classes: int) -> int:
    shapes = [(1, w, 11), (w, w * 8 // 3, 5), (w * 8 // 3, w * 4, 3), (w * 4, classes, 3)]
    return sum(row(i, (o, k), (o, 1), (o, 1)) for i, o, k in shapes)


# #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj: table 1 of Szegedy et al. 2014.
INCEPTIONS = [
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
]


def googlenet(inputs: int, w: int, classes: int, *, widest: int, norm: bool) -> int:
    how = dict(bias=not norm, norm=norm)
    total = row(inputs, (w, 7), (w, 1), (3 * w, 3), **how)
    channels = 3 * w
    for block in INCEPTIONS:
        one, to_three, three, to_five, five, pooled = (n * w // 64 for n in block)
        total += conv(channels, one, **how) + conv(channels, pooled, **how)
        total += row(channels, (to_three, 1), (three, 3), **how)
        total += row(channels, (to_five, 1), (five, widest), **how)
        channels = one + three + five + pooled
    return total + dense(channels, classes)


def basic_resnet(inputs: int, w: int, classes: int, *, biases: bool) -> int:
    """ResNet-18; without biases as published, where shortcuts are normalised."""
    how = dict(bias=biases, norm=True)
    total = conv(inputs, w, 7, **how)
    for before, after in ((w, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w)):
        total += row(before, *[(after, 3)] * 4, **how)
        if before != after:
            total += conv(before, after, bias=biases, norm=not biases)
    return total + dense(8 * w, classes)


def bottlenecks(w: int, blocks: tuple[int, ...], groups: int, per_group: int, classes: int) -> int:
    how = dict(bias=False, norm=True)
    total, channels = conv(3, w, 7, **how), w
    for stage, count in enumerate(blocks):
        planes = w * 2**stage
        inner, wide = planes * per_group // 64 * groups, 4 * planes
        total += conv(channels, wide, **how)  # the shortcut
        for _ in range(count):
            total += conv(channels, inner, **how) + conv(inner, wide, **how)
            total += conv(inner // groups, inner, 3, **how)
            channels = wide
    return total + dense(channels, classes)


def book_densenet(w: int, layers: int, classes: int) -> int:
    total, channels, growth = conv(1, w, 7) + 2 * w, w, w // 2
    for block in range(4):
        if block:
            total += 2 * channels + conv(channels, channels // 2)
            channels //= 2
        for _ in range(layers):
            total += 2 * channels + conv(channels, growth, 3)
            channels += growth
    return total + 2 * channels + dense(channels, classes)


def densenet(w: int, blocks: tuple[int, ...], classes: int) -> int:
    total, channels, growth = conv(3, w, 7, bias=False) + 2 * w, w, w // 2
    for block, layers in enumerate(blocks):
        if block:
            total += 2 * channels + conv(channels, channels // 2, bias=False)
            channels //= 2
        for _ in range(layers):
            total += 2 * channels + conv(channels, 4 * growth, bias=False)
            total += 8 * growth + conv(4 * growth, growth, 3, bias=False)
            channels += growth
    return total + 2 * channels + dense(channels, classes)


def inception_v3(inputs: int, classes: int, per_stem: int) -> int:
    """With a stem of 32 // `per_stem` maps, without the auxiliary head."""

    def maps(inputs: int, *layers: tuple) -> int:
        """Each layer (maps, area of the window)."""
        total = 0
        for outputs, area in layers:
            total += outputs // per_stem * (inputs * area + 2)
            inputs = outputs // per_stem
        return total

    def a(i: int, pooled: int) -> int:
        chains = [(64, 1)], [(48, 1), (64, 25)], [(64, 1), (96, 9), (96, 9)], [(pooled, 1)]
        return sum(maps(i // per_stem, *chain) for chain in chains)

    def b(i: int) -> int:
        chains = [(384, 9)], [(64, 1), (96, 9), (96, 9)]
        return sum(maps(i // per_stem, *chain) for chain in chains)

    def c(i: int, n: int) -> int:
        chains = [(192, 1)], [(n, 1), (n, 7), (192, 7)], [(n, 1), *[(n, 7)] * 3, (192, 7)]
        return sum(maps(i // per_stem, *chain) for chain in (*chains, [(192, 1)]))

    def d(i: int) -> int:
        chains = [(192, 1), (320, 9)], [(192, 1), (192, 7), (192, 7), (192, 9)]
        return sum(maps(i // per_stem, *chain) for chain in chains)

    def e(i: int) -> int:
        chains = [(320, 1)], [(384, 1), (384, 3)], [(448, 1), (384, 9), (384, 3)], [(192, 1)]
        spread = 2 * maps(384 // per_stem, (384, 3))  # each a row and a column
        return sum(maps(i // per_stem, *chain) for chain in chains) + spread

    stem = maps(inputs, (32, 9), (32, 9), (64, 9), (80, 1), (192, 9))
    blocks = a(192, 32) + a(256, 64) + a(288, 64) + b(288)
    blocks += c(768, 128) + 2 * c(768, 160) + c(768, 192) + d(768) + e(1280) + e(2048)
    return stem + blocks + dense(2048 // per_stem, classes)


def transformer(sources: int, targets: int, hidden: int, layers: int, ffn: int) -> int:
    """Of so many blocks on each side, with a bias in all but attention."""
    attention, norm = 4 * hidden * hidden, 2 * hidden
    inner = (hidden + 1) * ffn + (ffn + 1) * hidden
    blocks = layers * (3 * attention + 5 * norm + 2 * inner)
    return (sources + targets) * hidden + blocks + (hidden + 1) * targets
