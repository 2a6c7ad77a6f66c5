# SPDX-License-Identifier: GPL-2.0
#
# make            the module for KDIR's kernel, and the library
# make modules    the module alone        make lib      the library alone
# make install    both, as root           make clean    removes what was built
# make test       every test, in guests   make demo     the demo
# make bench      the benchmark           make help     this
# make soak       what is too long for make test: MINUTES=100 PARTS="..."
#
# KDIR is a kernel's build directory, PREFIX and DESTDIR place the library and
# INSTALL_MOD_PATH the module; a guest's kernel, compiler and packages are
# fetched into ~/.cache/weir.

KDIR	?= /lib/modules/$(shell uname -r)/build
PREFIX	?= /usr/local
DESTDIR	?=
INSTALL_MOD_PATH ?= $(DESTDIR)

headers := $(wildcard $(KDIR)/Makefile)

all: $(if $(headers),modules,no-headers) lib

modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

no-headers:
	@echo "No kernel headers in $(KDIR): building the library only."
	@echo "Install linux-headers-$$(uname -r), or say make KDIR=..."

lib:
	$(MAKE) -C userlib
	$(MAKE) -C userlib/tools

install: $(if $(headers),install-modules,no-headers) install-lib

install-modules: modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(INSTALL_MOD_PATH) \
		modules_install
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) \
		$$(awk -F'"' '/UTS_RELEASE/ { print $$2 }' \
		$(KDIR)/include/generated/utsrelease.h)

install-lib:
	$(MAKE) -C userlib install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)
	$(MAKE) -C userlib/tools install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)
	$(if $(DESTDIR),,ldconfig)

test:
	scripts/setup build kernel guest doc
	tests/run $(TESTS)

demo:
	scripts/setup build kernel guest
	scripts/demo

bench:
	scripts/setup build kernel guest
	scripts/bench

soak:
	scripts/setup build kernel guest
	scripts/soak $(if $(MINUTES),--minutes $(MINUTES)) $(PARTS)

clean:
	$(if $(headers),$(MAKE) -C $(KDIR) M=$(CURDIR) clean)
	$(MAKE) -C userlib clean
	rm -rf build

help:
	@sed -n '3,12s/^# \{0,1\}//p' Makefile

.PHONY: all modules no-headers lib install install-modules install-lib \
	test demo bench soak clean help
