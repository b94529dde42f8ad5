"""Purchases: what a channel must be told of a person who pays over it (付款方式)."""

from typing import Final, Literal

import msgspec

from lingqian.channels.port import Product
from lingqian.kernel.code import Code
from lingqian.web import field
from lingqian.web.door import Door
from lingqian.web.problem import Refused
from lingqian.web.sheet import Way

# What the pay sheet says it is for; a greeting is the sender's and is not told to a channel.
PACKET_WORDS: Final = "红包"
ProductName = Literal["jsapi", "mini_program", "app", "h5", "native"]
_NEEDS_PAYER: Final = (Product.JSAPI, Product.MINI_PROGRAM)


class Payer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who pays, as the channel knows them."""

    openid: field.OpenId


def way_to_pay(
    door: Door, product: str | None, payer: Payer | None, words: str, client_ip: str
) -> Way:
    """Return how a person pays over a channel.

    Refuses: invalid_field, no_channel.
    """
    if product is None:
        raise Refused(Code.INVALID_FIELD, field="product", detail="how is it to be paid?")
    chosen = Product[product.upper()]
    if chosen in _NEEDS_PAYER and payer is None:
        raise Refused(Code.INVALID_FIELD, field="payer", detail=f"{product} needs an openid")
    if chosen is Product.H5 and not client_ip:
        raise Refused(Code.INVALID_FIELD, field="client_ip", detail="h5 needs it")
    if all(each.product != chosen for each in door.wallet.candidates):
        raise Refused(Code.NO_CHANNEL, field="product", detail=f"no account has {product}")
    return Way(chosen, payer.openid if payer else "", client_ip or "127.0.0.1", words)
