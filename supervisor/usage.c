/* SPDX-License-Identifier: ISC */
#include "supervisor/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/counters.h"
#include "common/durable.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/super.h"

#include "supervisor/guard.h"

#define LOOK_US	 (5 * US_PER_S)
#define WRITE_US (60 * US_PER_S)
#define IDLE_US	 (60 * US_PER_S) /* so long nothing but the lease: idle */

struct usage {
	char path[PATH_MAX];
	uint64_t segment;      /* started_us of the segment that `base` is of */
	struct usage_sum base; /* counted so far of that segment (U1) */
	struct usage_sum day, month;
	char today[16], this_month[16];
	uint64_t busy_us; /* monotonic: the last request other than the lease */
	uint64_t look_us, write_us;
	bool changed;
	pid_t pid;
	int said;
};

/* ---- sums ----------------------------------------------------------------------------------- */

static uint64_t
total(const struct super *s, unsigned ctr)
{
	uint64_t sum = 0;

	for (uint32_t p = 0; p < s->nprocs; p++)
		sum += ctr_value(shm_counters(&s->shm, p), ctr);
	return (sum);
}

static struct usage_sum
counted(const struct super *s)
{
	uint64_t lease = total(s, CTR_token_ok);

	return ((struct usage_sum){.put = total(s, CTR_put_ok) + total(s, CTR_list_ok) + lease,
	    .get = total(s, CTR_get_ok) + total(s, CTR_get_hedged),
	    .del = total(s, CTR_delete_ok),
	    .lease = lease,
	    .up = total(s, CTR_put_bytes),
	    .down = total(s, CTR_get_bytes) + total(s, CTR_list_bytes)});
}

static void
add(struct usage_sum *to, const struct usage_sum *now, const struct usage_sum *before)
{
	to->put += now->put - before->put;
	to->get += now->get - before->get;
	to->del += now->del - before->del;
	to->lease += now->lease - before->lease;
	to->up += now->up - before->up;
	to->down += now->down - before->down;
}

static bool
turn_page(char *kept, size_t len, bool day, const struct tm *tm, struct usage_sum *sum)
{
	char text[16];

	if (day)
		(void)strftime(text, sizeof(text), "%Y-%m-%d", tm);
	else
		(void)strftime(text, sizeof(text), "%Y-%m", tm);
	if (strcmp(text, kept) == 0)
		return (false);
	(void)snprintf(kept, len, "%s", text);
	*sum = (struct usage_sum){0};
	return (true);
}

static void
turn_pages(struct usage *u)
{
	time_t t = time(NULL);
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	if (turn_page(u->today, sizeof(u->today), true, &tm, &u->day))
		u->changed = true;
	if (turn_page(u->this_month, sizeof(u->this_month), false, &tm, &u->month))
		u->changed = true;
}

static void
count(struct super *s, struct usage *u, uint64_t now_mono)
{
	struct usage_sum now = counted(s);

	/* What came since the last look counts for the page that was open then: seconds, at most. */
	if (memcmp(&now, &u->base, sizeof(now)) != 0) {
		if (now.put - now.lease != u->base.put - u->base.lease || now.get != u->base.get ||
		    now.del != u->base.del)
			u->busy_us = now_mono;
		add(&u->day, &now, &u->base);
		add(&u->month, &now, &u->base);
		u->base = now;
		u->changed = true;
	}
	turn_pages(u);
}

/* ---- the file ------------------------------------------------------------------------------- */

#define SUM_FORMAT    "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
#define SUM_SCAN      "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
#define SUM_VALUES(x) (x).put, (x).get, (x).del, (x).lease, (x).up, (x).down
#define SUM_PLACES(x) &(x).put, &(x).get, &(x).del, &(x).lease, &(x).up, &(x).down

