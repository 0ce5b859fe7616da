/* SPDX-License-Identifier: ISC */
#include "common/breakout.h"

#ifdef S3B_INJECT

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/inject.h"
#include "common/log.h"
#include "common/role.h"

/* What an attempt returns: 0 or more is success, -1 with errno failure, like a system call. */
static void
say(const char *name, const char *of, long result)
{
	const char *word = result >= 0 ? "done" : strerrorname_np(errno);

	log_info("breakout: %s%s%s result=%s", name, *of != '\0' ? "-" : "", of, word);
}

static int
and_close(int fd)
{
	if (fd >= 0)
		close(fd);
	return (fd);
}

/* ---- the network ---------------------------------------------------------------------------- */
static void
try_sockets(void)
{
	static const struct {
		const char *name;
		int domain, type;
	} kinds[] = {
	    {"inet-stream", AF_INET, SOCK_STREAM},
	    {"inet-datagram", AF_INET, SOCK_DGRAM},
	    {"inet6-stream", AF_INET6, SOCK_STREAM},
	    {"inet-raw", AF_INET, SOCK_RAW},
	    {"unix-stream", AF_UNIX, SOCK_STREAM},
	    {"unix-seqpacket", AF_UNIX, SOCK_SEQPACKET},
	    {"packet", AF_PACKET, SOCK_RAW},
	    {"netlink", AF_NETLINK, SOCK_RAW},
	    {"vsock", 40, SOCK_STREAM},
	};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		say("socket", kinds[i].name,
		    and_close(socket(kinds[i].domain, kinds[i].type | SOCK_CLOEXEC, 0)));
}

/* Somebody else would connect to us. */
static void
try_listen(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long r = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&any, sizeof(any));

	say("listen", "", r < 0 ? r : listen(fd, 1));
	(void)and_close(fd);
}

