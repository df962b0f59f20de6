"""House prices in Ames, Iowa: the Kaggle competition of book 4.10, and a made sample of its kind.

Source   De Cock 2011, "Ames, Iowa: Alternative to the Boston Housing Data"; book 4.10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fathom.data.sources import File, Packing, Source, fetch

if TYPE_CHECKING:
    from fathom.data.tables import Table

_HOST = "https://d2l-data.s3-accelerate.amazonaws.com/"
TRAIN, TEST = "kaggle_house_pred_train.csv", "kaggle_house_pred_test.csv"
TARGET = "SalePrice"

SOURCE = Source(
    name="house-prices",
    title="house prices in Ames: 1,460 sales with 79 facts each, 1,459 to be priced",
    home="https://www.kaggle.com/c/house-prices-advanced-regression-techniques",
    licence="none stated; the rules of the Kaggle competition apply",
    kind="table",
    packings=(
        Packing(
            "csv",
            (
                File(
                    TRAIN,
                    460_676,
                    "1e18addf81e5e4d347cc17ee6075bbe4a42b7fa26b9e5b063e8f692a5f929d41",
                    (_HOST + TRAIN,),
                ),
                File(
                    TEST,
                    451_405,
                    "8fdd3d829d4d986b58f845c9553b225e67dd8383624d90fb6ca1d4bed5798c1e",
                    (_HOST + TEST,),
                ),
            ),
        ),
    ),
)


def tables(words: Sequence[str] = ()) -> tuple[Table, Table]:
    """The sales to learn from, 81 columns with Id and SalePrice, and those to be priced, 80.

    `words` names columns of numbers that are read as words.
    """
    from fathom.data.tables import read_csv

    paths = fetch(SOURCE)
    train = read_csv(paths[TRAIN], words=words)
    return train, read_csv(paths[TEST], like=train)


def made(count: int = 400, seed: int = 0) -> tuple[Table, Table]:
    """Made-up sales of the same form, with words, empty cells and noise, for use offline.

    A third as many are to be priced; their prices are left out.
    """
    import numpy as np

    from fathom.data.tables import Numbers, Table, Words

    random = np.random.default_rng(seed)
    total = count + count // 3
    area = random.normal(1500, 450, total).clip(400).round()
    quality = random.integers(1, 11, total).astype(float)
    year = random.integers(1900, 2011, total).astype(float)
    quarters = {"NAmes": 0.0, "OldTown": -0.15, "NridgHt": 0.3}
    quarter: Words = [str(word) for word in random.choice(list(quarters), total)]
    frontage = (area / 25 + random.normal(0, 10, total)).round()
    frontage[random.random(total) < 0.15] = np.nan
    alleys = ("Grvl", "Pave", None)
    alley: Words = [alleys[i] for i in random.choice(3, total, p=(0.06, 0.04, 0.9))]
    logarithm = 10.3 + 0.0004 * area + 0.08 * quality + 0.003 * (year - 1950)
    logarithm += np.array([quarters[str(word)] for word in quarter]) + random.normal(0, 0.1, total)
    columns: dict[str, Numbers | Words] = {
        "Id": np.arange(1.0, total + 1),
        "Neighborhood": quarter,
        "Alley": alley,
        "LotFrontage": frontage,
        "OverallQual": quality,
        "YearBuilt": year,
        "GrLivArea": area,
        TARGET: np.exp(logarithm).round(),
    }
    table = Table("made house prices", columns, list(range(2, total + 2)))
    return table.rows(range(count)), table.rows(range(count, total)).without(TARGET)
