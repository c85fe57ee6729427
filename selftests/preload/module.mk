# SPDX-License-Identifier: GPL-2.0-only
#
# socktest three times: for this C library, for another, and without a loader. A sanitizer would insist on standing
# before every preloaded library.
preload_bin := $B/selftests/bin
preload_obj := $B/obj/selftests/preload
TESTBINS += $(addprefix $(preload_bin)/,socktest socktest-static libhook.so)
$(preload_bin)/socktest $(preload_bin)/socktest-static: $(preload_obj)/socktest.o
$(preload_bin)/libhook.so: $(preload_obj)/hook.o
$(preload_bin)/socktest $(preload_bin)/socktest-static $(preload_bin)/libhook.so: override CFLAGS += -fno-sanitize=all
$(preload_bin)/socktest-static: override LDFLAGS += -static
$(preload_bin)/libhook.so: override CFLAGS += -fPIC
$(preload_bin)/libhook.so: override LDFLAGS += -shared

ifneq ($(shell command -v musl-gcc),)
user: $(preload_bin)/socktest-musl
$(preload_bin)/socktest-musl: selftests/preload/socktest.c
	@mkdir -p $(@D)
	musl-gcc $(cppflags) -Wall -Wextra -Werror -O2 -idirafter /usr/include \
		-idirafter /usr/include/$(shell gcc -dumpmachine) -o $@ $<
endif
