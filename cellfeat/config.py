"""The configuration: validated settings from YAML or JSON files.

Command-line flags override files, and files override the defaults. `Settings` has one field for each section below. An
unknown key is an error that suggests the nearest valid one, so a misspelt setting is never silently ignored.
"""

import copy
import reprlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from cellfeat.config_files import read_mapping
from cellfeat.errors import ConfigError
from cellfeat.text import NO_URLS, is_url, near_names


def _not_bool(value: Any) -> Any:
    """Refuse yes and no for a number; Python would convert true to 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def _not_url(value: Any) -> Any:
    """Refuse an address for a path; it would become a folder of that name."""
    if isinstance(value, str | Path) and is_url(str(value)):
        raise ValueError(NO_URLS)
    return value


LocalPath = Annotated[Path, BeforeValidator(_not_url)]
Limits = tuple[FiniteFloat, FiniteFloat]
Count = Annotated[int, Field(gt=0), BeforeValidator(_not_bool)]
NotNegative = Annotated[int, Field(ge=0), BeforeValidator(_not_bool)]
_PositiveFloat = Annotated[FiniteFloat, Field(gt=0)]


class Section(BaseModel):
    """A section of the configuration: immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class ImagesSettings(Section):
    """Where the images are and how they are read.

    `layout` ``auto`` is ``table`` if `LabelsSettings.files` names columns, ``pattern`` if `pattern` is set, and
    ``folders`` (one folder per class) otherwise. `allow_outside` allows file names that lead out of `root`.
    """

    root: LocalPath = Path("data/images_train")
    layout: Literal["auto", "pattern", "folders", "table"] = "auto"
    pattern: str | None = "{sample_id:05d}_{channel}.png"
    channels: Annotated[list[str | int], Field(min_length=1)] = ["blue", "red", "yellow"]
    intensity: IntensitySettings = IntensitySettings()
    max_pixels: Count = 100_000_000
    allow_outside: bool = False


class LabelsSettings(Section):
    """The table of labels and the names of its columns.

    `files` names the columns with file names: one column, or one per channel in the order of `images.channels`. Every
    column that is not named here is kept with the samples and can be used for ``--groups COLUMN``. `unmatched`
    ``ignore`` leaves out labels without images and keeps images without labels as unlabelled samples; ``listed`` uses
    the samples of the table only. A message names what is left out.
    """

    file: LocalPath | None = Path("data/y_train.csv")
    id: str = "file_id"
    label: str | None = "cell_line"
    group: str | None = None
    files: str | list[str] | None = None
    unmatched: Literal["error", "ignore", "listed"] = "error"


class PreprocessingSettings(Section):
    """Preprocessing of the images for the backbone; ``None`` uses the preprocessing published with the weights."""

    input_size: Count | None = None
    crop: Literal["center", "none"] | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic"] | None = None
    mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    std: tuple[_PositiveFloat, _PositiveFloat, _PositiveFloat] | None = None
    channels_as: Literal["planes", "separate", "both"] = "planes"


class BackboneSettings(Section):
    """The frozen network. `weights` is the name of published weights, a file, or ``default``.

    `pool` ``norm`` is the input of the network's own classifier, ``raw`` the same before a ConvNeXt's last LayerNorm,
    and ``stages`` the mean and standard deviation of each channel over the maps of the middle stages.
    """

    name: str = "convnext_base"
    weights: str = "default"
    pool: Literal["norm", "raw", "stages"] = "norm"


class ExtractionSettings(Section):
    """How images are extracted, and where the feature file goes.

    `workers` is the number of processes that read images. With 0, this process reads them: it starts faster, but an
    image that crashes its codec ends the run, and `image_timeout` has no effect.
    """

    output: LocalPath = Path("features/cells.h5")
    views: Annotated[Literal[1, 4, 8], BeforeValidator(_not_bool)] = 1
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = "auto"
    device: str = "auto"
    batch_size: Count | Literal["auto"] = "auto"
    workers: NotNegative | Literal["auto"] = "auto"
    image_timeout: _PositiveFloat = 60
    part_size: Count = 1024
    on_error: Literal["stop", "quarantine"] = "stop"
    profile: bool = False
    trace: LocalPath | None = None


class ComparisonSettings(Section):
    """Which heads are compared, on which folds, and where the results are written.

    `output` None is a folder in ``results`` of the feature file's name: see `Settings.results`.
    """

    heads: Annotated[list[str], Field(min_length=1)] = ["mlp", "logreg", "lightgbm"]
    folds: Annotated[int, Field(ge=2)] = 5
    groups: str = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    draws: Annotated[int, Field(ge=100)] = 2000
    calibrate: Literal["temperature", "none"] = "temperature"
    tune: Annotated[int, Field(ge=0)] = 0
    output: LocalPath | None = None


