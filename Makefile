# SPDX-License-Identifier: Apache-2.0
#
# Everything is built below $B (build/), nothing beside the sources:
#   $B/bin           programs and scripts of the project, in PATH in the VM and in tests
#   $B/lib           libraries, in LD_LIBRARY_PATH there
#   $B/kmod-KERNEL   dmm.ko for each KERNEL
#   $B/selftests     compiled tests: vm/ need the module, host/ do not; bin/ are programs that tests use
#   $B/obj           object files
#
# A directory that has something to build says so in its module.mk, included below. It may add to
#   PROGS      programs, linked from the objects, libraries and $(LDLIBS) of their rule: $B/bin/NAME
#   LIBS       libraries: $B/lib/NAME
#   SCRIPTS    scripts that are installed as they are
#   TEMPLATES  NAME.in with @PREFIX@ and @VERSION@ inside: pkg-config files (.pc), systemd units (.service)
#   HEADERS    headers that are installed, by their name below lib/include or uapi
#   TESTBINS   compiled tests and benchmarks, not installed
# and states prerequisites and target-specific variables of these, for example
#   PROGS += $B/bin/dmmfoo
#   $B/bin/dmmfoo: $(call objs,tools/dmmfoo) $B/lib/libdmm.so
#   $B/bin/dmmfoo: LDLIBS = $(NL_LIBS)
# with "override", if make is to add to CFLAGS, CPPFLAGS or LDFLAGS also when the user gave his own.

B	:= build
KERNELS	:= 6.1 6.12
PREFIX	:= /usr/local
DESTDIR	:=
CFLAGS	?= -O2 -g
VERSION	:= $(shell sed -n 's/^\#define DMM_VERSION[[:blank:]]*"\(.*\)"/\1/p' uapi/linux/dmm.h)

# WITHOUT=lwip, WITHOUT=rdma leave out what those stacks need.
# SANITIZE=address,undefined (with a B of its own) builds user space with these sanitizers.
ccflags	 := -std=gnu11 -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Werror
ccflags	 += $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
cppflags := -D_GNU_SOURCE -Iuapi -Ilib/include
NL_CFLAGS = $(shell pkg-config --cflags libnl-genl-3.0)
NL_LIBS	  = $(shell pkg-config --libs libnl-genl-3.0)

