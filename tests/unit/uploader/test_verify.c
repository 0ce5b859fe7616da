/* SPDX-License-Identifier: ISC */
/*
 * test_verify.c -- a body of the right length under the right ETag is not data unless it is what was
 * stored: checksums of our own, MD5s where the store has them, and stores that have neither.
 */
#include "tests/unit/tap.h"
#include "tests/unit/uploader/pool.h"

#define BLOCK 16384u

static struct server server;
static struct pool pool;
static struct ipc_msg done;

static bool
start(const char *option, const char *a, const char *b)
{
	const char *conf[] = {"bucket=bkt", server.url, "accessId=AKID", "accessKey=SECRET",
	    "timeout=2s", "initialRetryPause=10", "maxRetryPause=3000", "mountPoint=/mnt",
	    "size=16m", "blockSize=16k", "user=root", a, b, NULL};
	const char *extra[] = {option, NULL};

	if (!server_start(&server, false, extra))
		return (false);
	return (pool_start(&pool, 1, 1024, BLOCK, 16, conf));
}

static void
stop(void)
{
	(void)pool_stop(&pool);
	server_stop(&server);
}

static int
put(uint64_t block)
{
	struct ipc_msg m = {.type = IPC_PUT, .block = block, .slot = 0};

	pool_fill(&pool, 0, block, 1);
	return (pool_call(&pool, &m, &done) ? done.status : -ETIME);
}

static int
get(uint64_t block)
{
	struct ipc_msg m = {.type = IPC_GET, .block = block, .slot = 1, .len = BLOCK};

	pool_clear(&pool, 1);
	return (pool_call(&pool, &m, &done) ? done.status : -ETIME);
}

static bool
is_right(uint64_t block)
{
	return (pool_holds(&pool, 1, block, 1, 0, BLOCK));
}

/* An object as another program leaves it: no checksum, the ETag is the store's affair. */
static void
foreign(uint64_t block)
{
	static char text[BLOCK + 1];
	char path[64];

	memset(text, 'a' + (int)(block % 26), BLOCK);
	(void)snprintf(path, sizeof(path), "object/bkt/%08llx", (unsigned long long)block);
	(void)server_admin(&server, "PUT", path, text);
}

static bool
is_foreign(uint64_t block)
{
	char text[BLOCK];

	if (pread(pool.cache_fd, text, BLOCK, (off_t)shm_slot_off(&pool.shm, 1)) != BLOCK)
		return (false);
	for (unsigned i = 0; i < BLOCK; i++)
		if (text[i] != 'a' + (int)(block % 26))
			return (false);
	return (true);
}

static uint64_t
bad_replies(void)
{
	return (ctr_get(shm_counters(&pool.shm, PROC_UPLOADER0), bad_replies));
}

/* How often block was asked for since the log was at line `since`. */
static unsigned
gets_of(uint64_t block, const char *since)
{
	char path[64], key[32];
	const char *log;
	unsigned n = 0;

	(void)snprintf(path, sizeof(path), "log?since=%s", since);
	(void)snprintf(key, sizeof(key), "/bkt/%08llx", (unsigned long long)block);
	log = server_admin(&server, "GET", path, "");
	for (const char *p = log; (p = strstr(p, " GET ")) != NULL; p++)
		n += strncmp(p + 5, key, strlen(key)) == 0;
	return (n);
}

/* ---- cases ---------------------------------------------------------------------------------- */
static void
damaged(const char *what, const char *a, const char *b)
{
	uint64_t before;

	if (!start(NULL, a, b)) {
		ok(false, "%s: start", what);
		return;
	}
	is_int(put(1), 0, "%s: PUT", what);
	before = bad_replies();
	server_fault(&server, "get:garbage:nth=1");
	is_int(get(1), 0, "%s: damaged on the way", what);
	ok(is_right(1) && bad_replies() > before, "%s: noticed, and fetched again", what);
	server_fault(&server, "get:garbage:count=3");
	ok(get(1) == 0 && is_right(1), "%s: three times", what);
	server_fault(&server, "put:garbage");
	(void)put(2);
	server_fault(&server, "");
	is_int(get(2), -EIO, "%s: damaged in the store: EIO", what);
	stop();
}

