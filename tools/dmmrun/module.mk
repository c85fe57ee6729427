# SPDX-License-Identifier: Apache-2.0
SCRIPTS += tools/dmmrun/dmmrun
