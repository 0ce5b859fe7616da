/* SPDX-License-Identifier: ISC */
/*
 * disk.c -- disks under test: their files, their processes, their death.
 *
 * Every process below us except forgetfs belongs to a disk: we are process 1 of our namespace, so none
 * escapes.
 * Threads: main only.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/powercut.h"

#define PIDS_MAX 256

static void
pause_ms(unsigned ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&t, NULL);
}

/* ---- files ------------------------------------------------------------------------------- */

/*
 * A cache file knows the name of its bucket, so a copy of both must have the same name again: a link
 * that leads to the bucket of the disk that is running.
 */
int
place_make(struct place *p, const char *dir, const char *cache, const char *link_path)
{
	char run[PATH_MAX + 8];

	(void)snprintf(p->dir, sizeof(p->dir), "%s", dir);
	if ((size_t)snprintf(p->conf, sizeof(p->conf), "%s/conf", dir) >= sizeof(p->conf) - 16)
		return (-ENAMETOOLONG);
	(void)snprintf(p->mnt, sizeof(p->mnt), "%.4000s/mnt", dir);
	(void)snprintf(p->file, sizeof(p->file), "%.4000s/mnt/file", dir);
	(void)snprintf(p->bucket, sizeof(p->bucket), "%.4000s/bucket", dir);
	(void)snprintf(p->log, sizeof(p->log), "%.4000s/log", dir);
	(void)snprintf(p->cache, sizeof(p->cache), "%s", cache);
	(void)snprintf(p->link, sizeof(p->link), "%s", link_path);
	(void)snprintf(run, sizeof(run), "%.4000s/run", dir);
	(void)mkdir(dir, 0700);
	(void)mkdir(p->mnt, 0700);
	(void)mkdir(p->bucket, 0700);
	(void)mkdir(run, 0700);
	return (place_conf(p));
}

int
place_conf(const struct place *p)
{
	FILE *f = fopen(p->conf, "we");

	if (f == NULL)
		return (-errno);
	(void)fprintf(f,
	    "bucket = file://%s\nmountPoint = %s\nrunDir = %s/run\nsize = %llu\nblockSize = %u\n"
	    "blockCacheFile = %s\nblockCacheSize = %u\nblockCacheWriteDelay = %ums\n"
	    "uploaders = 1\nlistBlocks = %s\nflushTo = %s\nlogTo = %s\nlogLevel = info\n",
	    p->link, p->mnt, p->dir, (unsigned long long)shape.nblocks * shape.block_size,
	    shape.block_size, p->cache, shape.slots, shape.delay_ms, shape.list ? "yes" : "no",
	    shape.to_bucket ? "bucket" : "cache", p->log);
	return (fclose(f) == 0 ? 0 : -errno);
}

int
disk_read(const struct place *p, uint8_t *ret_disk)
{
	size_t len = (size_t)shape.sectors * SECTOR, done = 0;
	int fd = open(p->file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return (-errno);
	while (done < len) {
		ssize_t n = pread(fd, ret_disk + done, len - done, (off_t)done);

		if (n <= 0) {
			int error = n < 0 ? -errno : -EIO;

			(void)close(fd);
			return (error);
		}
		done += (size_t)n;
	}
	(void)close(fd);
	return (0);
}

/* ---- a world of our own ------------------------------------------------------------------ */

static char boot_file[PATH_MAX];

/*
 * A mount namespace begins as a copy, and a copy of somebody else's FUSE mount or loop device keeps that
 * busy after he has unmounted it.
 */
static void
drop_copies(void)
{
	char *line = NULL, dir[PATH_MAX], type[64], from[PATH_MAX];
	size_t cap = 0;
	FILE *f = fopen("/proc/self/mounts", "re");

	while (f != NULL && getline(&line, &cap, f) > 0)
		if (sscanf(line, "%4095s %4095s %63s", from, dir, type) == 3 &&
		    (strncmp(type, "fuse", 4) == 0 || strncmp(from, "/dev/loop", 9) == 0))
			(void)umount2(dir, MNT_DETACH);
	free(line);
	if (f != NULL)
		(void)fclose(f);
}

/*
 * Namespaces of processes and mounts: when we end, in whatever way, all the rest ends with us, and
 * nothing stays mounted.  Returns in the child, which is process 1 there; the parent waits.
 */
void
world_enter(void)
{
	pid_t child;
	int status;

	opt.id = (unsigned)getpid();
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 || (child = fork()) < 0)
		err(2, "no namespaces (root is needed)");
	if (child > 0) {
		while (waitpid(child, &status, 0) < 0)
			if (errno != EINTR)
				exit(2);
		exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0)
		err(2, "no /proc of our own");
	drop_copies();
	/*
	 * After a power cut the machine boots anew, and the product asks the kernel which boot it is.
	 * Here the answer is a file of ours.
	 */
	(void)snprintf(boot_file, sizeof(boot_file), "%.4000s/powercut.%u.boot", opt.base, opt.id);
	boot_new();
	if (mount(boot_file, "/proc/sys/kernel/random/boot_id", NULL, MS_BIND, NULL) < 0)
		err(2, "cannot choose the boot id");
	(void)unlink(boot_file); /* the mount keeps it */
	(void)snprintf(boot_file, sizeof(boot_file), "/proc/sys/kernel/random/boot_id");
}

void
boot_new(void)
{
	static unsigned boots;
	FILE *f = fopen(boot_file, "w");

	boots++;
	if (f == NULL || fprintf(f, "%08x-0000-4000-8000-%012x\n", boots * 2654435761u, boots) < 0)
		fail("%s: cannot be written", boot_file);
	if (f != NULL)
		(void)fclose(f);
}

