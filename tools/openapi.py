"""Write `docs/openapi.json`, and the tables of `docs/api.md`, from the routes and the errors themselves.

`python tools/openapi.py` writes; `--check` writes nothing and fails if either is not what the code says.

Powertools makes the document from functions; ours are one loop over a table. So each route is given a function
with the signature that Powertools would want to read, on a resolver that never serves anything.
"""

import argparse
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi import params
from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer, Server, Tag
from pydantic import BaseModel, Field

from brandday.domain.errors import (
    BrandDayError,
    CampaignNotStarted,
    EntryLimitReached,
    MethodNotAllowed,
    RouteNotFound,
    every_error,
)
from brandday.domain.messages import ENGLISH, VARIANTS
from brandday.entrypoints import (
    admin,
    admin_coupons,
    admin_draws,
    admin_risk,
    campaigns,
    coupons,
    draws,
    entries,
    fulfilments,
    redemptions,
    reservations,
    rewards,
    tickets,
)
from brandday.entrypoints.http import SERVER_TIME_HEADER
from brandday.entrypoints.http_input import KEY_HEADER, KEY_LENGTH
from brandday.entrypoints.problem import CONTENT_TYPE
from brandday.entrypoints.routes import ID_FORMS, Route

DOCS: Final = Path(__file__).parent.parent / "docs"

TABLES: Final = {
    "CampaignsFunction": ("Campaigns", campaigns.ROUTES),
    "TicketsFunction": ("Tickets", tickets.ROUTES),
    "ReservationsFunction": ("Reservations", reservations.ROUTES),
    "AdminFunction": ("Admin", admin.ROUTES + admin_draws.ROUTES + admin_coupons.ROUTES),
    "RewardsFunction": ("Rewards", rewards.ROUTES),
    "FulfilmentsFunction": ("Fulfilments", fulfilments.ROUTES),
    "RiskFunction": ("Risk", admin_risk.ROUTES),
    "EntriesFunction": ("Entries", entries.ROUTES),
    "DrawsFunction": ("Draws", draws.ROUTES),
    "CouponsFunction": ("Coupons", coupons.ROUTES),
    "RedemptionsFunction": ("Redemptions", redemptions.ROUTES),
}
"""Which function serves which routes, by its name in template.yaml; and the heading they are documented under."""

GATEWAY_STATUSES: Final = (401, 403, 429, 503)
"""What API Gateway answers by itself, in its own shape, before any function of ours is asked."""

_OPERATORS: Final = {module.__name__ for module in (admin, admin_draws, admin_coupons, admin_risk)}
_REFERENCE: Final = r"#/components/schemas/(\w+)"

_DESCRIPTION: Final = """\
Campaigns and what lotteries publish are public. Everything else needs a bearer token whose claims say who asks (`sub`,
`tier`, `channel`, `region`, `new_customer`) and what they may do (`scope`).

Every refusal is `application/problem+json` with a stable `code`; what each one means is in `docs/api.md`. API Gateway
itself refuses bad tokens, missing scopes and throttled requests with `{"message": ...}` instead.
"""


class WrongPlace(BaseModel):
    """One place in the input that is wrong: in the body (`pointer`, RFC 6901), a `header` or a `query` parameter."""

    pointer: str | None = None
    header: str | None = None
    query: str | None = None
    rule: str
    detail: str


class Problem(BaseModel):
    """A refusal (RFC 9457). `title` and `detail` are in the language of Content-Language; `code` never changes."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    params: Annotated[dict[str, Any], Field(description="The facts that `detail` mentions.")]
    errors: list[WrongPlace]
    request_id: str
    retry_after_ms: Annotated[int | None, Field(description="When the same request can succeed; null: it cannot.")]
    server_time: str


class GatewayMessage(BaseModel):
    """What API Gateway says by itself."""

    message: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both documents, or check them; returns the exit status."""
    parser = argparse.ArgumentParser(description="Write docs/openapi.json and the tables of docs/api.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if they are out of date")
    check = parser.parse_args(arguments).check
    guide = DOCS / "api.md"
    wanted = {DOCS / "openapi.json": openapi_text(), guide: guide_text(guide.read_text(encoding="utf-8"))}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if check:
            sys.stderr.write(f"{path.name} is not what the code says: run `python tools/openapi.py`\n")
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if check and stale else 0


