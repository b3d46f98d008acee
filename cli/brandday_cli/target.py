"""Which API the command talks to, and as whom: the one that was named, or else the local stack that is
running.
"""

from dataclasses import dataclass, field

from brandday_cli.client import AdminClient
from brandday_cli.failures import CommandFailed, ExitCode
from brandday_local.stack import LocalStack, NoStackRunning

OPERATOR_NAME = "local-operator"


@dataclass(frozen=True)
class Target:
    """What was said with --api-url and --token, or their environment variables; None if nothing was said."""

    api_url: str | None = None
    token: str | None = field(default=None, repr=False)

    def url(self) -> str:
        """The API's address; raises CommandFailed if none is known."""
        return self.api_url or find_local_stack().api_url

    def public(self) -> AdminClient:
        """The API as anybody sees it: only public routes answer."""
        return AdminClient(self.url(), "")

    def operator(self) -> AdminClient:
        """The admin API, as an operator."""
        if self.token:
            return AdminClient(self.url(), self.token)
        if self.api_url:
            raise CommandFailed(
                "There is no token for this API",
                exit_code=ExitCode.USAGE,
                advice="Give an operator's token with --token or in BRANDDAY_TOKEN.",
            )
        stack = find_local_stack()
        return AdminClient(stack.api_url, stack.token(OPERATOR_NAME, "operator"))


def find_local_stack() -> LocalStack:
    """The local stack that is running; raises CommandFailed if there is none."""
    try:
        return LocalStack.attach()
    except NoStackRunning:
        raise CommandFailed(
            "No local stack is running, and no other API was named",
            exit_code=ExitCode.UNAVAILABLE,
            advice="Start one with `make run`, or name an API with --api-url or BRANDDAY_API_URL.",
        ) from None