/* ---- files ---------------------------------------------------------------------------------- */
static void
try_files(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	char beside[512];

	say("read", name, and_close(open(path, O_RDONLY | O_CLOEXEC)));
	say("write", name, and_close(open(path, O_WRONLY | O_CLOEXEC)));
	(void)snprintf(beside, sizeof(beside), "%s.new", path);
	say("create-beside", name, and_close(open(beside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
	say("rename", name, rename(path, beside) == 0 ? rename(beside, path) : -1);
}

static void
try_devices(void)
{
	say("read", "shadow", and_close(open("/etc/shadow", O_RDONLY | O_CLOEXEC)));
	say("read", "dev-mem", and_close(open("/dev/mem", O_RDONLY | O_CLOEXEC)));
	say("open", "dev-fuse", and_close(open("/dev/fuse", O_RDWR | O_CLOEXEC)));
	say("mknod", "", mknod("/dev/shm/s3b-breakout", S_IFCHR | 0600, 0x101));
}

/* The descriptors we have, opened once more with other rights. */
static void
try_reopen(const struct role_env *env)
{
	char path[64];

	if (env->fd[ROLE_FD_SHM] >= 0) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", env->fd[ROLE_FD_SHM]);
		say("reopen", "segment", and_close(open(path, O_RDWR | O_CLOEXEC)));
	} else { /* an uploader's: no descriptor, and what is read-only stays so */
		say("segment", "turned-writable",
		    mprotect(env->state, 4096, PROT_READ | PROT_WRITE));
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", env->fd[ROLE_FD_CACHE]);
	say("reopen", "cache", and_close(open(path, O_RDWR | O_CLOEXEC)));
}

static void
try_cache_table(const struct role_env *env)
{
	int fd = env->fd[ROLE_FD_CACHE];
	char byte = 0;
	void *p;

	say("cache-table", "pread", pread(fd, &byte, 1, 0));
	say("cache-table", "read", read(fd, &byte, 1));
	say("cache-table", "seek", lseek(fd, 0, SEEK_SET));
	say("cache-table", "dup", and_close(dup(fd)));
	say("cache-table", "truncate", ftruncate(fd, lseek(fd, 0, SEEK_END)));
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	say("cache-table", "mmap", p == MAP_FAILED ? -1 : munmap(p, 4096));
}

/* ---- others --------------------------------------------------------------------------------- */
static void
try_process(const char *name, pid_t pid)
{
	char byte = 0, path[64];
	struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)0x400000, 1};

	say("signal", name, kill(pid, 0));
	say("ptrace", name, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	say("vm-read", name, process_vm_readv(pid, &here, 1, &there, 1, 0));
	say("pidfd", name, and_close((int)syscall(SYS_pidfd_open, pid, 0)));
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	say("proc-mem", name, and_close(open(path, O_RDONLY | O_CLOEXEC)));
	(void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	say("proc-environ", name, and_close(open(path, O_RDONLY | O_CLOEXEC)));
}

static long
try_fork(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return (pid < 0 ? -1 : waitpid(pid, NULL, 0));
}

/* ---- more rights ---------------------------------------------------------------------------- */
static void
try_rights(void)
{
	static char *const argv[] = {(char *)(uintptr_t) "true", NULL};
	static struct rlimit core = {1, 1};
	char space[256] = {0};
	void *p;

	say("exec", "", execv("/nonexistent/true", argv) < 0 && errno == ENOENT ? 0 : -1);
	say("fork", "", try_fork());
	say("mount", "",
	    mount("none", "/nonexistent", "tmpfs", 0, "") < 0 && errno == ENOENT ? 0 : -1);
	say("unshare", "user", unshare(CLONE_NEWUSER));
	say("unshare", "mount", unshare(CLONE_NEWNS));
	say("setns", "", setns(-1, 0) < 0 && errno == EBADF ? 0 : -1);
	say("chroot", "", chroot("/nonexistent") < 0 && errno == ENOENT ? 0 : -1);
	say("setuid", "", (long)syscall(SYS_setresuid, 0, 0, 0));
	say("setfsuid", "", syscall(SYS_setfsuid, -1) < 0 ? -1 : 0);
	say("dumpable", "", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	say("core", "", setrlimit(RLIMIT_CORE, &core));
	say("keyctl", "", syscall(SYS_keyctl, 0 /* get id */, -3 /* session */, 0));
	say("io-uring", "", and_close((int)syscall(425, 1, space)));
	say("bpf", "", and_close((int)syscall(SYS_bpf, 0, space, 4)));
	say("perf", "", and_close((int)syscall(SYS_perf_event_open, space, 0, -1, -1, 0)));
	say("userfaultfd", "", and_close((int)syscall(SYS_userfaultfd, 1)));
	p = mmap(
	    NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("memory", "write-exec", p == MAP_FAILED ? -1 : munmap(p, 4096));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("memory", "turned-exec", mprotect(p, 4096, PROT_READ | PROT_EXEC));
	(void)munmap(p, 4096);
}

void
breakout_try(const struct role_env *env)
{
	const char *spec = getenv("S3B_BREAKOUT");
	char point[64], *copy, *rest, *word;
	unsigned n = 0;

	(void)snprintf(point, sizeof(point), "breakout.%s", env->name);
	if (!INJECT_FAIL(point) || (copy = rest = strdup(spec != NULL ? spec : "")) == NULL)
		return;
	log_info("breakout: begins");
	try_sockets();
	try_listen();
	try_devices();
	try_reopen(env);
	if (env->proc > 2)
		try_cache_table(env);
	while ((word = strsep(&rest, " ")) != NULL) {
		char name[16];

		(void)snprintf(name, sizeof(name), "other%u", n);
		if (strncmp(word, "file=", 5) == 0)
			try_files(word + 5);
		else if (strncmp(word, "pid=", 4) == 0 && ++n > 0)
			try_process(name, (pid_t)atoi(word + 4));
	}
	try_rights();
	free(copy);
	log_info("breakout: ends");
}

#else
extern int breakout_is_off;
#endif
