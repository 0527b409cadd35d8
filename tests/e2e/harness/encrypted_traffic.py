"""The rule by which a national firewall was found to block traffic that looks
fully encrypted, as "How the Great Firewall of China Detects and Blocks Fully
Encrypted Traffic" (USENIX Security 2023) states it: it looks at the first
payload that a client sends, and blocks it unless one exemption holds."""

import re

_PRINTABLE = range(0x20, 0x7f)
_FIRST = 6  # printable bytes at the front
_RUN = 20  # and anywhere, more than these
_TLS = re.compile(rb"[\x16\x17]\x03[\x00-\x09]")
_HTTP = re.compile(rb"(GET|PUT|POST|HEAD) ")


def set_bits(payload):
    """Mean number of set bits of a byte."""
    return sum(octet.bit_count() for octet in payload) / len(payload)


def _longest_printable(payload):
    longest = current = 0
    for octet in payload:
        current = current + 1 if octet in _PRINTABLE else 0
        longest = max(longest, current)
    return longest


def exemptions(payload):
    """The names of those that hold; an empty set means: blocked."""
    printable = sum(octet in _PRINTABLE for octet in payload)
    holds = {
        "set bits": not 3.4 < set_bits(payload) < 4.6,
        "begins printable": len(payload) >= _FIRST and all(
            octet in _PRINTABLE for octet in payload[:_FIRST]),
        "half printable": printable > len(payload) / 2,
        "printable run": _longest_printable(payload) > _RUN,
        "TLS": _TLS.match(payload) is not None,
        "HTTP": _HTTP.match(payload) is not None,
    }
    return {name for name, held in holds.items() if held}
