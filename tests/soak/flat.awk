# SPDX-License-Identifier: ISC
#
# flat.awk -- are memory and descriptors of samples.tsv flat?  A table, and exit code 1 if not.
#
# Judged: rss, anonymous memory (kB) and descriptors of each process of `long`, which none of them
# leaves before the end, and the sums over all processes of `spree`, which are replaced all the time
# (samples in which one is missing are left out).  The first quarter of the time is warm-up.  Flat is
#
#	growth	the least-squares line over the other three quarters rises by no more than LIMIT
#		of its mean, plus FLOOR
#	peak	the highest value of the last quarter is no more than LIMIT above the highest of the
#		second quarter, plus FLOOR
#
# LIMIT is a tenth; a fifth for the sums.  FLOOR: 1 MiB, for the sums four times that.  Below 40 samples
# nothing is judged.
#
# Descriptors of uploaders are connections, which come and go by the hundred with what the store does; one
# that is lost never comes back.  So of descriptors the lowest values are compared:
#
#	rise	the lowest value of the last quarter is no more than 6 above the lowest of the second

BEGIN { FS = "\t" }
NR == 1 { next }
{ last = $1; if (!($1 in seen)) { seen[$1] = 1; times++ } }
$2 == "long" { add("long " $3, $1, $5, $7, $9) }
$2 == "spree" {
	n[$1]++; rss[$1] += $5; anon[$1] += $7; fds[$1] += $9
}

function add(name, t, r, a, f) {
	if (!(name in count)) names[++nnames] = name
	count[name]++
	T[name, count[name]] = t
	V[name, count[name], "rss"] = r; V[name, count[name], "anon"] = a; V[name, count[name], "fds"] = f
}

function judge(name, what, limit, floor,    i, m, t, v, st, sv, stt, stv, slope, mean, grown, p2, p4, top) {
	p2 = p4 = 0
	for (i = 1; i <= count[name]; i++) {
		t = T[name, i]; v = V[name, i, what]
		if (v > top) top = v
		if (t < last / 4) continue
		m++; st += t; sv += v; stt += t * t; stv += t * v
		if (t < last / 2 && v > p2) p2 = v
		if (t >= last * 3 / 4 && v > p4) p4 = v
	}
	if (m < 2 || m * stt == st * st) return
	slope = (m * stv - st * sv) / (m * stt - st * st)
	mean = sv / m
	grown = slope * last * 3 / 4
	verdict = "flat"
	if (grown > limit * mean + floor) verdict = "GROWS"
	else if (p4 > p2 * (1 + limit) + floor) verdict = "HIGHER"
	if (verdict != "flat") bad++
	printf "%-18s %-5s %9.0f %9.0f %9.0f %9.0f %+9.1f  %s\n", name, what, mean, top, p2, p4, grown, verdict
}

function judge_lowest(name, what,    i, t, v, sum, top, l2, l4) {
	l2 = l4 = -1
	for (i = 1; i <= count[name]; i++) {
		t = T[name, i]; v = V[name, i, what]; sum += v
		if (v > top) top = v
		if (t >= last / 4 && t < last / 2 && (l2 < 0 || v < l2)) l2 = v
		if (t >= last * 3 / 4 && (l4 < 0 || v < l4)) l4 = v
	}
	if (l2 < 0 || l4 < 0) return
	verdict = l4 > l2 + 6 ? "RISES" : "flat"
	if (verdict != "flat") bad++
	printf "%-18s %-5s %9.0f %9.0f %9.0f %9.0f %9s  %s\n", name, what, sum / count[name], top, l2, l4, "lowest", verdict
}

END {
	if (times < 40) { print "not judged: " times " samples"; exit 0 }
	for (t in n) if (n[t] == 5) add("spree all", t + 0, rss[t], anon[t], fds[t])
	printf "%-18s %-5s %9s %9s %9s %9s %9s\n", "", "", "mean", "highest", "2nd q.", "last q.", "growth"
	for (i = 1; i <= nnames; i++) {
		sums = names[i] ~ /all$/
		judge(names[i], "rss", sums ? 0.2 : 0.1, sums ? 4096 : 1024)
		judge(names[i], "anon", sums ? 0.2 : 0.1, sums ? 4096 : 1024)
		judge_lowest(names[i], "fds")
	}
	exit bad > 0
}
