"""Telephone numbers in one form, by Google's library of all numbering plans.

https://github.com/daviddrysdale/python-phonenumbers, without what it knows of carriers and places. It takes 50 ms to
import, and is imported with the first number.
"""

from typing import Final

_MAX_LENGTH: Final = 60


def to_e164(text: str, region: str = "") -> str | None:
    """Return a number like +8613812345678, or None for what cannot be one.

    `region` is the ISO 3166 code of the country that a number without country code is meant in; without a region, or
    with one that does not exist, only international numbers are understood. Extensions are left out. Also a number of a
    range that the library does not know yet is one, if it has the right length.
    """
    if not text.strip() or len(text) > _MAX_LENGTH:
        return None
    import phonenumbers  # only where a number was given

    try:
        number = phonenumbers.parse(text, region.upper() or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
