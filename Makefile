# SPDX-License-Identifier: Apache-2.0
#
# Everything is built below $B (build/), nothing beside the sources:
#   $B/bin           programs and scripts of the project, in PATH in the VM and in tests
#   $B/lib           libraries, in LD_LIBRARY_PATH there
#   $B/kmod-KERNEL   dmm.ko for each KERNEL
#   $B/selftests     compiled tests
#   $B/obj           object files
#
# A directory that has something to build says so in its module.mk, included below. It may add to
#   PROGS      programs, linked from the objects, libraries and $(LDLIBS) of their rule: $B/bin/NAME
#   LIBS       libraries: $B/lib/NAME
#   SCRIPTS    scripts that are installed as they are
#   HEADERS    headers that are installed, below lib/include
#   TESTBINS   compiled tests and their helpers, not installed
# and states prerequisites and target-specific variables of these, for example
#   PROGS += $B/bin/dmmfoo
#   $B/bin/dmmfoo: $(call objs,tools/dmmfoo) $B/lib/libdmm.so
#   $B/bin/dmmfoo: LDLIBS = $(NL_LIBS)

B	 := build
KERNELS	 := 6.1 6.12
PREFIX	 := /usr/local
CFLAGS	 := -O2 -g
WARN	 := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Werror
DESTDIR	 :=

bindir	 := $(DESTDIR)$(PREFIX)/bin
libdir	 := $(DESTDIR)$(PREFIX)/lib
incdir	 := $(DESTDIR)$(PREFIX)/include
mandir	 := $(DESTDIR)$(PREFIX)/share/man

# SANITIZE=address,undefined (with a B of its own) builds user space with these sanitizers.
sanitize := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
override CFLAGS	 += -std=gnu11 $(WARN) $(sanitize)
override CPPFLAGS += -D_GNU_SOURCE -Iuapi -Ilib/include
override LDFLAGS += $(sanitize)
NL_CFLAGS = $(shell pkg-config --cflags libnl-genl-3.0)
NL_LIBS	  = $(shell pkg-config --libs libnl-genl-3.0)

# $(call objs,DIR): the object files of all C sources in DIR
objs = $(patsubst %.c,$B/obj/%.o,$(wildcard $(1)/*.c))

.PHONY: help
help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 24

PROGS :=
LIBS :=
SCRIPTS :=
HEADERS :=
TESTBINS :=
include $(wildcard $(addsuffix /module.mk,lib lib/* tools tools/* selftests selftests/*))

installed_scripts := $(addprefix $B/bin/,$(notdir $(SCRIPTS)))

.PHONY: all kmod user deps
all: kmod user		## build the module for both kernels, libraries, tools
user: $(PROGS) $(LIBS) $(installed_scripts) $(TESTBINS)
kmod: $(KERNELS:%=$B/kmod-%/dmm.ko)

# Packages that the goals need; a stamp keeps the question off the common path.
deps: $B/.deps-vm
.SECONDARY:
$B/.deps-%: tools/deps
	tools/deps $*
	@mkdir -p $(@D) && touch $@

$B/obj/%.o: %.c | $B/.deps-build
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/obj/%.o: $B/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

LINK = $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(filter %.so,$^) $(LDLIBS)

$(PROGS) $(TESTBINS):
	@mkdir -p $(@D)
	$(LINK)

$(filter %.so,$(LIBS)): override CFLAGS += -fPIC
$(filter %.so,$(LIBS)):
	@mkdir -p $(@D)
	$(LINK) -shared

$(filter %.a,$(LIBS)):
	@mkdir -p $(@D)
	$(AR) rcs $@ $(filter %.o,$^)

define script_rule
$B/bin/$(notdir $(1)): $(1)
	@mkdir -p $$(@D)
	install -m 755 $$< $$@
endef
$(foreach s,$(SCRIPTS),$(eval $(call script_rule,$s)))

-include $(shell find $B/obj -name '*.d' 2>/dev/null)

# The module is built outside kmod/, in a directory of links to its sources. The recipe always runs: Kbuild knows what is
# out of date.
$B/kmod-%/dmm.ko: FORCE | $B/.deps-vm
	@mkdir -p $(@D)
	@ln -sfr kmod/Kbuild $(wildcard kmod/*.[ch]) $(@D)
	@ln -sfnr uapi $B/uapi
	@dir=$$(tools/vm/kernel $*) && $(MAKE) --no-print-directory -C $$dir/build M=$(CURDIR)/$(@D) $(KMOD_FLAGS) modules
	@$(if $(KMOD_FLAGS),,tools/vm/modules $* $@)

.PHONY: FORCE
FORCE:

.PHONY: vm check check-debug demo bench clean
vm: kmod user		## an interactive shell in the VM (KERNEL=6.1|6.12|debug)
	tools/vm/run --kernel $(or $(KERNEL),6.12) -- bash
check:			## static checks, host tests, and all tests in the VM on both kernels
	selftests/run
check-debug:		## the same tests on a kernel with KASAN, lockdep and kmemleak
	selftests/run --kernel debug
clean:			## remove build/
	rm -rf $B
