"""What went wrong with a request to an object store, from the library's error, and what to do next.

The library's own text is never shown: it can hold an access key id, or a request with its signature.
"""

import re
from dataclasses import dataclass
from typing import Literal

from cellfeat.storage.url import Url

Kind = Literal[
    "missing", "no bucket", "exists", "changed", "credentials", "denied", "region", "certificate", "unsupported",
    "no ranges", "unreachable", "busy", "timeout", "broken", "other",
]  # fmt: skip
PASSING = ("unreachable", "busy", "timeout", "broken")
"""Kinds of failures that may be gone a moment later."""

_STATUS = re.compile(r"status(?: code)?: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "InvalidBucketName", "InvalidResourceName"}
_BAD_CREDENTIALS = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidClientTokenId",
    "AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation", "RequestTimeTooSkewed",
    "AuthenticationRequired", "InvalidSecurity", "UnrecognizedClientException",
}  # fmt: skip
_OTHER_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_BUSY = {"SlowDown", "RequestTimeout", "ServerBusy", "Throttling", "ThrottlingException", "InternalError"}
_BUSY_STATUS = {408, 429, 500, 502, 503, 504}
_OF_CREDENTIALS = (  # where the library asks for credentials when the environment holds none
    "169.254.169.254", "169.254.170.2", "metadata.google.internal", "metadata/identity", "MissingCredentials",
    "oauth2", "sts.", "login.microsoftonline", "Missing component",
)  # fmt: skip


class CutShortError(Exception):
    """An answer ended before all of the file was there."""


@dataclass(frozen=True)
class Failure:
    """A request that failed.

    Attributes
    ----------
    kind
        What went wrong.
    status
        The server's HTTP status; None where there was no answer.
    code
        The server's own word, such as ``SlowDown``; None where it gave none.
    """

    kind: Kind
    status: int | None = None
    code: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Take the error that the library raised apart."""
        text = str(error)
        if any(sign in text.partition("Debug source")[0] for sign in _OF_CREDENTIALS):
            # The status is that of the server which gives credentials, and not of the store.
            return cls("credentials")
        status, code = _STATUS.search(text), _CODE.search(text)
        number, word = int(status[1]) if status else None, code[1] if code else None
        return cls(_kind(error, text, number, word), number, word)

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return self.kind in PASSING

    def __str__(self) -> str:
        if self.status is not None:
            return f"the server answered {self.status}{f' ({self.code})' if self.code else ''}"
        return {
            "credentials": "no credentials were found",
            "unreachable": "no connection to the server",
            "timeout": "the server did not answer in time",
            "broken": "the connection was cut off",
        }.get(self.kind, "the request failed")


def _kind(error: BaseException, text: str, status: int | None, code: str | None) -> Kind:
    """Tell the kind of a failure: first by the type of the error, then by what the server said."""
    name = type(error).__name__
    by_type: dict[str, Kind] = {
        "AlreadyExistsError": "exists",
        "PreconditionError": "changed",
        "NotImplementedError": "unsupported",
        "NotSupportedError": "unsupported",
        "CutShortError": "broken",
    }
    if name == "NotSupportedError" and "range" in text.casefold():
        return "no ranges"
    if name in by_type:
        return by_type[name]
    return _kind_by_code(status, code) or _kind_by_text(text)


def _kind_by_code(status: int | None, code: str | None) -> Kind | None:
    if code in _NO_BUCKET:
        return "no bucket"
    if code in _OTHER_REGION:
        return "region"
    if code in _BAD_CREDENTIALS or status == 401:
        return "credentials"
    if code in _BUSY or status in _BUSY_STATUS:
        return "busy"
    by_status: dict[int | None, Kind] = {403: "denied", 404: "missing", 416: "no ranges", 501: "unsupported"}
    return by_status.get(status)


def _kind_by_text(text: str) -> Kind:
    signs: tuple[tuple[str, Kind], ...] = (
        ("redirect without LOCATION", "region"),
        ("certificate", "certificate"),
        ("NotPartial", "no ranges"),
        ("non-partial", "no ranges"),
        ("range request not supported", "no ranges"),
        ("TimedOut", "timeout"),
        ("kind: Timeout", "timeout"),
        ("kind: Connect", "unreachable"),
        ("Interrupted", "broken"),
        ("kind: Body", "broken"),
        ("kind: Request", "broken"),
        ("not found", "missing"),
    )
    return next((kind for sign, kind in signs if sign.casefold() in text.casefold()), "other")


CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a public bucket",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_SKIP_SIGNATURE=true for a public bucket",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or for a public container "
    "AZURE_SKIP_SIGNATURE=true",
}
"""Environment variables that give credentials, by scheme."""
_NO_LOGIN = "files of web servers are read without a login: download the file, and name the copy"
_ENDPOINT = {"s3": "AWS_ENDPOINT_URL", "gs": "GOOGLE_BASE_URL", "az": "AZURE_STORAGE_ENDPOINT"}
_BUCKET = {"s3": "bucket", "gs": "bucket", "az": "container"}


def advice(failure: Failure, url: Url) -> str:
    """Say what to do about a failure that stays.

    Parameters
    ----------
    failure
        The failure.
    url
        The address that was asked for.
    """
    scheme, kind = url.scheme, failure.kind
    variables = CREDENTIALS.get(scheme)
    bucket, endpoint = _BUCKET.get(scheme, "server"), _ENDPOINT.get(scheme)
    where = f", and the endpoint ({endpoint})" if endpoint else ""
    texts: dict[Kind, str] = {
        "missing": "check the address",
        "no bucket": f"there is no {bucket} {url.host!r} at this endpoint; check its name{where}",
        "credentials": f"set valid credentials: {variables}" if variables else _NO_LOGIN,
        "denied": "permission is denied, or there is no such file: check what these credentials may do"
        if variables
        else _NO_LOGIN,
        "region": f"the {bucket} {url.host!r} is in another region: set AWS_REGION",
        "certificate": "the server's certificate is not trusted: set SSL_CERT_FILE to that of your site",
        "unsupported": "the server cannot do this",
        "unreachable": f"check the name of the server and the network{where}",
        "busy": "start the same command again later",
        "timeout": "start the same command again later; CELLFEAT_STORAGE_TIMEOUT=120 waits 120 s for each answer",
        "broken": "check the network, and start the same command again",
        "changed": "the file was replaced while it was read: start the same command again",
    }
    return texts.get(kind, f"check the address, {bucket} and credentials{where}")
