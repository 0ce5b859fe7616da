/* SPDX-License-Identifier: ISC */
/*
 * test_pool.c -- a real uploader against a real server: what cachemgr asks for, what goes wrong.
 */
#include <zlib.h>

#include "tests/unit/tap.h"
#include "tests/unit/uploader/pool.h"

#define BLOCK 65536u
#define SUBS  (BLOCK / 4096)

static struct pool pool;
static struct server server;
static struct ipc_msg done;

static int
get(uint64_t block, uint32_t slot, uint32_t off, uint32_t len)
{
	struct ipc_msg m = {
	    .type = IPC_GET, .block = block, .slot = slot, .off = off, .len = len, .slot_gen = 7};

	return (pool_call(&pool, &m, &done) ? done.status : -ETIME);
}

static int
put(uint64_t block, uint32_t slot, uint16_t flags)
{
	struct ipc_msg m = {.type = IPC_PUT, .block = block, .slot = slot, .flags = flags};

	return (pool_call(&pool, &m, &done) ? done.status : -ETIME);
}

static bool
has_object(const char *key)
{
	char path[64], *found;

	(void)snprintf(path, sizeof(path), "keys/bkt?prefix=%s", key);
	found = strdup(server_admin(&server, "GET", path, ""));
	path[0] = '\0';
	if (strncmp(found, key, strlen(key)) == 0)
		path[0] = 'y';
	free(found);
	return (path[0] == 'y');
}

static uint32_t
crc_of(uint64_t block, uint64_t version)
{
	static unsigned char buf[BLOCK];

	pool_pattern(buf, BLOCK, block, version);
	return ((uint32_t)crc32(0, buf, BLOCK));
}

static void
round_trip(void)
{
	pool_fill(&pool, 0, 5, 1);
	is_int(put(5, 0, 0), 0, "PUT");
	ok((done.flags & IPC_F_HASCRC) != 0 && done.arg == crc_of(5, 1), "its CRC is zlib's");
	ok(done.etag[0] != 0 || done.etag[1] != 0, "its ETag");
	ok(has_object("00000005"), "the object has the name of the format");
	is_int(get(5, 1, 0, BLOCK), 0, "GET");
	ok(pool_holds(&pool, 1, 5, 1, 0, BLOCK), "the bytes");
	ok(done.arg == crc_of(5, 1) && (done.flags & IPC_F_HASCRC) && done.slot == 1 &&
		done.slot_gen == 7,
	    "CRC, slot and generation");
	pool_clear(&pool, 2);
	is_int(get(5, 2, 8192, 12288), 0, "GET of a part");
	ok(pool_holds(&pool, 2, 5, 1, 8192, 12288) && !pool_holds(&pool, 2, 5, 1, 0, 4096) &&
		!pool_holds(&pool, 2, 5, 1, 20480, 4096),
	    "that part and nothing else");
	ok((done.flags & IPC_F_HASCRC) == 0, "no CRC of a part");
	is_int(get(77, 2, 0, BLOCK), 0, "GET of nothing");
	ok((done.flags & IPC_F_ZERO) != 0, "is zeros");
}

static void
zeros(void)
{
	pool_clear(&pool, 0);
	is_int(put(5, 0, 0), 0, "PUT of zeros");
	ok((done.flags & IPC_F_ZERO) != 0 && !has_object("00000005"), "is a DELETE");
	(void)server_admin(&server, "DELETE", "stats", "");
	is_int(put(6, 0, IPC_F_ABSENT), 0, "PUT of zeros where nothing is");
	ok(strstr(server_admin(&server, "GET", "stats", ""), "\"requests\": 0") != NULL,
	    "is no request");

	/* Two of the sub-blocks are valid, the others hold old bytes that must not be seen. */
	pool_fill(&pool, 3, 9, 1);
	atomic_store(
	    &pool.slots.slot[3].head, slot_head(9, 1, SLOT_F_ZBASE | SLOT_F_MAP, SLOT_FROZEN));
	slot_valid_set(&pool.slots, 3, 2, 2);
	slot_valid_set(&pool.slots, 3, 15, 15);
	is_int(put(9, 3, IPC_F_ZBASE | IPC_F_ABSENT), 0, "PUT with holes");
	is_int(get(9, 4, 0, BLOCK), 0, "and back");
	ok(pool_holds(&pool, 4, 9, 1, 8192, 4096) && pool_holds(&pool, 4, 9, 1, 61440, 4096),
	    "the valid parts");
	pool_clear(&pool, 5);
	{
		static unsigned char a[8192], z[8192];

		ok(pread(pool.cache_fd, a, 8192, (off_t)shm_slot_off(&pool.shm, 4)) == 8192 &&
			memcmp(a, z, 8192) == 0,
		    "holes are zeros");
	}
}