static void
md5s(void)
{
	(void)start(NULL, "quiet", "quiet");
	foreign(3);
	is_int(get(3), 0, "MD5: an object without a checksum");
	ok(is_foreign(3), "MD5: is right");
	server_fault(&server, "get:garbage:nth=1");
	ok(get(3) == 0 && is_foreign(3), "MD5: damaged on the way, fetched again");
	server_fault(&server, "get:garbage");
	is_int(get(3), -EIO, "MD5: damaged each time: EIO");
	server_fault(&server, "");
	stop();
	/* Nothing is known yet of this store, and the first body is damaged. */
	(void)start(NULL, "quiet", "quiet");
	foreign(3);
	server_fault(&server, "get:garbage:nth=1");
	ok(get(3) == 0 && is_foreign(3), "MD5: damaged at the first contact");
	server_fault(&server, "");
	stop();
}

static void
no_md5s(void)
{
	(void)start("--etag=fast", "quiet", "quiet");
	foreign(4);
	foreign(5);
	ok(get(4) == 0 && is_foreign(4), "other ETags: read");
	is_int(gets_of(4, "0"), 2, "other ETags: after a second look");
	ok(get(5) == 0 && is_foreign(5), "other ETags: the next");
	is_int(gets_of(5, "0"), 1, "other ETags: at once");
	is_int(put(6), 0, "other ETags: PUT");
	server_fault(&server, "get:garbage:nth=1");
	ok(get(6) == 0 && is_right(6), "other ETags: checksums work there, too");
	server_fault(&server, "");
	stop();
	(void)start("--etag=fast", "quiet", "quiet");
	is_int(put(6), 0, "other ETags, after a PUT");
	foreign(4);
	ok(get(4) == 0 && is_foreign(4) && gets_of(4, "0") == 1, "other ETags: known by the PUT");
	stop();
}

static void
refused(const char *rule, const char *what)
{
	(void)start(NULL, "quiet", "quiet");
	server_fault(&server, rule);
	is_int(put(7), 0, "checksums refused, %s: PUT", what);
	server_fault(&server, "");
	is_int(put(8), 0, "checksums refused, %s: and another", what);
	/* No checksum is stored, and the MD5 takes its place. */
	server_fault(&server, "get:garbage:nth=1");
	ok(get(8) == 0 && is_right(8), "checksums refused, %s: MD5 instead", what);
	server_fault(&server, "put:garbage");
	(void)put(9);
	server_fault(&server, "");
	is_int(get(9), -EIO, "checksums refused, %s: damaged in the store", what);
	stop();
}

/* The proof that the faults above do damage. */
static void
switched_off(void)
{
	(void)start(NULL, "verifyReads=no", "quiet");
	is_int(put(1), 0, "verifyReads = no: PUT");
	server_fault(&server, "get:garbage:nth=1");
	ok(get(1) == 0 && !is_right(1), "verifyReads = no: garbage comes through");
	server_fault(&server, "");
	stop();
}

int
main(void)
{
	if (access(pool_bin("s3testd"), X_OK) != 0 ||
	    access(pool_bin("s3backer-uploader"), X_OK) != 0) {
		printf("1..0 # SKIP s3testd and s3backer-uploader are not built\n");
		return (0);
	}
	damaged("plain", "quiet", "quiet");
	damaged("deflate", "compress", "quiet");
	damaged("zstd", "compress=zstd", "quiet");
	damaged("encrypted", "encrypt", "password=x");
	md5s();
	no_md5s();
	refused("put:nth=1:400=InvalidRequest", "400");
	refused("put:nth=1:501=NotImplemented", "501");
	switched_off();
	return (tap_done());
}
