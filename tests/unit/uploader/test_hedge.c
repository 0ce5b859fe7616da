/* SPDX-License-Identifier: ISC */
/*
 * test_hedge.c -- a GET that takes far longer than others is sent a second time; the first good answer
 * counts, the other one never touches the slot again, and there are few of them.
 */
#include "tests/unit/tap.h"
#include "tests/unit/uploader/pool.h"
#include "uploader/hedge.h"

#define BLOCK  65536u
#define BLOCKS 32u

static struct server server;
static struct pool pool;
static struct ipc_msg done;

static void
statistics(void)
{
	struct hedge_stats s = {.total = 0};

	for (unsigned i = 0; i < 63; i++)
		hedge_sample(&s, 20000);
	is_int(hedge_after(&s), 0, "nothing is said of too few");
	for (unsigned i = 0; i < 1000; i++)
		hedge_sample(&s, 20000 + i % 100);
	ok(hedge_after(&s) > 20000 && hedge_after(&s) < 50000, "a narrow distribution: %u us",
	    (unsigned)hedge_after(&s));
	for (unsigned i = 0; i < 2000; i++)
		hedge_sample(&s, i % 20 == 0 ? 500000 : 20000);
	ok(hedge_after(&s) > 500000, "one in twenty is slow, so that is usual: %u us",
	    (unsigned)hedge_after(&s));
	for (unsigned i = 0; i < 8000; i++)
		hedge_sample(&s, 20000);
	ok(hedge_after(&s) < 50000, "it was long ago: %u us", (unsigned)hedge_after(&s));
	for (unsigned i = 0; i < 64; i++)
		hedge_sample(&s, UINT64_MAX);
	hedge_sample(&s, 0);
	ok(hedge_after(&s) > 50000, "extremes");
	ok(hedge_take(&s, 9) && hedge_take(&s, 9) && hedge_take(&s, 9) && hedge_take(&s, 9) &&
		!hedge_take(&s, 9),
	    "four at once at most");
	for (unsigned i = 0; i < 34; i++)
		hedge_sample(&s, 1);
	ok(hedge_take(&s, 9) && !hedge_take(&s, 9), "and one for 34 GETs");
	ok(!hedge_take(&s, 100009) && hedge_take(&s, 200009) && !hedge_take(&s, 250009),
	    "or for a fifth of a second");
	ok(hedge_take(&s, 400009) && !hedge_take(&s, 400009), "however often it is asked");
}

static uint64_t
counter(void)
{
	return (ctr_get(shm_counters(&pool.shm, PROC_UPLOADER0), get_hedged));
}

static int
get(uint64_t block)
{
	struct ipc_msg m = {.type = IPC_GET, .block = block, .slot = 1, .len = BLOCK};

	pool_clear(&pool, 1);
	return (pool_call(&pool, &m, &done) ? done.status : -ETIME);
}

static void
warm_up(void)
{
	unsigned bad = 0;

	server_fault(&server, "");
	for (unsigned i = 0; i < 160; i++)
		bad += get(i % BLOCKS) != 0;
	is_int(bad, 0, "usual GETs");
}

static void
helps(const char *rule, const char *what, unsigned least)
{
	uint64_t began, before = counter();

	server_fault(&server, rule);
	began = now_us();
	is_int(get(7), 0, "%s: GET", what);
	ok(now_us() - began < 900000, "%s: in time: %u ms", what,
	    (unsigned)((now_us() - began) / 1000));
	ok(pool_holds(&pool, 1, 7, 1, 0, BLOCK) && (done.flags & IPC_F_HASCRC) != 0,
	    "%s: the bytes", what);
	/* More where the machine itself was too slow for the second one. */
	ok(counter() - before >= least && counter() - before <= 3, "%s: by another request", what);
	/* The slot is somebody else's now. */
	pool_fill(&pool, 1, 7, 9);
	usleep(300000);
	ok(pool_holds(&pool, 1, 7, 9, 0, BLOCK), "%s: and nothing came later", what);
	server_fault(&server, "");
}

/* Nothing helps; there is an end of trying, and the first one is still good. */
static void
hangs(void)
{
	uint64_t before = counter();

	server_fault(&server, "get:stall=1s:count=9");
	is_int(get(7), 0, "all that are sent hang: GET");
	ok(pool_holds(&pool, 1, 7, 1, 0, BLOCK), "all that are sent hang: the bytes");
	ok(counter() - before >= 1 && counter() - before <= 3, "after three no more are sent");
	server_fault(&server, "");
}

static void
bounded(void)
{
	unsigned n = 400, bad = 0;
	uint64_t before = counter(), began = now_us();

	server_fault(&server, "get:stall=150ms:rate=0.3");
	for (unsigned i = 0; i < n; i += BLOCKS) {
		for (unsigned k = 0; k < BLOCKS; k++) {
			struct ipc_msg m = {.type = IPC_GET, .block = k, .slot = k, .len = BLOCK};

			pool_clear(&pool, k);
			pool_send(&pool, 0, &m);
		}
		for (unsigned k = 0; k < BLOCKS; k++)
			bad += !pool_receive(&pool, &done, 10 * US_PER_S) || done.status != 0 ||
			       !pool_holds(&pool, done.slot, done.block, 1, 0, BLOCK);
	}
	server_fault(&server, "");
	is_int(bad, 0, "a third of the GETs is slow: all right");
	ok(counter() - before <= 4 + n * 3 / 100 + 1 + 5 * (now_us() - began) / US_PER_S,
	    "not many are sent twice: %u of %u", (unsigned)(counter() - before), n);
}

static void
disk(const char *what, const char *a, const char *b)
{
	const char *conf[] = {"bucket=bkt", server.url, "accessId=AKID", "accessKey=SECRET",
	    "timeout=5s", "initialRetryPause=20", "mountPoint=/mnt", "size=16m", "blockSize=64k",
	    "user=root", a, b, NULL};

	printf("# %s\n", what);
	if (!pool_start(&pool, 1, 256, BLOCK, 64, conf)) {
		ok(false, "%s: ready", what);
		return;
	}
	for (unsigned i = 0; i < BLOCKS; i++) {
		struct ipc_msg m = {.type = IPC_PUT, .block = i, .slot = 0};

		pool_fill(&pool, 0, i, 1);
		(void)pool_call(&pool, &m, &done);
	}
	warm_up();
	helps("get:nth=1:stall=3s", "silence", 1);
	helps("get:nth=1:slow=20k", "a crawl", 1);
	helps("get:nth=1:slow=200k:garbage", "a slow one, and damaged", 1);
	helps("get:stall=3s:count=2", "silence twice", 2);
	hangs();
	warm_up();
	bounded();
	is_int(pool_stop(&pool), 0, "%s: ends well", what);
}

int
main(void)
{
	statistics();
	if (access(pool_bin("s3testd"), X_OK) != 0 ||
	    access(pool_bin("s3backer-uploader"), X_OK) != 0) {
		skip(1, "s3testd and s3backer-uploader are not built");
		return (tap_done());
	}
	if (!server_start(&server, false, NULL)) {
		printf("Bail out! no server\n");
		return (1);
	}
	disk("plain", "quiet", "quiet");
	disk("zstd", "compress=zstd", "quiet");
	disk("encrypted", "encrypt", "password=x");
	server_stop(&server);
	return (tap_done());
}
