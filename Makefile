# evensight: two commands. `make demo` runs the paper in miniature, `make test` passes the tests.
# Both set up by themselves: a virtual environment in .venv, pinned versions, PyTorch's CPU build.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

export TOKENIZERS_PARALLELISM := false

.PHONY: help setup demo test check format fuzz families bench bench-photos bench-training bench-evaluation bench-embedded gallery placing docs exports ecosystem ray findings kill faults load steady broken reliability clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## make the environment; leaves .venv/bin/evensight

$(READY): pyproject.toml requirements.lock scripts/install.sh
	PYTHON="$(PYTHON)" sh scripts/install.sh "$(VENV)"
	@touch $(READY)

demo: $(READY)  ## run the demo study; writes runs/demo/report.html
	HF_HUB_OFFLINE=1 $(BIN)/evensight study demo --out runs/demo

test: $(READY)  ## run the tests
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n auto --maxprocesses 4

check: $(READY)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

FUZZED := tests/photos/test_fuzz.py tests/test_written_fuzz.py tests/exchange/test_civet_fuzz.py tests/exchange/test_answers.py \
	tests/evaluation/test_results_fuzz.py tests/pictures/test_fuzz.py tests/models/test_adapter_fuzz.py
fuzz: $(READY)  ## 10,000 cases each of trouble in annotations, pictures, settings, results, adapters and others (about an hour)
	mkdir -p runs && rm -f runs/fuzz.jsonl
	HF_HUB_OFFLINE=1 EVENSIGHT_FUZZ=10000 EVENSIGHT_FUZZ_LOG=runs/fuzz.jsonl $(BIN)/python -m pytest $(FUZZED)

families: $(READY)  ## a model of each family learns left from right (about 3 minutes)
	HF_HUB_OFFLINE=1 EVENSIGHT_FAMILIES=1 $(BIN)/python -m pytest -s tests/models/contract/test_left_and_right.py

bench: $(READY)  ## how fast scenes are made; writes docs/benchmark-scenes.md (about 6 minutes)
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/scenes.py --table docs/benchmark-scenes.md

bench-photos: $(READY)  ## how fast annotations are read; writes docs/benchmark-photos.md (about 3 minutes)
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/photos.py --table docs/benchmark-photos.md

bench-training: $(READY)  ## how fast models are fine-tuned; writes docs/benchmark-training.md (about 10 minutes)
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/training.py --table docs/benchmark-training.md

bench-evaluation: $(READY)  ## how fast models are asked; writes docs/benchmark-evaluation.md (about 15 minutes)
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/evaluation.py --rounds 2 --table docs/benchmark-evaluation.md

bench-embedded: $(READY)  ## what the embedded model can and can't do; writes docs/embedded.md (about 6 minutes)
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/embedded.py --out runs/embedded --table docs/embedded.md

gallery: $(READY)  ## draw the gallery of the docs anew
	$(BIN)/python scripts/gallery.py

placing: $(READY)  ## draw where photographs have their objects, for docs/photos.md; needs EVENSIGHT_PHOTOS
	$(BIN)/python scripts/placing.py

docs:  ## build the site into site/, in .venv-docs
	PYTHON="$(PYTHON)" sh scripts/docs.sh .venv-docs

exports:  ## have LLaMA-Factory, ms-swift, lmms-eval and others load exported sets, in .venv-exports
	PYTHON="$(PYTHON)" sh scripts/exports.sh .venv-exports

ecosystem:  ## have lmms-eval and inspect_ai run a set and score as evensight does, in .venv-ecosystem
	PYTHON="$(PYTHON)" sh scripts/ecosystem.sh .venv-ecosystem

ray:  ## store a set, ask a model and run a study with workers of a Ray cluster, some of them killed, in .venv-ray
	PYTHON="$(PYTHON)" sh scripts/ray.sh .venv-ray

findings: $(READY)  ## all shipped studies over 3 seeds; writes docs/findings.md; set EVENSIGHT_PHOTOS (about 2 hours)
	for name in demo parts forgetting size ladder paper; do \
	    HF_HUB_OFFLINE=1 $(BIN)/evensight study $$name --seeds 3 --out runs/findings/$$name || exit; done
	$(BIN)/python scripts/findings.py runs/findings --out docs/findings.md

kill: $(READY)  ## kill commands at any call to the kernel, 30 times each; needs strace and cc (about 40 minutes)
	HF_HUB_OFFLINE=1 $(BIN)/python reliability/kill.py --kills 30 --out runs/kill

faults: $(READY)  ## failing disks, damaged files, dying workers; needs strace and cc (about 3 hours)
	HF_HUB_OFFLINE=1 $(BIN)/python reliability/faults.py --out runs/faults

load: $(READY)  ## 256 requests in flight at a server that spoils 5 %; many at once on one cache (about 12 minutes)
	HF_HUB_OFFLINE=1 $(BIN)/python reliability/load.py --out runs/load

steady: $(READY)  ## a study on another day and another number of threads; answers by batch size (about 10 minutes)
	HF_HUB_OFFLINE=1 $(BIN)/python reliability/steady.py --out runs/steady

broken: $(READY)  ## break each mechanism on purpose: a test must fail (about 8 minutes)
	$(BIN)/python reliability/broken.py --out runs/broken

reliability: $(READY)  ## write docs/reliability.md from what kill, faults, fuzz, load, steady and broken left in runs/
	$(BIN)/python reliability/page.py runs --out docs/reliability.md

clean:  ## remove the environment and the caches, never runs/
	rm -rf $(VENV) .venv-exports .venv-ecosystem .venv-ray .venv-docs site .pytest_cache .mypy_cache .ruff_cache .hypothesis