static void
deletes(void)
{
	struct ipc_msg m = {.type = IPC_DELETE, .flags = IPC_F_MORE, .slot = IPC_NO_SLOT};

	for (uint64_t b = 100; b < 140; b++) {
		pool_fill(&pool, 0, b, 1);
		(void)put(b, 0, 0);
	}
	ok(has_object("00000064") && has_object("0000008b"), "forty blocks");
	m.block = 100, m.arg = 20, m.req_id = 4711;
	pool_send(&pool, 0, &m);
	m.block = 125, m.arg = 15, m.flags = 0;
	pool_send(&pool, 0, &m);
	ok(pool_receive(&pool, &done, 10 * US_PER_S) && done.type == IPC_DONE &&
		done.req_id == 4711 && done.status == 0,
	    "two runs, one DONE");
	ok(!has_object("00000064") && !has_object("00000077") && has_object("00000078") &&
		has_object("0000007c") && !has_object("0000007d") && !has_object("0000008b"),
	    "exactly those are gone");
	server_fault(&server, "bulk:501");
	m.block = 120, m.arg = 5, m.flags = 0;
	ok(pool_call(&pool, &m, &done) && done.status == 0, "a store without bulk delete");
	ok(!has_object("00000078") && !has_object("0000007c"), "is asked key by key");
	server_fault(&server, "");
}

static uint64_t
listed(uint64_t from, uint64_t count)
{
	struct ipc_msg m = {.type = IPC_LIST, .block = from, .arg = count, .slot = IPC_NO_SLOT};
	uint64_t n = 0;

	if (!pool_call(&pool, &m, &done) || done.status != 0)
		return (UINT64_MAX);
	for (unsigned i = 0; i < pool.nlisted; i++)
		n += pool.listed[i].arg;
	return (n);
}

static void
lists(void)
{
	char path[64];
	unsigned n = 0;

	/* 2500 objects, put there by the server's back door; every third block, and junk. */
	for (uint64_t b = 0x1000; n < 2500; b += 3, n++) {
		(void)snprintf(path, sizeof(path), "object/bkt/%08llx", (unsigned long long)b);
		(void)server_admin(&server, "PUT", path, "x");
	}
	(void)server_admin(&server, "PUT", "object/bkt/0000100A", "x");
	(void)server_admin(&server, "PUT", "object/bkt/00001001x", "x");
	(void)server_admin(&server, "PUT", "object/bkt/00001%261", "x");
	is_int(listed(0x1000, 7500), 2500, "a list of three pages");
	is_int(listed(0x1000, 1), 1, "a range of one");
	is_int(listed(0x1001, 2), 0, "a range of nothing");
	is_int(listed(0x1003, 3000), 1000, "exactly one page");
	ok(pool.nlisted == 1000 && pool.listed[1].block == 0x1006, "each with its number");
	(void)server_admin(&server, "PUT", "object/bkt/00001001", "x");
	(void)server_admin(&server, "PUT", "object/bkt/00001002", "x");
	is_int(listed(0x1000, 4), 4, "neighbours");
	is_int(pool.nlisted, 1, "come as one");
	server_fault(&server, "list:nth=2:503");
	is_int(listed(0x1000, 7500), 2502, "a page that fails is asked for again");
	server_fault(&server, "list:nth=1:truncate=300");
	is_int(listed(0x1000, 100), 36, "so is one that is cut off");
	server_fault(&server, "list:nth=1:200error");
	is_int(listed(0x1000, 100), 36, "and an error under 200");
	server_fault(&server, "");
}

static void
fault(const char *rule, const char *what)
{
	uint64_t version = (uint64_t)rand();

	server_fault(&server, rule);
	if (strncmp(rule, "get", 3) != 0) {
		pool_fill(&pool, 0, 30, version);
		is_int(put(30, 0, 0), 0, "PUT: %s (%s)", what, rule);
		server_fault(&server, "");
		is_int(get(30, 1, 0, BLOCK), 0, "  and back");
	} else {
		server_fault(&server, "");
		pool_fill(&pool, 0, 30, version);
		(void)put(30, 0, 0);
		server_fault(&server, rule);
		pool_clear(&pool, 1);
		is_int(get(30, 1, 0, BLOCK), 0, "GET: %s (%s)", what, rule);
	}
	ok(pool_holds(&pool, 1, 30, version, 0, BLOCK), "  with the right bytes");
}