static int
make_text(const struct super *s, const struct usage *u, char *text, size_t len)
{
	return (snprintf(text, len,
	    "s3backer usage 1\ndisk %s\n# PUT GET DELETE, of the PUTs the lease, bytes up, bytes "
	    "down\n"
	    "day %s " SUM_FORMAT "\nmonth %s " SUM_FORMAT "\nsegment %" PRIu64 " " SUM_FORMAT "\n",
	    s->conf->bucket, u->today, SUM_VALUES(u->day), u->this_month, SUM_VALUES(u->month),
	    u->segment, SUM_VALUES(u->base)));
}

static void
take_line(const char *line, struct usage *u)
{
	struct usage_sum sum;
	char date[16];
	uint64_t segment;

	if (sscanf(line, "day %15s " SUM_SCAN, date, SUM_PLACES(sum)) == 7) {
		memcpy(u->today, date, sizeof(date));
		u->day = sum;
	} else if (sscanf(line, "month %15s " SUM_SCAN, date, SUM_PLACES(sum)) == 7) {
		memcpy(u->this_month, date, sizeof(date));
		u->month = sum;
	} else if (sscanf(line, "segment %" SCNu64 " " SUM_SCAN, &segment, SUM_PLACES(sum)) == 7 &&
		   segment == u->segment) {
		u->base = sum;
	}
}

static void
read_file(const struct super *s, struct usage *u)
{
	AUTO_FILE FILE *f = fopen(u->path, "re");
	char line[2048], disk[1200];

	(void)snprintf(disk, sizeof(disk), "disk %s\n", s->conf->bucket);
	if (f == NULL || fgets(line, sizeof(line), f) == NULL ||
	    strcmp(line, "s3backer usage 1\n") != 0 || fgets(line, sizeof(line), f) == NULL ||
	    strcmp(line, disk) != 0)
		return; /* none yet, or of another disk */
	while (fgets(line, sizeof(line), f) != NULL)
		take_line(line, u);
}

static struct usage *
open_usage(struct super *s)
{
	struct usage *u = calloc(1, sizeof(*u));
	size_t n = strlen(s->paths.state);

	if (u == NULL)
		return (NULL);
	/* Where the state file is: it lives as long as the cache does. */
	if (s->conf->usage_file != NULL)
		(void)snprintf(u->path, sizeof(u->path), "%s", s->conf->usage_file);
	else
		(void)snprintf(u->path, sizeof(u->path), "%.*s.usage",
		    (int)(n > 6 && strcmp(s->paths.state + n - 6, ".state") == 0 ? n - 6 : n),
		    s->paths.state);
	u->segment = atomic_load(&shm_state(&s->shm)->started_us);
	u->busy_us = now_us();
	u->changed = true; /* soon there is a file, whatever happens to us */
	read_file(s, u);
	turn_pages(u);
	return (u);
}

