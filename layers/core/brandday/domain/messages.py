# ruff: noqa: RUF001 - the Chinese texts use Chinese punctuation
"""What people read when they are refused: English and Simplified Chinese, one text per error code and per rule.

Every detail says what happened and what would change it. `{name}` is one of the error's `params`. Where
one code needs different words for different facts, `VARIANTS` names the deciding parameter and the text's
key is `code.value`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from brandday.domain.errors import BrandDayError, FieldError, Param

DEFAULT_LANGUAGE: Final = "en"
LANGUAGES: Final = ("en", "zh-CN")

VARIANTS: Final = {
    "not_eligible": "requirement",
    "shopper_limit_reached": "per",
    "reservation_expired": "refund_due",
    "reservation_released": "refund_due",
    "reservation_already_confirmed": "refund_due",
    "entry_limit_reached": "allowance",
    "coupon_redeemed": "where",
    "ticket_invalid": "reason",
    "challenge_required": "reason",
    "signal_missing": "by",
    "limit_reached": "by",
}


class Text(NamedTuple):
    """The short name of a refusal, the same every time, and the sentence about this one."""

    title: str
    detail: str


def explain(error: BrandDayError, language: str) -> Text:
    """The text of `error` in `language` (one of `LANGUAGES`)."""
    code, params = error.code, error.params
    key = f"{code}.{params[VARIANTS[code]]}".lower() if code in VARIANTS else code
    if language == "zh-CN":
        return Text(CHINESE_TITLES[code], _fill(CHINESE[key], params, "、"))
    return Text(error.title, _fill(ENGLISH[key], params, ", "))


def explain_field(error: FieldError, language: str) -> str:
    """The sentence about one wrong place in the input; a rule without a text of its own says `invalid`."""
    rules, comma = (CHINESE_RULES, "、") if language == "zh-CN" else (ENGLISH_RULES, ", ")
    return _fill(rules.get(error.rule, rules["invalid"]), error.params, comma)


def _fill(template: str, params: Mapping[str, Param], comma: str) -> str:
    if "{" not in template:
        return template
    return template.format_map(
        {name: comma.join(value) if isinstance(value, tuple) else value for name, value in params.items()}
    )


ENGLISH: Final[Mapping[str, str]] = {
    "malformed_json": "The body must be one JSON document in UTF-8, with no NaN, Infinity or repeated names.",
    "idempotency_key_missing": (
        "Send an Idempotency-Key header: one new value per intended action, the same one for every retry."
    ),
    "route_not_found": "Nothing is here. The paths are listed in the API documentation.",
    "method_not_allowed": "This path answers to {allowed}.",
    "body_too_large": "The body may have {limit_bytes} bytes.",
    "validation_failed": "See errors for every place that is wrong; nothing was changed.",
    "idempotency_key_reused": (
        "The Idempotency-Key came before with another request. Use a new key for a new request."
    ),
    "unauthenticated": "Send a valid, unexpired token in the Authorization header.",
    "signature_invalid": (
        "Sign the webhook-id, the webhook-timestamp and the body as they are sent, with the secret of the reward's "
        "connector, and send them within five minutes."
    ),
    "forbidden": "This needs a token with the scope {needs}.",
    "shop_signals_invalid": "Shop-Signals is not signed by the shop for this shopper, or is over. Sign it anew.",
    "no_ticket_needed": "This campaign gives out no tickets. Go ahead without one.",
    "no_challenge_needed": "This campaign poses no challenges. Go ahead without one.",
    "case_not_found": "There is no case with this reference. Look at its letters again; cases are not kept for ever.",
    "listing_not_found": "It is on neither list, or was there until its time was over.",
    "second_person_required": "Whoever has applied the campaign cannot approve its rewards. Ask a colleague to do it.",
    "not_eligible.member_tier": "This campaign is for members of these tiers: {accepted}.",
    "not_eligible.new_customer": "This campaign is for new customers.",
    "not_eligible.region": "This campaign is open in these regions: {accepted}.",
    "not_eligible.channel": "This campaign sells through these channels: {accepted}.",
    "not_eligible.order_channel": "The coupon is for orders through these channels: {accepted}.",
    "ticket_invalid.missing": "This campaign is entered with a ticket. Get one, then send the same request with it.",
    "ticket_invalid.wrong": "The ticket is not one of yours for this campaign. Get one of your own.",
    "ticket_invalid.expired": "The ticket is over. Get a new one; what you have taken already stays yours.",
    "ticket_invalid.used": "The ticket has been used. What it brought stays yours; for more, get a new one.",
    "challenge_required.missing": "Solve the campaign's challenge, then send the same request with the solution.",
    "challenge_required.wrong": "The solution is not one of your challenge. Ask for a new challenge and solve that.",
    "challenge_required.early": "The waiting time is not over. Send the same request again when it is.",
    "challenge_required.expired": "The challenge is over. Ask for a new one and send its solution in time.",
    "challenge_required.used": "The solution has been used. What it brought stays yours; for more, solve a new one.",
    "signal_missing.shopper": "This campaign counts by shopper. Sign in to the shop again.",
    "signal_missing.device": "This campaign counts by device. Open it in the shop's own app or page.",
    "signal_missing.network": (
        "This campaign counts by network, and yours could not be seen. Try again without a proxy."
    ),
    "signal_missing.phone": "This campaign needs your phone number. Add it to your account in the shop.",
    "signal_missing.email": "This campaign needs your e-mail address. Add it to your account in the shop.",
    "signal_missing.address": "This campaign needs your delivery address. Add it to your account in the shop.",
    "signal_missing.payment": "This campaign needs a means of payment. Add one to your account in the shop.",
    "not_admitted": (
        "This looks like an automated or shared visit. If it is not, tell the shop this reference: {reference}."
    ),
    "limit_reached.shopper": "{limit} per shopper may be taken here. If that is wrong, tell the shop: {reference}.",
    "limit_reached.device": "{limit} per device may be taken here. If that is wrong, tell the shop: {reference}.",
    "limit_reached.network": "{limit} per network may be taken here. If that is wrong, tell the shop: {reference}.",
    "limit_reached.phone": "{limit} per phone number may be taken here. If that is wrong, tell the shop: {reference}.",
    "limit_reached.email": (
        "{limit} per e-mail address may be taken here. If that is wrong, tell the shop: {reference}."
    ),
    "limit_reached.address": "{limit} per address may be taken here. If that is wrong, tell the shop: {reference}.",
    "limit_reached.payment": (
        "{limit} per means of payment may be taken here. If that is wrong, tell the shop: {reference}."
    ),
    "campaign_not_found": "There is no campaign with this id.",
    "reservation_not_found": "You have no reservation with this id.",
    "coupon_not_found": "You have no coupon with this code.",
    "redemption_not_found": "There is no redemption with this id, or it is not yours.",
    "coupon_job_not_found": "There is no job of this name in the campaign. Create it first.",
    "reward_not_found": "There is no reward with this id, or it is not yours.",
    "entry_not_found": "There is no entry with this id, or it is not yours.",
    "queue_not_found": "There is no queue of this name. The queues are holds, fulfilments and stream.",
    "campaign_not_started": "The campaign opens at {starts_at}. The same request can succeed from then on.",
    "campaign_paused": "The campaign is stopped for the moment. The same request can succeed once it goes on.",
    "campaign_ended": "The campaign closed at {ended_at}.",
    "campaign_not_published": "Publish the campaign first.",
    "wrong_mechanic": (
        "This campaign is a {mechanic}. Units are reserved in a flash sale; a lottery takes entries and has a draw; "
        "a coupon campaign gives coupons."
    ),
    "sold_out": "Nothing is left of {sku}. Only a restock would change that.",
    "all_held": (
        "All that is left of {sku} is in somebody's cart. Try again: what is not paid in time goes back on sale."
    ),
    "shopper_limit_reached.campaign": (
        "This campaign allows {limit} per shopper and you have {owned}. Cancelling an unpaid one gives room."
    ),
    "shopper_limit_reached.sku": (
        "This product is limited to {limit} per shopper and you have {owned}. Cancelling an unpaid one gives room."
    ),
    "reservation_expired.false": "The hold ran out and its units went back on sale. Reserve again.",
    "reservation_expired.true": ("The payment came after the hold ran out and the units are gone. Refund the payment."),
    "reservation_released.false": "The reservation was cancelled and its units went back on sale. Reserve again.",
    "reservation_released.true": "The reservation was cancelled before the payment came. Refund the payment.",
    "reservation_already_confirmed.false": "The reservation is paid. To give it back, ask the shop for a return.",
    "reservation_already_confirmed.true": "Another order paid for this reservation. Refund this payment.",
    "hold_not_extendable": "This campaign gives no extra time. Pay before expires_at.",
    "coupon_not_started": "The coupon is valid from {starts_at} on. The same request can succeed from then on.",
    "coupon_expired": "The coupon was valid until {ended_at}.",
    "coupon_disabled": "The coupon was disabled. Ask the shop for the reason.",
    "coupon_redeemed.online": (
        "The coupon was used for an order at {at}. Only a cancellation of that order can change it."
    ),
    "coupon_redeemed.counter": (
        "The coupon was used at {at} in the store {store}. Only a cancellation of that purchase can change it."
    ),
    "coupon_exhausted": "The coupon was used as often as it may be.",
    "coupon_locked": (
        "The coupon is set aside for another order. It can be used once that one is cancelled, or not paid in time."
    ),
    "coupons_handed_out": "Coupons of this campaign cannot be taken. Use the code that the brand gives you.",
    "currency_not_accepted": "The coupon is for orders in {currency}.",
    "no_matching_items": "The coupon takes nothing off this order. Add an item that it applies to.",
    "minimum_spend_not_reached": "Spend {currency} {spend} more on items that the coupon applies to.",
    "not_combinable": "The coupon does not go together with {clashes_with}. Remove one or the other.",
    "redemption_expired": (
        "The lock ran out and another order has what was locked. Begin again with another order, or without the coupon."
    ),
    "redemption_closed": "The redemption is {status}. Look at it again.",
    "reward_closed": (
        "An address can be given until claim_until, and put right until the reward is on its way. This one is {status}."
    ),
    "reward_not_waiting": "The reward is {status}: there is nothing to do. Look at it again.",
    "entry_limit_reached.day": "You have used today's entries. The next day begins at {until}.",
    "entry_limit_reached.campaign": "You have used all your entries. Only an earned chance would bring another one.",
    "chances_exhausted": "This shopper can be granted {left} more chances in this campaign; nothing was changed.",
    "receipt_not_ready": "It is published after the campaign's end. Ask again after the time in Retry-After.",
    "campaign_change_refused": "See errors for every place that may not change any more; nothing was changed.",
    "campaign_conflict": "Somebody changed the campaign: it is at version {version} now. Look again, then decide.",
    "restock_conflict": "The restock {restock_id} was for another SKU or quantity. Use a new id for a new restock.",
    "coupons_exceeded": "The campaign may have {left} more coupons. Ask for fewer.",
    "coupon_job_conflict": "The job {job} was of another kind or size. Use a new name for a new job.",
    "rate_limited": (
        "Too many attempts. Try again after the time in Retry-After. If that does not help, tell the shop: {reference}."
    ),
    "internal_error": (
        "The request may or may not have taken effect. Send it again with the same Idempotency-Key; if it keeps "
        "failing, tell us the request_id."
    ),
    "temporarily_overloaded": (
        "Nothing is half done. Send the same request with the same Idempotency-Key after the time in Retry-After."
    ),
}

CHINESE_TITLES: Final[Mapping[str, str]] = {
    "malformed_json": "请求体不是有效的 JSON",
    "idempotency_key_missing": "缺少 Idempotency-Key",
    "route_not_found": "路径不存在",
    "method_not_allowed": "不支持该方法",
    "body_too_large": "请求体过大",
    "validation_failed": "请求内容不符合要求",
    "idempotency_key_reused": "Idempotency-Key 已用于其他请求",
    "unauthenticated": "需要有效的令牌",
    "signature_invalid": "签名无效",
    "forbidden": "令牌权限不足",
    "second_person_required": "需要由另一人批准",
    "not_eligible": "您不符合参与条件",
    "challenge_required": "请先完成验证",
    "ticket_invalid": "入场券无效",
    "signal_missing": "缺少本活动用于计数的信息",
    "not_admitted": "暂时无法参加",
    "limit_reached": "已达上限",
    "no_ticket_needed": "本活动无需入场券",
    "no_challenge_needed": "本活动无需验证",
    "shop_signals_invalid": "商家信号无效",
    "case_not_found": "没有该记录",
    "listing_not_found": "名单中没有该项",
    "campaign_not_found": "活动不存在",
    "reservation_not_found": "预订不存在",
    "coupon_not_found": "优惠券不存在",
    "redemption_not_found": "核销记录不存在",
    "coupon_job_not_found": "任务不存在",
    "reward_not_found": "奖励不存在",
    "entry_not_found": "抽奖记录不存在",
    "queue_not_found": "队列不存在",
    "campaign_not_started": "活动尚未开始",
    "campaign_paused": "活动已暂停",
    "campaign_ended": "活动已结束",
    "campaign_not_published": "活动尚未发布",
    "wrong_mechanic": "活动类型不符",
    "sold_out": "已售罄",
    "all_held": "商品暂时都在购物车中",
    "shopper_limit_reached": "已达限购数量",
    "reservation_expired": "预订已过期",
    "reservation_released": "预订已取消",
    "reservation_already_confirmed": "预订已确认",
    "hold_not_extendable": "预订无法延时",
    "coupon_not_started": "优惠券尚未生效",
    "coupon_expired": "优惠券已过期",
    "coupon_disabled": "优惠券已停用",
    "coupon_redeemed": "优惠券已使用",
    "coupon_exhausted": "优惠券已用完",
    "coupon_locked": "优惠券正在使用中",
    "coupons_handed_out": "优惠券不可领取",
    "currency_not_accepted": "优惠券不适用于该币种",
    "no_matching_items": "订单中没有适用的商品",
    "minimum_spend_not_reached": "未达到最低消费",
    "not_combinable": "优惠券不可叠加",
    "redemption_expired": "优惠券锁定已过期",
    "redemption_closed": "核销状态不允许此操作",
    "reward_closed": "地址不能再修改",
    "reward_not_waiting": "奖励无需此操作",
    "entry_limit_reached": "抽奖次数已用完",
    "chances_exhausted": "可获得的抽奖机会已用完",
    "receipt_not_ready": "开奖凭证尚未公布",
    "campaign_change_refused": "活动不能这样修改",
    "campaign_conflict": "活动已被他人修改",
    "restock_conflict": "补货编号已被使用",
    "coupons_exceeded": "超出活动的优惠券数量",
    "coupon_job_conflict": "任务名称已被使用",
    "rate_limited": "尝试过于频繁",
    "internal_error": "系统出错了",
    "temporarily_overloaded": "系统繁忙",
}

CHINESE: Final[Mapping[str, str]] = {
    "malformed_json": "请求体必须是一个 UTF-8 编码的 JSON 文档，不能含有 NaN、Infinity 或重复的字段名。",
    "idempotency_key_missing": "请发送 Idempotency-Key 请求头：每个操作用一个新值，重试时用同一个值。",
    "route_not_found": "这里什么也没有。可用路径见接口文档。",
    "method_not_allowed": "该路径支持的方法：{allowed}。",
    "body_too_large": "请求体不能超过 {limit_bytes} 字节。",
    "validation_failed": "errors 中列出了每一处问题；没有做任何更改。",
    "idempotency_key_reused": "这个 Idempotency-Key 已用于另一个请求。新请求请使用新的值。",
    "unauthenticated": "请在 Authorization 请求头中发送有效且未过期的令牌。",
    "signature_invalid": (
        "请用该奖励所属连接器的密钥，对 webhook-id、webhook-timestamp 和原始请求体签名，并在五分钟内发送。"
    ),
    "forbidden": "该操作需要具有 {needs} 权限的令牌。",
    "second_person_required": "提交活动配置的人不能批准该活动的奖励。请由另一位同事批准。",
    "not_eligible.member_tier": "本活动仅限以下会员等级：{accepted}。",
    "not_eligible.new_customer": "本活动仅限新客户。",
    "not_eligible.region": "本活动仅在以下地区开放：{accepted}。",
    "not_eligible.channel": "本活动仅在以下渠道销售：{accepted}。",
    "not_eligible.order_channel": "该优惠券仅适用于以下渠道的订单：{accepted}。",
    "ticket_invalid.missing": "本活动需凭入场券参加。请先领取，再带上它重新发送同一请求。",
    "ticket_invalid.wrong": "该入场券不是您在本活动的入场券。请领取您自己的。",
    "ticket_invalid.expired": "入场券已过期。请重新领取；您已取得的不受影响。",
    "ticket_invalid.used": "入场券已使用。它所换得的仍属于您；如需更多，请重新领取。",
    "challenge_required.missing": "请先完成本活动的验证，再带上结果重新发送同一请求。",
    "challenge_required.wrong": "该结果不属于您的验证。请重新获取验证并完成。",
    "challenge_required.early": "等待时间未到。请到时再发送同一请求。",
    "challenge_required.expired": "验证已过期。请重新获取，并及时提交结果。",
    "challenge_required.used": "该验证结果已使用。它所换得的仍属于您；如需更多，请完成新的验证。",
    "signal_missing.shopper": "本活动按顾客计数。请重新登录商家。",
    "signal_missing.device": "本活动按设备计数。请在商家的应用或页面中打开。",
    "signal_missing.network": "本活动按网络计数，但无法识别您的网络。请关闭代理后重试。",
    "signal_missing.phone": "本活动需要您的手机号。请在商家账户中添加。",
    "signal_missing.email": "本活动需要您的邮箱。请在商家账户中添加。",
    "signal_missing.address": "本活动需要您的收货地址。请在商家账户中添加。",
    "signal_missing.payment": "本活动需要一种支付方式。请在商家账户中添加。",
    "not_admitted": "本次访问疑似自动或共用。如有误，请向商家提供编号：{reference}。",
    "limit_reached.shopper": "每位顾客限 {limit} 份。如有误，请向商家提供编号：{reference}。",
    "limit_reached.device": "每台设备限 {limit} 份。如有误，请向商家提供编号：{reference}。",
    "limit_reached.network": "每个网络限 {limit} 份。如有误，请向商家提供编号：{reference}。",
    "limit_reached.phone": "每个手机号限 {limit} 份。如有误，请向商家提供编号：{reference}。",
    "limit_reached.email": "每个邮箱限 {limit} 份。如有误，请向商家提供编号：{reference}。",
    "limit_reached.address": "每个地址限 {limit} 份。如有误，请向商家提供编号：{reference}。",
    "limit_reached.payment": "每种支付方式限 {limit} 份。如有误，请向商家提供编号：{reference}。",
    "no_ticket_needed": "本活动不发入场券，直接参加即可。",
    "no_challenge_needed": "本活动不设验证，直接参加即可。",
    "shop_signals_invalid": "Shop-Signals 未经商家为该顾客签名，或已过期。请由商家后台重新签发。",
    "case_not_found": "没有该编号的记录。请核对编号；记录会在一段时间后删除。",
    "listing_not_found": "该项不在名单中，或已过期。",
    "campaign_not_found": "没有该编号的活动。",
    "reservation_not_found": "您没有该编号的预订。",
    "coupon_not_found": "您没有该编码的优惠券。",
    "redemption_not_found": "没有该编号的核销记录，或者它不属于您。",
    "coupon_job_not_found": "该活动没有这个名称的任务。请先创建。",
    "reward_not_found": "没有该编号的奖励，或者它不属于您。",
    "entry_not_found": "没有该编号的抽奖记录，或者它不属于您。",
    "queue_not_found": "没有该名称的队列。可用的队列：holds、fulfilments、stream。",
    "campaign_not_started": "活动将于 {starts_at} 开始，届时同一请求即可成功。",
    "campaign_paused": "活动暂时停止。恢复后同一请求即可成功。",
    "campaign_ended": "活动已于 {ended_at} 结束。",
    "campaign_not_published": "请先发布活动。",
    "wrong_mechanic": "本活动类型为 {mechanic}。限时抢购可以预订，抽奖活动可以参与抽奖，优惠券活动可以领券。",
    "sold_out": "{sku} 已全部售出，补货后才能购买。",
    "all_held": "{sku} 尚未售出的都在其他人的购物车中。请稍后再试：未按时付款的商品会重新开放。",
    "shopper_limit_reached.campaign": "本活动每人限购 {limit} 件，您已有 {owned} 件。取消未付款的预订可腾出名额。",
    "shopper_limit_reached.sku": "该商品每人限购 {limit} 件，您已有 {owned} 件。取消未付款的预订可腾出名额。",
    "reservation_expired.false": "预订已超时，商品已重新开放。请重新预订。",
    "reservation_expired.true": "付款到达时预订已超时，商品已售给他人。请退款。",
    "reservation_released.false": "预订已取消，商品已重新开放。请重新预订。",
    "reservation_released.true": "付款到达前预订已取消。请退款。",
    "reservation_already_confirmed.false": "预订已付款。如需退回，请联系商家办理退货。",
    "reservation_already_confirmed.true": "该预订已由另一个订单付款。请退还本次付款。",
    "hold_not_extendable": "本活动不提供延时。请在 expires_at 之前付款。",
    "coupon_not_started": "该优惠券自 {starts_at} 起有效，届时同一请求即可成功。",
    "coupon_expired": "该优惠券有效期至 {ended_at}。",
    "coupon_disabled": "该优惠券已被停用。原因请咨询商家。",
    "coupon_redeemed.online": "该优惠券已于 {at} 用于一个订单。只有取消那个订单才可能恢复。",
    "coupon_redeemed.counter": "该优惠券已于 {at} 在门店 {store} 使用。只有取消那笔交易才可能恢复。",
    "coupon_exhausted": "该优惠券的使用次数已用完。",
    "coupon_locked": "该优惠券正用于另一个订单。那个订单取消或未按时付款后即可使用。",
    "coupons_handed_out": "本活动的优惠券不能领取。请使用品牌方提供的券码。",
    "currency_not_accepted": "该优惠券仅适用于以 {currency} 结算的订单。",
    "no_matching_items": "该优惠券对此订单没有优惠。请添加适用的商品。",
    "minimum_spend_not_reached": "适用商品再消费 {currency} {spend} 即可使用。",
    "not_combinable": "该优惠券不能与 {clashes_with} 同时使用。请移除其中一项。",
    "redemption_expired": "锁定已超时，优惠券已用于另一个订单。请用新的订单重新开始，或不使用该优惠券。",
    "redemption_closed": "该核销记录当前状态为 {status}。请重新查看。",
    "reward_closed": "地址可在 claim_until 之前填写，在奖励发出之前可以更正。该奖励当前状态为 {status}。",
    "reward_not_waiting": "该奖励当前状态为 {status}，无需此操作。请重新查看。",
    "entry_limit_reached.day": "您今天的抽奖次数已用完，新的一天从 {until} 开始。",
    "entry_limit_reached.campaign": "您的抽奖次数已全部用完，只有获得额外机会后才能再次参与。",
    "chances_exhausted": "该用户在本活动中最多还能获得 {left} 次机会；没有做任何更改。",
    "receipt_not_ready": "活动结束后才会公布。请在 Retry-After 指定的时间之后再查询。",
    "campaign_change_refused": "errors 中列出了不能再修改的每一处；没有做任何更改。",
    "campaign_conflict": "活动已被他人修改，当前版本为 {version}。请重新查看后再决定。",
    "restock_conflict": "补货 {restock_id} 曾用于其他商品或数量。新的补货请使用新的编号。",
    "coupons_exceeded": "该活动最多还能有 {left} 张优惠券。请减少数量。",
    "coupon_job_conflict": "任务 {job} 曾用于其他类型或数量。新的任务请使用新的名称。",
    "rate_limited": "尝试过于频繁。请在 Retry-After 指定的时间之后重试；若仍不行，请向商家提供编号：{reference}。",
    "internal_error": (
        "请求可能已经生效，也可能没有。请用同一个 Idempotency-Key 重新发送；如仍失败，请告知 request_id。"
    ),
    "temporarily_overloaded": (
        "没有做到一半的操作。请在 Retry-After 指定的时间之后，用同一个 Idempotency-Key 重新发送同一请求。"
    ),
}

ENGLISH_RULES: Final[Mapping[str, str]] = {
    "invalid": "This value is not acceptable.",
    "refused": "{reason}",
    "required": "This field is required.",
    "unknown_field": "There is no such field.",
    "not_an_object": "This must be a JSON object.",
    "not_a_list": "This must be a list.",
    "not_text": "This must be text.",
    "not_a_whole_number": "This must be a whole number.",
    "not_true_or_false": "This must be true or false.",
    "too_small": "This must be at least {min}.",
    "too_large": "This must be at most {max}.",
    "too_short": "This needs at least {min} characters or items.",
    "too_long": "This may have at most {max} characters or items.",
    "bad_format": "This does not have the right form.",
    "not_one_of": "This must be one of: {allowed}.",
    "not_printable": "This must be 1 to {max} printable ASCII characters.",
    "unknown_sku": "This campaign does not sell such a SKU.",
    "frozen": "This cannot change any more once the campaign is {status}.",
    "mixed_currencies": "All amounts of an order must be in its currency, {currency}.",
    "repeated": "This is in the list twice.",
    "not_a_currency": "This is no currency of ISO 4217.",
    "costs_too_much": "Together this may cost {max} minor units at most.",
    "not_json": "This must be JSON.",
    "not_in_future": "This must be in the future.",
    "destination_refused": "Nothing can be delivered there: {reason}.",
    "in_future": "This must not be in the future.",
    "not_a_time": "This must be a time with its offset from UTC (RFC 3339): 2026-11-09T00:00:00Z.",
    "unprintable": "This may not have control characters or line breaks.",
    "not_a_phone": "This must be a phone number of 5 to 15 digits, with or without the country's prefix.",
    "not_a_country": "This must be a country as two capital letters (ISO 3166-1 alpha-2).",
    "not_a_postal_code": "This is not a postal code of that country.",
    "not_a_cursor": "This must be next of the page before, as it is.",
}

CHINESE_RULES: Final[Mapping[str, str]] = {
    "invalid": "该值不符合要求。",
    "refused": "{reason}",
    "required": "该字段必填。",
    "unknown_field": "没有这个字段。",
    "not_an_object": "必须是 JSON 对象。",
    "not_a_list": "必须是列表。",
    "not_text": "必须是文本。",
    "not_a_whole_number": "必须是整数。",
    "not_true_or_false": "必须是 true 或 false。",
    "too_small": "不能小于 {min}。",
    "too_large": "不能大于 {max}。",
    "too_short": "至少需要 {min} 个字符或项目。",
    "too_long": "最多 {max} 个字符或项目。",
    "bad_format": "格式不正确。",
    "not_one_of": "必须是以下之一：{allowed}。",
    "not_printable": "必须是 1 到 {max} 个可打印的 ASCII 字符。",
    "unknown_sku": "本活动不销售该商品。",
    "frozen": "活动处于 {status} 状态后，此项不能再修改。",
    "mixed_currencies": "订单的所有金额必须使用订单的币种 {currency}。",
    "repeated": "列表中有重复的值。",
    "not_a_currency": "不是 ISO 4217 中的币种。",
    "costs_too_much": "合计不能超过 {max} 个最小货币单位。",
    "not_json": "必须是 JSON。",
    "not_in_future": "必须是将来的时间。",
    "destination_refused": "无法向该处投递：{reason}。",
    "in_future": "不能是将来的时间。",
    "not_a_time": "必须是带时区偏移的时间（RFC 3339）：2026-11-09T00:00:00Z。",
    "unprintable": "不能含有控制字符或换行。",
    "not_a_phone": "必须是 5 到 15 位数字的电话号码，可带国家区号。",
    "not_a_country": "必须是两位大写字母的国家代码（ISO 3166-1 alpha-2）。",
    "not_a_postal_code": "不是该国家的邮政编码。",
    "not_a_cursor": "必须原样使用上一页的 next。",
}
