"""The local stack: started here, or found because `make run` (or a test) started it."""

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path

from brandday_local import deploy, emulator, issuer, receiver, shop_signals
from brandday_local.aws import Emulated
from brandday_local.issuer import SigningKey, TokenIssuer
from brandday_local.permissions import grant_by_other_names
from brandday_local.places import machine_folder, stack_folder
from brandday_local.ports import LOOPBACK, free_port
from brandday_local.processes import Service, alive
from brandday_local.restore import ACCOUNT, restore
from brandday_local.servers import wait_for
from brandday_local.steps import step

EMULATOR_PORT = 4566
ISSUER_PORT = 4567
RECEIVER_PORT = 4568
AUDIENCE = "brandday"
HEALTH_PATH = "/v1/health"
STATE_FILE = "stack.json"

PARTNER_SECRET = "brandday/partner"  # noqa: S105 - its name
"""The secret in Secrets Manager that the receiver shares with the stack."""

PARTNER_QUEUE = "partner-prizes"
"""A queue of somebody else's, for campaigns that use the connector `sqs`."""

EMAIL_SENDER = "brandday@example.com"

LOCAL_PARAMETERS: Mapping[str, str] = {
    "JwtAudience": AUDIENCE,
    "ShopSignalsSecret": shop_signals.SECRET,
    "WebOrigin": "*",  # whatever page somebody tries it with, on this machine
    "ProtectTables": "false",
    "Monitoring": "off",  # the emulator has neither nested stacks nor dashboards; cfn-lint and a test read them
    "PrivateDestinations": "allow",  # the receiver is on this machine
    "PartnerQueueArns": f"arn:aws:sqs:{emulator.REGION}:{ACCOUNT}:{PARTNER_QUEUE}",
    "EmailSender": EMAIL_SENDER,
    "WorkerConcurrency": "4",  # each is a process here, and this machine has other things to do
    "DeliveryTimeoutMs": "2000",  # nobody is further away than this machine
    "WorkerTimeoutSeconds": "20",
    # everything, this API's database too, is one process here: under load it answers later than DynamoDB would
    "DatabaseTimeoutMs": "5000",
}


@cache
def _emulated(endpoint_url: str, _thread: int) -> Emulated:
    # a tenth of a second for each session that reads what a service is; sessions are not made for several threads
    return Emulated(endpoint_url)


class NoStackRunning(RuntimeError):
    """Nobody has started the local stack."""