def openapi_text() -> str:
    """The OpenAPI document as committed."""
    return json.dumps(openapi(), indent=2, ensure_ascii=False) + "\n"


def openapi() -> dict[str, Any]:
    """The OpenAPI document of all functions together."""
    app = APIGatewayHttpResolver()
    for heading, routes in TABLES.values():
        for route in routes:
            _register(app, route, heading)
    text = app.get_openapi_json_schema(
        title="Brand Day",
        version="1",
        description=_DESCRIPTION,
        tags=[Tag(name=heading) for heading, _ in TABLES.values()],
        servers=[Server(url="/")],
        security_schemes={"token": HTTPBearer(bearerFormat="JWT")},
    )
    document: dict[str, Any] = json.loads(text)
    schemas = document["components"]["schemas"]
    for model in (WrongPlace, Problem, GatewayMessage):
        schemas[model.__name__] = model.model_json_schema(
            mode="serialization", ref_template="#/components/schemas/{model}"
        )
        schemas[model.__name__].pop("$defs", None)
    for _, routes in TABLES.values():
        for route in routes:
            operation = document["paths"][route.path][route.method.lower()]
            operation["responses"] = {
                **_answers(route, operation["responses"]),
                **{str(status): _refusal(status, kinds) for status, kinds in _by_status(route)},
            }
    document["components"]["schemas"] = _used(schemas, json.dumps(document["paths"]))
    return document


def _used(schemas: dict[str, Any], where: str) -> dict[str, Any]:
    """The schemas that `where` leads to: Powertools also describes its own errors, which are never sent."""
    found: set[str] = set()
    new = set(re.findall(_REFERENCE, where))
    while new:
        found |= new
        new = set(re.findall(_REFERENCE, json.dumps([schemas[name] for name in new]))) - found
    return {name: schemas[name] for name in sorted(found)}


def _register(app: APIGatewayHttpResolver, route: Route, heading: str) -> None:
    content: Any = (
        {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in route.answer}
        if isinstance(route.answer, tuple)
        else {"application/json": {"model": route.answer}}
    )
    app.route(
        re.sub(r"{(\w+)}", r"<\1>", route.path),
        method=route.method,
        summary=route.summary,
        description=inspect.getdoc(route.handler),
        operation_id=operation_id(route),
        tags=[heading],
        security=[{"token": [route.scope]}] if route.scope else None,
        responses={route.statuses[0]: {"description": "", "content": content}},
    )(_function_of(route))


def operation_id(route: Route) -> str:
    """The handler's name; operators' routes are told from the public ones of the same name."""
    name = route.handler.__name__
    return f"admin_{name}" if route.handler.__module__ in _OPERATORS else name


def _function_of(route: Route) -> Callable[..., Any]:
    def documented() -> None:
        """Never called."""

    kinds: dict[str, Any] = {}
    for name in re.findall(r"{(\w+)}", route.path):
        form, _ = ID_FORMS[name]
        kinds[name] = Annotated[str, params.Path(pattern=f"^{form}$")]
    if route.needs_key:
        kinds["key"] = Annotated[
            str,
            params.Header(
                alias=KEY_HEADER,
                min_length=1,
                max_length=KEY_LENGTH,
                pattern=r"^[!-~]([ -~]*[!-~])?$",
                description="One new value per intended action, the same for every retry.",
            ),
        ]
    for name in route.needs_query:
        kind, text = route.query[name]
        kinds[name] = Annotated[kind, params.Query(description=text)]
    optional = {
        name: Annotated[kind, params.Query(description=text)]
        for name, (kind, text) in route.query.items()
        if name not in route.needs_query
    }
    optional |= {
        name.lower().replace("-", "_"): Annotated[str, params.Header(alias=name, description=text)]
        for name, text in route.shows.items()
    }
    if route.body is not None:
        kinds["body"] = Annotated[route.body, params.Body()]
    named = inspect.Parameter.KEYWORD_ONLY
    documented.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, named, annotation=kind) for name, kind in kinds.items()]
        + [inspect.Parameter(name, named, annotation=kind, default=None) for name, kind in optional.items()]
    )
    documented.__annotations__ = kinds | optional
    return documented


