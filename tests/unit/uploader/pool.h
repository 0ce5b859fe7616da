/* SPDX-License-Identifier: ISC */
/*
 * pool.h -- for tests of the uploader: the part of s3backerd and cachemgr that a pool of uploaders
 * sees (segment, cache file, rings, HELLO), and an s3testd of one's own.
 *
 * Programs are taken from bin/ beside the directory of the test.  Everything started here is ended
 * here, by pid; --die-with-parent covers a test that crashes.
 */
#ifndef S3B_TESTS_POOL_H
#define S3B_TESTS_POOL_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/conf.h"
#include "common/counters.h"
#include "common/role.h"
#include "common/timeutil.h"
#include "ipc/bell.h"
#include "ipc/pool.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/shm.h"
#include "ipc/slot_table.h"

#define POOL_MAX 8

struct pool {
	struct shm	    shm;
	struct slot_table   slots;
	int		    cache_fd, efd[POOL_MAX], ctl[POOL_MAX];
	unsigned	    n;
	pid_t		    pid[POOL_MAX];
	struct ipc_ring_end to[POOL_MAX], from[POOL_MAX];
	uint64_t	    next_id;
	struct conf	   *conf;
	struct ipc_msg	    listed[4096];	/* of the last pool_call() with LISTED */
	unsigned	    nlisted;
};

__attribute__((unused)) static const char *
pool_bin(const char *name)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);

	if (n < 0)
		abort();
	path[n] = '\0';
	/* B/unit/uploader/test_x.t or B/bin/tool -> B */
	for (int i = strstr(path, "/unit/") != NULL ? 3 : 2; i > 0; i--)
		*strrchr(path, '/') = '\0';
	(void)strlcat(path, "/bin/", sizeof(path));
	(void)strlcat(path, name, sizeof(path));
	return (path);
}

/* ---- processes ------------------------------------------------------------------------------ */
/* No test looks for a metadata service, or finds keys of who runs it. */
__attribute__((constructor)) static void
pool_environment(void)
{
	(void)setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	(void)setenv("HOME", "/nonexistent", 1);
}

__attribute__((unused)) static pid_t
pool_spawn(const char *exe, int ctl, char *const argv[])
{
	pid_t pid = fork();

	if (pid != 0)
		return (pid);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ctl >= 0 && dup2(ctl, ROLE_CTL_FD) < 0)
		_exit(127);
	(void)execv(exe, argv);
	perror(exe);
	_exit(127);
}

/* Starts a role with what it gets from s3backerd; returns its socket.  -1: no segment. */
__attribute__((unused)) static int
pool_role(struct pool *p, int u, const char *exe, pid_t *ret_pid)
{
	struct role_hello h = {.magic = IPC_MAGIC,
	    .version = IPC_VERSION,
	    .proc = PROC_UPLOADER0 + (u < 0 ? 0 : (uint32_t)u),
	    .epoch = 1,
	    .foreground = 1};
	char *argv[] = {(char *)(uintptr_t)"s3backer-uploader", NULL};
	int sv[2], fds[3];
	size_t len;
	char *text = conf_serialize(p->conf, CONF_S3, &len), *packet;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		abort();
	if (u >= 0) {
		h.fd_kind[h.nfds] = ROLE_FD_SHM, fds[h.nfds++] = p->shm.fd;
		h.fd_kind[h.nfds] = ROLE_FD_CACHE, fds[h.nfds++] = p->cache_fd;
		h.fd_kind[h.nfds] = (uint8_t)(ROLE_FD_UPBELL0 + u), fds[h.nfds++] = p->efd[u];
	}
	*ret_pid = pool_spawn(exe, sv[1], argv);
	close(sv[1]);
	packet = malloc(sizeof(h) + len);
	memcpy(packet, &h, sizeof(h));
	memcpy(packet + sizeof(h), text, len);
	if (role_send(sv[0], ROLE_HELLO, packet, sizeof(h) + len, fds, h.nfds) < 0)
		abort();
	free(packet);
	conf_wipe_text(&text, len);
	return (sv[0]);
}

/* The first packet of a role: true for READY; `text` is what it said. */
__attribute__((unused)) static bool
pool_ready(int ctl, char *text, size_t size)
{
	enum role_packet type = 0;
	ssize_t n = role_recv(ctl, &type, text, size - 1, NULL, NULL);

	text[n > 0 ? n : 0] = '\0';
	return (n >= 0 && type == ROLE_READY);
}

__attribute__((unused)) static int
pool_end(pid_t pid, int sig)
{
	int status = -1;

	if (sig != 0)
		(void)kill(pid, sig);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return (status);
}

