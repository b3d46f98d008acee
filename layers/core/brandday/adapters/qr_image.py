"""Pictures of QR codes (ISO/IEC 18004), by segno."""

from io import BytesIO

from brandday.domain.qr_content import QrFormat

MODULE_PIXELS = 8
"""The side of one of the squares: a coupon's code is about 300 pixels wide."""


def draw_qr(content: str, form: QrFormat) -> bytes:
    """The QR code of `content`, black on white with its quiet zone, as a file; 15 % of it may be unreadable."""
    import segno  # 50 ms that only those pay who look at a picture

    picture = BytesIO()
    segno.make_qr(content, error="m").save(picture, kind=str(form), scale=MODULE_PIXELS, light="white")
    return picture.getvalue()