@dataclass(frozen=True)
class LocalStack:
    """A running stack: where it is, and tokens to use it with."""

    api_url: str
    endpoint_url: str
    region: str
    stock_table: str
    campaign_table: str
    reward_table: str
    entry_table: str
    coupon_table: str
    guard_table: str
    hold_queue_url: str
    hold_dead_letter_queue_url: str
    fulfilment_queue_url: str
    fulfilment_dead_letter_queue_url: str
    stream_dead_letter_queue_url: str
    draw_holder: str
    """The function that seals and draws, every minute or when it is called."""
    partner_queue_url: str
    receiver_url: str
    """Where the partner of this machine shows what it received; its webhook is `/webhook` under it."""
    api_id: str
    issuer: str
    audience: str
    owner_pid: int
    """The process that stops the stack when it ends."""
    emulator_pid: int
    folder: str
    """Its logs and state."""

    @property
    def aws(self) -> Emulated:
        """Clients of its services, the same ones whenever a thread asks."""
        return _emulated(self.endpoint_url, threading.get_ident())

    @cached_property
    def tokens(self) -> TokenIssuer:
        """The issuer whose tokens it accepts."""
        return TokenIssuer(self.issuer, self.audience, SigningKey.load(key_file()))

    def token(self, subject: str, scope: str, **claims: object) -> str:
        """Return a token for a subject, with scopes ("shopper orders store operator", or some of them) and claims."""
        return self.tokens.mint(subject, scope, **claims)  # type: ignore[arg-type]  # lifetime_seconds is one of them

    @property
    def shop_signals(self) -> shop_signals.ShopSignals:
        """What signs the shop's signals for it; keep it when signing many."""
        return shop_signals.open_signals(self.aws)

    @classmethod
    def attach(cls, folder: Path | None = None) -> "LocalStack":
        """Find the stack that runs; NoStackRunning if there is none."""
        file = (folder or stack_folder()) / STATE_FILE
        try:
            found = cls(**json.loads(file.read_text()))
        except (FileNotFoundError, TypeError, ValueError):
            raise NoStackRunning("no local stack is running; start it with `make run`") from None
        if not (alive(found.owner_pid) and alive(found.emulator_pid)):
            raise NoStackRunning("the local stack has stopped; start it with `make run`")
        return found

    @classmethod
    @contextlib.contextmanager
    def start(cls, folder: Path | None = None, *, ports: bool = True) -> Iterator["LocalStack"]:
        """Start a stack and stop it, with all that it started, when the block ends.

        Every folder has one stack, so that tests can have theirs next to the one somebody is working with.
        `ports=False` takes any free ports and leaves the well-known ones alone. RuntimeError says what failed.
        """
        folder = folder or stack_folder()
        with contextlib.suppress(NoStackRunning):
            running = cls.attach(folder)
            raise RuntimeError(f"a local stack is running already: {running.api_url} (process {running.owner_pid})")
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(shutil.rmtree, folder / "tmp", ignore_errors=True)
            cleanup.callback((folder / STATE_FILE).unlink, missing_ok=True)
            stack = cls._bring_up(folder, cleanup, well_known_ports=ports)
            write_state(folder / STATE_FILE, asdict(stack))
            yield stack

    @classmethod
    @contextlib.contextmanager
    def running_or_new(cls, folder: Path | None = None) -> Iterator["LocalStack"]:
        """Use the stack that runs, or start one for the length of the block."""
        try:
            found = cls.attach(folder)
        except NoStackRunning:
            with cls.start(folder) as started:
                yield started
        else:
            yield found

    @classmethod
    def _bring_up(cls, folder: Path, cleanup: contextlib.ExitStack, *, well_known_ports: bool) -> "LocalStack":
        with deploy.one_at_a_time():
            port = free_port(EMULATOR_PORT if well_known_ports else 0)
            with step(f"Starting the AWS emulator on port {port}"):
                service = emulator.start(port, folder)
                cleanup.callback(service.stop)
            endpoint_url = f"http://{LOOPBACK}:{port}"
            issuer_port = free_port(ISSUER_PORT if well_known_ports else 0)
            issuer_url = cleanup.enter_context(issuer.serve(SigningKey.load(key_file()), issuer_port))
            with step("Building the functions and their layers (sam build)"):
                deploy.build(folder)
            with step("Deploying template.yaml to the emulator (sam deploy)"):
                deployed = deploy.deploy(endpoint_url, {**LOCAL_PARAMETERS, "JwtIssuer": issuer_url}, folder)
        with step("Restoring what the emulator drops: routes, authorizer, CORS"):
            restore(deployed, Emulated(endpoint_url))
            grant_by_other_names(deployed, Emulated(endpoint_url))
        with step("Starting a partner that receives webhooks"):
            receiver_url = cls._start_receiver(endpoint_url, folder, cleanup, RECEIVER_PORT if well_known_ports else 0)
        shop_signals.create_secret(Emulated(endpoint_url))
        stack = cls._describe(deployed, endpoint_url, issuer_url, receiver_url, service, folder)
        with step("Waiting for the API to answer"):
            wait_for(f"{stack.api_url}{HEALTH_PATH}", service, seconds=60)
        return stack

    @staticmethod
    def _start_receiver(endpoint_url: str, folder: Path, cleanup: contextlib.ExitStack, preferred_port: int) -> str:
        aws, secret = Emulated(endpoint_url), receiver.new_secret()
        aws.secrets.create_secret(Name=PARTNER_SECRET, SecretString=secret)
        aws.queues.create_queue(QueueName=PARTNER_QUEUE)
        aws.email.verify_email_identity(EmailAddress=EMAIL_SENDER)
        port = free_port(preferred_port)
        cleanup.callback(receiver.start(port, secret, folder).stop)
        return f"http://{LOOPBACK}:{port}"

    @classmethod
    def _describe(
        cls,
        deployed: deploy.Deployment,
        endpoint_url: str,
        issuer_url: str,
        receiver_url: str,
        service: Service,
        folder: Path,
    ) -> "LocalStack":
        outputs = deployed.outputs
        return cls(
            # the address in the path instead of the host name, which not every machine can look up
            api_url=f"{endpoint_url}/_aws/execute-api/{outputs['ApiId']}",
            endpoint_url=endpoint_url,
            region=emulator.REGION,
            stock_table=outputs["StockTableName"],
            campaign_table=outputs["CampaignTableName"],
            reward_table=outputs["RewardTableName"],
            entry_table=outputs["EntryTableName"],
            coupon_table=outputs["CouponTableName"],
            guard_table=outputs["GuardTableName"],
            hold_queue_url=outputs["HoldQueueUrl"],
            hold_dead_letter_queue_url=outputs["HoldDeadLetterQueueUrl"],
            fulfilment_queue_url=outputs["FulfilmentQueueUrl"],
            fulfilment_dead_letter_queue_url=outputs["FulfilmentDeadLetterQueueUrl"],
            stream_dead_letter_queue_url=outputs["StreamDeadLetterQueueUrl"],
            draw_holder=outputs["DrawHolderFunctionName"],
            partner_queue_url=Emulated(endpoint_url).queues.get_queue_url(QueueName=PARTNER_QUEUE)["QueueUrl"],
            receiver_url=receiver_url,
            api_id=outputs["ApiId"],
            issuer=issuer_url,
            audience=AUDIENCE,
            owner_pid=os.getpid(),
            emulator_pid=service.pid,
            folder=str(folder),
        )


def mint_token(subject: str, scope: str, **claims: object) -> str:
    """Return a token that the running stack accepts; NoStackRunning if there is none."""
    return LocalStack.attach().token(subject, scope, **claims)


def key_file() -> Path:
    """The issuer's key, made on first use."""
    return machine_folder() / "issuer-key.pem"


def write_state(file: Path, state: Mapping[str, object]) -> None:
    """Write the state file so that nobody ever reads half of it."""
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(dict(state), indent=2) + "\n")
    draft.replace(file)
