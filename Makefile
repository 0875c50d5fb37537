# make setup   installs the Debian packages that are missing (as root or with sudo)
# make build   the program and the library
# make examples  programs that use the library, in examples/
# make benchmarks  the programs that measure, in benchmarks/
# make arrows  which target may stand on which
# make demo    the main job on a sample that is made on the spot, then a picture by the miniature and what it says about it
# make test    all tests
# make format  checks the layout of all Swift sources
# make bench   measurements; see benchmarks/README.md
# make fuzz    the readers against mutated files; see fuzz/README.md

PACKAGES := libjson-c-dev libssl-dev libutf8proc-dev libspng-dev libturbojpeg0-dev libwebp-dev libopenblas0-pthread zlib1g-dev libzstd-dev pkg-config python3
SWIFT := swift
# Packages that stand on this one are built in one place, since they share it.
PROGRAMS := --scratch-path .build-programs
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: setup build examples benchmarks demo test format arrows bench fuzz clean

setup:
	@missing=$$(for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  echo "installing: $$missing"; \
	  $(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq $$missing; \
	fi
	@command -v $(SWIFT) >/dev/null || { echo "Swift 6.3 is missing: see https://www.swift.org/install/linux/"; exit 69; }

build: setup
	$(SWIFT) build -c release

examples: setup
	$(SWIFT) build -c release --package-path examples $(PROGRAMS)

demo: build
	bash tools/demo.sh

# Release mode: unoptimised loops over numbers are a hundred times slower.
test: setup
	$(SWIFT) test -c release -Xswiftc -enable-testing

format: arrows
	$(SWIFT) format lint --strict -r Sources Tests formats examples/Sources examples/Package.swift \
	  benchmarks/Sources benchmarks/Package.swift fuzz/Sources fuzz/Package.swift Package.swift

arrows:
	python3 tools/check_arrows.py

benchmarks: setup
	$(SWIFT) build -c release --package-path benchmarks $(PROGRAMS)

bench: build benchmarks
	bash benchmarks/run.sh

fuzz: setup
	fuzz/run.sh

clean:
	rm -rf .build .build-programs fuzz/.build