/* ---- the pool ------------------------------------------------------------------------------- */
__attribute__((unused)) static struct conf *
pool_conf(const char *const *overrides)
{
	struct conf *conf = NULL;
	char *error = NULL;

	if (conf_load(NULL, overrides, &conf, &error) < 0) {
		fprintf(stderr, "Bail out! %s\n", error != NULL ? error : "?");
		exit(1);
	}
	return (conf);
}

__attribute__((unused)) static bool
pool_start(struct pool *p, unsigned n, uint64_t nblocks, uint32_t block_size, uint32_t nslots,
    const char *const *overrides)
{
	struct shm_geometry g;
	char text[1024];

	memset(p, 0, sizeof(*p));
	p->conf = pool_conf(overrides);
	p->n = n;
	if (shm_plan(&g, nblocks, block_size, nslots, n, 1024) < 0 || shm_create(&g, &p->shm) < 0)
		abort();
	slot_table_attach(&p->slots, &p->shm);
	atomic_store(&shm_pool(&p->shm)->up.bps, p->conf->upload_limit_bps);
	atomic_store(&shm_pool(&p->shm)->down.bps, p->conf->download_limit_bps);
	/* Sealed, as cachemgr's is: a cache in memory. */
	p->cache_fd = memfd_create("cache", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (p->cache_fd < 0 || ftruncate(p->cache_fd, (off_t)nslots * block_size) < 0 ||
	    fcntl(p->cache_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		abort();
	for (unsigned u = 0; u < n; u++) {
		p->efd[u] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		(void)ipc_ring_attach(shm_ring(&p->shm, SHM_RINGS_CM_UP, u), g.ring_msgs, &p->to[u]);
		(void)ipc_ring_attach(shm_ring(&p->shm, SHM_RINGS_UP_CM, u), g.ring_msgs, &p->from[u]);
		p->ctl[u] = pool_role(p, (int)u, pool_bin("s3backer-uploader"), &p->pid[u]);
	}
	for (unsigned u = 0; u < n; u++) {
		if (!pool_ready(p->ctl[u], text, sizeof(text))) {
			printf("# uploader: %s\n", text);
			return (false);
		}
	}
	return (true);
}

/* Returns how many uploaders did not end well. */
__attribute__((unused)) static unsigned
pool_stop(struct pool *p)
{
	unsigned bad = 0;

	for (unsigned u = 0; u < p->n; u++) {
		int status = pool_end(p->pid[u], SIGTERM);

		bad += !WIFEXITED(status) || WEXITSTATUS(status) != ROLE_EXIT_DONE;
		close(p->ctl[u]);
		close(p->efd[u]);
	}
	close(p->cache_fd);
	shm_detach(&p->shm);
	conf_free(p->conf);
	return (bad);
}

__attribute__((unused)) static void
pool_send(struct pool *p, unsigned u, struct ipc_msg *m)
{
	if (m->req_id == 0)
		m->req_id = ++p->next_id;
	while (ipc_ring_push(&p->to[u], m) == -EAGAIN)
		usleep(1000);
	ipc_bell_ring(shm_bell(&p->shm, PROC_UPLOADER0 + u), p->efd[u]);
}

/* The next message of any uploader, or false after `timeout_us`. */
__attribute__((unused)) static bool
pool_receive(struct pool *p, struct ipc_msg *ret, uint64_t timeout_us)
{
	uint64_t deadline = deadline_in_us(timeout_us);
	struct ipc_bell *bell = shm_bell(&p->shm, PROC_CACHEMGR);

	for (;;) {
		ipc_bell_clear(bell, -1);
		for (unsigned u = 0; u < p->n; u++)
			if (ipc_ring_pop(&p->from[u], ret) == 0)
				return (true);
		if (deadline_passed(deadline))
			return (false);
		ipc_bell_wait(bell, deadline);
	}
}

/* One request and its DONE; LISTED before it are kept. */
__attribute__((unused)) static bool
pool_call(struct pool *p, struct ipc_msg *m, struct ipc_msg *ret)
{
	p->nlisted = 0;
	m->req_id = 0;
	pool_send(p, 0, m);
	while (pool_receive(p, ret, 60 * US_PER_S)) {
		if (ret->type == IPC_LISTED && p->nlisted < 4096)
			p->listed[p->nlisted++] = *ret;
		else if (ret->type == IPC_DONE && ret->req_id == m->req_id)
			return (true);
	}
	return (false);
}

/* ---- bytes ---------------------------------------------------------------------------------- */
/* Contents that depend on block and version, so that no two are alike. */
__attribute__((unused)) static void
pool_pattern(unsigned char *buf, size_t len, uint64_t block, uint64_t version)
{
	uint64_t x = (block + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (version << 32);

	for (size_t i = 0; i + 8 <= len; i += 8) {
		x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
		memcpy(buf + i, &x, 8);
	}
}

__attribute__((unused)) static void
pool_fill(struct pool *p, uint32_t slot, uint64_t block, uint64_t version)
{
	size_t len = p->shm.geo.block_size;
	unsigned char *buf = malloc(len);

	pool_pattern(buf, len, block, version);
	if (pwrite(p->cache_fd, buf, len, (off_t)shm_slot_off(&p->shm, slot)) != (ssize_t)len)
		abort();
	free(buf);
}

__attribute__((unused)) static bool
pool_holds(struct pool *p, uint32_t slot, uint64_t block, uint64_t version, uint32_t off,
    uint32_t n)
{
	size_t len = p->shm.geo.block_size;
	unsigned char *want = malloc(len), *got = malloc(len);
	bool same;

	pool_pattern(want, len, block, version);
	if (pread(p->cache_fd, got, len, (off_t)shm_slot_off(&p->shm, slot)) != (ssize_t)len)
		abort();
	same = memcmp(want + off, got + off, n) == 0;
	free(want);
	free(got);
	return (same);
}

__attribute__((unused)) static void
pool_clear(struct pool *p, uint32_t slot)
{
	if (fallocate(p->cache_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		(off_t)shm_slot_off(&p->shm, slot), p->shm.geo.block_size) < 0)
		abort();
}

/* ---- s3testd -------------------------------------------------------------------------------- */
struct server {
	pid_t pid;
	int   port, admin_port;
	char  url[64];
};

__attribute__((unused)) static int
server_read_port(const char *file)
{
	FILE *f;
	int port = 0;

	for (int i = 0; i < 500 && port == 0; i++) {
		if ((f = fopen(file, "r")) != NULL) {
			if (fscanf(f, "%d", &port) != 1)
				port = 0;
			(void)fclose(f);
		}
		if (port == 0)
			usleep(10000);
	}
	(void)unlink(file);
	return (port);
}

/* `extra`: further options, NULL-terminated. */
__attribute__((unused)) static bool
server_start(struct server *s, bool tls, const char *const *extra)
{
	char file[64], admin_file[64];
	char *argv[40];
	unsigned n = 0;
	const char *fixed[] = {"s3testd", "--port", "0", "--port-file", file, "--admin-port", "0",
	    "--admin-port-file", admin_file, "--access-key", "AKID:SECRET", "--bucket", "bkt",
	    "--die-with-parent"};

	(void)snprintf(file, sizeof(file), "/tmp/pool.%d.port", getpid());
	(void)snprintf(admin_file, sizeof(admin_file), "/tmp/pool.%d.admin", getpid());
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		argv[n++] = (char *)(uintptr_t)fixed[i];
	for (; extra != NULL && *extra != NULL && n < 38; extra++)
		argv[n++] = (char *)(uintptr_t)*extra;
	argv[n] = NULL;
	s->pid = pool_spawn(pool_bin("s3testd"), -1, argv);
	s->port = server_read_port(file);
	s->admin_port = server_read_port(admin_file);
	(void)snprintf(s->url, sizeof(s->url), "baseURL=%s://127.0.0.1:%d/", tls ? "https" : "http",
	    s->port);
	return (s->port > 0);
}

__attribute__((unused)) static void
server_stop(struct server *s)
{
	(void)pool_end(s->pid, SIGTERM);
}

/* A request to the admin port; returns the body of the answer (static). */
__attribute__((unused)) static const char *
server_admin(struct server *s, const char *method, const char *what, const char *body)
{
	static char reply[1 << 20];
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->admin_port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = 0;
	ssize_t r;
	char *p;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return ("");
	dprintf(fd,
	    "%s /_s3testd/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
	    method, what, strlen(body), body);
	while (n < sizeof(reply) - 1 && (r = read(fd, reply + n, sizeof(reply) - 1 - n)) > 0)
		n += (size_t)r;
	close(fd);
	reply[n] = '\0';
	p = strstr(reply, "\r\n\r\n");
	return (p != NULL ? p + 4 : reply);
}

__attribute__((unused)) static void
server_fault(struct server *s, const char *rule)
{
	(void)server_admin(s, "DELETE", "fault", "");
	if (*rule != '\0')
		(void)server_admin(s, "POST", "fault", rule);
}

#endif
