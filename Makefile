# Needs make and a Python from 3.11 on; everything else is installed into .venv, with hashes, on first use.

VENV := .venv
SAM_VENV := .venv-sam
MINISTACK_VENV := .venv-ministack
SECURITY_VENV := .venv-security
RELEASE_VENV := .venv-release
DOCS_VENV := .venv-docs
PYTEST_ARGS ?=

PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
RUN := $(VENV)/bin
# SAM CLI is called by its name on the PATH.
WITH_SAM := PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" SAM_CLI_TELEMETRY=0

export PIP_ROOT_USER_ACTION := ignore
# Python compiles the tests and the package once, not in each process that a test starts.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo docs playground playground-bench browser test lint prove format bench fuzz build security checkers cdk-example task-definition-names release local-invoke e2e mutants lock clean

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.cli ## Expand an example template and show the role that comes out
	@$(RUN)/python scripts/demo.py

test: $(VENV)/.dev ## Run all tests but the end-to-end ones (PYTEST_ARGS="-k secrets" for some)
	$(RUN)/python -m pytest -n auto --dist loadgroup $(PYTEST_ARGS)

lint: $(VENV)/.dev ## Check style, types and the templates that install
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/cfn-lint template.yaml install/*.yaml

prove: $(VENV)/.dev ## Prove that a template's roles allow exactly what is needed (TEMPLATE=template.yaml)
	@$(RUN)/python -m scripts.prove $(or $(TEMPLATE),$(error name a template: make prove TEMPLATE=template.yaml)) $(PROVE_ARGS)

format: $(VENV)/.dev ## Format the code and correct what ruff can
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

bench: $(VENV)/.dev ## Measure the engine against JSON itself and SAM's transform, and how its work grows
	@$(RUN)/python -m scripts.bench

fuzz: $(VENV)/.dev ## Answer 100,000 mutated events, and try each property 40 times as often (SEED=7 COUNT=1000)
	@$(RUN)/python -m scripts.fuzz --seed $(or $(SEED),0) --count $(or $(COUNT),100000)
	HYPOTHESIS_PROFILE=long $(RUN)/python -m pytest -n auto -m hypothesis $(PYTEST_ARGS)

build: $(SAM_VENV)/.sam ## Validate template.yaml and build both functions for sam deploy
	$(WITH_SAM) AWS_DEFAULT_REGION=$${AWS_DEFAULT_REGION:-us-east-1} sam validate --lint
	$(WITH_SAM) sam build

security: $(VENV)/.dev $(SECURITY_VENV)/.security ## Run checkov on what is deployed and zizmor on the workflows
	@$(RUN)/python -m scripts.security

docs: $(DOCS_VENV)/.docs playground ## Build the documentation site with the playground into build/site, and check its links
	PYTHONPATH=src $(DOCS_VENV)/bin/python -m scripts.site build
	PYTHONPATH=src $(DOCS_VENV)/bin/python -m scripts.site links

playground: build/playground/licenses.txt ## Build the page that runs the engine in the browser, into build/playground

browser: playground ## Test that page in Chromium, on desktop and phone, light and dark (CHROMIUM=/path/to/chromium)
	cd playground && PYTHON="$(CURDIR)/$(RUN)/python" npm test --silent -- $(BROWSER_ARGS)

playground-bench: playground ## Measure that page: its size, the first answer, and the answer to an edit
	@cd playground && npm run --silent bench

checkers: $(VENV)/.dev $(SAM_VENV)/.sam $(SECURITY_VENV)/.security ## Run each checker of templates on every example, good and bad, and on every golden answer
	$(RUN)/python -m pytest -m "checkers or not checkers" -n auto $(PYTEST_ARGS) tests/checkers tests/answers/test_cdk_example.py tests/answers/test_events.py

cdk-example: $(VENV)/.dev ## Synthesize examples/cdk with AWS CDK, and renew the templates that the tests read
	@$(RUN)/python -m scripts.cdk_example

task-definition-names: $(VENV)/.dev ## Write again the names that CloudFormation gives the keys of a task definition in JSON
	@$(RUN)/python -m scripts.task_definition_names

release: $(VENV)/.dev $(RELEASE_VENV)/.release ## Build what a release publishes into dist/
	@$(RUN)/python scripts/release.py build

local-invoke: $(VENV)/.dev build ## Run every event of both functions in Lambda's own container image (needs Docker)
	@$(WITH_SAM) $(RUN)/python -m scripts.local_invoke

e2e: $(VENV)/.dev $(SAM_VENV)/.sam $(MINISTACK_VENV)/.ministack ## Deploy to MiniStack, or to the AWS that AWS_ENDPOINT_URL names, and delete everything again
	$(WITH_SAM) $(RUN)/python -m pytest -m e2e $(PYTEST_ARGS) tests/e2e

mutants: $(VENV)/.dev $(SAM_VENV)/.sam $(MINISTACK_VENV)/.ministack ## Break the product on purpose and show which test fails (MUTANTS="tag region" for some)
	@$(WITH_SAM) $(RUN)/python scripts/mutants.py $(MUTANTS)

lock: ## Write the lock files again, with the newest releases that fit
	scripts/lock

clean: ## Remove everything that make created
	rm -rf $(VENV) $(SAM_VENV) $(MINISTACK_VENV) $(SECURITY_VENV) $(RELEASE_VENV) $(DOCS_VENV) .aws-sam build dist .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf src/*.egg-info tests/support/iam/node_modules playground/node_modules

# The newest Python that the locks were tested with, else any from 3.11 on; PYTHON=/path/to/python3 names another.
define make_venv
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
		for try in python3.13 "$$(pyenv prefix 3.13 2>/dev/null)/bin/python3.13" python3.12 python3.11 python3 python; do \
			if "$$try" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python="$$try"; break; fi; \
		done; \
	fi; \
	if [ -z "$$python" ]; then \
		echo "No Python 3.11 or newer was found on the PATH. Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
		echo "$$python cannot make virtual environments. Install its venv package (Debian, Ubuntu: apt-get install python3-venv)." >&2; \
		exit 1; \
	fi; \
	echo "Setting up $(1) with $$("$$python" --version)"; \
	"$$python" -m venv $(1)
endef

# The locks are complete, so pip need not resolve dependencies.
define install
	@$(1)/bin/python $(PIP_INSTALL) --require-hashes --no-deps -r $(2)
endef

# The command itself, with the setuptools of the lock instead of one from outside it.
define install_project
	@$(VENV)/bin/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
endef

$(VENV)/bin/python:
	$(call make_venv,$(VENV))

$(SAM_VENV)/bin/python:
	$(call make_venv,$(SAM_VENV))

$(MINISTACK_VENV)/bin/python:
	$(call make_venv,$(MINISTACK_VENV))

$(DOCS_VENV)/bin/python:
	$(call make_venv,$(DOCS_VENV))

$(SECURITY_VENV)/bin/python:
	$(call make_venv,$(SECURITY_VENV))

$(RELEASE_VENV)/bin/python:
	$(call make_venv,$(RELEASE_VENV))

$(VENV)/.cli: requirements/cli.txt pyproject.toml | $(VENV)/bin/python
	$(call install,$(VENV),requirements/cli.txt)
	$(install_project)
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(call install,$(VENV),requirements/dev.txt)
	$(install_project)
	@touch $@ $(VENV)/.cli

$(SAM_VENV)/.sam: requirements/sam.txt | $(SAM_VENV)/bin/python
	$(call install,$(SAM_VENV),requirements/sam.txt)
	@touch $@

$(MINISTACK_VENV)/.ministack: requirements/ministack.txt | $(MINISTACK_VENV)/bin/python
	$(call install,$(MINISTACK_VENV),requirements/ministack.txt)
	@touch $@

$(SECURITY_VENV)/.security: requirements/security.txt | $(SECURITY_VENV)/bin/python
	$(call install,$(SECURITY_VENV),requirements/security.txt)
	@touch $@

# The page has the engine and the examples in it.
PLAYGROUND_SOURCES := $(shell find playground src/ecs_exec_role examples editors docs/hand-written.yaml tests/checkers/bad \
	-type f ! -path '*/node_modules/*' ! -path '*/__pycache__/*' ! -name '* *')

# The build writes the licences last.
build/playground/licenses.txt: $(VENV)/.cli playground/node_modules/.installed $(PLAYGROUND_SOURCES)
	cd playground && npm run --silent check && PYTHON="$(CURDIR)/$(RUN)/python" npm run --silent build

$(DOCS_VENV)/.docs: requirements/docs.txt | $(DOCS_VENV)/bin/python
	$(call install,$(DOCS_VENV),requirements/docs.txt)
	@touch $@

playground/node_modules/.installed: playground/package-lock.json
	cd playground && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

$(RELEASE_VENV)/.release: requirements/release.txt | $(RELEASE_VENV)/bin/python
	$(call install,$(RELEASE_VENV),requirements/release.txt)
	@touch $@
