"""How many places a sliding window has: the size of what a convolution or pooling leaves.

Source   Dumoulin and Visin 2016, arXiv:1603.07285; book 6.3.
"""

from __future__ import annotations


def output_size(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    *,
    ceil: bool = False,
) -> int:
    """Along one side: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.

    With `ceil` a last window may hang over the end, if it begins inside the input or its left
    padding (torch's `ceil_mode`). Zero or less means that the window does not fit even once.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil:
        return room // stride + 1
    places = -(-room // stride) + 1
    return places - 1 if (places - 1) * stride >= size + padding else places


def after(size: int, *windows: tuple[int, ...]) -> int:
    """The size that is left by several windows in turn, each (kernel, stride, padding, dilation).

    At a window that does not fit it is 0.
    """
    for window in windows:
        if size <= 0:
            break
        size = output_size(size, *window)
    return max(size, 0)


def receptive_field(*windows: tuple[int, ...]) -> int:
    """How many pixels of a side one output of a chain of windows sees.

    Each window widens the field by (kernel - 1) dilation steps, and a step is as long as all
    strides before it together.
    """
    field = step = 1
    for window in windows:
        kernel, stride, _, dilation = (*window, *(1, 0, 1)[len(window) - 1 :])
        field += (kernel - 1) * dilation * step
        step *= stride
    return field
