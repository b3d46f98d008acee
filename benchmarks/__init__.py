"""What we claim about speed and cost, re-runnable: one module per claim (see docs/benchmarks.md)."""
