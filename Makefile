# `make` lists what there is. Needs Python 3.11 or newer and nothing else; everything else lands in .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV ?= .venv
PYTHON := $(VENV)/bin/python
RUN := $(VENV)/.requirements
DEV := $(VENV)/.requirements-dev

# Empty counts as unset, and goes before what .env says: the embedded profile, whatever is set.
EMBEDDED := env DATABASE_URL= REDIS_URL= CELERY_BROKER_URL= SECRET_KEY=

##@ Use
.PHONY: up
up: $(RUN) ## Start everything on this machine: web, worker, beat, with demo data
	@exec $(PYTHON) manage.py up

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Check
.PHONY: test
test: $(DEV) ## The whole suite in both profiles at once (ARGS="…" goes to pytest)
	@$(PYTHON) -m tests.profiles both $(ARGS)

.PHONY: test-embedded
test-embedded: $(DEV) ## The suite on SQLite, quotas in memory, broker in files
	@$(PYTHON) -m tests.profiles embedded $(ARGS)

.PHONY: test-production
test-production: $(DEV) ## The suite on PostgreSQL and Redis: named, found, or started for it
	@$(PYTHON) -m tests.profiles production $(ARGS)

.PHONY: lint
lint: $(DEV) ## Style and floors
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-logo

.PHONY: format
format: $(DEV) ## Let ruff mend what it can
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

.PHONY: types
types: $(DEV) ## mypy
	$(PYTHON) -m mypy .

.PHONY: check
check: lint types ## Everything but the tests: style, floors, types, migrations, deployment, schema
	$(EMBEDDED) $(PYTHON) manage.py makemigrations --check --dry-run
	$(PYTHON) -m tests.servers $(PYTHON) manage.py check --deploy --fail-level WARNING
	$(EMBEDDED) $(PYTHON) manage.py spectacular --validate --fail-on-warn --file /dev/null

##@ Measure
.PHONY: bench
bench: $(DEV) ## All benches, or ARGS="appointment_list" (needs wrk)
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.bench $(ARGS)

.PHONY: drill-booking
drill-booking: $(DEV) ## No time is booked twice, at full size, on both databases
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.drills.booking $(ARGS)

.PHONY: drill-webhooks
drill-webhooks: $(DEV) ## What webhooks must survive: kills, floods, slow and hostile receivers
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.drills.webhooks $(ARGS)

.PHONY: drill-quotas
drill-quotas: $(DEV) ## Quotas and keys under load, and without their Redis
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.drills.quotas $(ARGS)

.PHONY: fuzz
fuzz: $(DEV) ## Random requests made from openapi.json, ten minutes long
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.fuzz $(ARGS)

##@ Run in production (environment: .env.example)
.PHONY: release
release: $(RUN) ## Before a new version starts: migrate, collect static files
	$(PYTHON) manage.py migrate --no-input
	$(PYTHON) manage.py collectstatic --no-input --verbosity 0

.PHONY: web
web: $(RUN) ## gunicorn; put nginx in front (deploy/nginx.conf)
	@exec $(PYTHON) -m gunicorn --config kaivox/gunicorn.py kaivox.wsgi

.PHONY: worker
worker: $(RUN) ## Celery worker: webhook deliveries and the rest
	@exec $(PYTHON) -m celery -A kaivox worker -P threads -c 8 -Q celery,webhooks \
	  --without-gossip --without-mingle --loglevel INFO

.PHONY: beat
beat: $(RUN) ## Celery beat: exactly one
	@exec $(PYTHON) -m celery -A kaivox beat --schedule $${KAIVOX_VAR:-var}/beat-schedule --loglevel INFO

##@ Keep
.PHONY: schema
schema: $(DEV) ## Write openapi.json and the Postman collection anew
	$(EMBEDDED) $(PYTHON) manage.py write_schema

.PHONY: lock
lock: $(DEV) ## Compile requirements*.in into the exact sets
	$(PYTHON) -m uv pip compile --universal --python-version 3.11 --no-annotate --no-header \
	  --quiet requirements.in -o requirements.txt
	$(PYTHON) -m uv pip compile --universal --python-version 3.11 --no-annotate --no-header \
	  --quiet requirements-dev.in -o requirements-dev.txt

.PHONY: clean
clean: ## Remove what tools left behind (not var/, not .venv)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage* htmlcov
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# --- The virtual environment: made anew when the lock changes ----------------------------------

$(PYTHON):
	@python=$$(sh .ci/find-python) && echo "==> Making $(VENV) with $$($$python --version)" && \
	$$python -m venv --clear $(VENV)

$(RUN): requirements.txt | $(PYTHON)
	@sh .ci/install $(PYTHON) requirements.txt
	@touch $@

$(DEV): requirements-dev.txt $(RUN)
	@sh .ci/install $(PYTHON) requirements-dev.txt --no-compile
	@touch $@
