"""Text for messages: make names from files safe to print, suggest near names, shorten long lists."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

LONGEST_NAME = 40
LONGEST_ITEM = 80
MOST_NAMES = 30
NO_URLS = "addresses (https://, s3://) are not supported yet here: copy the data to this machine, and name it there"
_SHOWN_END = 8
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def clean_text(text: str) -> str:
    r"""Escape characters that control a terminal or hide text: control characters, line breaks, text direction.

    Names of classes, samples and heads come from files and may contain any characters.

    Examples
    --------
    >>> clean_text("HeLa" + chr(27) + "[2J")
    'HeLa\\x1b[2J'
    """
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        # Python's sign for a byte of a file name that is no valid UTF-8: shown as that byte.
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def is_unicode(text: str) -> bool:
    r"""Whether a text has only characters that UTF-8 can write; names of files may hold other bytes.

    Examples
    --------
    >>> is_unicode("Zellen/\xb5"), is_unicode(b"cl\xff".decode(errors="surrogateescape"))
    (True, False)
    """
    return not any("\ud800" <= c <= "\udfff" for c in text)


def clean_lines(text: str) -> str:
    """Apply `clean_text` to each line of a message; line breaks are kept."""
    return "\n".join(map(clean_text, text.split("\n")))


def shorten(name: str, longest: int = LONGEST_NAME) -> str:
    """Clean a name and shorten it for a table or figure: its beginning and its end stay.

    Parameters
    ----------
    name
        The name.
    longest
        Characters at most.

    Examples
    --------
    >>> shorten("MCF-7 treated with 10 nM of the compound for 24 hours")
    'MCF-7 treated with 10 nM of the…24 hours'
    """
    text = clean_text(name)
    return text if len(text) <= longest else f"{text[: longest - _SHOWN_END - 1]}…{text[-_SHOWN_END:]}"


def file_name(name: str) -> str:
    """Make a name of a head fit for a file or folder.

    Examples
    --------
    >>> file_name("sklearn:SVC")
    'sklearn_SVC'
    """
    return re.sub(r"[^\w.-]", "_", name)


def shown_names(names: Iterable[str], longest: int = LONGEST_NAME) -> list[str]:
    """Clean and shorten each name; names that differ stay different.

    Parameters
    ----------
    names
        The names.
    longest
        Characters of each at most.

    Examples
    --------
    >>> shown_names(["x" * 50, "HeLa", "x" * 51])
    ['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…xxxx (1)', 'HeLa', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…xxxx (2)']
    """
    names = list(names)
    short = [shorten(name, longest) for name in names]
    number_of = {name: short[:place].count(short[place]) + 1 for place, name in enumerate(names)}
    counts = Counter(short)
    return [
        text if counts[text] == 1 else f"{text[:-4]} ({number_of[name]})"
        for name, text in zip(names, short, strict=True)
    ]


def near_names(name: str, valid: Iterable[str], *, section: str = "") -> str:
    """Suggest valid names for an unknown one: first the similar names, then all, or the first ten of very many.

    Parameters
    ----------
    name
        The unknown name.
    valid
        All valid names.
    section
        Section of a configuration that the names are keys of; similar names are given with it, as ``--set`` takes them.

    Examples
    --------
    >>> near_names("patern", ["pattern", "root"], section="images")
    "did you mean 'images.pattern'? Valid: pattern, root"
    >>> near_names("lihgtgbm", ["mlp", "lightgbm"])
    "did you mean 'lightgbm'? Valid: lightgbm, mlp"
    >>> near_names("H5AD", ["csv", "h5ad"])
    "did you mean 'h5ad'? Valid: csv, h5ad"
    >>> near_names("plate", ["Metadata_Plate", "Metadata_Well", "auto"])
    "did you mean 'Metadata_Plate'? Valid: Metadata_Plate, Metadata_Well, auto"
    """
    valid = sorted(valid)
    if not valid:
        return "there are none"
    near = [f"{section}.{one}" if section else one for one in _close(name, valid)[:3]]
    meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{meant}Valid: {', '.join(valid) if len(valid) <= MOST_NAMES else first_ten(valid)}"


def _close(name: str, valid: Sequence[str]) -> list[str]:
    """Names that are like `name`, the likeliest first; upper and lower case count where they decide."""
    lower = {one.casefold(): one for one in reversed(valid)}
    close = get_close_matches(name, valid, n=3, cutoff=0.6) or [
        lower[one] for one in get_close_matches(name.casefold(), lower, n=3, cutoff=0.6)
    ]
    # Longer names that end alike come first: `plate` is meant for `Metadata_Plate` rather than for another short word.
    longer = [one for one in valid if len(name) > 2 and one.casefold().endswith(name.casefold())]
    return list(dict.fromkeys([*longer, *close]))


def is_url(text: str) -> bool:
    """Whether a text is an address such as ``s3://bucket/cells``, also as a path, in which ``//`` has become ``/``.

    Examples
    --------
    >>> is_url("s3:/bucket/cells"), is_url("C:/cells")
    (True, False)
    """
    return _URL.match(text) is not None


def without_credentials(text: str) -> str:
    """Give an address as text, without user, password and query; other text as it is.

    Examples
    --------
    >>> without_credentials("s3://me:word@lab/cells?key=1"), without_credentials("/home/me@lab/cells")
    ('s3://…@lab/cells', '/home/me@lab/cells')
    """
    return re.sub(r"//?[^/@]*@", "//…@", text).partition("?")[0] if is_url(text) else text


def with_interval(estimate: float, low: float, high: float, *, plus: bool = False) -> str:
    """Give a difference and its interval with 3 decimals, or with more where these would hide a sign.

    An interval shown as ``[0.000, 0.047]`` would leave open whether it excludes 0.

    Parameters
    ----------
    estimate, low, high
        The difference and the ends of its interval.
    plus
        Whether positive numbers have a sign, too.

    Examples
    --------
    >>> with_interval(0.0251, 0.0003, 0.0472)
    '0.025 [0.0003, 0.047]'
    """
    shown = [_decimals(value, "+" if plus else "-") for value in (estimate, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _decimals(value: float, sign: str) -> str:
    value += 0.0  # makes -0.0 an unsigned zero
    text = f"{value:{sign}.3f}"
    return f"{value:{sign}.1g}" if value and not float(text) else text


def counted(number: int, word: str) -> str:
    """Give a number with its word, in the plural unless it is one.

    Parameters
    ----------
    number
        How many there are.
    word
        What they are, in the singular.

    Examples
    --------
    >>> counted(1, "class"), counted(1500, "class"), counted(2, "near copy"), counted(2, "batch")
    ('1 class', '1,500 classes', '2 near copies', '2 batches')
    """
    if number == 1:
        return f"1 {word}"
    plural = f"{word[:-1]}ies" if word.endswith("py") else f"{word}{'es' if word.endswith(('s', 'ch')) else 's'}"
    return f"{number:,} {plural}"


def first_ten(items: Iterable[object]) -> str:
    """Join the first ten items and count the others; of long items fewer are shown, and their middles are left out.

    Examples
    --------
    >>> first_ten(range(12))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 … and 2 more'
    """
    items = list(items)
    shown = [without_middle(str(item)) for item in items[:10]]
    while len(shown) > 3 and sum(map(len, shown)) > 10 * LONGEST_NAME:
        shown.pop()
    n_more = len(items) - len(shown)
    return ", ".join(shown) + (f" … and {n_more} more" if n_more else "")


def without_middle(text: str) -> str:
    """Shorten a text to `LONGEST_ITEM` characters; the beginning and the end of a path say most about it."""
    half = LONGEST_ITEM // 2
    return text if len(text) <= LONGEST_ITEM else f"{text[: half - 1]}…{text[-half:]}"


def first_line(error: Exception) -> str:
    """The first line of another library's error message, without its further advice."""
    return str(error).strip().split("\n")[0] or type(error).__name__


def harmless_cell(text: str) -> str:
    """Put an apostrophe in front of a text that a spreadsheet would run as a formula.

    Examples
    --------
    >>> harmless_cell("=1+1"), harmless_cell("-12"), harmless_cell("-donor")
    ("'=1+1", '-12', "'-donor")
    """
    return f"'{text}" if text.startswith(_FORMULA_START) and not _PLAIN_NUMBER.fullmatch(text) else text
