"""Words of microscopy in names of files, folders and columns: channels, plates, wells, fields, donors."""

import re
from collections.abc import Iterable, Sequence

_STAINS = (
    "dapi|hoechst\\d*|dna|draq5|pi|nuc|nucl|nucleus|nuclei|nuclear|gfp|egfp|rfp|yfp|cfp|bfp|m?cherry|tdtomato|dsred|tritc|"
    "fitc|texas|txred|cy ?[357]([. ]?5)?|alexa ?\\d*|af ?\\d{3}|f?actin|phalloidin|tubulin|microtubules?|mt|er|rna|agp|"
    "mito|mitotracker|mitochondria|golgi|lyso|lysotracker|membrane|cytoplasm|cyto|wga|cona|syto\\d*|edu|brdu|ki67|"
    "lamp\\d|cd\\d+[a-z]?|protein|ab|bf|bright ?field|bright|phase|phase ?contrast|ph\\d?|dic|trans|tl|ssc|"
    "dark ?field|df|blue|red|green|yellow|cyan|magenta|orange|far ?red|gr[ae]y|violet|uv|r|g|b"
)
_STAIN = re.compile(rf"({_STAINS})", re.IGNORECASE)
_WAVELENGTH = re.compile(r"(ex|em)?[3-8]\d\d(nm)?", re.IGNORECASE)
_NUMBERED_CHANNEL = re.compile(r"(c|ch|chn|chan|channel|w|wv|wave|wavelength|filter|fluo|d)[ =]?\d{1,2}", re.IGNORECASE)
# MetaXpress: w1DAPI, w2-FITC; exports of other programs: ch1-DAPI, c0_GFP.
# C2C12 and C3H10 are cell lines.
_NUMBERED_STAIN = re.compile(rf"((c|ch|w)\d{{1,2}}[ _-]?({_STAINS})|(ch|w)\d{{1,2}}[ _-]?[a-z]+\d*)", re.IGNORECASE)
_SURE_NUMBER = re.compile(
    rf"(ch|chn|chan|channel|w|wv|wave|wavelength)[ =]?\d{{1,2}}([ _-]?({_STAINS}))?", re.IGNORECASE
)
_WELL = re.compile(r"[A-P](0?[1-9]|1\d|2[0-4])", re.IGNORECASE)
_WELL_OF_1536 = re.compile(r"([A-Z]|A[A-F])(0?[1-9]|[1-3]\d|4[0-8])", re.IGNORECASE)
_DAY = re.compile(r"(19|20)\d{2}[-_]?[01]\d[-_]?[0-3]\d")

COARSE = ("donor", "day", "batch", "plate", "slide", "well", "row", "column", "site", "replicate")
"""Roles that may be groups, from the coarsest to the finest."""

_ROLES = {
    "donor": "donor|don|patient|pat|pt|subject|subj|individual|animal|mouse|mice|rat|person|case|"
    "spender|proband|tier|maus",
    "batch": "batch|exp|experiment|run|session|experiment ?id|experiment ?name|lot|project|study|versuch|charge",
    "day": "day|date|datum|tag|acquisition ?date",
    "plate": "plate|pl|p|plt|platte|plate ?id|barcode|assay ?plate|plate ?barcode|plate ?name|plate ?map ?name",
    "slide": "slide|sl|section|coverslip|tma|chip|dish|flask",
    "well": "well|wl|well ?id|well ?name|well ?position|position ?in ?plate",
    "row": "row",
    "column": "col|column",
    "site": "site|s|field|f|fov|fld|xy|pos|position|series|tile|field ?id|site ?id|field ?of ?view|scene|frame ?id|"
    "image ?number|field ?index",
    "replicate": "rep|repl|replicate|biorep|techrep",
    "time": "t|time|tp|timepoint|hour|h|time ?point",
    "depth": "z|stack|plane|slice|z ?(slice|step|plane|pos|position|stack|level)|focus|a|l|sk|fk|fl",
    "channel": "c|ch|chn|chan|channel|w|wv|wave|wavelength|filter|fluo|d",
    "cell": "cell|cells|obj|object|crop|roi|id|nucleus|nuc|img|image|im|n|no|nr|patch|cell ?id|object ?(number|id)",
}
_ROLE = {role: re.compile(words, re.IGNORECASE) for role, words in _ROLES.items()}


def is_channel(text: str) -> bool:
    """Whether a text names a channel: a stain, a colour, a wavelength or ``ch1``."""
    word = text.strip(" _-.")
    if word[:4].lower() == "orig" and len(word) > 4:
        word = word[4:]
    patterns = (_STAIN, _WAVELENGTH, _NUMBERED_CHANNEL, _NUMBERED_STAIN)
    plain = word.replace("_", " ").replace("-", " ")
    return any(pattern.fullmatch(plain) or pattern.fullmatch(word) for pattern in patterns)


def is_numbered_channel(text: str) -> bool:
    """Whether a text is surely a channel with its number, such as ``ch01`` and ``w1DAPI``; ``c1`` may be more."""
    return _SURE_NUMBER.fullmatch(text.strip(" _-.")) is not None


def channel_share(values: Iterable[str]) -> float:
    """Share of some values that name a channel."""
    found = [is_channel(value) for value in values]
    return sum(found) / len(found) if found else 0.0


def are_wells(values: Iterable[str]) -> bool:
    """Whether all values are wells of a plate, such as ``B03``; ``P1``, ``P2`` and so on are rather plates."""
    values = list(values)
    if not all(map(_WELL.fullmatch, values)):
        return _are_wells_of_1536(values)
    letters = {value[0] for value in values}
    # s1 and f2 are fields, and P3 is a plate.
    return len(letters) > 1 or not (letters <= {"P"} or next(iter(letters)).islower()) or len(values) == 1


def _are_wells_of_1536(values: Sequence[str]) -> bool:
    """Whether all are wells of 32 rows, some of which have two letters: one such row alone may be any code."""
    rows = {value.rstrip("0123456789").upper() for value in values if _WELL_OF_1536.fullmatch(value)}
    return len(rows) > 1 and max(map(len, rows)) == 2 and all(map(_WELL_OF_1536.fullmatch, values))


def are_days(values: Iterable[str]) -> bool:
    """Whether all values are dates, such as ``2024-05-31``."""
    return all(map(_DAY.fullmatch, values))


def role_of_word(word: str) -> str | None:
    """Give what a word before a number, or the name of a column, stands for; None where it is unknown.

    Examples
    --------
    >>> role_of_word("Metadata_Plate"), role_of_word("fov"), role_of_word("Donor_ID"), role_of_word("HeLa")
    ('plate', 'site', 'donor', None)
    """
    plain = re.sub(r"^((metadata|image|meta)[ _]+)+", "", word.strip(), flags=re.IGNORECASE)
    # plateID and PlateNumber are written like two words.
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    plain = re.sub(r"[ _.=-]+", " ", plain).strip()
    forms = [plain, re.sub(r" (id|no|nr|number|name|index|key)$", "", plain, flags=re.IGNORECASE)]
    # CellProfiler writes Metadata_Well_DAPI, where each channel was listed by itself.
    head, _, last = plain.rpartition(" ")
    forms += [head] if len(last) > 1 and is_channel(last) else []
    return next((role for form in forms for role, pattern in _ROLE.items() if pattern.fullmatch(form)), None)
