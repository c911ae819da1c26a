# `make help` lists the commands.
PYTHON ?= python3
PORT ?= 8000
STAGE ?= local
BIN := .venv/bin
LOCKED := ship run dev bench checkov cosmic-ray emulator lock ministack
# DRY_RUN from the environment counts, too: a command without a dry run rejects it instead of making changes.
DRY = $(if $(DRY_RUN),--dry-run)
MANAGE := $(BIN)/python -m infra.manage --stage="$$STAGE" --reason="$$REASON"

# Unset this, because otherwise each of the hundreds of processes that the tests start would compile all its imports.
export PYTHONDONTWRITEBYTECODE :=

# A target accepts the variables that its line in `make help` names. Other variables are an error instead of being ignored.
ASKED := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
OF_EVERY_TARGET := PYTHON SHELL AWS_% LATCHKEY_%
TAKEN = $(shell sed -n 's/^$(1):.*## //p' Makefile | grep -o '[A-Z_]*=' | tr -d '=' | sort -u) $(if $(shell grep -A1 '^$(1):' Makefile | grep -F '(MANAGE)'),REASON)
ifneq ($(ASKED),)
$(foreach goal,$(MAKECMDGOALS),$(foreach name,$(filter-out $(OF_EVERY_TARGET) $(call TAKEN,$(goal)),$(ASKED)),$(error make $(goal) takes no $(name); it takes: $(or $(strip $(call TAKEN,$(goal))),nothing))))
endif

# The other variables count only on the command line: a shell has its own EMAIL or NAME, which would change an account.
OF_ENVIRONMENT := ADMIN_KEY DRY_RUN PORT STAGE

# Programs get variables unchanged through the environment, so that neither make nor the shell expands their values.
# Recipes therefore contain "$$TEXT", never "$(TEXT)".
GIVEN := ACCOUNT ADMIN ADMIN_KEY ALARM_EMAIL ALL BOUNDARY CERTIFICATE CLIENT_ID CLIENT_SECRET CLOSE COLD COMPONENTS DATA DOMAIN DRY_RUN EDGE EMAIL ID LOG_DAYS MINUTES NAME OFF ONLY OPERATE OUT PORT REASON RECEIVER ROUNDS SCOPES SEED STAGE STATE TEXT TIER TITLE URL
$(foreach name,$(filter-out $(OF_ENVIRONMENT),$(GIVEN)),$(if $(filter environment,$(firstword $(origin $(name)))),$(eval override $(name) :=)$(eval export $(name))))
$(foreach name,$(GIVEN),$(if $(filter undefined,$(origin $(name))),,$(eval override $(name) := $$(value $(name)))$(eval export $(name))))

# A switch with the value 0 is off.
$(foreach name,ADMIN ALL CLOSE COLD DRY_RUN EDGE OFF OPERATE,$(if $(filter 0 no No NO off Off OFF false False FALSE,$(value $(name))),$(eval override $(name) :=)))

.DEFAULT_GOAL := help
.PHONY: help run test test-fast check format key account tier suspend reinstate admin admins password-link application-end incident leak-secret github-keys deploy policy package status rotate-edge smoke destroy costs simulate bench mutate reference oauth-demo screenshots audit lock clean

help: ## list the commands; variables follow the command, as in make key EMAIL=…; those for accounts take REASON=, which administrators see
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 17

run: $(BIN)/.run ## start a local database and the API on http://127.0.0.1:8000 [PORT=8000]
	@$(BIN)/python -m infra.local

test: $(BIN)/.dev ## install the dependencies and run the tests, with ALL=1 every case of long lists: [ALL=1]
	@TESTS_EXHAUSTIVE=$(if $(ALL),1) TESTS_TWIN=1 $(BIN)/python -m pytest tests -n auto --dist loadgroup

test-fast: $(BIN)/.dev ## run the unit and contract tests
	@$(BIN)/python -m pytest tests -n auto --dist loadgroup --ignore tests/engine --ignore tests/examples --ignore tests/local --ignore tests/oauth_clients --ignore tests/deploy --ignore tests/browser --ignore tests/reference

check: $(BIN)/.dev ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo

audit: $(BIN)/.dev ## check infra/resources.yaml with checkov (the first run installs it, which takes minutes)
	@"$$($(BIN)/python -m infra.pinned checkov)/checkov" --config-file infra/checkov.yaml && echo "Nothing to say, beyond what infra/checkov.yaml leaves out."

