"""The configuration: validated settings from YAML or JSON files.

Command-line flags override files, and files override the defaults. `Settings` has one field for each section below. An
unknown key is an error that suggests the nearest valid one, so a misspelt setting is never silently ignored.
"""

import copy
import json
import reprlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from cellfeat.errors import ConfigError, MissingFileError
from cellfeat.text import near_names


def _not_bool(value: Any) -> Any:
    """Refuse yes and no for a number; Python would convert true to 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


Limits = tuple[FiniteFloat, FiniteFloat]
Count = Annotated[int, Field(gt=0), BeforeValidator(_not_bool)]
NotNegative = Annotated[int, Field(ge=0), BeforeValidator(_not_bool)]
_PositiveFloat = Annotated[FiniteFloat, Field(gt=0)]
MAX_CONFIG_BYTES = 1_000_000


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

    root: Path = Path("data/images_train")
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

    file: Path | None = Path("data/y_train.csv")
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

    output: Path = Path("features/cells.h5")
    views: Annotated[Literal[1, 4, 8], BeforeValidator(_not_bool)] = 1
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = "auto"
    device: str = "auto"
    batch_size: Count | Literal["auto"] = "auto"
    workers: NotNegative | Literal["auto"] = "auto"
    image_timeout: _PositiveFloat = 60
    part_size: Count = 1024
    on_error: Literal["stop", "quarantine"] = "stop"
    profile: bool = False
    trace: Path | None = None


class ComparisonSettings(Section):
    """Which heads are compared, on which folds, and where the results are written."""

    heads: Annotated[list[str], Field(min_length=1)] = ["mlp", "logreg", "lightgbm"]
    folds: Annotated[int, Field(ge=2)] = 5
    groups: str = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    draws: Annotated[int, Field(ge=100)] = 2000
    calibrate: Literal["temperature", "none"] = "temperature"
    tune: Annotated[int, Field(ge=0)] = 0
    output: Path = Path("results/cells")


class Settings(Section):
    """The whole configuration."""

    images: ImagesSettings = ImagesSettings()
    labels: LabelsSettings = LabelsSettings()
    preprocessing: PreprocessingSettings = PreprocessingSettings()
    backbone: BackboneSettings = BackboneSettings()
    extraction: ExtractionSettings = ExtractionSettings()
    heads: dict[str, dict[str, Any]] = {}
    comparison: ComparisonSettings = ComparisonSettings()

    def record(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return self.model_dump(mode="json")


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
    merged: dict[str, Any] = {}
    for file in map(Path, files):
        _merge(merged, read_mapping(file))
    for key, value in (overrides or {}).items():
        _merge(merged, _nested(key, value))
    where = ", ".join(map(str, files)) or "settings"
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, where)) from None


# ValueError: errors of the JSON parser, and numbers with thousands of digits.
_PARSE_FAULTS = (yaml.YAMLError, ValueError, RecursionError)


def read_mapping(file: Path) -> dict[str, Any]:
    """Read one YAML or JSON file that contains a mapping; nothing in it is executed."""
    text = _read_text(file)
    try:
        value = _load_json(text) if file.suffix == ".json" else _load_yaml(text)
    except _PARSE_FAULTS as error:
        raise ConfigError(f"{file}: not valid {'JSON' if file.suffix == '.json' else 'YAML'}: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: expected a mapping of sections at the top, got {type(value).__name__}")
    return value


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split ``"mlp.hidden=512"`` into a dotted key and a value, which is parsed as YAML.

    A value that is not valid YAML is kept as text, so a file pattern such as ``{sample_id}.png`` needs no quotes.

    Examples
    --------
    >>> parse_assignment("comparison.heads=[mlp, knn]")
    ('comparison.heads', ['mlp', 'knn'])
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"expected KEY=VALUE, got {text!r}; for example: extraction.views=8")
    try:
        return key.strip(), _load_yaml(value)
    except yaml.YAMLError:
        return key.strip(), value
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{key}: cannot be read as a value: {error}") from None


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without duplicate keys and without aliases, which can expand a small file to gigabytes."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep)
        # YAML itself would keep the last of equal keys and say nothing.
        if len(mapping) < len(node.value):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            raise yaml.constructor.ConstructorError(None, None, _defined_twice(keys), node.start_mark)
        return mapping

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", event.start_mark)
        return super().compose_node(parent, index)


def _defined_twice(keys: list[Any]) -> str:
    return f"{next(key for key in keys if keys.count(key) > 1)!r} is defined twice; keep one"


def _load_json(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(pairs)
        if len(mapping) < len(pairs):
            raise ValueError(_defined_twice([key for key, _ in pairs]))
        return mapping

    return json.loads(text, object_pairs_hook=unique)


def _load_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_PlainLoader)  # noqa: S506, the loader is a SafeLoader


def _read_text(file: Path) -> str:
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{file}: is not a file; expected a YAML or JSON file of settings")
        if found.st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{file}: larger than {MAX_CONFIG_BYTES} bytes; this is not a configuration")
        # Some editors begin a file with a byte order mark.
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(f"the configuration {file} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as text: {error}") from None


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            # A copy at every level, because later files and overrides are merged into it.
            into[key] = copy.deepcopy(dict(value)) if isinstance(value, Mapping) else value


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _explain(error: ValidationError, where: str) -> str:
    lines = [_explain_one(problem) for problem in error.errors(include_url=False)]
    return f"{where}: " + "; ".join(dict.fromkeys(lines))


def _explain_one(problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        return f"unknown key {'.'.join(location)!r}; {near_names(location[-1], _keys_beside(location))}"
    message = problem["msg"].removeprefix("Value error, ")
    # For a setting with several types, pydantic adds the type that it tried.
    keys = [part for part in location if part not in ("int", "str", "float") and not set(part) & set("-[")]
    return f"{'.'.join(keys)}: {message}, got {reprlib.repr(problem['input'])}"


def _keys_beside(location: list[str]) -> list[str]:
    section: type[BaseModel] = Settings
    for part in location[:-1]:
        field = section.model_fields.get(part)
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        section = annotation
    return list(section.model_fields)
