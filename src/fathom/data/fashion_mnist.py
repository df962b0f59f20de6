"""Fashion-MNIST: 70,000 grey pictures of ten kinds of clothes, 28 by 28.

Source   Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747; book 3.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fathom.data.sources import File, Packing, Source, fetch, file_of

if TYPE_CHECKING:
    from fathom.data.picture_set import PictureSet

MIRRORS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
)


def _gz(name: str, size: int, sha256: str) -> File:
    return File(f"{name}.gz", size, sha256, tuple(f"{mirror}{name}.gz" for mirror in MIRRORS))


PACKED = Packing(
    "gz",
    (
        _gz(
            "train-images-idx3-ubyte",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        _gz(
            "train-labels-idx1-ubyte",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        _gz(
            "t10k-images-idx3-ubyte",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        _gz(
            "t10k-labels-idx1-ubyte",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
)
PLAIN = Packing(
    "unpacked",
    (
        File(
            "train-images-idx3-ubyte",
            47_040_016,
            "b70d0a121f88d9cb495f11c1e7619a662077ae746913056d27b43ee300f99648",
        ),
        File(
            "train-labels-idx1-ubyte",
            60_008,
            "14d07dfc02c3ba2fb3c525919e36cc648d3b384b5ad04141924ce8659159cde6",
        ),
        File(
            "t10k-images-idx3-ubyte",
            7_840_016,
            "cf7e95b5dd16502612cb108614f7c13ca6ebbd70afe854269aab640e564eed56",
        ),
        File(
            "t10k-labels-idx1-ubyte",
            10_008,
            "955b04d571e1499b9613fdc30a1601655d2ad8894c0ec5685431cdc8945113ee",
        ),
    ),
)

SOURCE = Source(
    name="fashion-mnist",
    title="Fashion-MNIST: clothes in ten classes, 60,000 + 10,000 grey pictures of 28x28",
    home="https://github.com/zalandoresearch/fashion-mnist",
    licence="MIT",
    kind="pictures",
    packings=(PACKED, PLAIN),
    folders=("", "raw", "FashionMNIST/raw"),
)

# In the data set's own words (Table 2 of the paper).
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def pictures(seed: int = 0) -> PictureSet:
    """60,000 to train on and 10,000 held out, as published: `seed` changes nothing."""
    from fathom.data import idx
    from fathom.data.picture_set import Pictures, PictureSet

    paths = fetch(SOURCE)
    splits = []
    for split, prefix in (("train", "train"), ("valid", "t10k")):
        images, labels = idx.read_pair(
            file_of(paths, f"{prefix}-images-idx3-ubyte"),
            file_of(paths, f"{prefix}-labels-idx1-ubyte"),
        )
        splits.append(Pictures(images, labels, len(CLASSES), split=split))
    return PictureSet(SOURCE.name, splits[0], splits[1], CLASSES)