def _answers(route: Route, generated: dict[str, Any]) -> dict[str, Any]:
    """The answers of success; all of them have the body of the first."""
    usual = generated[str(route.statuses[0])]
    headers = {SERVER_TIME_HEADER: "The server's time, RFC 3339.", **route.headers}
    if route.etag:
        headers["ETag"] = "Send it back as If-None-Match: 304 as long as nothing has changed."
    described = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    words = {200: "OK", 201: "Created", 202: "Accepted"}
    answers = {str(status): {**usual, "description": words[status], "headers": described} for status in route.statuses}
    if route.etag:
        answers["304"] = {"description": "Not modified", "headers": described}
    return answers


def _by_status(route: Route) -> Iterable[tuple[int, list[type[BrandDayError]]]]:
    """The refusals of a route by status, and API Gateway's own with none of ours."""
    statuses = {kind.status for kind in route.every_error} | ({401, 403} if route.scope else set()) | {429, 503}
    for status in sorted(statuses):
        yield status, [kind for kind in route.every_error if kind.status == status]


def _refusal(status: int, kinds: Sequence[type[BrandDayError]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    if kinds:
        codes = {"properties": {"code": {"enum": [kind.code for kind in kinds]}}}
        schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, codes]}
        content[CONTENT_TYPE] = {"schema": schema}
        headers = {name: {"schema": {"type": "string"}} for name in ("Content-Language", SERVER_TIME_HEADER)}
    if any(_retry_helps(kind) for kind in kinds):
        headers["Retry-After"] = {"schema": {"type": "integer", "minimum": 1}}
    if status in GATEWAY_STATUSES:
        content["application/json"] = {"schema": {"$ref": "#/components/schemas/GatewayMessage"}}
    said = ", ".join(f"`{kind.code}`" for kind in kinds) or "Throttled by API Gateway"
    return {"description": said, "headers": headers, "content": content}


def guide_text(guide: str) -> str:
    """`docs/api.md` with its tables as the code has them."""
    for name, table in (("routes", _route_table()), ("errors", _error_table())):
        begin, end = f"<!-- {name}: written by tools/openapi.py -->", f"<!-- end of {name} -->"
        head, _, rest = guide.partition(begin)
        _, found, tail = rest.partition(end)
        if not found:
            raise SystemExit(f"docs/api.md lacks the lines {begin} and {end}")
        guide = f"{head}{begin}\n{table}\n{end}{tail}"
    return guide


def _route_table() -> str:
    lines = ["| route | scope | does | answers | refuses with |", "|---|---|---|---|---|"]
    for _, routes in TABLES.values():
        for route in routes:
            key = " (needs an Idempotency-Key)" if route.needs_key else ""
            statuses = ", ".join(map(str, route.statuses))
            codes = ", ".join(f"`{kind.code}`" for kind in route.every_error)
            scope = f"`{route.scope}`" if route.scope else "none"
            lines.append(f"| `{route.method} {route.path}` | {scope} | {route.summary}{key} | {statuses} | {codes} |")
    return "\n".join(lines)


def _error_table() -> str:
    used = {kind for _, routes in TABLES.values() for route in routes for kind in route.every_error}
    used |= {RouteNotFound, MethodNotAllowed}
    lines = ["| code | status | what happened, and what would change it | same request again? |", "|---|---|---|---|"]
    for kind in every_error():
        texts = [text for key, text in ENGLISH.items() if key.partition(".")[0] == kind.code]
        variant = f" (`params.{VARIANTS[kind.code]}` decides.)" if kind.code in VARIANTS else ""
        again = "after `Retry-After`" if _retry_helps(kind) else "no"
        later = "" if kind in used else " *(No route yet.)*"
        words = " / ".join(texts).replace("|", "\\|")
        lines.append(f"| `{kind.code}` | {kind.status} | **{kind.title}.** {words}{variant}{later} | {again} |")
    return "\n".join(lines)


def _retry_helps(kind: type[BrandDayError]) -> bool:
    return kind.wait_ms is not None or kind in (CampaignNotStarted, EntryLimitReached)


if __name__ == "__main__":
    raise SystemExit(main())
