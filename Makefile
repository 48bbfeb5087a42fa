# Every target runs a script of scripts/, as CI does. PYTHON=… names the Python to set up with.
SHELL := /bin/bash
export PYTHON
export MAKECMDGOALS

.DEFAULT_GOAL := help
.PHONY: help demo setup test check bench bench-peers bench-engine bench-routing docs lock clean

help: ## Say what can be made
	@scripts/help

demo: ## Set everything up, serve the embedded model, stream an answer, stay up
	@scripts/demo

setup: ## Make .venv, so that .venv/bin/slipstream runs
	@scripts/setup dev

test: ## Run the tests; ARGS="-k name" picks some
	@scripts/test $(ARGS)

check: ## Format, lint and types: report, change nothing
	@scripts/check

bench: ## Measure, against direct, nginx and what bench-peers installed; ARGS=--quick is short
	@scripts/bench $(ARGS)

bench-peers: ## Install LiteLLM and Portkey, each in its own environment, for make bench
	@scripts/bench-peers $(ARGS)

bench-engine: ## Measure the embedded engine beside others; ARGS=--install gets them, --quick is short
	@scripts/bench-engine $(ARGS)

bench-routing: ## Try the routing strategies on simulated days; ARGS=--quick is short
	@scripts/bench-routing $(ARGS)

docs: ## Write docs/config.md from the settings that the code declares
	@scripts/docs

lock: ## Write constraints/*.txt anew; ARGS=--upgrade raises the pins
	@scripts/lock $(ARGS)

clean: ## Remove .venv and what tools left behind
	@scripts/clean
