"""Load tests for any base URL, with Locust: see docs/load-testing.md."""
