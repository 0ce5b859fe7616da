/* SPDX-License-Identifier: ISC */
/*
 * test_landing.c -- an uploader is killed while the store still works on its request, which is applied
 * later: what its successor writes must have the last word.  And an object that must be there and is
 * not: never zeros.
 */
#include "tests/unit/tap.h"
#include "tests/unit/uploader/pool.h"

#define BLOCK 16384u
#define LATE  "late=1200ms"

static struct server server;
static struct pool pool;
static struct ipc_msg done;

static bool
start(void)
{
	const char *conf[] = {"bucket=bkt", server.url, "accessId=AKID", "accessKey=SECRET",
	    "timeout=20s", "initialRetryPause=10", "maxRetryPause=1500", "mountPoint=/mnt",
	    "size=16m", "blockSize=16k", "user=root", NULL};

	return (pool_start(&pool, 1, 1024, BLOCK, 16, conf));
}

static int
call(uint16_t type, uint64_t block, uint16_t flags)
{
	struct ipc_msg m = {.type = type,
	    .block = block,
	    .flags = flags,
	    .slot = type == IPC_DELETE ? IPC_NO_SLOT : 0,
	    .arg = type == IPC_DELETE ? 1 : 0,
	    .len = type == IPC_GET ? BLOCK : 0};

	return (pool_call(&pool, &m, &done) ? done.status : -ETIME);
}

static unsigned
stat_of(const char *key)
{
	const char *s = server_admin(&server, "GET", "stats", "");
	const char *p = strstr(s, key);

	return (p != NULL ? (unsigned)strtoul(p + strlen(key), NULL, 10) : 0);
}

/* A request of an uploader that dies before the answer; the store applies it later. */
static void
die_with(uint16_t type, uint64_t block, const char *rule)
{
	struct ipc_msg m = {.type = type,
	    .block = block,
	    .slot = type == IPC_DELETE ? IPC_NO_SLOT : 0,
	    .arg = type == IPC_DELETE};

	server_fault(&server, rule);
	(void)server_admin(&server, "DELETE", "stats", "");
	pool_send(&pool, 0, &m);
	for (int i = 0; i < 500 && stat_of("\"in_flight\": ") == 0; i++)
		usleep(2000);
	usleep(20000); /* a body of 16 KiB is there by then */
	(void)pool_end(pool.pid[0], SIGKILL);
	close(pool.ctl[0]);
	server_fault(&server, "");
	pool.n = 0;
	(void)pool_stop(&pool);
	(void)start();
}

/* 1, 2: the version of the block in the store; 0: nothing; -1: anything else. */
static int
version(uint64_t block)
{
	usleep(1500000); /* what was late has landed */
	pool_clear(&pool, 0);
	if (call(IPC_GET, block, 0) != 0)
		return (-1);
	if ((done.flags & IPC_F_ZERO) != 0)
		return (0);
	for (int v = 1; v < 3; v++)
		if (pool_holds(&pool, 0, block, (uint64_t)v, 0, BLOCK))
			return (v);
	return (-1);
}

static int
put(uint64_t block, uint64_t v, uint16_t flags)
{
	if (v == 0)
		pool_clear(&pool, 0);
	else
		pool_fill(&pool, 0, block, v);
	return (call(IPC_PUT, block, flags));
}

static void
late_puts(void)
{
	uint64_t began;

	pool_fill(&pool, 0, 1, 1);
	die_with(IPC_PUT, 1, "put:nth=1:" LATE);
	is_int(put(1, 2, 0), 0, "without the flag: PUT");
	is_int(version(1), 1, "is undone by the dead one's: the danger is real");

	pool_fill(&pool, 0, 2, 1);
	die_with(IPC_PUT, 2, "put:nth=1:" LATE);
	began = now_us();
	is_int(put(2, 2, IPC_F_VERIFY), 0, "VERIFY: PUT");
	ok(now_us() - began < 2 * IPC_LANDING_US, "which takes a while, but no timeout: %u ms",
	    (unsigned)((now_us() - began) / 1000));
	is_int(version(2), 2, "stays");

	pool_fill(&pool, 0, 3, 1);
	die_with(IPC_PUT, 3, "put:nth=1:" LATE);
	is_int(put(3, 0, IPC_F_VERIFY | IPC_F_ABSENT), 0, "VERIFY: PUT of zeros");
	is_int(version(3), 0, "stays");

	pool_fill(&pool, 0, 4, 1);
	die_with(IPC_PUT, 4, "put:nth=1:" LATE);
	is_int(call(IPC_DELETE, 4, IPC_F_VERIFY), 0, "VERIFY: DELETE");
	is_int(version(4), 0, "stays");
}

static void
late_delete(void)
{
	is_int(put(5, 1, 0), 0, "a block");
	die_with(IPC_DELETE, 5, "delete:nth=1:" LATE);
	is_int(put(5, 2, IPC_F_VERIFY), 0, "VERIFY: PUT after a DELETE");
	is_int(version(5), 2, "stays");
}

static void
missing(void)
{
	uint64_t began;

	is_int(put(6, 1, 0), 0, "a block that is known to exist");
	server_fault(&server, "get:404=NoSuchKey:count=3");
	is_int(call(IPC_GET, 6, IPC_F_PRESENT), 0, "404 for a while");
	ok((done.flags & IPC_F_ZERO) == 0 && pool_holds(&pool, 0, 6, 1, 0, BLOCK),
	    "is not zeros but waited for");
	server_fault(&server, "");
	(void)server_admin(&server, "DELETE", "object/bkt/00000006", "");
	began = now_us();
	is_int(call(IPC_GET, 6, IPC_F_PRESENT), -EIO, "deleted behind our back: EIO");
	ok(now_us() - began > 1300000 && now_us() - began < 4000000, "after maxRetryPause: %u ms",
	    (unsigned)((now_us() - began) / 1000));
	is_int(call(IPC_GET, 6, 0), 0, "without the flag");
	ok((done.flags & IPC_F_ZERO) != 0, "it is zeros");
}

int
main(void)
{
	if (access(pool_bin("s3testd"), X_OK) != 0 ||
	    access(pool_bin("s3backer-uploader"), X_OK) != 0) {
		printf("1..0 # SKIP s3testd and s3backer-uploader are not built\n");
		return (0);
	}
	if (!server_start(&server, false, NULL) || !start()) {
		printf("Bail out! no server\n");
		return (1);
	}
	late_puts();
	late_delete();
	missing();
	is_int(pool_stop(&pool), 0, "it ends well");
	server_stop(&server);
	return (tap_done());
}
