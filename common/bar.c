/* SPDX-License-Identifier: ISC */
#include "common/bar.h"

#include <bsd/string.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/blockmath.h"
#include "common/timeutil.h"

#define LINE_FIRST_US (1 * US_PER_S)
#define LINE_EVERY_US (5 * US_PER_S)
#define BAR_CELLS_MAX 40

void
bar_begin(struct bar *b, FILE *out)
{
	/* In a log, what is over at once is not worth a line. */
	*b = (struct bar){.out = out,
	    .tty = isatty(fileno(out)) == 1,
	    .next_line_us = deadline_in_us(LINE_FIRST_US)};
}

char *
bar_bytes(uint64_t bytes, char buf[24])
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double x = (double)bytes;
	unsigned u = 0;

	for (; x >= 1024 && u < 6; u++)
		x /= 1024;
	(void)snprintf(buf, 24, u == 0 || x >= 100 ? "%.0f %s" : "%.1f %s", x, unit[u]);
	return (buf);
}

static int
columns(const struct bar *b)
{
	struct winsize w;

	return (ioctl(fileno(b->out), TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col : 80);
}

/* "uploading 3.1 MiB of 9.0 MiB, 12 MiB/s, 3.2 s left" */
static void
describe(char *buf, size_t len, const char *words, uint64_t done, uint64_t total, uint64_t rate,
    double left_s)
{
	char a[24], c[24], r[24], t[48];
	int n;

	if (total == 0) {
		(void)snprintf(buf, len, "%s", words);
		return;
	}
	n = snprintf(buf, len, "%s %s of %s", words, bar_bytes(done, a), bar_bytes(total, c));
	if (rate > 0 && done < total && n > 0 && (size_t)n < len)
		(void)snprintf(buf + n, len - (size_t)n, ", %s/s, %s left", bar_bytes(rate, r),
		    duration_text(us_of_seconds(left_s), t, sizeof(t)));
}

static void
draw(struct bar *b, const char *text, uint64_t done, uint64_t total)
{
	int room = columns(b) - (int)strlen(text) - 4;
	int cells = total == 0 || room < 8 ? 0 : (int)min_u64((uint64_t)room, BAR_CELLS_MAX);
	int full = total == 0 ? 0 : (int)((double)done / (double)total * cells);

	(void)fprintf(b->out, "\r\033[K");
	if (cells > 0) {
		putc('[', b->out);
		for (int i = 0; i < cells; i++)
			putc(i < full ? '#' : '.', b->out);
		(void)fprintf(b->out, "] ");
	}
	(void)fprintf(b->out, "%s", text);
	(void)fflush(b->out);
	b->drawn = true;
}

void
bar_show(
    struct bar *b, const char *words, uint64_t done, uint64_t total, uint64_t rate, double left_s)
{
	char text[256];
	uint64_t now = now_us();

	describe(text, sizeof(text), words, done, total, rate, left_s);
	if (b->tty) {
		draw(b, text, done, total);
		return;
	}
	/* In a log: not the same again, and not more often than somebody wants to read. */
	if (now < b->next_line_us || strcmp(text, b->last) == 0)
		return;
	b->next_line_us = now + LINE_EVERY_US;
	(void)strlcpy(b->last, text, sizeof(b->last));
	(void)fprintf(b->out, "%s\n", text);
	(void)fflush(b->out);
}

void
bar_end(struct bar *b)
{
	if (b->drawn)
		(void)fprintf(b->out, "\r\033[K");
	(void)fflush(b->out);
	b->drawn = false;
}
