# make demo     the main job on a committed synthetic recording
# make listen   the same with the microphone
# make test     everything that the tests need, and the tests
# make install  the program, its units and its configuration, where a distribution would put them; make uninstall
BIN    := .venv/bin
INPUTS := bootstrap setup.cfg pyproject.toml constraints.txt system-packages.txt
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
EXTRAS     ?= cpu,mic

.PHONY: demo listen test install uninstall clean

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

clean:
	rm -rf .venv
