"""Text of a table from its bytes: UTF-8, UTF-16 or UTF-32 with a mark, or Windows-1252 where nothing else is likely."""

import re

from cellfeat.errors import ManifestError
from cellfeat.storage.url import Location
from cellfeat.text import first_ten

# Longest first: UTF-32 begins like UTF-16.
_UNICODE_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
SAVE_AS_CSV = "save it as CSV UTF-8"
# Letters of Western Europe, and signs of units and numbers; Latin-1 has the same bytes for them. Without þ and ð, which
# may be ş and ğ of a Turkish table, and without the bytes 80 to 9F: in Mac Roman, as which Excel for Mac saves
# "CSV (Macintosh)", these are letters such as é, ü and ñ.
_WESTERN = set("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ\u00a0°±²³µ·×ªº«»")
# Three letters in a row of which none is ASCII are part of a word of another alphabet, such as Cyrillic or Greek.
_OTHER_ALPHABET = re.compile(r"[À-ÿ]{3}")
_UTF_8_CHARACTER = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_WORD = re.compile(r"[\w°±·×«»-]+")


def decoded(content: bytes, file: Location) -> tuple[str, tuple[str, ...]]:
    """Decode the bytes of a table of text.

    UTF-8 is tried first. Bytes that are no UTF-8 are read as Windows-1252, as which Excel saves "CSV" in Western
    Europe, if all that is not ASCII are letters of Western European languages and signs of units.

    Parameters
    ----------
    content
        The bytes.
    file
        The file, for messages.

    Returns
    -------
    tuple
        The text, and remarks for the user: which encoding was taken, and words that show whether it is the right one.

    Raises
    ------
    ManifestError
        If the bytes are no text, or text whose encoding is uncertain.
    """
    encoding = next((name for mark, name in _UNICODE_MARKS if content.startswith(mark)), "utf-8-sig")
    remarks: tuple[str, ...] = ()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise ManifestError(f"{file}: not {encoding.upper()} text ({error.reason}); {SAVE_AS_CSV}") from None
        text, words = _western(content, file, error)
        remarks = (f"{file}: not UTF-8, and read as Windows-1252: {words}; if these are wrong, {SAVE_AS_CSV}",)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ManifestError(
            f"{file}: line {line}: contains a NUL character, so this is not a text table; {SAVE_AS_CSV}"
        )
    return text, remarks


def _western(content: bytes, file: Location, error: UnicodeDecodeError) -> tuple[str, str]:
    """The text as Windows-1252, and its words that are not ASCII; refused where it may be another encoding."""
    line = content.count(b"\n", 0, error.start) + 1
    where = f"{file}: line {line}: not UTF-8 text ({error.reason})"
    if _UTF_8_CHARACTER.search(content):
        raise ManifestError(f"{where}, though other parts are: it is damaged or mixed; {SAVE_AS_CSV}") from None
    text = content.decode("latin-1")
    foreign = sorted({character for character in text if not character.isascii()} - _WESTERN)
    if foreign or _OTHER_ALPHABET.search(text):
        raise ManifestError(
            f"{where}, and its encoding is uncertain: Windows-1252 would give letters or signs that are rare in "
            f"Western European text; {SAVE_AS_CSV}"
        ) from None
    return text, first_ten(dict.fromkeys(word for word in _WORD.findall(text) if not word.isascii()))