static void
faults(void)
{
	struct counters *c = shm_counters(&pool.shm, PROC_UPLOADER0);
	uint64_t retried = ctr_get(c, get_retried), bad = ctr_get(c, bad_replies);

	fault("get:503:count=2", "503 twice");
	fault("get:reset:nth=1", "connection reset");
	fault("get:reset=body:nth=1", "reset in the body");
	fault("get:truncate=1000:nth=1", "cut off");
	fault("get:short:nth=1", "half a body that says it is whole");
	fault("get:wronglength=-1:nth=1", "one byte too few, honestly");
	fault("get:200error:nth=1", "an error document under 200");
	fault("get:503:nth=1:retry-after=1", "Retry-After");
	fault("get:stallbody=3s:nth=1", "a body that stops for longer than the timeout");
	/* Not the reset before an answer: libcurl replaces a dead kept-alive connection itself. */
	ok(ctr_get(c, get_retried) - retried >= 9, "retries were counted");
	ok(ctr_get(c, bad_replies) - bad >= 4, "bad replies were counted");
	fault("put:503:count=2", "503 twice");
	fault("put:503:nth=1:early", "503 before the body");
	fault("put:reset:nth=1", "reset before anything");
	fault("put:reset=body:nth=1", "reset in the body");
	fault("put:reset=after:nth=1", "done, but not answered");
	fault("put:200error:nth=1", "an error document under 200");
	fault("put:400=BadDigest:nth=1", "damaged on the way");
	fault("put:stall=3s:nth=1", "no answer in time");
	server_fault(&server, "");
}

/* A PUT that is answered too late, and applied later still: the next one must not be undone. */
static void
zombie(void)
{
	pool_fill(&pool, 0, 40, 1);
	server_fault(&server, "put:late=1500ms:nth=1");
	is_int(put(40, 0, 0), 0, "PUT that is cut off and lands after its retry");
	server_fault(&server, "");
	pool_fill(&pool, 0, 40, 2);
	is_int(put(40, 0, 0), 0, "the next PUT of the block");
	usleep(1200000);
	is_int(get(40, 1, 0, BLOCK), 0, "a second later");
	ok(pool_holds(&pool, 1, 40, 2, 0, BLOCK), "it is still there");
}

static void
hopeless(void)
{
	uint64_t began, took;

	(void)server_admin(&server, "PUT", "object/bkt/00000050", "too short");
	is_int(get(0x50, 1, 0, BLOCK), -EIO, "an object of the wrong length");
	(void)server_admin(&server, "PUT", "object/bkt/00000051", "too short");
	server_fault(&server, "get:403=AccessDenied");
	began = now_us();
	is_int(get(0x52, 1, 0, BLOCK), -EPERM, "access denied is an error");
	took = now_us() - began;
	ok(took > 2000000 && took < 5000000, "after maxRetryPause: %llu ms",
	    (unsigned long long)took / 1000);
	server_fault(&server, "get:404=NoSuchBucket");
	is_int(get(0x52, 1, 0, BLOCK), -EIO, "no bucket is not zeros");
	server_fault(&server, "");
}

static void
bad_messages(void)
{
	struct counters *c = shm_counters(&pool.shm, PROC_UPLOADER0);
	uint64_t before = ctr_get(c, bad_messages);
	struct ipc_msg m = {.type = IPC_GET, .block = 1, .slot = 9999, .len = 1, .req_id = 1};

	pool_send(&pool, 0, &m);
	m = (struct ipc_msg){.type = IPC_GET, .block = 1u << 30, .slot = 1, .len = 1, .req_id = 2};
	pool_send(&pool, 0, &m);
	m = (struct ipc_msg){.type = IPC_READ, .block = 1, .slot = 1, .len = 1, .req_id = 3};
	pool_send(&pool, 0, &m);
	m = (struct ipc_msg){.type = 99, .req_id = 4};
	pool_send(&pool, 0, &m);
	is_int(get(77, 1, 0, BLOCK), 0, "it goes on after nonsense");
	is_int(ctr_get(c, bad_messages) - before, 4, "which it counted");
}

/* Sends `n` PUTs at once, from slot 0 on, to blocks from `first` on; how many came back well. */
static unsigned
put_many(uint64_t first, unsigned n, uint64_t timeout_us)
{
	uint64_t deadline = deadline_in_us(timeout_us);
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		struct ipc_msg m = {.type = IPC_PUT, .block = first + i, .slot = i};

		pool_fill(&pool, i, first + i, 1);
		pool_send(&pool, 0, &m);
	}
	for (unsigned i = 0; i < n && pool_receive(&pool, &done, deadline_left_us(deadline)); i++)
		good += done.type == IPC_DONE && done.status == 0;
	return (good);
}

