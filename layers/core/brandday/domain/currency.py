"""Currencies of ISO 4217 and how many digits their minor units have, so that amounts can be shown to people."""

from brandday.domain.money import Money

_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO_DIGITS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY
    COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR
    ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
    MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
    SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR
    ZMW ZWG
"""
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"

MINOR_DIGITS = {
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
}
"""Digits after the decimal point by currency code; a code that is not here is no currency one can pay with.
"""


def format_money(money: Money) -> str:
    """`money` as people write it: CNY 199.00."""
    return f"{money.currency} {format_amount(money.amount, money.currency)}"


def format_amount(amount: int, currency: str) -> str:
    """Minor units of a currency as people write them, without its name: 199.00."""
    digits = MINOR_DIGITS.get(currency, 2)
    if digits == 0:
        return str(amount)
    whole, minor = divmod(amount, 10**digits)
    return f"{whole}.{minor:0{digits}d}"