static void
write_by_child(const struct super *s, struct usage *u)
{
	char text[4096];
	int n = make_text(s, u, text, sizeof(text));

	if (n < 0 || (size_t)n >= sizeof(text) || (u->pid = fork()) < 0) {
		u->pid = 0;
		return;
	}
	if (u->pid == 0) {
		/* Should it hang, it must hold nothing that the next start needs. */
		(void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
		_exit(-durable_write_file(AT_FDCWD, u->path, text, (size_t)n, 0600));
	}
	u->changed = false;
}

uint64_t
usage_timers(struct super *s, uint64_t now)
{
	struct usage *u = s->usage;

	if (s->shm.base == NULL || s->phase != PHASE_RUNNING)
		return (TIME_NEVER);
	if (u == NULL && (u = s->usage = open_usage(s)) == NULL)
		return (TIME_NEVER);
	if (now >= u->look_us) {
		u->look_us = now + LOOK_US;
		count(s, u, now);
	}
	if (now >= u->write_us && u->pid == 0) {
		u->write_us = now + WRITE_US;
		if (u->changed)
			write_by_child(s, u);
	}
	return (u->pid == 0 ? min_u64(u->look_us, u->write_us) : u->look_us);
}

bool
usage_died(struct super *s, pid_t pid, int wait_status)
{
	int err = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : EINTR;
	struct usage *u = s->usage;

	if (u == NULL || pid != u->pid || pid == 0)
		return (false);
	u->pid = 0;
	if (err != 0 && err != u->said)
		log_warn("usageFile: %s: %s", u->path, strerror(err));
	u->said = err;
	return (true);
}

void
usage_end(struct super *s)
{
	struct usage *u = s->usage;
	char text[4096];
	int n;

	if (u == NULL || s->shm.base == NULL)
		return;
	count(s, u, now_us());
	n = make_text(s, u, text, sizeof(text));
	if (n > 0 && (size_t)n < sizeof(text))
		(void)durable_write_file(AT_FDCWD, u->path, text, (size_t)n, 0600);
}

void
usage_close(struct super *s)
{
	free(s->usage);
	s->usage = NULL;
}

/* ---- dollars -------------------------------------------------------------------------------- */

static double
price(const char *text)
{
	return (text != NULL ? strtod(text, NULL) : 0); /* conf_check.c has looked at it */
}

double
usage_dollars(const struct super *s, const struct usage_sum *u)
{
	const struct conf *c = s->conf;

	return ((double)u->put / 1000 * price(c->price_put) +
		(double)u->get / 1000 * price(c->price_get) +
		(double)u->down / (1 << 30) * price(c->price_out));
}

bool
usage_now(const struct super *s, struct usage_sum *ret_day, struct usage_sum *ret_month)
{
	if (s->usage == NULL)
		return (false);
	*ret_day = s->usage->day;
	*ret_month = s->usage->month;
	return (true);
}

bool
usage_stored(const struct super *s, uint64_t *ret_bytes)
{
	const struct ipc_state *st = shm_state(&s->shm);

	if (atomic_load(&st->survey_next) < s->shm.geo.nblocks)
		return (false);
	*ret_bytes = atomic_load(&st->present_blocks) * s->shm.geo.block_size;
	return (true);
}

static json_t *
sum_json(const struct super *s, const struct usage_sum *u)
{
	return (json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "put", (json_int_t)u->put, "get",
	    (json_int_t)u->get, "delete", (json_int_t)u->del, "lease", (json_int_t)u->lease,
	    "bytesUp", (json_int_t)u->up, "bytesDown", (json_int_t)u->down, "dollars",
	    usage_dollars(s, u)));
}

/* Renewals of a disk to which nothing is written: cachemgr/lease.c. */
static double
lease_per_day(const struct super *s)
{
	uint64_t every = max_u64(s->conf->lease_time_us, UINT64_C(300) * US_PER_S);

	if (atomic_load(&shm_state(&s->shm)->token_until) == 0)
		return (0);
	return (86400.0 * US_PER_S / (double)every);
}

json_t *
usage_json(struct super *s)
{
	struct usage *u = s->usage;
	struct usage_sum start;
	double lease;
	uint64_t stored;
	json_t *o;

	if (u == NULL || s->shm.base == NULL)
		return (NULL);
	count(s, u, now_us());
	start = counted(s);
	lease = lease_per_day(s);
	o = json_pack("{s:o, s:o, s:o, s:b, s:f, s:f, s:s}", "sinceStart", sum_json(s, &start),
	    "today", sum_json(s, &u->day), "thisMonth", sum_json(s, &u->month), "idle",
	    now_us() - u->busy_us >= IDLE_US, "leasePerDay", lease, "leaseDollarsPerMonth",
	    lease * 30 / 1000 * price(s->conf->price_put), "file", u->path);
	if (usage_stored(s, &stored))
		(void)json_object_set_new(o, "stored",
		    json_pack("{s:I, s:f}", "bytes", (json_int_t)stored, "dollarsPerMonth",
			(double)stored / (1 << 30) * price(s->conf->price_stored)));
	return (o);
}
