# run: the gate, in front of the registry that npm on this machine is configured with. ARGS="--listen …" goes to `serve`.
# test: everything, real clients included; clients are installed once into target/clients. No network otherwise.
# lint: formatting, clippy, the house rules.
# bench: the pure parts, timed by criterion, then counted in instructions by valgrind where there is one. Some four minutes
# when it is built.
# first-sight: CPU that the first sight of a package costs a running server; needs Node. ARGS="--sizes 300x800000 --rounds 9".
# false-alarms: what is found in some 3,000 honest releases, from the registry that npm is configured with; needs Node, the network and 3 GB.
# side-by-side: Airlock beside nginx, pnpr and Verdaccio, into docs/performance.md; needs nginx and wrk. ARGS="--help" tells parts and options.
# npm-names: data/npm-names.gz anew from TABLE, a line for each package: name, version, downloads a month, separated by tabs.

CARGO ?= cargo
ARGS ?=

.PHONY: run test lint bench first-sight false-alarms side-by-side npm-names

run:
	$(CARGO) run --release --locked -- serve $(ARGS)

test:
	$(CARGO) test --locked --no-fail-fast

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked --test architecture

bench:
	$(CARGO) bench --locked --bench pure
	$(CARGO) bench --locked --bench pure -- --counts

first-sight:
	$(CARGO) build --release --locked
	node benches/first_sight/main.mjs $(ARGS)

false-alarms:
	$(CARGO) build --release --locked
	node benches/false_alarms/main.mjs $(ARGS)

side-by-side:
	$(CARGO) build --release --locked
	node benches/side_by_side/main.mjs $(ARGS)

npm-names:
	python3 data/npm_names.py $(TABLE)
