"""A claim that was announced and never made is nothing: not a reservation, not an answer to a repetition."""

from brandday.domain.campaign import Status
from brandday.domain.errors import CampaignPaused
from brandday.domain.shard import VOID, Entry, RecordChange, ShardWrite, encode_entry
from brandday.usecases.claim_units import key_tag
from tests.fakes.backend import SALE, Backend, sale, sku, web_shopper


def test_a_withdrawn_claim_is_no_answer_to_the_same_request_once_the_campaign_is_paused() -> None:
    backend = Backend(sale(sku(stock=2)))
    shopper = backend.shopper_at(0)
    name = backend.layout.name_of(web_shopper(shopper).id)
    withdrawn = encode_entry(Entry(VOID, "0", 1, backend.clock(), key_tag("key")))
    backend.stock.write(SALE, ShardWrite(0, (RecordChange(name, None, withdrawn),), {}, {}))
    backend.change(status=Status.PAUSED)

    refusal = backend.environment().refused(shopper, key="key")

    assert isinstance(refusal, CampaignPaused)
