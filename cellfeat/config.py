"""The configuration: validated settings from YAML or JSON files.

Command-line flags override files, and files override the defaults. `Settings` has one field for each section below. An
unknown key is an error that suggests the nearest valid one, so a misspelt setting is never silently ignored.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, model_validator

from cellfeat.config_values import (
    AnyLocation,
    Count,
    HeadValues,
    Limits,
    LocalPath,
    NotNegative,
    PositiveFloat,
    Words,
    as_words,
    not_bool,
    parsed_folds,
)
from cellfeat.errors import ConfigError

SPLIT_COLUMN = "split"
"""Name of the column that holds the split where folders or file names say it."""


class Section(BaseModel):
    """A section of the configuration: immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """The settings that are not the defaults: all of them would fill a screen."""
        for name, setting in type(self).model_fields.items():
            if getattr(self, name) != setting.get_default(call_default_factory=True):
                yield name, getattr(self, name)


class IntensitySettings(Section):
    """Scaling of pixel values to ``[0, 1]``: ``dtype``, ``{range: …}`` or ``{percentile: …}``.

    ``dtype`` scales by the full range of the bits that the file states, for example 12 bits in a 16-bit file; with
    `white` ``type`` by that of the pixel type, whatever the file states. `range` is one ``[lo, hi]`` for all channels
    or one per channel. `percentile` is ``[p, q]`` of each channel, computed for each image or over the whole data set
    (`over`).
    """

    range: Limits | list[Limits] | None = None
    percentile: Limits | None = None
    over: Literal["image", "dataset"] = "image"
    white: Literal["stated", "type"] = "stated"

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value != "dtype":
                raise ValueError("expected dtype, {range: [lo, hi]} or {percentile: [p, q]}")
            # Without limits, the range of the pixel type is what remains.
            return {}
        return value

    @model_validator(mode="after")
    def _sensible(self) -> "IntensitySettings":
        if self.range is not None and self.percentile is not None:
            raise ValueError("expected range or percentile, not both")
        pairs = [self.range] if isinstance(self.range, tuple) else self.range or []
        if any(not lo < hi for lo, hi in pairs):
            raise ValueError("range: expected [lo, hi] with lo < hi")
        if self.percentile and not 0 <= self.percentile[0] < self.percentile[1] <= 100:
            raise ValueError("percentile: expected [p, q] with 0 <= p < q <= 100")
        return self


class PlaneSettings(Section):
    """Which plane of a stack is read: ``{z: 3}``, ``{z: max}``, ``{z: mean}``, ``{t: 0}``, ``{series: 1}``, or several.

    `z` is a depth, or a projection of all depths; `t` a time; `series` an image of a file that holds several, such as a
    position or a scene. All are counted from 0. A stack of which nothing is chosen is refused.
    """

    z: NotNegative | Literal["max", "mean"] | None = None
    t: NotNegative | None = None
    series: NotNegative | None = None


class FieldsSettings(Section):
    """Crops around the cells of whole fields of view: layout ``fields``.

    Cells come from label images (`masks`), from tables of positions (`positions`), or from the labels table. `masks`
    and `positions` are names in which ``{field}`` and other names of `ImagesSettings.pattern` may stand: one file a
    field. `masks` is relative to `masks_root`, by default the folder of images; `positions` without such names is one
    table of all fields. `table` has a row for each field, as ``load_data.csv`` and the Image table of CellProfiler.

    `x`, `y` and `object` name columns where their names do not tell; x is counted to the right, y downwards, both in
    pixels. Crops have `crop_size` pixels on each side. With `resolution`, in micrometres per pixel, they are brought to
    it; `pixel_size` is that of files that do not state theirs.
    """

    crop_size: Count | None = None
    border: Literal["pad", "drop"] = "pad"
    mask: Literal["none", "zero_outside"] = "none"
    dilate: NotNegative = 0
    masks: str | None = None
    masks_root: LocalPath | None = None
    positions: str | None = None
    table: LocalPath | None = None
    x: str | None = None
    y: str | None = None
    object: str | None = None
    resolution: PositiveFloat | None = None
    pixel_size: PositiveFloat | None = None

    @model_validator(mode="after")
    def _sensible(self) -> "FieldsSettings":
        if self.dilate and self.mask == "none":
            raise ValueError("dilate makes masks larger, and mask is none; set mask: zero_outside, or dilate: 0")
        if self.pixel_size and not self.resolution:
            raise ValueError("pixel_size has no effect without resolution, the micrometres per pixel of crops")
        return self


