# SPDX-License-Identifier: Apache-2.0
#
# Not installed: it is there to be read, and for the tests.
TESTBINS += $B/selftests/bin/dmm-template
$B/selftests/bin/dmm-template: $(call objs,stacks/template) $B/lib/libdmm-stack.a
$B/selftests/bin/dmm-template: LDLIBS = -pthread
