"""Which planes of a file are the channels of a sample: by number, by name, and what is alpha."""

import imagecodecs
import numpy as np
import pytest

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import Image
from cellfeat.samples.formats.decoding import decode_image
from cellfeat.samples.image_file.channels import has_colour_map, only_plane, pick_channels
from tests.samples.image_files import noise, tiff

FIVE = noise(6, 7, 5, dtype="uint16")
RGBA = noise(6, 7, 4)
OPAQUE = np.dstack([RGBA[..., :3], np.full((6, 7), 255, np.uint8)])


def decoded(content: bytes) -> Image:
    return decode_image(content, 100_000)


def png(pixels: np.ndarray) -> bytes:
    return imagecodecs.png_encode(np.ascontiguousarray(pixels))


def interleaved(pixels: np.ndarray, **options) -> bytes:
    return tiff(pixels, **{"photometric": "minisblack", "planarconfig": "contig", "metadata": None, **options})


class TestAlpha:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"photometric": "rgb"},
            {"ome": True, "metadata": {"axes": "YXS"}},
            {"metadata": {"axes": "YXS"}, "compression": "deflate"},
        ],
        ids=["grey", "rgb", "ome", "shaped"],
    )
    @pytest.mark.parametrize("last", ["noise", "white"])
    def test_unspecified_samples_are_channels(self, options, last):
        pixels = FIVE.copy()
        pixels[..., 4] = 65535 if last == "white" else pixels[..., 4]

        picked = pick_channels(decoded(interleaved(pixels, **options)), [0, 1, 2, 3, 4])

        np.testing.assert_array_equal(picked, np.moveaxis(pixels, 2, 0))

    def test_unspecified_samples_in_planes_are_channels(self):
        planes = np.moveaxis(FIVE, 2, 0).copy()

        picked = pick_channels(decoded(tiff(planes, photometric="minisblack", planarconfig="separate")), [4, 0])

        np.testing.assert_array_equal(picked, planes[[4, 0]])

    @pytest.mark.parametrize("kind", ["assocalpha", "unassalpha"])
    def test_alpha_among_extra_samples_is_found_by_its_place(self, kind):
        image = decoded(interleaved(FIVE, photometric="rgb", extrasamples=[kind, "unspecified"]))

        assert image.alpha == (3,)
        np.testing.assert_array_equal(pick_channels(image, [0, 3, 4]), np.moveaxis(FIVE, 2, 0)[[0, 3, 4]])
        with pytest.raises(ImageError, match=r"transparent.*plane 3 .*number"):
            pick_channels(image, [0, 4])

    @pytest.mark.parametrize("content", [png(RGBA), tiff(RGBA, photometric="rgb")], ids=["png", "tiff"])
    def test_plane_named_by_number_is_a_channel(self, content):
        np.testing.assert_array_equal(pick_channels(decoded(content), [0, 1, 2, 3]), np.moveaxis(RGBA, 2, 0))

    def test_alpha_of_grey_named_by_number_is_a_channel(self):
        np.testing.assert_array_equal(pick_channels(decoded(png(RGBA[..., :2])), [1]), RGBA[np.newaxis, ..., 1])

    @pytest.mark.parametrize("content", [png(OPAQUE), tiff(OPAQUE, photometric="rgb")], ids=["png", "tiff"])
    def test_opaque_alpha_that_is_not_named_is_dropped(self, content):
        np.testing.assert_array_equal(pick_channels(decoded(content), [0, 1, 2]), np.moveaxis(RGBA, 2, 0)[:3])

    @pytest.mark.parametrize("content", [png(RGBA), tiff(RGBA, photometric="rgb")], ids=["png", "tiff"])
    def test_transparency_that_is_not_named_is_refused(self, content):
        with pytest.raises(ImageError, match="transparent pixels"):
            pick_channels(decoded(content), [0, 1, 2])

    def test_opaque_alpha_of_a_file_of_one_channel_is_dropped(self):
        np.testing.assert_array_equal(only_plane(decoded(png(OPAQUE[..., [0, 3]]))), OPAQUE[..., 0])

    def test_transparency_of_a_file_of_one_channel_is_refused(self):
        with pytest.raises(ImageError, match="transparent pixels"):
            only_plane(decoded(png(RGBA[..., :2])))


def ome(pixels: np.ndarray, names: list[str], **options) -> bytes:
    axes = options.pop("axes", "CYX")
    return tiff(pixels, ome=True, metadata={"axes": axes, "Channel": {"Name": names}}, **options)


