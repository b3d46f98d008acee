"""One mailbox, one form: what makes addresses look different without making them different mailboxes."""

import unicodedata

MAX_LENGTH = 254
"""RFC 5321, 4.5.3.1.3, as in https://www.rfc-editor.org/errata/eid1690."""

_MAX_LOCAL = 64
_SAME_DOMAIN = {"googlemail.com": "gmail.com"}
_DOTS_DO_NOT_MATTER = frozenset(("gmail.com",))
"""Of the public mail providers the one that ignores dots: https://support.google.com/mail/answer/7436150."""


def fold(text: str) -> str | None:
    """Return the form in which all aliases of a mailbox are alike, or None for what is no e-mail address.

    Capitals do not matter, nor does a tag behind `+` (RFC 5233), nor do dots at Gmail, which is Googlemail as well.
    Domains are in their ASCII form. This is for comparing only: mail might not arrive at the folded address.
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        return None
    # Lower case may need to be composed once more: it is İ that does.
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    local, at, domain = text.partition("@")
    domain = _ascii_domain(domain)
    if not at or not _is_local_part(local) or not domain:
        return None
    name, _, _ = local.partition("+")
    domain = _SAME_DOMAIN.get(domain, domain)
    if domain in _DOTS_DO_NOT_MATTER:
        name = name.replace(".", "")
    return f"{name}@{domain}" if name else None


def _is_local_part(local: str) -> bool:
    """Whether it can stand before the at sign, without quotes; which characters exactly is the provider's business."""
    return (
        0 < len(local) <= _MAX_LOCAL
        and local.isprintable()
        and not any(character.isspace() or character in '"(),:;<>@[\\]' for character in local)
        and all(local.split("."))
    )


def _ascii_domain(domain: str) -> str:
    """The domain as the DNS has it, or "" if it is none with at least two labels."""
    try:
        # The standard library's IDNA of 2003: good enough to compare with itself.
        ascii_form = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    labels = ascii_form.removesuffix(".").split(".")
    return ".".join(labels) if len(labels) > 1 and all(map(_is_label, labels)) else ""


def _is_label(label: str) -> bool:
    bare = label.replace("-", "")
    return 0 < len(label) <= 63 and bare.isalnum() and label[0] != "-" and label[-1] != "-"
