"""Pictures of a page that is being looked at: thumbnails that are made when they are asked for, and exact crops."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from numpy.typing import NDArray

from cellfeat.errors import CellfeatError, MissingFileError
from cellfeat.extraction.observer import Observer
from cellfeat.extraction.sample_images import SampleImages, opened_images
from cellfeat.extraction.store import Features
from cellfeat.page.content import PageContent
from cellfeat.page.samples.pictures import MOST_IN_SHARDS, SHEET, shown
from cellfeat.page.serving.server import Crop
from cellfeat.storage.url import Location
from cellfeat.thumbnails import BlockMaker, Thumbnails, find_thumbnails, make_thumbnails


@dataclass(frozen=True)
class LivePictures:
    """What there is to look at beside the page itself.

    Attributes
    ----------
    crop
        Reads the exact pixels of a sample; None where there are no images.
    thumbnails
        The thumbnails; None where there are none.
    block
        Gives a block of them, which is made now where it is missing.
    """

    crop: Crop | None = None
    thumbnails: Thumbnails | None = None
    block: Callable[[int], bytes] | None = None

    def added_to(self, content: PageContent) -> PageContent:
        """Give a page its thumbnails, and all blocks of them."""
        if self.thumbnails is None or self.block is None:
            return content
        found = shown(self.thumbnails)
        page = {**content.page, "channels": found.channels, "thumbnails": found.thumbnails, "picturesNote": ""}
        shards = {f"{SHEET}{number}": partial(self.block, number) for number in range(self.thumbnails.n_blocks)}
        return PageContent(page, {**content.shards, **shards})


NO_PICTURES = LivePictures()


@contextmanager
def live_pictures(
    features: Features | None,
    images: Location | None,
    observer: Observer,
    *,
    reads_images: bool = True,
) -> Iterator[LivePictures]:
    """Open the images of samples; make their thumbnails now where there are not too many.

    Images that are not there, or have changed, cost the pictures and nothing else.

    Parameters
    ----------
    features
        The samples; None where there are none.
    images
        Folder of the images; None: the one that the features were extracted from.
    observer
        Receives the progress, and why there are no pictures.
    reads_images
        Whether images are read; otherwise only thumbnails that are kept are shown.
    """
    if features is None or features.is_imported or not len(features):
        yield NO_PICTURES
        return
    if not reads_images:
        yield _kept(features)
        return
    with ExitStack() as stack:
        try:
            made = _made_now(features, images, observer) if len(features) <= MOST_IN_SHARDS else None
            opened = stack.enter_context(opened_images(features, images))
            pictures = _opened(opened, made)
        except (CellfeatError, OSError) as error:
            observer.say(f"no exact pixels, and no new thumbnails: {error}")
            pictures = _kept(features)
        yield pictures


def _made_now(features: Features, images: Location | None, observer: Observer) -> Thumbnails:
    if find_thumbnails(features) is None:
        observer.say(f"making thumbnails of {len(features):,} samples, once")
    return make_thumbnails(features, images=images, observer=observer)


def _opened(images: SampleImages, made: Thumbnails | None) -> LivePictures:
    crop = partial(_crop, images)
    if made is not None:
        return LivePictures(crop, made, made.block)
    maker = BlockMaker.of(images)
    return LivePictures(crop, maker.thumbnails, partial(_block, maker))


def _crop(images: SampleImages, row: int) -> NDArray:
    if row >= len(images.features):
        # A page of held-out samples also has those that a head was fitted on, after its own.
        raise MissingFileError("the images of the samples that the head was fitted on are not open")
    return images.read(row)


def _kept(features: Features) -> LivePictures:
    """Thumbnails that were made while the images were there."""
    found = find_thumbnails(features)
    return NO_PICTURES if found is None else LivePictures(None, found, found.block)


def _block(maker: BlockMaker, number: int) -> bytes:
    found = maker.thumbnails.find(number)
    return (maker.make(number) if found is None else found).shard
