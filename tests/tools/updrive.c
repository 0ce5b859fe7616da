/* SPDX-License-Identifier: ISC */
/*
 * updrive.c -- drives a pool of uploaders as cachemgr does, and measures: rates, CPU, memory.
 *
 *	updrive [-u UPLOADERS] [-b BLOCKSIZE] [-c IN_FLIGHT] [-k COUNT] [-l LATENCY_MS] [-t] [-s OPT]...
 *	        [-o key=value]...
 *
 * Starts an s3testd and the uploaders beside itself, PUTs COUNT blocks, GETs them, and compares each
 * with what was written.  -t: TLS; -s: an option of s3testd; -o: a key of the configuration.
 */
#include <time.h>

#include "tests/unit/uploader/pool.h"

static struct pool pool;
static struct server server;

static double
cpu_s(pid_t pid)
{
	unsigned long user = 0, sys = 0;
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if ((f = fopen(path, "r")) == NULL)
		return (0);
	(void)!fscanf(
	    f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys);
	(void)fclose(f);
	return ((double)(user + sys) / (double)sysconf(_SC_CLK_TCK));
}

static long
status_kb(pid_t pid, const char *file, const char *field)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	if ((f = fopen(path, "r")) == NULL)
		return (0);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, field, strlen(field)) == 0)
			kb = atol(line + strlen(field));
	(void)fclose(f);
	return (kb);
}

static void
memory(long *rss, long *pss)
{
	long r = 0, p = 0;

	for (unsigned u = 0; u < pool.n; u++) {
		r += status_kb(pool.pid[u], "status", "VmRSS:");
		p += status_kb(pool.pid[u], "smaps_rollup", "Pss:");
	}
	*rss = r > *rss ? r : *rss;
	*pss = p > *pss ? p : *pss;
}

static unsigned
run(const char *what, uint16_t type, unsigned count, unsigned flight)
{
	uint64_t began = now_us(), look = began;
	unsigned sent = 0, ended = 0, bad = 0, per = (flight + pool.n - 1) / pool.n;
	unsigned busy[POOL_MAX] = {0};
	double cpu = 0, took;
	long rss = 0, pss = 0;

	for (unsigned u = 0; u < pool.n; u++)
		cpu -= cpu_s(pool.pid[u]);
	while (ended < count) {
		struct ipc_msg done;

		for (unsigned u = 0; u < pool.n; u++) {
			for (; busy[u] < per && sent < count; busy[u]++, sent++) {
				struct ipc_msg m = {.type = type,
				    .block = sent,
				    .slot = sent % pool.shm.geo.nslots,
				    .off = 0,
				    .len = pool.shm.geo.block_size,
				    .arg = u};

				m.req_id = (uint64_t)u << 32 | (sent + 1);
				pool_send(&pool, u, &m);
			}
		}
		if (!pool_receive(&pool, &done, 60 * US_PER_S)) {
			fprintf(stderr, "updrive: nothing for a minute\n");
			exit(1);
		}
		if (done.type != IPC_DONE)
			continue;
		bad += done.status != 0 || (done.flags & IPC_F_HASCRC) == 0;
		busy[done.req_id >> 32]--;
		ended++;
		if (now_us() - look > 50000) {
			memory(&rss, &pss);
			look = now_us();
		}
	}
	took = (double)(now_us() - began) / 1e6;
	for (unsigned u = 0; u < pool.n; u++)
		cpu += cpu_s(pool.pid[u]);
	printf("%s: %u in %.2f s, %.0f/s, %.1f MB/s, cpu %.2f s (%.2f ms/MB, %.0f us each), "
	       "rss %ld KB, pss %ld KB, failed %u\n",
	    what, count, took, count / took, count / took * pool.shm.geo.block_size / 1e6, cpu,
	    cpu * 1e9 / ((double)count * pool.shm.geo.block_size), cpu * 1e6 / count, rss, pss,
	    bad);
	return (bad);
}

int
main(int argc, char **argv)
{
	const char *conf[48] = {"bucket=bkt", server.url, "accessId=AKID", "accessKey=SECRET",
	    "mountPoint=/mnt", "user=root", NULL, NULL, NULL},
		   *sopt[16] = {NULL};
	unsigned uploaders = 2, flight = 64, count = 1000, nconf = 6, nsopt = 0, bad, nslots;
	uint32_t block = 1 << 20;
	char blocks[32], transfers[32], size[32], latency[16] = "0", tmp[] = "/tmp/updrive.XXXXXX",
						  ca[64];
	bool tls = false;
	int c;

	while ((c = getopt(argc, argv, "u:b:c:k:l:o:s:t")) != -1) {
		switch (c) {
		case 'u':
			uploaders = (unsigned)atoi(optarg);
			break;
		case 'b':
			block = (uint32_t)atoi(optarg);
			break;
		case 'c':
			flight = (unsigned)atoi(optarg);
			break;
		case 'k':
			count = (unsigned)atoi(optarg);
			break;
		case 'l':
			(void)strlcpy(latency, optarg, sizeof(latency));
			break;
		case 'o':
			conf[nconf++] = optarg;
			break;
		case 's':
			sopt[nsopt++] = optarg;
			break;
		case 't':
			tls = true;
			break;
		default:
			return (2);
		}
		if (nconf > 36 || nsopt > 8)
			return (2);
	}
	(void)snprintf(blocks, sizeof(blocks), "blockSize=%u", block);
	(void)snprintf(size, sizeof(size), "size=%llu", (unsigned long long)block * count);
	(void)snprintf(transfers, sizeof(transfers), "maxTransfers=%u", flight);
	conf[nconf++] = blocks, conf[nconf++] = size, conf[nconf++] = transfers;
	sopt[nsopt++] = "--latency", sopt[nsopt++] = latency, sopt[nsopt++] = "--etag=fast";
	if (tls) {
		if (mkdtemp(tmp) == NULL)
			return (1);
		(void)snprintf(ca, sizeof(ca), "cacert=%s/cert.pem", tmp);
		conf[nconf++] = ca;
		sopt[nsopt++] = "--tls", sopt[nsopt++] = tmp;
	}
	if (uploaders == 0 || uploaders > POOL_MAX || !server_start(&server, tls, sopt))
		return (2);
	nslots = count < 1024 ? count : 1024;
	if (!pool_start(&pool, uploaders, count, block, nslots, conf))
		return (1);
	for (uint32_t s = 0; s < nslots; s++)
		pool_fill(&pool, s, s, 1);
	memset(&pool.next_id, 0, sizeof(pool.next_id));
	bad = run("put", IPC_PUT, count, flight);
	for (uint32_t s = 0; s < nslots; s++)
		pool_clear(&pool, s);
	bad += run("get", IPC_GET, count, flight);
	for (uint32_t s = 0; s < nslots; s++)
		bad += !pool_holds(&pool, s, s, 1, 0, block);
	printf("peak in flight at the server:%.6s\n",
	    strstr(server_admin(&server, "GET", "stats", ""), "peak_in_flight\":") + 16);
	bad += pool_stop(&pool);
	server_stop(&server);
	if (tls) {
		(void)snprintf(ca, sizeof(ca), "rm -r %s", tmp);
		(void)!system(ca);
	}
	printf("%s\n", bad == 0 ? "all bytes were right" : "FAILED");
	return (bad != 0);
}