class ImagesSettings(Section):
    """Where the images are and how they are read.

    `layout` ``auto`` is ``table`` if `LabelsSettings.files` names columns, ``pattern`` if `pattern` is set, and
    ``folders`` (one folder per class) otherwise. ``split_folders`` has a folder for each part of a split (train, val,
    test), with class folders inside. ``fields`` cuts crops around cells out of whole fields of view, as `fields` says.
    `allow_outside` allows file names that lead out of `root`.

    `root` may be an address such as ``s3://lab/images``, for images that are files of their own.
    """

    root: AnyLocation = Path("data/images_train")
    layout: Literal["auto", "pattern", "folders", "split_folders", "table", "fields", "h5sc"] = "auto"
    pattern: str | None = "{sample_id:05d}_{channel}.png"
    channels: Annotated[list[str | int], Field(min_length=1)] = ["blue", "red", "yellow"]
    intensity: IntensitySettings = IntensitySettings()
    plane: PlaneSettings = PlaneSettings()
    max_pixels: Count = 100_000_000
    allow_outside: bool = False
    fields: FieldsSettings = FieldsSettings()

    @property
    def local_root(self) -> Path:
        """The folder of images, where only one of this machine will do.

        Raises
        ------
        ConfigError
            If it is an address.
        """
        if isinstance(self.root, Path):
            return self.root
        raise ConfigError(
            f"{self.root}: crops out of whole fields and files of scPortrait (*.h5sc) can be read from a disk alone: "
            "copy the folder to this machine (aws s3 sync, gsutil rsync, azcopy copy), and name the copy with --images"
        )

    @property
    def follows_pattern(self) -> bool:
        """Whether `pattern` says what files are called."""
        return self.layout in ("auto", "pattern") and bool(self.pattern)

    @property
    def names_split(self) -> bool:
        """Whether the names of folders or files say which part of a split a sample belongs to."""
        is_pattern = self.layout in ("auto", "pattern", "fields") and "{split}" in (self.pattern or "")
        return is_pattern or self.layout == "split_folders"


MISSING_WORDS = (
    "NA", "<NA>", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "NaN", "nan", "-NaN", "-nan", "NaT", "None", "NULL", "null",
    "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!",
)  # fmt: skip
"""What R, Python, SQL and spreadsheets write where a value is missing."""


class LabelsSettings(Section):
    """The table of labels, which may lie at an address such as ``s3://lab/labels.csv``, and the names of its columns.

    `files` names the columns with file names: one column, or one per channel in the order of `images.channels`. Every
    column that is not named here is kept with the samples and can be used for ``--groups COLUMN``. `group` names a
    column of the table or a field of the pattern; of a list, samples are one group where all values are equal.

    `unmatched` ``ignore`` leaves out labels without images and keeps images without labels as unlabelled samples;
    ``listed`` uses the samples of the table only. A message names what is left out.

    `split` names a column that says which samples are for training, validation and test. Cells that read like a word in
    `missing`, in the same case, count as empty, except in ids and file names.
    """

    file: AnyLocation | None = Path("data/y_train.csv")
    id: str = "file_id"
    label: str | None = "cell_line"
    group: str | Annotated[list[str], Field(min_length=1)] | None = None
    split: str | None = None
    files: str | list[str] | None = None
    missing: Words = MISSING_WORDS
    unmatched: Literal["error", "ignore", "listed"] = "error"


def split_column(images: ImagesSettings, labels: LabelsSettings) -> str | None:
    """Name the column of the samples that says which part of a split each belongs to; None where there is no split.

    Parameters
    ----------
    images, labels
        The settings.
    """
    return labels.split or (SPLIT_COLUMN if images.names_split else None)


class PreprocessingSettings(Section):
    """Preprocessing of the images for the backbone; ``None`` uses the preprocessing published with the weights.

    `crop` ``none`` shows the network the whole image; ``center`` and ``None`` crop it as published.
    """

    input_size: Count | None = None
    crop: Literal["center", "none"] | None = "none"
    interpolation: Literal["nearest", "bilinear", "bicubic"] | None = None
    mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    channels_as: Literal["planes", "separate", "both"] = "planes"


