# SPDX-License-Identifier: ISC
#
# table.awk -- results to markdown.
#	figures: ROW FIGURE UNIT REFERENCE TARGET      results: FIGURE WHO ROUND VALUE CPU
# Units ending in /s are better when large, all others when small.
FILENAME == ARGV[1] {
	order[++nf] = $2; row[$2] = $1; unit[$2] = $3; ref[$2] = $4; target[$2] = $5
	next
}
{
	if (!(($1, $2) in seen)) { seen[$1, $2] = 1; who[$1] = who[$1] SUBSEP $2 }
	n[$1, $2]++
	v[$1, $2, n[$1, $2]] = $4; c[$1, $2, n[$1, $2]] = $5
	by_round[$1, $2, $3] = $4
	round_of[$1, $2, n[$1, $2]] = $3
}
function median(a, k,    i, j, t) {
	for (i = 2; i <= k; i++)
		for (j = i; j > 1 && a[j - 1] > a[j]; j--) { t = a[j]; a[j] = a[j - 1]; a[j - 1] = t }
	if (k == 0) return ""
	return k % 2 ? a[(k + 1) / 2] : (a[k / 2] + a[k / 2 + 1]) / 2
}
function nice(x) { return x == "" ? "" : x >= 1000 ? sprintf("%d", x + 0.5) : x >= 100 ? sprintf("%.0f", x) : x >= 10 ? sprintf("%.1f", x) : sprintf("%.2f", x) }
function line(f, w,    i, k, m, a, b, r, cpu, worst, large, kr) {
	k = n[f, w]; large = unit[f] ~ /\/s$/; kr = 0
	for (i = 1; i <= k; i++) { a[i] = v[f, w, i] + 0; b[i] = c[f, w, i] + 0 }
	for (i = 1; i <= k; i++)
		if (by_round[f, ref[f], round_of[f, w, i]] + 0 > 0)
			r[++kr] = v[f, w, i] / by_round[f, ref[f], round_of[f, w, i]]
	m = median(a, k); cpu = median(b, k)
	worst = large ? a[1] : a[k]
	printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", row[f], f " (" unit[f] ")", w, nice(m), nice(worst), \
	    (cpu + 0 > 0 ? nice(cpu) : ""), (w == ref[f] ? "" : nice(median(r, kr))), \
	    (w == ref[f] || w ~ /^(null|old)/ ? "" : target[f])
}
END {
	print "| # | figure | who | median | worst | CPU s | ratio | to reach |"
	print "|---|---|---|---|---|---|---|---|"
	for (i = 1; i <= nf; i++) {
		k = split(substr(who[order[i]], 2), w, SUBSEP)
		for (j = 1; j <= k; j++) if (w[j] == ref[order[i]]) line(order[i], w[j])
		for (j = 1; j <= k; j++) if (w[j] != ref[order[i]]) line(order[i], w[j])
	}
}