class Settings(Section):
    """The whole configuration."""

    images: ImagesSettings = ImagesSettings()
    labels: LabelsSettings = LabelsSettings()
    preprocessing: PreprocessingSettings = PreprocessingSettings()
    backbone: BackboneSettings = BackboneSettings()
    extraction: ExtractionSettings = ExtractionSettings()
    heads: dict[str, dict[str, Any]] = {}
    comparison: ComparisonSettings = ComparisonSettings()

    @property
    def results(self) -> Path:
        """Folder of the results: by default ``results/cells`` for the feature file ``cells.h5``."""
        return self.comparison.output or Path("results") / self.extraction.output.stem

    def record(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return self.model_dump(mode="json")


class Source(NamedTuple):
    """Values of some settings, and where they come from.

    Attributes
    ----------
    name
        For messages: a file, or ``--set``.
    values
        The values, in sections.
    """

    name: str
    values: Mapping[str, Any]

    @classmethod
    def of_key(cls, name: str, key: str, value: Any) -> Self:
        """Make the source of one value.

        Parameters
        ----------
        name
            As in `Source`.
        key
            Dotted key of the setting.
        value
            Its value.
        """
        for part in reversed(key.split(".")):
            value = {part: value}
        return cls(name, value)

    def sets(self, location: Sequence[str]) -> bool:
        """Whether it sets the value at `location`, the names of its sections and its key, or one above it."""
        values: Any = self.values
        for part in location:
            if not isinstance(values, Mapping):
                return True
            if part not in values:
                return False
            values = values[part]
        return True


def load_settings(*files: Path | str, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read settings from files. Later files override earlier ones, and `overrides` override all files.

    Parameters
    ----------
    *files
        YAML (``.yaml``, ``.yml``) or JSON (``.json``) files.
    overrides
        Values by dotted key, such as ``{"extraction.views": 8}``.

    Raises
    ------
    MissingFileError
        If a file does not exist.
    ConfigError
        If a file cannot be parsed, or a setting is unknown, of the wrong type or out of range.
    """
    given = [Source.of_key("overrides", key, value) for key, value in (overrides or {}).items()]
    return combine([*(Source(str(file), read_mapping(Path(file))) for file in files), *given])


def combine(sources: Sequence[Source]) -> Settings:
    """Combine settings; later sources override earlier ones.

    Raises
    ------
    ConfigError
        If a setting is unknown, of the wrong type or out of range; the message names its source.
    """
    merged: dict[str, Any] = {}
    for source in sources:
        _merge(merged, source.values)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, sources)) from None


def settings_of_record(record: Mapping[str, Any]) -> Settings:
    """Make settings from what `Settings.record` gave, perhaps changed.

    Raises
    ------
    ConfigError
        If a setting is unknown, of the wrong type or out of range.
    """
    return combine([Source("settings", record)])


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            # A copy at every level, because later files and overrides are merged into it.
            into[key] = copy.deepcopy(dict(value)) if isinstance(value, Mapping) else value


def _explain(error: ValidationError, sources: Sequence[Source]) -> str:
    """Name what is wrong, each with the source that set it."""
    lines: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False):
        location = [str(part) for part in problem["loc"]]
        source = next((source.name for source in reversed(sources) if source.sets(location)), "settings")
        lines.setdefault(source, []).append(_explain_one(problem, location))
    return "; ".join(f"{source}: {'; '.join(dict.fromkeys(found))}" for source, found in lines.items())


def _explain_one(problem: Any, location: list[str]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown key {'.'.join(location)!r}; {_nearest(location)}"
    message = problem["msg"].removeprefix("Value error, ")
    # For a setting with several types, pydantic adds the type that it tried.
    keys = [part for part in location if part not in ("int", "str", "float") and not set(part) & set("-[")]
    return f"{'.'.join(keys)}: {message}, got {reprlib.repr(problem['input'])}"


def _nearest(location: list[str]) -> str:
    """Suggest keys for an unknown one: of its own section, or else of other sections."""
    key, beside = location[-1], _keys_beside(location)
    everywhere = {name for keys in _sections().values() for name in keys}
    near = [] if get_close_matches(key, beside) else get_close_matches(key, everywhere, n=1, cutoff=0.75)
    if near:
        elsewhere = [f"{section}.{near[0]}" for section, keys in _sections().items() if near[0] in keys]
        return f"did you mean {' or '.join(map(repr, elsewhere))}?"
    return near_names(key, beside)


def _sections() -> dict[str, list[str]]:
    """The keys of each section."""
    fields = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        name: list(section.model_fields)
        for name, section in fields.items()
        if isinstance(section, type) and issubclass(section, BaseModel)
    }


def _keys_beside(location: list[str]) -> list[str]:
    section: type[BaseModel] = Settings
    for part in location[:-1]:
        field = section.model_fields.get(part)
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        section = annotation
    return list(section.model_fields)
