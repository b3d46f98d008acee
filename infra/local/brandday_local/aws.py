"""Clients of the emulator: explicit endpoint, explicit credentials, whatever the environment says."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from brandday_local.emulator import ACCESS_KEY, REGION, SECRET_KEY

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ses import SESClient
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True)
class Emulated:
    """The emulator's services, each client made on first use."""

    endpoint_url: str

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION)

    @cached_property
    def _config(self) -> Config:
        return Config(connect_timeout=2, read_timeout=20, retries={"total_max_attempts": 2, "mode": "standard"})

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        """Stacks and their templates."""
        return self._session.client("cloudformation", endpoint_url=self.endpoint_url, config=self._config)

    @cached_property
    def http_api(self) -> "ApiGatewayV2Client":
        """HTTP APIs: routes, integrations, authorizers."""
        return self._session.client("apigatewayv2", endpoint_url=self.endpoint_url, config=self._config)

    @cached_property
    def functions(self) -> "LambdaClient":
        """Lambda."""
        return self._session.client("lambda", endpoint_url=self.endpoint_url, config=self._config)

    @cached_property
    def tables(self) -> "DynamoDBClient":
        """DynamoDB."""
        return self._session.client("dynamodb", endpoint_url=self.endpoint_url, config=self._config)

    @cached_property
    def queues(self) -> "SQSClient":
        """SQS."""
        return self._session.client("sqs", endpoint_url=self.endpoint_url, config=self._config)

    @cached_property
    def keys(self) -> "KMSClient":
        """KMS: keys that never leave it."""
        return self._session.client("kms", endpoint_url=self.endpoint_url, config=self._config)

    @cached_property
    def secrets(self) -> "SecretsManagerClient":
        """Secrets Manager."""
        return self._session.client("secretsmanager", endpoint_url=self.endpoint_url, config=self._config)

    @cached_property
    def email(self) -> "SESClient":
        """SES: e-mail, which goes nowhere from here."""
        return self._session.client("ses", endpoint_url=self.endpoint_url, config=self._config)

    @cached_property
    def permissions(self) -> "IAMClient":
        """IAM: roles and their policies."""
        return self._session.client("iam", endpoint_url=self.endpoint_url, config=self._config)

    @cached_property
    def files(self) -> "S3Client":
        """S3, where deployments put their packages."""
        return self._session.client("s3", endpoint_url=self.endpoint_url, config=self._config)
