#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
# kernel: 6.1
#
# Python's own tests of sockets: every one must come out under dmmrun as it does without, for UDP sockets too.

# shellcheck source=common.sh
. "${0%/*}/common.sh"

needs=(/usr/bin/python3)
# shellcheck disable=SC2034 # for common.sh
declare -A at_least=([connects]=200 [accepts]=150 [listens]=200)
# shellcheck disable=SC2034
dgram=1

# Not those of other families, nor those that take long to wait for signals; of asyncio's loops the usual one.
scenario() {
	"${run[@]}" /usr/bin/python3 - >results 2>diagnostics <<-'END'
	import sys, unittest
	from test import support

	MODULES = ["test_socket", "test_socketserver", "test_epoll", "test_asyncio.test_sock_lowlevel"]
	NOT_OURS = ["VSOCK", "CAN", "RDS", "Bluetooth", "SCTP", "UDPLITE", "Unix", "ISOTP", "J1939", "Crypto",
	            "test_sendall_interrupted", "InterruptedTimeout", "InterruptedRecv", "InterruptedSend",
	            ".PollEventLoop", ".SelectEventLoop"]

	class Result(unittest.TestResult):
	    def stopTest(self, test):
	        bad = [t for t, _ in self.failures + self.errors]
	        skipped = [t for t, _ in self.skipped]
	        print("bad" if test in bad else "skipped" if test in skipped else "ok", test.id(), flush=True)
	        super().stopTest(test)

	def leaves(suite):
	    for test in suite:
	        yield from leaves(test) if isinstance(test, unittest.TestSuite) else [test]

	support.verbose = 0
	suite = unittest.defaultTestLoader.loadTestsFromNames("test." + name for name in MODULES)
	result = Result()
	unittest.TestSuite(t for t in leaves(suite) if not any(name in t.id() for name in NOT_OURS)).run(result)
	for test, trace in result.failures + result.errors:
	    print(test, trace, file=sys.stderr)
	END
	cat diagnostics >&2
	sort results
	(($(grep -c ^ok results) > 300))
}

main "$@"
