"""Picture files of every kind, good and bad: D15."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from fathom.core.errors import DataError, ResourceError
from fathom.data.pictures import is_grey, open_picture, picture_files, read_picture

pytestmark = [
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
    pytest.mark.filterwarnings("ignore:Corrupt EXIF data"),
]
RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (6, 9, 3), dtype=np.uint8)
GREYS = RANDOM.integers(0, 256, (6, 9), dtype=np.uint8)


def png(width, height, depth=8, colour=0):
    """A PNG that says it is that large, with next to nothing in it."""

    def part(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    head = struct.pack(">2I5B", width, height, depth, colour, 0, 0, 0)
    body = part(b"IHDR", head) + part(b"IDAT", zlib.compress(bytes(100))) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def saved(path, array, mode=None, **settings):
    image = Image.fromarray(array)
    if mode is not None:
        image = image.convert(mode)
    image.save(path, **settings)
    return path


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_d15_more_pixels_than_memory_is_refused_before_decoding(tmp_path, side):
    path = tmp_path / "x.png"
    path.write_bytes(png(side, side))
    assert path.stat().st_size < 1000
    with pytest.raises(DataError, match=r"x\.png: is too large .*over 64,000,000 pixels"):
        read_picture(path, channels=1)


def test_d15_no_height(tmp_path):
    (tmp_path / "x.png").write_bytes(png(5, 0))
    with pytest.raises(DataError, match=r"x\.png"):
        read_picture(tmp_path / "x.png", channels=1)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif", "tif"])
def test_d15_truncated_files_are_named_with_their_class(tmp_path, suffix):
    path = saved(tmp_path / f"x.{suffix}", RANDOM.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    whole = path.read_bytes()
    assert read_picture(path, channels=3).shape == (3, 40, 60)
    for length in (len(whole) // 2, 40, 10, 0):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=rf"x\.{suffix} \(class cat\): ") as error:
            read_picture(path, channels=3, thing=f"{path} (class cat)")
        assert error.value.exit_status == 3
        assert "\n" not in str(error.value)


def test_d15_the_content_counts_and_not_the_suffix(tmp_path):
    path = saved(tmp_path / "x.jpg", COLOURS, format="PNG")
    assert torch.equal(read_picture(path, channels=3), torch.tensor(COLOURS).permute(2, 0, 1))
    path.write_text("not a picture at all, but a line of text")
    with pytest.raises(DataError, match="is not a picture that can be read"):
        read_picture(path, channels=3)


def test_d15_formats_off_the_list_are_not_opened(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(COLOURS).save(path, format="PCX")
    with pytest.raises(DataError, match="is not a picture that can be read"):
        read_picture(path, channels=3)


def test_d15_cmyk(tmp_path):
    path = saved(tmp_path / "x.jpg", COLOURS, "CMYK", quality=100)
    with Image.open(path) as image:
        assert image.mode == "CMYK"
        expected = np.array(image.convert("RGB"))
    assert torch.equal(read_picture(path, channels=3), torch.tensor(expected).permute(2, 0, 1))


def test_a_file_is_closed_when_it_was_looked_at(tmp_path):
    Image.new("L", (4, 3)).save(tmp_path / "a.png")
    with open_picture(tmp_path / "a.png") as image:
        file = image.fp
        assert not file.closed
    assert file.closed


def test_d15_sixteen_bits(tmp_path):
    wide = GREYS.astype(np.uint16) * 257
    path = saved(tmp_path / "x.png", wide)
    assert torch.equal(read_picture(path, channels=1), torch.tensor(GREYS)[None])
    with open_picture(path) as image:
        assert is_grey(image)


def test_d15_palette_bits_and_grey_in_either_form(tmp_path):
    palette = saved(tmp_path / "p.png", COLOURS, "P")
    expected = np.array(Image.fromarray(COLOURS).convert("P").convert("RGB"))
    assert torch.equal(read_picture(palette, channels=3), torch.tensor(expected).permute(2, 0, 1))
    bits = saved(tmp_path / "b.png", GREYS, "1")
    assert set(read_picture(bits, channels=1).unique().tolist()) <= {0, 255}
    grey = saved(tmp_path / "g.png", GREYS)
    assert torch.equal(read_picture(grey, channels=3), torch.tensor(GREYS).expand(3, 6, 9))
    colour = saved(tmp_path / "c.png", COLOURS)
    luma = np.array(Image.fromarray(COLOURS).convert("L"))
    assert torch.equal(read_picture(colour, channels=1), torch.tensor(luma)[None])


def test_d15_what_is_transparent_is_white(tmp_path):
    array = np.dstack([COLOURS, np.zeros((6, 9), np.uint8)])
    path = saved(tmp_path / "x.png", array)
    assert (read_picture(path, channels=3) == 255).all()
    assert (read_picture(path, channels=1) == 255).all()


def test_d15_turned_upright_as_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter to the right
    path = saved(tmp_path / "x.png", COLOURS, exif=exif)
    expected = np.rot90(COLOURS, -1).copy()
    assert torch.equal(read_picture(path, channels=3), torch.tensor(expected).permute(2, 0, 1))


def test_d15_an_animation_is_its_first_picture(tmp_path):
    frames = [Image.fromarray(np.full((4, 5), level, np.uint8)) for level in (10, 200)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert (read_picture(tmp_path / "x.gif", channels=1) == 10).all()


def test_d15_floating_point_pixels_are_refused(tmp_path):
    path = saved(tmp_path / "x.tif", RANDOM.random((4, 5)).astype(np.float32))
    with pytest.raises(DataError, match="floating-point"):
        read_picture(path, channels=1)


def test_scaled_to_cover_and_cut_at_both_sides(tmp_path):
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 255
    path = saved(tmp_path / "x.png", wide)
    assert (read_picture(path, channels=1, size=(20, 20)) == 255).all()
    assert read_picture(path, channels=3, size=(7, 11)).shape == (3, 7, 11)


def test_a_large_jpeg_is_decoded_small_and_still_right(tmp_path):
    smooth = np.linspace(0, 255, 640)[None].repeat(640, 0).astype(np.uint8)
    path = saved(tmp_path / "x.jpg", smooth, quality=95)
    small = read_picture(path, channels=1, size=(32, 32)).double()
    expected = np.array(Image.fromarray(smooth).resize((32, 32), Image.Resampling.BILINEAR))
    assert (small - torch.tensor(expected).double()).abs().max() <= 3


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_picture(tmp_path / "gone.png", channels=1)
    with pytest.raises(DataError, match="is a folder"):
        read_picture(tmp_path, channels=1)
    with pytest.raises(DataError, match="a path of 5004 characters, too long") as error:
        read_picture(tmp_path.__class__("x" * 5000 + ".png"), channels=1)
    assert len(str(error.value)) < 400  # D23
    with pytest.raises(DataError, match="holds no pictures"):
        picture_files(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = saved(tmp_path / "x.png", GREYS)

    def forbidden(*words, **more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbidden)
    with pytest.raises(ResourceError, match="may not be read"):
        read_picture(path, channels=1)
