"""Measurements for CloudWatch: one line of the embedded metric format in the log, and no call to anybody.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

CAMPAIGN = "campaign"
"""The dimension of what belongs to a campaign."""


def count(counts: Mapping[str, int], *, campaign_id: str) -> None:
    """Record counts of a campaign."""
    metrics = EphemeralMetrics()
    metrics.add_dimension(CAMPAIGN, campaign_id)
    for name, number in counts.items():
        metrics.add_metric(name, MetricUnit.Count, number)
    metrics.flush_metrics()


def milliseconds(name: str, value: int) -> None:
    """Record how long something took, of the service as a whole."""
    metrics = EphemeralMetrics()
    metrics.add_metric(name, MetricUnit.Milliseconds, value)
    metrics.flush_metrics()
