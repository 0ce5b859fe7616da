/* SPDX-License-Identifier: ISC */
/*
 * faults.c -- the disk under the cache fails while the workload runs.
 *
 * Whatever it does: no process dies, state `degraded` says why, nothing that a flush returned for is
 * lost, be it by a power cut in this state or by a stop after the disk has recovered.  Requests may
 * fail meanwhile; one that failed may have happened or not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/evidence.h"

#define COMMANDS 3

/* What forgetfs is told, and whether commits must notice. */
static const struct fault {
	const char *name, *command[COMMANDS];
	bool degrades;
} faults[] = {
    {"enospc", {"fault enospc", NULL}, true},
    {"readonly", {"fault readonly", NULL}, true},
    {"eio-write", {"fault eio write 100", NULL}, true},
    {"eio-fsync", {"fault eio fsync 100", NULL}, true},
    {"eio-some", {"fault eio write 20", "fault eio fsync 30"}, true},
    {"eio-once", {"fault eio fsync 50", NULL}, true},
    {"eio-read", {"fault eio read 30", NULL}, false},
    {"eio-all", {"fault eio read 100", "fault eio write 100", "fault eio fsync 100"}, true},
};

bool
fault_known(const char *name)
{
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (strcmp(faults[i].name, name) == 0)
			return (true);
	return (false);
}

static void
pause_ms(unsigned ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&t, NULL);
}

static bool
file_has(const char *path, const char *text)
{
	FILE *f = fopen(path, "re");
	char line[8192];
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = strstr(line, text) != NULL;
	if (f != NULL)
		(void)fclose(f);
	return (found);
}

static bool
is_degraded(const struct place *p)
{
	char path[PATH_MAX];
	bool state, why;

	(void)snprintf(path, sizeof(path), "%.4000s/status", p->dir);
	(void)unlink(path);
	(void)disk_status(p, path);
	state = file_has(path, "\"degraded\"");
	why = file_has(path, "\"why\": \"cache file: ");
	return (state && why);
}

static void
begin_fault(const struct fault *f, uint64_t seed)
{
	for (unsigned i = 0; i < COMMANDS && f->command[i] != NULL; i++) {
		if (strncmp(f->command[i], "fault eio", 9) == 0)
			(void)forget("%s %u", f->command[i], (unsigned)seed);
		else
			(void)forget("%s", f->command[i]);
	}
}

/* A clean stop after the fault: everything acknowledged is in the bucket, flushed or not. */
static void
stop_and_look(const struct place *p)
{
	uint8_t *disk = malloc((size_t)shape.sectors * SECTOR);

	if (disk_ctl(p, "flush") < 0)
		fail("flush fails after the disk has recovered: see %s", p->log);
	disk_kill_begin();
	disk_kill_end(p);
	if (disk == NULL || disk_start(p) < 0 || disk_read(p, disk) < 0)
		fail("the disk does not start or cannot be read: see %s", p->log);
	else if (model_reads_back(0, shape.sectors, disk, "stopped after a fault"))
		model_adopt(disk);
	free(disk);
}

void
fault_round(const struct place *p, uint64_t seed)
{
	const struct fault *f = faults;
	uint64_t flushed = work_flushes() + 3;
	bool degrades;

	while (strcmp(f->name, opt.fault) != 0)
		f++;
	if (work_start(p, seed) < 0) {
		fail("cannot use the mounted file: %s", p->file);
		return;
	}
	for (unsigned i = 0; i < 200 && work_flushes() < flushed; i++)
		pause_ms(5);
	begin_fault(f, seed);
	pause_ms(100 + (unsigned)(seed % 300));
	/* Who flushes to the bucket commits only after it, and it may not come to that. */
	degrades = f->degrades && !shape.to_bucket;
	for (unsigned i = 0; degrades && i < 200 && !is_degraded(p); i++)
		pause_ms(20);
	if (degrades && !is_degraded(p))
		fail("%s: the state is not `degraded` for a fault of the cache file: see %s/status",
		    f->name, p->dir);
	if (file_has(p->log, " died:"))
		fail("%s: a process died: see %s", f->name, p->log);
}

void
fault_heal(const struct place *p)
{
	work_stopping();
	(void)forget("fault none");
	work_join();
	stop_and_look(p);
}