class BackboneSettings(Section):
    """The frozen network. `weights` is the name of published weights, a file, or ``default``.

    `name` may join several networks by ``+``, each with a size of its own after ``@`` if wanted; their embeddings stand
    side by side. Then `weights` is ``default``, or a mapping that gives those of each network by its name.

    `pool` ``norm`` is the input of the network's own classifier, ``raw`` the same before a ConvNeXt's last LayerNorm,
    ``stages`` the mean and standard deviation of each channel over the maps of the middle stages, and ``blocks`` the
    class token, and the mean and standard deviation of the patch tokens, of several blocks of a vision transformer.
    ``auto`` is ``stages`` where the network has them, else ``norm``.
    """

    name: str = "convnext_base"
    weights: str | dict[str, str] = "default"
    pool: Literal["auto", "norm", "raw", "stages", "blocks"] = "auto"


class ExtractionSettings(Section):
    """How images are extracted, and where the feature file goes.

    `workers` is the number of processes that read images. With 0, this process reads them: it starts faster, but an
    image that crashes its codec ends the run, and `image_timeout` has no effect. `bits` says whether all processes that
    make an extraction together must compute the same bits, or numbers that are equal within the precision's tolerance.

    `output` may be an address such as ``s3://lab/cells.h5``, which also names a feature file to read. `storage` is the
    type of the embeddings in the file: float16 takes half the space, and ends the run where an embedding does not fit
    into it. `thumbnails` says whether an extraction by one process also makes thumbnails beside the feature file.
    """

    output: AnyLocation = Path("features/cells.h5")
    views: Annotated[Literal[1, 4, 8], BeforeValidator(not_bool)] = 1
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = "auto"
    storage: Literal["float32", "float16"] = "float32"
    device: str = "auto"
    batch_size: Count | Literal["auto"] = "auto"
    workers: NotNegative | Literal["auto"] = "auto"
    image_timeout: PositiveFloat = 60
    part_size: Count = 1024
    bits: Literal["exact", "close"] = "exact"
    on_error: Literal["stop", "quarantine"] = "stop"
    thumbnails: bool = True
    profile: bool = False
    trace: LocalPath | None = None


class ComparisonSettings(Section):
    """Which heads are compared, on which folds, and where the results are written.

    `folds` is a number, ``leave-one-out`` for one fold a group, or ``column:NAME`` for one fold a value of a column.
    `parts` are the parts of a split (`LabelsSettings.split`) whose samples are used. Samples of the classes in
    `leave_out` are excluded. `standardise` names a column of plates within which every column of the embeddings is
    standardised, by `standardise_from`: all samples of the plate, or those of the training part. `figures` are the file
    formats of figures, `page` says whether a page is written that shows the samples behind the results. `output` None
    is a folder in ``results`` of the feature file's name: see `Settings.results`.
    """

    heads: Annotated[list[str], Field(min_length=1)] = ["mlp", "logreg", "lightgbm"]
    folds: Annotated[int | str, BeforeValidator(parsed_folds)] = 5
    groups: str = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    draws: Annotated[int, Field(ge=100)] = 2000
    calibrate: Literal["temperature", "none"] = "temperature"
    tune: Annotated[int, Field(ge=0)] = 0
    parts: Annotated[tuple[Literal["train", "val", "test"], ...], Field(min_length=1), BeforeValidator(as_words)] = (
        "train",
    )
    leave_out: Words = ()
    standardise: str | None = None
    standardise_from: Literal["all", "training"] = "all"
    figures: Annotated[tuple[Literal["png", "svg", "pdf"], ...], BeforeValidator(as_words)] = ("png",)
    page: bool = True
    output: LocalPath | None = None

    @property
    def n_folds(self) -> int:
        """Number of folds in which every class needs a sample: 2 where the folds are given."""
        return self.folds if isinstance(self.folds, int) else 2


class Settings(Section):
    """The whole configuration."""

    images: ImagesSettings = ImagesSettings()
    labels: LabelsSettings = LabelsSettings()
    preprocessing: PreprocessingSettings = PreprocessingSettings()
    backbone: BackboneSettings = BackboneSettings()
    extraction: ExtractionSettings = ExtractionSettings()
    heads: dict[str, HeadValues] = {}
    comparison: ComparisonSettings = ComparisonSettings()

    @property
    def results(self) -> Path:
        """Folder of the results: by default ``results/cells`` for the feature file ``cells.h5``."""
        return self.comparison.output or Path("results") / self.extraction.output.stem

    @property
    def split_column(self) -> str | None:
        """The column of the samples that holds their split; None where there is no split."""
        return split_column(self.images, self.labels)

    def record(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return self.model_dump(mode="json")
