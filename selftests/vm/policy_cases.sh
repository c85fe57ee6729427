#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the policy decides, asked of it and seen on real sockets: the cases in selftests/policy/*.cases.

exec policy-cases "$(dirname "$(readlink -f "$0")")"/../policy/*.cases
