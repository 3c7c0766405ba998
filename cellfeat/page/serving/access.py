"""Who may read a page that is served: a token in the first address, a cookie afterwards, and the right host."""

import hmac
import secrets
import threading
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

_TOKEN_BYTES = 32


@dataclass
class Access:
    """The keys of one server.

    Other users of the machine, and other pages in the browser, can reach a port of it, too. So nothing is given without
    the token.

    Attributes
    ----------
    port
        Port of the server: cookies are the same for all ports of a host, so that the name of the cookie holds it.
    token
        The key: 32 random bytes.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(_TOKEN_BYTES), repr=False)
    _tickets: set[str] = field(default_factory=set, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def address(self) -> str:
        """The address that opens the page."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def ticket_address(self) -> str:
        """An address that opens the page once.

        It is for starting a browser: other users of the machine can see the arguments of a program.
        """
        ticket = secrets.token_urlsafe(_TOKEN_BYTES)
        with self._lock:
            self._tickets.add(ticket)
        return f"http://127.0.0.1:{self.port}/?token={ticket}"

    def is_host(self, header: str | None) -> bool:
        """Whether a Host header names this server; another name means that a foreign name was bound to this machine."""
        return header in (f"127.0.0.1:{self.port}", f"localhost:{self.port}")

    def is_token(self, given: str) -> bool:
        """Whether a token is right; a ticket is right once."""
        if _equal(given, self.token):
            return True
        with self._lock:
            found = next((ticket for ticket in self._tickets if _equal(given, ticket)), None)
            self._tickets.discard(found or "")
        return found is not None

    def has_cookie(self, header: str | None) -> bool:
        """Whether the Cookie header of a request holds the token."""
        try:
            morsel = SimpleCookie(header or "").get(self._name)
        except CookieError:
            return False
        return morsel is not None and _equal(morsel.value, self.token)

    def cookie(self) -> str:
        """The Set-Cookie header."""
        return f"{self._name}={self.token}; HttpOnly; SameSite=Strict; Path=/"

    @property
    def _name(self) -> str:
        return f"cellfeat-{self.port}"


def _equal(given: str, expected: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
