# SPDX-License-Identifier: BSD-2-Clause
# For people; the build itself is meson's. `make help` lists the targets.
# Set YES=1 to have Debian packages installed without being asked.
MAKEFLAGS += --no-print-directory
PREFIX ?= /usr/local
SEEDS ?= 20000
FUZZ_SECONDS ?= 30

.PHONY: all help deps demo lab test install static cross-arm64 bench sim mutants fuzz format clean
all: build/build.ninja
	@ninja -C build tcpcopy intercept

help:
	@echo "make            build tcpcopy and intercept into build/"
	@echo "make demo       copy live traffic between two nginx in network namespaces (root)"
	@echo "make lab        all scenarios in full length, as a table (root)"
	@echo "make test       all tests; as root also those in network namespaces"
	@echo "make install    into PREFIX=$(PREFIX), under DESTDIR"
	@echo "make deps       install the Debian packages for all of this (root)"
	@echo "make static     programs without shared libraries, into build-static/"
	@echo "make cross-arm64  build for arm64, and run unit and sim in an emulator"
	@echo "make bench      CPU time for 1000 requests (root)"
	@echo "make sim        the simulation with SEEDS=$(SEEDS)"
	@echo "make mutants    the tests against small faults in the code: each must be found"
	@echo "make fuzz       each fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS)"
	@echo "make format     clang-format over our C files"
	@echo "make clean      remove build directories"

build/build.ninja:
	@packaging/deps.sh check build
	@meson setup --prefix=$(PREFIX) build

deps:
	@packaging/deps.sh all

demo:
	@packaging/deps.sh demo
	@$(MAKE) all
	@TCPCOPY_BUILD=$(CURDIR)/build lab/demo.py

lab:
	@packaging/deps.sh test
	@$(MAKE) build/build.ninja
	@meson configure build -Dtests=enabled
	@ninja -C build tcpcopy intercept lab/wire lab/turn_server lab/turn_load
	@TCPCOPY_BUILD=$(CURDIR)/build lab/scenario.py

test:
	@packaging/deps.sh test
	@/usr/bin/python3 tests/run.py

install: all
	@meson configure build --prefix=$(PREFIX)
	@meson install -C build

static:
	@packaging/deps.sh check build
	@test -f build-static/build.ninja || \
		meson setup build-static -Dstatic=true -Dprefer_static=true -Dtests=disabled
	@ninja -C build-static
	@packaging/check-static.sh build-static

cross-arm64:
	@packaging/deps.sh check cross
	@packaging/cross-arm64.sh build-arm64

bench:
	@packaging/deps.sh demo
	@$(MAKE) all
	@TCPCOPY_BUILD=$(CURDIR)/build bench/run.py

sim: build/build.ninja
	@ninja -C build tests/sim/sim
	@build/tests/sim/sim --seeds $(SEEDS)

mutants:
	@/usr/bin/python3 tests/mutants/run.py

fuzz:
	@packaging/deps.sh test
	@tests/fuzz/run.sh $(FUZZ_SECONDS)

format:
	@packaging/c-files.sh | xargs clang-format-14 -i

clean:
	rm -rf build build-*