static void
outage(void)
{
	struct counters *c = shm_counters(&pool.shm, PROC_UPLOADER0);
	uint64_t began = now_us(), took, retried = ctr_get(c, put_retried);

	server_fault(&server, "any:503:for=4s");
	is_int(put_many(1000, 64, 20 * US_PER_S), 64, "64 PUTs get through an outage of 4 s");
	took = now_us() - began;
	ok(took > 3900000 && took < 6500000, "soon after its end: %llu ms",
	    (unsigned long long)took / 1000);
	retried = ctr_get(c, put_retried) - retried;
	ok(retried >= 64 && retried < 64 + 64 + 16 * 8, "and did not storm: %llu retries",
	    (unsigned long long)retried);
}

static void
limit(struct pool *limited)
{
	uint64_t began, took;
	struct pool save = pool;
	unsigned bad = 0;

	pool = *limited;
	(void)put_many(1000, 2, 10 * US_PER_S);
	began = now_us();
	is_int(put_many(1002, 32, 20 * US_PER_S), 32, "2 MiB in 32 PUTs");
	took = now_us() - began;
	ok(took > 1700000 && took < 3000000, "take two seconds at uploadLimit = 8m: %llu ms",
	    (unsigned long long)took / 1000);
	began = now_us();
	for (unsigned i = 0; i < 32; i++) {
		struct ipc_msg m = {.type = IPC_GET, .block = 1002 + i, .slot = i, .len = BLOCK};

		pool_clear(&pool, i);
		pool_send(&pool, 0, &m);
	}
	for (unsigned i = 0; i < 32 && pool_receive(&pool, &done, 20 * US_PER_S); i++)
		bad += done.status != 0;
	is_int(bad, 0, "32 GETs");
	took = now_us() - began;
	ok(took > 700000 && took < 2000000, "and back one, at downloadLimit = 16m: %llu ms",
	    (unsigned long long)took / 1000);
	ok(pool_holds(&pool, 31, 1033, 1, 0, BLOCK), "nothing was lost in the pauses");
	*limited = pool;
	pool = save;
}

/* SIGTERM while the store is away: everything is answered, and it leaves at once. */
static void
stop_in_outage(void)
{
	uint64_t began;
	unsigned ended = 0;
	int status;

	server_fault(&server, "any:503");
	for (unsigned i = 0; i < 8; i++) {
		struct ipc_msg m = {.type = IPC_PUT, .block = 2000 + i, .slot = i};

		pool_fill(&pool, i, 2000 + i, 1);
		pool_send(&pool, 0, &m);
	}
	usleep(500000);
	began = now_us();
	status = pool_end(pool.pid[0], SIGTERM);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0 && now_us() - began < 2000000,
	    "SIGTERM in an outage: it leaves at once");
	while (pool_receive(&pool, &done, 100000))
		ended += done.type == IPC_DONE && done.status < 0;
	is_int(ended, 8, "and has answered everything");
	server_fault(&server, "");
}

int
main(void)
{
	struct pool limited;
	const char *slow[] = {"bucket=bkt", NULL, "accessId=AKID", "accessKey=SECRET",
	    "mountPoint=/mnt", "size=16g", "blockSize=64k", "user=root", "uploadLimit=8m",
	    "downloadLimit=16m", "maxTransfers=16", NULL};
	const char *with_key[] = {"bucket=bkt", NULL, "accessId=AKID", "accessKey=SECRET",
	    "timeout=1s", "initialRetryPause=50", "maxRetryPause=3000", "mountPoint=/mnt",
	    "size=16g", "blockSize=64k", "user=root", "maxTransfers=64", NULL};

	if (access(pool_bin("s3testd"), X_OK) != 0 ||
	    access(pool_bin("s3backer-uploader"), X_OK) != 0) {
		printf("1..0 # SKIP s3testd and s3backer-uploader are not built\n");
		return (0);
	}
	srand(1);
	if (!server_start(&server, false, NULL)) {
		printf("Bail out! no server\n");
		return (1);
	}
	with_key[1] = server.url;
	ok(pool_start(&pool, 1, 262144, BLOCK, 64, with_key), "the uploader is ready");
	round_trip();
	zeros();
	deletes();
	lists();
	faults();
	zombie();
	hopeless();
	bad_messages();
	outage();
	is_int(pool_stop(&pool), 0, "it ends well");
	slow[1] = server.url;
	ok(pool_start(&limited, 1, 262144, BLOCK, 64, slow), "one with limits");
	limit(&limited);
	is_int(pool_stop(&limited), 0, "it ends well");
	ok(pool_start(&pool, 1, 262144, BLOCK, 64, with_key), "a third one");
	stop_in_outage();
	server_stop(&server);
	return (tap_done());
}
