# make demo     the main job on a committed synthetic recording
# make listen   the same with the microphone
# make test     everything that the tests need, and the tests
# make dist     sdist and wheel of the working tree, in dist/; make deb: a Debian package there. The same bytes each time
# make install  the program, its units and its configuration, where a distribution would put them; make uninstall
SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c
BIN    := .venv/bin
INPUTS := bootstrap setup.cfg pyproject.toml constraints.txt system-packages.txt
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
EXTRAS     ?= cpu,mic
VERSION    := $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' src/digitd/__init__.py)
# What git knows or would add, as it is now: an old build/, a cache or an egg-info adds nothing to a package.
SOURCES    := (git ls-files -z --cached --others --exclude-standard && git ls-files -z --deleted) | \
    sort -z | uniq -zu | tar c --null --files-from=-
DIST       ?= dist
TIME        = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct))
# setuptools leaves the sdist's times, owners and modes as they happen to be.
ALIKE       = --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w --mtime=@$(TIME)

.PHONY: demo listen test install uninstall dist deb clean

demo: .venv/installed-cpu
	@$(BIN)/digitd run --source tests/data/demo.flac

listen: .venv/installed-cpu,mic
	@$(BIN)/digitd run --source mic

test: .venv/installed-cpu,mic,train,dev
	@tests/check

install: .venv/installed-cpu,mic
	@DESTDIR="$(DESTDIR)" systemd/install "$(PREFIX)" "$(SYSCONFDIR)" "$(EXTRAS)"

uninstall:
	@DESTDIR="$(DESTDIR)" systemd/uninstall "$(PREFIX)" "$(SYSCONFDIR)"

.venv/installed-cpu: $(INPUTS)
	@./bootstrap "run" "cpu"

.venv/installed-cpu,mic: $(INPUTS)
	@./bootstrap "run mic" "cpu,mic"

.venv/installed-cpu,mic,train,dev: $(INPUTS)
	@./bootstrap "run mic test" "cpu,mic,train,dev"

dist: .venv/installed-cpu
	@rm -rf build/dist && mkdir -p build/dist/sources "$(DIST)"
	@$(SOURCES) | tar x -C build/dist/sources
	@PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check build
	@PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m build --quiet --sdist -o build/dist build/dist/sources
	@tar x -C build/dist -f build/dist/digitd-$(VERSION).tar.gz
	@tar c $(ALIKE) -C build/dist digitd-$(VERSION) | gzip -9n >"$(DIST)/digitd-$(VERSION).tar.gz"
	@umask 022; PIP_CONSTRAINT=$(CURDIR)/constraints.txt SOURCE_DATE_EPOCH=$(TIME) \
	    $(BIN)/python -m build --quiet --wheel -o "$(DIST)" "$(DIST)/digitd-$(VERSION).tar.gz"
	@rm -rf build/dist
	@ls -l "$(DIST)"/digitd-$(VERSION)[.-]*

deb:
	@rm -rf build/deb && mkdir -p build/deb/digitd-$(VERSION) "$(DIST)"
	@$(SOURCES) | tar x -C build/deb/digitd-$(VERSION)
	@cd build/deb/digitd-$(VERSION) && dpkg-buildpackage -us -uc -b
	@cp build/deb/digitd_* "$(DIST)"
	@rm -rf build/deb
	@ls -l "$(DIST)"/digitd_$(VERSION)_*

clean:
	rm -rf .venv build dist
