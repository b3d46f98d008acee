"""Builds the functions and deploys the real template to the emulator, with the same two commands as to AWS."""

import fcntl
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from brandday_local.aws import Emulated
from brandday_local.emulator import environment
from brandday_local.places import ROOT, machine_folder
from brandday_local.processes import run

STACK_NAME = "brandday"
ARTIFACTS = "brandday-artifacts"
BUILT = ROOT / ".aws-sam" / "build"
SETTINGS = ["--config-env", "local"]  # the section of samconfig.toml


@dataclass(frozen=True)
class Deployment:
    """What a deployed stack says about itself."""

    template: Mapping[str, Any]
    """The processed template: after the SAM transform, with all intrinsic functions still in it."""
    parameters: Mapping[str, str]
    resources: Mapping[str, str]
    """Physical id by logical id."""
    outputs: Mapping[str, str]


def architecture() -> str:
    """The processor of this machine, in Lambda's words: the emulator runs functions on it."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait for another build on this machine: they share a folder."""
    with (machine_folder() / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(folder: Path) -> None:
    """Run `sam build` (cached: a second or two when nothing changed), and compile the layers.

    Every environment of a function unpacks its own copy, so what is not compiled here is compiled by each of them:
    0.35 of 0.95 seconds of its start. Compiled files name the hash of their source, so they can never be stale.
    """
    arguments = [f"Architecture={architecture()}", "JwtIssuer=http://none"]
    nothing = environment("http://127.0.0.1:9")  # a build calls no AWS
    run(["sam", "build", *SETTINGS, "--parameter-overrides", *arguments], nothing, ROOT, folder / "build.log")
    layers = sorted(map(str, BUILT.glob("*Layer")))
    compiler = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash"]
    run([*compiler, *layers], nothing, ROOT, folder / "compile.log")


def deploy(endpoint_url: str, parameters: Mapping[str, str], folder: Path) -> Deployment:
    """Run `sam deploy` to the emulator and return what is there now."""
    aws = Emulated(endpoint_url)
    aws.files.create_bucket(Bucket=ARTIFACTS)
    overrides = [f"{name}={value}" for name, value in {"Architecture": architecture(), **parameters}.items()]
    run(
        ["sam", "deploy", *SETTINGS, "--s3-bucket", ARTIFACTS, "--parameter-overrides", *overrides],
        environment(endpoint_url),
        ROOT,
        folder / "deploy.log",
    )
    return describe(aws)


def describe(aws: Emulated) -> Deployment:
    """Read the deployed stack back."""
    stack = aws.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    pages = aws.cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    template = aws.cloudformation.get_template(StackName=STACK_NAME, TemplateStage="Processed")["TemplateBody"]
    return Deployment(
        template=cast("Mapping[str, Any]", template),
        parameters={given["ParameterKey"]: given["ParameterValue"] for given in stack.get("Parameters", [])},
        resources={
            resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
            for page in pages
            for resource in page["StackResourceSummaries"]
        },
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
    )
