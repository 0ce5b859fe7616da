#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Half a minute of tests/crash/killing-spree, with another seed each time.

exec bash "$(dirname "$(readlink -f "$0")")/../crash/killing-spree" 30