/* ---- processes --------------------------------------------------------------------------- */

static pid_t
parent_of(pid_t pid, char *ret_state)
{
	char path[64], buf[512], *p;
	ssize_t n;
	int fd, parent = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return (0);
	n = read(fd, buf, sizeof(buf) - 1);
	(void)close(fd);
	buf[n > 0 ? n : 0] = '\0';
	p = strrchr(buf, ')');
	if (p == NULL || sscanf(p + 1, " %c %d", ret_state, &parent) != 2)
		return (0);
	return ((pid_t)parent);
}

/* All below us that live, without forgetfs. */
static unsigned
descendants(pid_t pid[PIDS_MAX])
{
	static struct {
		pid_t pid, parent;
	} all[4096];
	unsigned nall = 0, n = 0;
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL && nall < 4096) {
		pid_t p = (pid_t)atoi(e->d_name);
		char state = 'Z';

		if (p <= 0 || p == forget_pid())
			continue;
		all[nall].parent = parent_of(p, &state);
		all[nall].pid = p;
		if (state != 'Z' && state != 'X')
			nall++;
	}
	if (d != NULL)
		(void)closedir(d);
	for (bool more = true; more;) {
		more = false;
		for (unsigned i = 0; i < nall && n < PIDS_MAX; i++) {
			bool ours = all[i].parent == getpid(), have = false;

			for (unsigned k = 0; k < n; k++) {
				ours |= all[i].parent == pid[k];
				have |= all[i].pid == pid[k];
			}
			if (ours && !have) {
				pid[n++] = all[i].pid;
				more = true;
			}
		}
	}
	return (n);
}

void
disk_stop_all(void)
{
	pid_t pid[PIDS_MAX];
	unsigned n, before = 0;

	/* Until no new one appears: one that was being made while we looked. */
	for (unsigned same = 0; same < 2;) {
		n = descendants(pid);
		for (unsigned i = 0; i < n; i++)
			(void)kill(pid[i], SIGSTOP);
		same = n == before ? same + 1 : 0;
		before = n;
	}
	/* Those in a call to forgetfs, which holds it, do nothing more either (state D). */
	for (unsigned tries = 0; tries < 200; tries++) {
		unsigned running = 0;

		for (unsigned i = 0; i < n; i++) {
			char state = 'T';

			(void)parent_of(pid[i], &state);
			running += state == 'R' || state == 'S';
		}
		if (running == 0)
			return;
		pause_ms(1);
	}
}

void
disk_kill_begin(void)
{
	pid_t pid[PIDS_MAX];
	unsigned n = descendants(pid);

	for (unsigned i = 0; i < n; i++)
		(void)kill(pid[i], SIGKILL);
}

static bool
is_mounted(const char *mnt)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[PATH_MAX * 2], want[PATH_MAX + 8];
	bool found = false;

	(void)snprintf(want, sizeof(want), " %s ", mnt);
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = strstr(line, want) != NULL;
	if (f != NULL)
		(void)fclose(f);
	return (found);
}

void
disk_kill_end(const struct place *p)
{
	pid_t pid[PIDS_MAX];

	for (unsigned tries = 0; tries < 5000 && descendants(pid) > 0; tries++) {
		disk_kill_begin();
		pause_ms(1);
	}
	if (descendants(pid) > 0)
		fail("a process survives SIGKILL: pid %d", (int)pid[0]);
	/* Every child that is dead; forgetfs lives, and is not waited for. */
	for (;;) {
		siginfo_t si = {.si_pid = 0};

		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0 ||
		    si.si_pid == forget_pid())
			break;
		(void)waitpid(si.si_pid, NULL, 0);
	}
	while (is_mounted(p->mnt) && umount2(p->mnt, MNT_DETACH) == 0)
		;
}

static pid_t
spawn(const char *const argv[], const char *log)
{
	pid_t pid = fork();

	if (pid == 0) {
		int in = open("/dev/null", O_RDONLY);
		int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		(void)dup2(in, 0);
		(void)dup2(out, 1);
		(void)dup2(out, 2);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return (pid);
}

static int
status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return (-errno);
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD);
}

int
disk_run(const char *const argv[], const char *log)
{
	pid_t pid = spawn(argv, log);

	return (pid < 0 ? -errno : status_of(pid));
}

pid_t
disk_start_begin(const struct place *p)
{
	char program[PATH_MAX];
	const char *argv[] = {program, "-c", p->conf, "start", NULL};

	(void)snprintf(program, sizeof(program), "%s/s3backerd", opt.bin);
	(void)unlink(p->link);
	if (symlink(p->bucket, p->link) < 0)
		return (-1);
	return (spawn(argv, p->log));
}

int
disk_start_end(pid_t pid)
{
	return (status_of(pid));
}

int
disk_start(const struct place *p)
{
	return (disk_start_end(disk_start_begin(p)));
}

int
disk_ctl(const struct place *p, const char *word)
{
	char program[PATH_MAX];
	const char *argv[] = {program, "-c", p->conf, "--timeout", "60", word, NULL};

	(void)snprintf(program, sizeof(program), "%s/s3backerctl", opt.bin);
	return (disk_run(argv, p->log));
}

int
disk_status(const struct place *p, const char *out)
{
	char program[PATH_MAX];
	const char *argv[] = {program, "-c", p->conf, "--json", "status", NULL};

	(void)snprintf(program, sizeof(program), "%s/s3backerctl", opt.bin);
	return (disk_run(argv, out));
}
