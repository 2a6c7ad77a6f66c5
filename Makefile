# SPDX-License-Identifier: GPL-2.0
#
# make            the module for KDIR's kernel, and the library
# make modules    the module alone        make lib      the library alone
# make install    both, as root           make uninstall  removes them
# make clean      removes what was built  make help     this
# make test       every test, in guests   make demo     the demo
# make bench      the benchmark
# make soak       what is too long for make test: MINUTES=100 PARTS="..."
#
# KDIR is a kernel's build directory, PREFIX places the library and
# INSTALL_MOD_DIR the module below /lib/modules/RELEASE. DESTDIR is a staging
# directory for all of it: depmod is left to the package. INSTALL_MOD_PATH is
# the root directory of another system, whose depmod is run. WERROR=1 makes the
# compiler's warnings errors. A guest's kernel, compiler and packages are fetched
# into ~/.cache/weir.

KDIR	?= /lib/modules/$(shell uname -r)/build
PREFIX	?= /usr/local
DESTDIR	?=
INSTALL_MOD_PATH ?= $(DESTDIR)
INSTALL_MOD_DIR ?= updates

headers := $(wildcard $(KDIR)/Makefile)
kbuild	:= +scripts/kbuild $(KDIR)

all: $(if $(headers),modules,no-headers) lib

modules:
	$(kbuild) build

no-headers:
	@echo "No kernel headers in $(KDIR): building the library only."
	@echo "Install linux-headers-$$(uname -r), or say make KDIR=..."

lib:
	$(MAKE) -C userlib
	$(MAKE) -C userlib/tools

install: $(if $(headers),install-modules,no-headers) install-lib

install-modules: modules
	$(kbuild) install "$(INSTALL_MOD_PATH)" $(INSTALL_MOD_DIR)
	$(if $(DESTDIR),,$(kbuild) depmod "$(INSTALL_MOD_PATH)")

install-lib:
	$(MAKE) -C userlib install
	$(MAKE) -C userlib/tools install
	$(if $(DESTDIR),,ldconfig)

uninstall: $(if $(headers),uninstall-modules,no-headers)
	$(MAKE) -C userlib/tools uninstall
	$(MAKE) -C userlib uninstall
	$(if $(DESTDIR),,ldconfig)

uninstall-modules:
	$(kbuild) uninstall "$(INSTALL_MOD_PATH)" $(INSTALL_MOD_DIR)
	$(if $(DESTDIR),,$(kbuild) depmod "$(INSTALL_MOD_PATH)")

test:
	scripts/setup build kernel guest arm64 doc
	tests/run $(TESTS)

demo:
	scripts/setup build kernel guest demo
	scripts/demo

bench:
	scripts/setup build kernel guest
	scripts/bench

soak:
	scripts/setup build kernel guest arm64
	scripts/soak $(if $(MINUTES),--minutes $(MINUTES)) $(PARTS)

clean:
	$(if $(headers),$(kbuild) clean)
	$(MAKE) -C userlib clean
	rm -rf build

help:
	@sed -n '3,18s/^# \{0,1\}//p' Makefile

.PHONY: all modules no-headers lib install install-modules install-lib \
	uninstall uninstall-modules test demo bench soak clean help