lock: $(BIN)/.dev ## update the pinned versions and hashes of all packages from infra/requirements/*.in
	@uv="$$($(BIN)/python -m infra.pinned lock)/uv"; for name in $(LOCKED); do \
		case $$name in ship) out=requirements.txt ;; dev) out=requirements-dev.txt ;; *) out=infra/requirements/$$name.txt ;; esac; \
		"$$uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
			--custom-compile-command "make lock" "infra/requirements/$$name.in" -o "$$out" || exit 1; \
	done

format: $(BIN)/.dev ## format the code with ruff
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

key: given-EMAIL $(BIN)/.run ## print a new API key of a user: EMAIL= [ACCOUNT=] [SCOPES="read write keys"] [STAGE=]
	@$(MANAGE) key --email="$$EMAIL" --account="$$ACCOUNT" $(if $(SCOPES),--scopes="$$SCOPES")

account: given-EMAIL $(BIN)/.run ## create an account and its owner: EMAIL= [TIER=free] [NAME=] [ADMIN=1] [STAGE=]
	@$(MANAGE) account --email="$$EMAIL" --tier="$${TIER:-free}" --name="$$NAME" $(if $(ADMIN),--admin)

tier: given-EMAIL-or-ACCOUNT given-TIER $(BIN)/.run ## set an account's tier: EMAIL= or ACCOUNT=, TIER= [STAGE=]
	@$(MANAGE) tier --email="$$EMAIL" --account="$$ACCOUNT" --tier="$$TIER"

suspend: given-EMAIL-or-ACCOUNT $(BIN)/.run ## suspend an account: EMAIL= or ACCOUNT= [STAGE=]
	@$(MANAGE) suspend --email="$$EMAIL" --account="$$ACCOUNT"

reinstate: given-EMAIL-or-ACCOUNT $(BIN)/.run ## reinstate an account: EMAIL= or ACCOUNT= [STAGE=]
	@$(MANAGE) reinstate --email="$$EMAIL" --account="$$ACCOUNT"

admin: given-EMAIL $(BIN)/.run ## make a user an administrator: EMAIL= [OFF=1] [STAGE=]
	@$(MANAGE) admin --email="$$EMAIL" $(if $(OFF),--off)

admins: $(BIN)/.run ## list the administrators: [STAGE=]
	@$(MANAGE) admins

password-link: given-EMAIL $(BIN)/.run ## print a one-time link to set a user's password: EMAIL= [STAGE=]
	@$(MANAGE) password-link --email="$$EMAIL"

incident: $(BIN)/.run ## publish an incident on /status: TITLE= TEXT= [COMPONENTS="api database"], or ID= TEXT= [STATE=] [CLOSE=1] [STAGE=]
	@$(MANAGE) incident --title="$$TITLE" --id="$$ID" --text="$$TEXT" --components="$$COMPONENTS" --state="$$STATE" $(if $(CLOSE),--close)

application-end: given-CLIENT_ID $(BIN)/.run ## delete an OAuth application permanently: CLIENT_ID= [STAGE=]
	@$(MANAGE) application-end --client-id="$$CLIENT_ID"

leak-secret: $(BIN)/.run ## print the secret that senders of leak reports sign with: [STAGE=]
	@$(MANAGE) leak-secret

github-keys: $(BIN)/.run ## fetch the public keys of GitHub's leak reports, for the next deployment
	@$(BIN)/python -m infra.github_keys

deploy: given-STAGE $(BIN)/.dev ## deploy into your AWS account, or with DRY_RUN=1 print the changes: STAGE=dev|prod [ALARM_EMAIL=] [LOG_DAYS=] [BOUNDARY=] [DRY_RUN=1] [EDGE=1 DOMAIN= CERTIFICATE=]
	@$(BIN)/python -m infra.deploy deploy --stage="$$STAGE" --alarm-email="$$ALARM_EMAIL" --log-days="$$LOG_DAYS" --boundary="$$BOUNDARY" $(DRY) $(if $(EDGE),--edge) --domain="$$DOMAIN" --certificate="$$CERTIFICATE"

policy: given-STAGE $(BIN)/.run ## print the IAM policy for deploying, the additional one for EDGE=1, or the one for the commands on accounts and smoke: STAGE= [EDGE=1|OPERATE=1]
	@$(BIN)/python -m infra.rights --stage="$$STAGE" $(if $(EDGE),--edge) $(if $(OPERATE),--operate)

package: given-STAGE $(BIN)/.dev ## write one SAM stack for your own pipeline: STAGE= [OUT=] [EDGE=1 DOMAIN= CERTIFICATE=]
	@$(BIN)/python -m infra.deploy package --stage="$$STAGE" --out="$${OUT:-.local/package}" $(DRY) $(if $(EDGE),--edge) --domain="$$DOMAIN" --certificate="$$CERTIFICATE"

