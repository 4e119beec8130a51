# `make` lists the targets. Requires Python 3.11 or newer; everything else is installed into .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV ?= .venv
PYTHON := $(VENV)/bin/python
RUN := $(VENV)/.requirements
DEV := $(VENV)/.requirements-dev

# One lock for every supported Python, Linux and macOS; the hash of each file is checked by pip.
COMPILE = $(PYTHON) -m uv pip compile --universal --python-version 3.11 --generate-hashes \
  --no-strip-extras --no-annotate --no-header --quiet

# Empty values count as unset and override .env: forces the embedded profile.
EMBEDDED := env DATABASE_URL= REDIS_URL= CELERY_BROKER_URL= SECRET_KEY=

##@ Use
.PHONY: up
up: $(RUN) ## Start everything on this machine: web, worker, beat, with demo data
	@exec $(PYTHON) manage.py up

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Check
.PHONY: test
test: $(DEV) ## Run the whole suite in both profiles (ARGS="…" is passed to pytest)
	@$(PYTHON) -m tests.profiles both $(ARGS)

.PHONY: test-embedded
test-embedded: $(DEV) ## Run the suite on SQLite, with quotas in memory and the broker in files
	@$(PYTHON) -m tests.profiles embedded $(ARGS)

.PHONY: test-production
test-production: $(DEV) ## Run the suite on PostgreSQL and Redis: configured, local, or started for it
	@$(PYTHON) -m tests.profiles production $(ARGS)

.PHONY: compat
compat: $(DEV) ## Test other people's clients, generators and linters (installed under var/, 3 to 6 minutes)
	@$(EMBEDDED) $(PYTHON) -m tests.compat $(ARGS)

.PHONY: lint
lint: $(DEV) ## Check style and import layers
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-logo

.PHONY: format
format: $(DEV) ## Fix and format with ruff
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

.PHONY: types
types: $(DEV) ## Check types with mypy
	$(PYTHON) -m mypy .
	cd integrations/python-sdk && $(abspath $(PYTHON)) -m mypy

.PHONY: check
check: lint types ## Check style, layers, types, migrations, deployment settings and the schema
	$(EMBEDDED) $(PYTHON) manage.py makemigrations --check --dry-run
	$(PYTHON) -m tests.servers $(PYTHON) manage.py check --deploy --fail-level WARNING
	$(EMBEDDED) $(PYTHON) manage.py spectacular --validate --fail-on-warn --file /dev/null

.PHONY: audit
audit: $(DEV) sbom ## Check for unsafe code (bandit's rules in ruff), secrets and licences; needs no network
	$(PYTHON) -m ruff check --quiet .
	git ls-files -z | xargs -0 $(VENV)/bin/detect-secrets-hook --no-verify --baseline .ci/secrets.json
	$(VENV)/bin/pip-licenses --format=csv \
	  --packages $$(sed -n 's/^\([A-Za-z0-9._-]*\)[=[].*/\1/p' requirements.txt)
	$(PYTHON) -m pip check

##@ Measure
.PHONY: bench
bench: $(DEV) ## Run all benchmarks, or ARGS="appointment_list" (needs wrk)
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.bench $(ARGS)

.PHONY: drill-booking
drill-booking: $(DEV) ## Drill: concurrent bookings at full size on both databases
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.drills.booking $(ARGS)

.PHONY: drill-webhooks
drill-webhooks: $(DEV) ## Drill: webhooks with killed workers, slow and hostile receivers
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.drills.webhooks $(ARGS)

.PHONY: drill-broker
drill-broker: $(DEV) ## Drill: broker restarts, hangs and closed connections
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.drills.broker $(ARGS)

.PHONY: drill-production
drill-production: $(DEV) ## Drill: the whole production stack, of which everything fails in turn
	@$(PYTHON) -m tests.drills.production $(ARGS)

.PHONY: drill-migration
drill-migration: $(DEV) ## Drill: pending migrations on a million rows while requests are served
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.drills.migration $(ARGS)

.PHONY: drill-quotas
drill-quotas: $(DEV) ## Drill: quotas and keys under load and without Redis
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.drills.quotas $(ARGS)

.PHONY: drill-neighbours
drill-neighbours: $(DEV) ## Drill: one business's exports beside another's requests
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.drills.neighbours $(ARGS)

.PHONY: fuzz
fuzz: $(DEV) ## Send random requests generated from openapi.json for ten minutes
	@$(PYTHON) -m tests.servers $(PYTHON) -m tests.fuzz $(ARGS)

##@ Run in production (environment: .env.example)
.PHONY: release
release: $(RUN) ## Migrate and collect static files, before a new version starts
	$(PYTHON) manage.py migrate --no-input
	$(PYTHON) manage.py collectstatic --no-input --verbosity 0

.PHONY: web
web: $(RUN) ## Run gunicorn, behind nginx (deploy/nginx.conf)
	@exec $(PYTHON) -m gunicorn --config kaivox/server/gunicorn.py kaivox.wsgi

.PHONY: worker
worker: $(RUN) ## Run a Celery worker; any number of them
	@exec $(PYTHON) -m celery -A kaivox worker -P threads -c 8 -Q celery,webhooks \
	  --without-gossip --without-mingle --hostname worker-$$$$@%h

.PHONY: beat
beat: $(RUN) ## Run Celery beat; exactly one
	@exec $(PYTHON) -m celery -A kaivox beat

##@ Maintain
.PHONY: schema
schema: $(DEV) ## Generate openapi.json, the Postman collection and the SDKs' sources
	$(EMBEDDED) $(PYTHON) manage.py write_schema
	$(PYTHON) integrations/python-sdk/generate.py
	$(PYTHON) integrations/typescript-sdk/generate.py
	$(PYTHON) integrations/zapier/generate.py

.PHONY: sdks
sdks: sdk-python sdk-typescript ## Generate the SDKs from openapi.json and build packages in integrations/*/dist

.PHONY: sdk-python
sdk-python: $(DEV) ## The Python SDK alone
	$(PYTHON) integrations/python-sdk/generate.py
	cd integrations/python-sdk && $(abspath $(PYTHON)) -m uv build --quiet --clear

.PHONY: sdk-typescript
sdk-typescript: $(DEV) ## The TypeScript SDK alone; needs npm
	$(PYTHON) integrations/typescript-sdk/generate.py
	cd integrations/typescript-sdk && npm ci --no-audit --no-fund --loglevel=error && \
	  rm -rf dist && npm run --silent build && npm pack --silent --pack-destination dist

.PHONY: lock
lock: $(DEV) ## Compile requirements*.in into requirements*.txt, with versions and hashes
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt
	$(COMPILE) requirements-telemetry.in -o requirements-telemetry.txt

.PHONY: sbom
sbom: $(DEV) ## Write var/sbom.json: the packages of requirements.txt as CycloneDX
	@mkdir -p -m 700 var
	$(PYTHON) -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o var/sbom.json requirements.txt

.PHONY: clean
clean: ## Remove caches of tools (not var/ and .venv)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage* htmlcov
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# --- The virtual environment: updated when the pins change -------------------------------------

$(PYTHON):
	@python=$$(sh .ci/find-python) && echo "==> Creating $(VENV) with $$($$python --version)" && \
	$$python -m venv --clear $(VENV)

$(RUN): requirements.txt | $(PYTHON)
	@sh .ci/install $(PYTHON) requirements.txt
	@touch $@

$(DEV): requirements-dev.txt $(RUN)
	@sh .ci/install $(PYTHON) requirements-dev.txt --no-compile
	@touch $@
