# `make up` starts Mailroom on this machine, `make demo` shows it at work, `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
WORKERS ?= 4
PY := .venv/bin/python
LOCAL := $(PY) deploy/local/stack.py
EDITING := services/console/editor
BUNDLE := services/console/mailroom_console/built/editor.js
MEMBERS := $(wildcard shared/*/pyproject.toml services/*/pyproject.toml)
CODE := shared services deploy
export PYTHON RELEASE AGAINST JSON ONLY SEED SEEDS DURATION RATE BROKERS FOLLOW STACK ARGS

# Where Python may not keep what it compiled, every service compiles itself anew at each start: half a second each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help editor up down clean status logs demo test test-all check fmt bench load chaos scale compatibility screenshots test-compose fresh lock packages

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | sort | expand -t 16

.venv/installed: requirements.lock $(MEMBERS) deploy/local/bootstrap.sh
	@bash deploy/local/bootstrap.sh

$(BUNDLE): $(EDITING)/package-lock.json $(EDITING)/build.sh $(wildcard $(EDITING)/src/*.js)
	@bash deploy/local/packages.sh editor || true
	@bash $(EDITING)/build.sh

editor: ## build the editor of the writing box (needs npm; without it agents write plain text)
	@bash $(EDITING)/build.sh --must

packages: .venv/installed
	@bash deploy/local/packages.sh test
	@$(PY) deploy/local/kept_classes.py

up: .venv/installed $(BUNDLE) ## start Kafka, Valkey, the local mailbox and all services; wait until each is ready
	@$(LOCAL) up

down: .venv/installed ## stop everything; what is stored stays
	@$(LOCAL) down

clean: .venv/installed ## stop everything and remove the data folder
	@$(LOCAL) clean

status: .venv/installed ## a table of all parts (JSON=1: one JSON object as the last line)
	@$(LOCAL) status

logs: .venv/installed ## the end of all logs, followed in a terminal (ONLY=service)
	@$(LOCAL) logs

demo: .venv/installed $(BUNDLE) ## start what does not run and play the story of one customer's mail (JSON=1, STACK=compose)
ifeq ($(STACK),compose)
	@bash deploy/secrets.sh && docker compose up -d --build --wait --quiet-pull >/dev/null
endif
	@$(PY) deploy/local/demo.py

# Most of what the tests take is waiting, so several share the processors.
test: packages $(BUNDLE) ## all tests but the longest (ARGS="…" goes to pytest, WORKERS= processes)
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder -m "not slow and not compose" $(ARGS)

test-all: packages $(BUNDLE) ## all tests, one after the other: long fuzzing, long chaos and compose too
	@$(PY) -m pytest $(ARGS)

test-compose: packages ## the tests that run docker-compose.yml (makes a Docker engine where ../shared/tools can)
	@bash deploy/compose-test.sh $(ARGS)

check: .venv/installed ## ruff, mypy --strict, import-linter, schema compatibility; never edits
	@bash deploy/local/check.sh $(CODE)

fmt: .venv/installed ## format the code and mend what ruff can mend
	@.venv/bin/ruff check --fix -q . ; .venv/bin/ruff format -q .

bench: packages ## measure against the references, update docs/performance.md (ONLY=name, JSON=1, AGAINST=commit)
	@PYTHONPATH=tests:deploy/local $(PY) -m bench

load: .venv/installed ## send mail to the running stack, account for every one (RATE= mails/s, DURATION= s, SEED=, JSON=1)
	@eval "$$($(LOCAL) env)" && $(PY) -m mailroom_cli load $(if $(RATE),--rate $(RATE)) $(if $(DURATION),--seconds $(DURATION)) \
	  $(if $(SEED),--run $(SEED)) $(if $(JSON),--json) $(ARGS)

chaos: packages ## kill, pause and empty parts under load and compare books afterwards (SEED=, DURATION=, BROKERS=3; SEEDS=10: a table)
	@PYTHONPATH=tests:deploy/local $(PY) -m $(if $(SEEDS),load.seeds,load.chaos) $(ARGS)

scale: packages ## the curve over 1, 2, 4 processes and recovery with up to a million tickets (ONLY=piece, JSON=1)
	@PYTHONPATH=tests:deploy/local $(PY) -m load.scale $(ARGS)

compatibility: .venv/installed ## drive real mail servers, write docs/compatibility.md (needs root and apt; ONLY=name)
	@PYTHONPATH=tests:deploy/local $(PY) -m compatibility

screenshots: packages $(BUNDLE) ## the console's pages as pictures in docs/screenshots
	@PYTHONPATH=tests:deploy/local $(PY) -m browser.screenshots $(ARGS)

fresh: ## the two commands of the README on a Debian with nothing on it, in a chroot (RELEASE=bookworm or trixie)
	@RELEASE=$(RELEASE) bash deploy/fresh.sh

lock: .venv/installed ## resolve all dependencies anew and install them
	@bash deploy/lock.sh && bash deploy/local/bootstrap.sh