status: given-STAGE $(BIN)/.dev ## show a stage's URL, emails, tables and alarms: STAGE=
	@$(BIN)/python -m infra.deploy status --stage="$$STAGE" $(DRY)

rotate-edge: given-STAGE $(BIN)/.dev ## replace the secret that CloudFront sends to the API, without rejecting requests: STAGE=
	@$(BIN)/python -m infra.deploy rotate-edge --stage="$$STAGE" $(DRY)

smoke: $(BIN)/.dev ## test a running stage from outside: [STAGE=] or URL= [ADMIN_KEY=], [RECEIVER=https://…] [COLD=1]
	@$(BIN)/python -m infra.smoke

destroy: given-STAGE $(BIN)/.dev ## delete the service and, with DATA=delete and a typed confirmation, the data: STAGE= [DATA=delete]
	@$(BIN)/python -m infra.deploy destroy --stage="$$STAGE" --data="$${DATA:-keep}" $(DRY)

oauth-demo: $(BIN)/.run ## run the OAuth code flow against `make run`, and print every request: [CLIENT_ID= CLIENT_SECRET=]
	@$(BIN)/python -m infra.oauth_demo

simulate: $(BIN)/.dev ## simulate 1 to 1,000,000 requests/s in virtual time and write the tables of docs/scale.md
	@$(BIN)/python -m infra.simulate

costs: $(BIN)/.run ## write docs/costs.md from AWS's prices
	@$(BIN)/python -m infra.costs

bench: $(BIN)/.dev ## compare the performance with other libraries and write docs/performance.md: [ROUNDS=5] [OUT=docs/bench.json]
	@$(BIN)/python -m infra.bench $(if $(ROUNDS),--rounds="$$ROUNDS") $(if $(OUT),--out="$$OUT")

mutate: $(BIN)/.dev ## mutation testing - change the code and check whether a test fails: [MINUTES=10] [SEED=1] [ONLY="limits oauth"], or ALL=1 overnight
	@$(BIN)/python -m infra.mutate --python="$$($(BIN)/python -m infra.pinned cosmic-ray)/python" --minutes="$${MINUTES:-10}" --seed="$${SEED:-1}" --only="$$ONLY" $(if $(ALL),--all)

reference: $(BIN)/.run ## write docs/rest-api.md and docs/webhook-events.md from the code
	@$(BIN)/python -m infra.reference

screenshots: $(BIN)/.dev ## take the screenshots of the console in docs/images
	@$(BIN)/python -m tests.browser.screenshots

# Report missing and misspelt variables before anything is installed, even with -j.
.NOTPARALLEL:

given-STAGE:
	@case "$$STAGE" in \
		dev|prod) ;; \
		''|local) echo "Choose a stage: make $(MAKECMDGOALS) STAGE=dev|prod" >&2; exit 1 ;; \
		*) printf 'There is no stage %s. Choose one: make %s STAGE=dev|prod\n' "$$(printf %s "$$STAGE" | tr -s '[:space:]' ' ' | cut -c1-60)" "$(MAKECMDGOALS)" >&2; exit 1 ;; \
	esac

given-EMAIL-or-ACCOUNT:
	@test -n "$$(printf %s "$$EMAIL$$ACCOUNT" | tr -d '[:space:]')" || { echo "EMAIL is missing: make $(MAKECMDGOALS) EMAIL=… (or ACCOUNT=acc_…)" >&2; exit 1; }

given-%:
	@test -n "$$(printenv $* | tr -d '[:space:]')" || { echo "$* is missing: make $(MAKECMDGOALS) $*=…" >&2; exit 1; }

clean: ## delete the installed packages and the local data
	rm -rf .venv .local

$(BIN)/python:
	@echo "Creating a virtual environment …" >&2
	@$(PYTHON) -m venv .venv

INSTALL := $(BIN)/pip install -q --disable-pip-version-check --require-hashes

# Chalice is needed only for local runs.
$(BIN)/.run: infra/requirements/run.txt | $(BIN)/python
	@echo "Installing Latchkey's dependencies …" >&2
	@$(INSTALL) -r infra/requirements/run.txt
	@touch $@

$(BIN)/.dev: requirements-dev.txt | $(BIN)/python
	@echo "Installing the development dependencies …" >&2
	@$(INSTALL) -r requirements-dev.txt
	@touch $@ $(BIN)/.run
