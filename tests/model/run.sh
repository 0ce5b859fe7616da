#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The models hold in every schedule, and each of their mutations breaks in some: a model that finds
# nothing wrong with a missing step would prove nothing.

here=$(dirname "$(readlink -f "$0")")
for t in spin gcc; do
	command -v $t >/dev/null || { echo "1..0 # SKIP needs $t"; exit 0; }
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0 failed=0

check() { # check MODEL MUTATION: sets errors and states
	rm -rf pan* ./*.trail
	spin ${2:+-D$2} -a "$here/$1.pml" >spin.log 2>&1 && gcc -O2 -w -DSAFETY -o pan pan.c >>spin.log 2>&1 &&
	    ./pan -m100000 >pan.log 2>&1
	errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' pan.log)
	states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.log)
}
result() { # result STATUS sentence
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2" && failed=1
		sed 's/^/# /' spin.log pan.log | tail -n 15 >&2
	fi
}

for model in bell slots valid; do
	check $model ''
	[ "$errors" = 0 ] && ! grep -q 'max search depth too small' pan.log
	result $? "$model: holds in all schedules ($states states)"
	for mutation in $(sed -n '/^ \* Mutations: /,/^ \*\//p' "$here/$model.pml" | grep -oE '[A-Z]+_[A-Z_]+'); do
		check $model "$mutation"
		[ "${errors:-0}" -gt 0 ]
		result $? "$model: $mutation is found"
	done
done
echo "1..$n"
exit $failed
