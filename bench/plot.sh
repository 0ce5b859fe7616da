#!/bin/bash
# SPDX-License-Identifier: ISC
#
# plot.sh FIGURES RESULTS DIRECTORY -- one SVG per family: each figure's contenders as a ratio to its
# reference, each round a point, the median a bar.
command -v gnuplot >/dev/null || { echo "# no gnuplot: no plots" >&2; exit 0; }
figures=$1 results=$2 dir=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

family() { # family NAME TITLE ROW...
	local name=$1 title=$2
	shift 2
	# A line per contender: label, median of the ratios, then least and greatest.
	awk -F'\t' -v rows=" $* " 'FILENAME == ARGV[1] { if (index(rows, " " $1 " ")) { f[++n] = $2; ref[$2] = $4; row[$2] = $1 } next }
	    $1 in ref { v[$1, $2, $3] = $4; if (!(($1, $2) in seen)) { seen[$1, $2] = 1; w[$1] = w[$1] "\t" $2 } if ($3 > last) last = $3 }
	    END { for (i = 1; i <= n; i++) { k = split(substr(w[f[i]], 2), who, "\t")
		for (j = 1; j <= k; j++) { if (who[j] == ref[f[i]]) continue
			m = 0
			for (r = 1; r <= last; r++) if (v[f[i], ref[f[i]], r] > 0 && ((f[i], who[j], r) in v)) a[++m] = v[f[i], who[j], r] / v[f[i], ref[f[i]], r]
			if (m == 0) continue
			for (x = 2; x <= m; x++) for (y = x; y > 1 && a[y - 1] > a[y]; y--) { t = a[y]; a[y] = a[y - 1]; a[y - 1] = t }
			printf "\"%s: %s, %s\" %.4f %.4f %.4f\n", row[f[i]], f[i], who[j], m % 2 ? a[(m + 1) / 2] : (a[m / 2] + a[m / 2 + 1]) / 2, a[1], a[m] } } }' \
	    "$figures" "$results" >"$tmp/data"
	[ -s "$tmp/data" ] || return 0
	gnuplot <<-EOF
		set terminal svg size 900,$((90 + 22 * $(wc -l <"$tmp/data"))) font "sans,11"
		set output "$dir/$name.svg"
		set title "$title"
		set xlabel "ratio to the reference of the figure: median, least and greatest of the rounds (cut off at 4)"
		set yrange [$(wc -l <"$tmp/data") - 0.4:-0.6]
		set ytics nomirror
		set grid x
		set style fill solid 0.4
		set boxwidth 0.6
		set xrange [0:4]
		unset key
		set arrow 1 from 1, graph 0 to 1, graph 1 nohead dashtype 2
		plot "$tmp/data" using (\$2/2):0:(\$2/2):(0.3):ytic(1) with boxxyerror lc rgb "#4682b4", \
		     "" using 2:0:3:4 with xerrorbars lc rgb "black" pt 7 ps 0.4
	EOF
}
family cache "Cached (rows 1 to 6)" 1 2 3 4 5 6
family network "To and from the bucket (rows 7 to 9, 11)" 7 8 9 11
family others "Starts, trims, memory, file systems, faults (other rows)" 10 12 13 14 15 16 17 18 19 20