# $(call objs,DIR...): the object files of all C sources in DIR
objs = $(patsubst %.c,$B/obj/%.o,$(wildcard $(addsuffix /*.c,$(1))))

.PHONY: help
help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 24

PROGS	 :=
LIBS	 :=
SCRIPTS	 :=
TEMPLATES := lib/libdmm.pc.in
HEADERS	 := $(wildcard uapi/linux/*.h)
TESTBINS :=
include $(filter-out $(WITHOUT:%=stacks/%/module.mk),\
	$(wildcard $(addsuffix /module.mk,lib lib/* stacks/common/* stacks/* tools tools/* selftests selftests/*)))

scripts := $(addprefix $B/bin/,$(notdir $(SCRIPTS)))

.PHONY: demo check check-debug bench vm all user kmod install uninstall clean FORCE

demo: all $B/.deps-demo		## unmodified programs routed by policy, shown in the VM
	tools/demo/run

check: $B/.deps-check		## static checks, host tests, and all tests in the VM on both kernels
	selftests/run

check-debug: $B/.deps-debug	## the same tests on a kernel with KASAN, lockdep and kmemleak
	selftests/run --kernel debug

bench: all $B/.deps-bench	## AF_DMM and user stacks against AF_INET, as tables in doc/performance.md (BENCH=sockets|lwip|rdma)
	tools/bench/run $(BENCH)

vm: user			## an interactive shell in the VM (KERNEL=6.1|6.12|debug)
	@$(MAKE) $B/kmod-$(or $(KERNEL),6.12)/dmm.ko
	tools/vm/run --kernel $(or $(KERNEL),6.12) -- bash

all: kmod user			## the module for both kernels, libraries, tools
user: $(PROGS) $(LIBS) $(scripts) $(TESTBINS)
kmod: $(KERNELS:%=$B/kmod-%/dmm.ko)

clean:				## remove build/
	rm -rf $B

# The Debian packages that a goal needs; a stamp keeps the question off the common path.
.SECONDARY:
$B/.deps-%: tools/deps
	tools/deps $*
	@mkdir -p $(@D) && touch $@

# User space

$B/obj/%.o: %.c | $B/.deps-build
	@mkdir -p $(@D)
	$(CC) $(cppflags) $(ccflags) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

LINK = $(CC) $(ccflags) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(filter %.so,$^) $(LDLIBS)

$(PROGS) $(TESTBINS):
	@mkdir -p $(@D)
	$(LINK)

# Inherited by the objects they are made of.
$(filter %.so,$(LIBS)): override CFLAGS += -fPIC
$(filter %.so,$(LIBS)):
	@mkdir -p $(@D)
	$(LINK) -shared

$(filter %.a,$(LIBS)):
	@mkdir -p $(@D)
	$(AR) rcs $@ $(filter %.o,$^)

$(scripts): $B/bin/%: uapi/linux/dmm.h
	@mkdir -p $(@D)
	sed 's/@VERSION@/$(VERSION)/' $(filter-out %.h,$^) >$@.tmp
	@chmod 755 $@.tmp && mv $@.tmp $@
$(foreach script,$(SCRIPTS),$(eval $B/bin/$(notdir $(script)): $(script)))

-include $(shell find $B/obj -name '*.d' 2>/dev/null)

# The module is built outside kmod/, in a directory of links to its sources. The recipe always runs: Kbuild knows what is
# out of date. "running" is the kernel of this machine. Type information (BTF) cannot be had everywhere: left out.
kernel = $(if $(filter running,$(1)),echo /lib/modules/$$(uname -r),tools/vm/kernel $(1))
kbuild = dir=$$($(call kernel,$(1))) && $(MAKE) --no-print-directory -C $$dir/build M=$(abspath $B/kmod-$(1)) \
	 CONFIG_DEBUG_INFO_BTF_MODULES= $(KMOD_FLAGS)

$B/kmod-%/dmm.ko: FORCE | $B/.deps-vm
	@mkdir -p $(@D)
	@ln -sfr kmod/Kbuild $(wildcard kmod/*.[ch]) $(@D)
	@ln -sfnr uapi $B/uapi
	@+$(call kbuild,$*) modules
	@$(if $(KMOD_FLAGS)$(filter running,$*),,tools/vm/modules $* $@)

# Installation. The module goes to the running kernel, if its headers are here; with KERNELS= on the command line to these.

bindir := $(DESTDIR)$(PREFIX)/bin
libdir := $(DESTDIR)$(PREFIX)/lib
incdir := $(DESTDIR)$(PREFIX)/include
mandir := $(DESTDIR)$(PREFIX)/share/man
moddir := $(DESTDIR)/lib/modules
unitdir	:= $(libdir)/systemd/system
filled	:= $(patsubst %.in,$B/filled/%,$(notdir $(TEMPLATES)))
units	:= $(filter %.service,$(filled))
manuals	  := $(wildcard doc/man/*.[1-9])
libraries := $(filter %.so %.a,$(LIBS))
soname	   = $$(readelf -d $(1) | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
running	   = $(if $(wildcard /lib/modules/$(shell uname -r)/build),running)
targets	   = $(if $(filter command,$(origin KERNELS)),$(KERNELS),$(running))

install: user $(filled)		## programs, libraries, headers, manual pages, and dmm.ko for the running kernel
	install -d $(bindir) $(libdir)/pkgconfig
	install -m 755 $(PROGS) $(scripts) $(bindir)
	install -m 644 $(libraries) $(libdir)
	install -m 644 $(filter %.pc,$(filled)) $(libdir)/pkgconfig
	$(if $(units),install -d $(unitdir) && install -m 644 $(units) $(unitdir))
	@cd $(libdir) && for lib in $(notdir $(filter %.so,$(libraries))); do \
		[ $(call soname,$$lib) = $$lib ] || ln -sf $$lib $(call soname,$$lib); done
	@for header in $(HEADERS); do \
		install -D -m 644 $$header $(incdir)/$$(echo $$header | sed 's,^\(lib/include\|uapi\)/,,'); done
	@for page in $(manuals); do install -D -m 644 $$page $(mandir)/man$${page##*.}/$${page##*/}; done
	@+for kernel in $(targets); do $(MAKE) install-kmod-$$kernel || exit; done
	@$(if $(targets),,echo "no headers of kernel $$(uname -r) here: dmm.ko is not installed")
	$(if $(DESTDIR),@echo "on the machine that this goes to: ldconfig$(if $(targets),; depmod)",ldconfig)

# Without the kernel's System.map, which packages of headers do not have, modules_install leaves out depmod.
install-kmod-%: $B/kmod-%/dmm.ko
	@+$(call kbuild,$*) INSTALL_MOD_PATH=$(abspath $(DESTDIR)) INSTALL_MOD_DIR=updates modules_install
	$(if $(DESTDIR),,depmod $$(modinfo -F vermagic $< | cut -d ' ' -f 1))

# Always made anew, for PREFIX can differ.
$(filled): FORCE
	@mkdir -p $(@D)
	@sed 's,@PREFIX@,$(PREFIX),; s/@VERSION@/$(VERSION)/; s/@EAL_LIBS@/$(EAL_LIBS)/' $(filter %/$(@F).in,$(TEMPLATES)) >$@

uninstall:			## what install installed
	rm -f $(addprefix $(bindir)/,$(notdir $(PROGS) $(scripts)))
	rm -f $(addprefix $(libdir)/,$(notdir $(LIBS)) $(addprefix pkgconfig/,$(notdir $(filter %.pc,$(filled)))))
	rm -f $(addprefix $(unitdir)/,$(notdir $(units)))
	rm -f $(addprefix $(incdir)/,$(patsubst uapi/%,%,$(patsubst lib/include/%,%,$(HEADERS))))
	@[ ! -d $(incdir)/dmm ] || rmdir --ignore-fail-on-non-empty $(incdir)/dmm
	rm -f $(foreach page,$(manuals),$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
	@for ko in $(wildcard $(moddir)/*/updates/dmm.ko*); do \
		rm -f $$ko && rmdir --ignore-fail-on-non-empty $${ko%/*} || exit; \
		release=$${ko#$(moddir)/}; \
		$(if $(DESTDIR),:,depmod) $${release%%/*}; \
	done
	$(if $(DESTDIR),,ldconfig)
