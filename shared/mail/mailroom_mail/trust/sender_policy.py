"""SPF (RFC 7208): pyspf's evaluation with our look-ups. Blocks where those ask."""

from __future__ import annotations

import logging

import spf

from .dns_lookup import Known, LookupFailedError, Lookups, Memory, NotRememberedError

_RESULTS = frozenset({"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"})
# What the library may let out on input that nobody foresaw; the result is permerror then.
_ODD = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
_log = logging.getLogger(__name__)


class _Query(spf.query):  # type: ignore[misc]  # pyspf has no types
    """One evaluation. `personal`: a macro was met, so the result may depend on more than address and domain."""

    def __init__(self, client_ip: str, sender: str, helo: str, lookups: Lookups) -> None:
        super().__init__(client_ip, sender, helo)
        self._lookups = lookups
        self.personal = False

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[object]:
        """Called by pyspf for each look-up."""
        if not name:
            return []
        try:
            found = self._lookups.lookup(str(name).rstrip(".").lower(), qtype)
        except LookupFailedError as error:
            raise spf.TempError(f"DNS: no answer for {error}") from error
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("too many look-ups without an answer")
        if qtype in ("TXT", "SPF") and any(b"%" in part for strings in found for part in _parts(strings)):
            self.personal = True
        return found


def _parts(strings: object) -> tuple[bytes, ...]:
    return strings if isinstance(strings, tuple) else ()


def check(client_ip: str, helo: str, mail_from: str, lookups: Lookups, memory: Memory[str]) -> str:
    """The result for one mail, in the words of RFC 7208; "none" for what is not a fully qualified domain (section 4.3).

    Results that hang on address and domain alone are remembered for as long as the records hold. Raises
    `NotRememberedError` where `lookups` may not ask.
    """
    sender = mail_from.strip("<> ")
    domain = (sender.rpartition("@")[2] or helo).lower()
    if "." not in domain.strip("."):
        return "none"
    # with a second @ pyspf would take another part for the domain: not to be remembered as this one's
    key = (client_ip, domain) if sender.count("@") < 2 else None
    if key is not None and (known := memory.get(key)) is not None:
        return known.value
    try:
        query = _Query(client_ip.split("%")[0], sender, helo, lookups)
        result = str(query.check()[0])
    except spf.PermError:
        return "permerror"
    except _ODD as error:
        _log.info("SPF could not be evaluated for %s: %r", domain, error)
        return "permerror"
    if lookups.missed:  # pyspf swallows some exceptions
        raise NotRememberedError(domain)
    if result not in _RESULTS:
        return "permerror"
    if key is not None and not query.personal and result != "temperror":
        memory.put(key, Known(result, lookups.until))
    return result