class TestOmeNames:
    RGB = noise(6, 7, 3)

    def refuses(self, content: bytes, name: str, message: str) -> None:
        with pytest.raises(ImageError, match=message):
            pick_channels(decoded(content), [name])

    def test_name_of_three_samples_is_refused(self):
        content = ome(self.RGB, ["Brightfield"], axes="YXS", photometric="rgb")

        self.refuses(
            content, "Brightfield", r"'Brightfield' stands for 3 planes, numbered 0, 1, 2;.*channels=\[0,1,2\]"
        )

    def test_name_of_four_samples_does_not_propose_alpha(self):
        content = ome(noise(6, 7, 4), ["Bright"], axes="YXS", photometric="rgb", extrasamples=["unassalpha"])

        self.refuses(content, "Bright", r"4 planes.*channels=\[0,1,2\]")

    def test_name_of_three_samples_in_planes_is_refused(self):
        content = ome(noise(3, 6, 7), ["Bright"], axes="SYX", photometric="rgb", planarconfig="separate")

        self.refuses(content, "Bright", "3 planes")

    def test_name_is_that_of_all_samples_where_their_number_is_missing(self):
        content = ome(self.RGB, ["Bright"], axes="YXS", photometric="rgb")
        assert b' SamplesPerPixel="3"' in content

        self.refuses(content.replace(b' SamplesPerPixel="3"', b" " * 20), "Bright", "3 planes")

    def test_name_that_occurs_twice_is_refused(self):
        content = ome(noise(3, 6, 7), ["DNA", "ER", "DNA"], photometric="minisblack")

        self.refuses(content, "DNA", r"'DNA' stands for 2 planes, numbered 0, 2;.*channels=\[0,2\]")
        np.testing.assert_array_equal(pick_channels(decoded(content), ["ER"]), noise(3, 6, 7)[1:2])

    def test_other_name_is_suggested_once(self):
        content = ome(noise(3, 6, 7), ["DNA", "ER", "DNA"], photometric="minisblack")

        self.refuses(content, "dna", "Valid: DNA, ER$")


class TestStacks:
    """Pages that the file says nothing about."""

    @pytest.mark.parametrize(("n_pages", "channels"), [(3, [0, 1, 2]), (5, [0]), (8, [0]), (12, [0, 1, 2]), (40, [39])])
    @pytest.mark.parametrize("metadata", [None, {}], ids=["pages", "shape"])
    def test_pages_about_as_many_as_channels_are_channels(self, n_pages, channels, metadata):
        pixels = noise(n_pages, 30, 31)

        image = decoded(tiff(pixels, photometric="minisblack", metadata=metadata))

        np.testing.assert_array_equal(pick_channels(image, channels), pixels[channels])

    @pytest.mark.parametrize(("n_pages", "channels"), [(9, [0]), (13, [0, 1, 2]), (60, [0, 1])])
    @pytest.mark.parametrize("metadata", [None, {}], ids=["pages", "shape"])
    def test_many_more_pages_than_channels_are_refused(self, n_pages, channels, metadata):
        image = decoded(tiff(noise(n_pages, 30, 31), photometric="minisblack", metadata=metadata))

        with pytest.raises(ImageError, match=rf"holds {n_pages} pages.*depths or times"):
            pick_channels(image, channels)

    def test_many_pages_without_the_name_asked_for_may_be_cells(self):
        image = decoded(tiff(noise(40, 30, 31), photometric="minisblack", metadata=None))

        with pytest.raises(ImageError, match=r"holds 40 pages.*'blue'.*tifffile.imread"):
            pick_channels(image, ["blue"])

    @pytest.mark.parametrize("options", [{"metadata": {"axes": "CYX"}}, {"imagej": True, "metadata": {"axes": "CYX"}}])
    def test_many_channels_with_named_axes_are_channels(self, options):
        pixels = noise(40, 30, 31)

        picked = pick_channels(decoded(tiff(pixels, photometric="minisblack", **options)), [0])

        np.testing.assert_array_equal(picked, pixels[:1])


def test_file_in_the_usual_order_is_not_copied():
    image = Image(noise(3, 4, 5), "tiff", 8)

    assert pick_channels(image, [0, 1, 2]) is image.pixels


class TestColourMap:
    def test_grey_values_drawn_with_a_colour_map_are_known(self) -> None:
        colours = np.column_stack([np.arange(256), np.arange(256) // 2 + 90, 255 - np.arange(256)]).astype(np.uint8)
        assert has_colour_map(decoded(png(colours[noise(40, 40)])))

    @pytest.mark.parametrize(
        "pixels", [noise(40, 40, 3), np.dstack([noise(40, 40)] * 3), noise(40, 40), noise(8, 8, 3)],
        ids=["three stains", "grey", "one plane", "too small"],
    )  # fmt: skip
    def test_other_images_are_not_said_to_be_drawn(self, pixels: np.ndarray) -> None:
        assert not has_colour_map(decoded(png(pixels)))
