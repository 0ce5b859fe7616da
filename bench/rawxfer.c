/* SPDX-License-Identifier: ISC */
/*
 * rawxfer.c -- objects to and from a store, and nothing else: the limit of the network for ours.
 *
 *	rawxfer [-c IN_FLIGHT] [-j PROCESSES] [-n COUNT] [-s SIZE] [-f FIRST] [-m SECONDS] [-p PREFIX]
 *	        [-u] [-x CACERT] [-k ID:SECRET] put|get|range URL
 *	  -c	requests in flight, all processes together (16)
 *	  -j	processes, each with its own curl multi handle (1)
 *	  -n -s	objects (64) and their size in bytes (1 MiB)
 *	  -f	number of the first; object N is PREFIX and N in 8 hex digits, as a block's
 *	  -m	range: end after so long
 *	  -u	do not hash bodies: UNSIGNED-PAYLOAD.  The default costs what it costs us: SHA-256
 *	  URL	http://HOST:PORT/BUCKET
 *	put and get move whole objects; range reads 4 KiB of one object after the other, at random.
 *
 * Signatures are the uploader's own (uploader/s3_sign.c), so the effort of signing is the same.
 * What a body is, is of no interest here: it comes from one buffer, and goes nowhere.  Objects get
 * a CRC-32 as ours have, so that a disk can read them as its own; it is computed once.
 * Prints one line of JSON.  cpu is that of all processes; latencies are from start to last byte.
 */
#include <curl/curl.h>
#include <gcrypt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "uploader/s3_sign.h"

#define PIECE 4096u

enum mode {
	PUT,
	GET,
	RANGE
};

static enum mode mode;
static unsigned in_flight = 16, processes = 1;
static uint64_t count = 64, size = 1u << 20, first;
static double limit_s = 1e9;
static bool hash_bodies = true;
static const char *prefix = "", *cacert, *base;
static char host[256], bucket[256], id[128], secret[128], crc_text[9];
static uint8_t *body;
static struct sign_cache cache;

/* One per process and one per request; shared with the parent. */
static struct shared {
	uint64_t done, bytes, errors;
} * tally;
static uint32_t *latency_us;

/* A place in flight: a handle, reused for request after request. */
struct place {
	CURL *easy;
	struct curl_slist *headers;
	uint64_t number; /* of the object, from 0 */
	uint64_t at;	 /* bytes of the body so far */
	double start;
};

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static void
die(const char *why)
{
	(void)fprintf(stderr, "rawxfer: %s\n", why);
	_exit(1);
}

static size_t
on_body_out(char *buf, size_t n, size_t m, void *arg)
{
	struct place *p = arg;
	size_t len = n * m < size - p->at ? n * m : size - p->at;

	memcpy(buf, body + p->at, len);
	p->at += len;
	return (len);
}

static size_t
on_body_in(char *buf, size_t n, size_t m, void *arg)
{
	(void)buf;
	((struct place *)arg)->at += n * m;
	return (n * m);
}

static void
add(struct curl_slist **list, const char *name, const char *value)
{
	char line[SIGN_AUTH_SIZE + 64];

	(void)snprintf(line, sizeof(line), "%s: %s", name, value);
	*list = curl_slist_append(*list, line);
}

static void
payload_hash(char hex[65])
{
	uint8_t sha[32];

	if (mode != PUT) {
		(void)strcpy(hex, SIGN_EMPTY_SHA256);
	} else if (!hash_bodies) {
		(void)strcpy(hex, "UNSIGNED-PAYLOAD");
	} else {
		gcry_md_hash_buffer(GCRY_MD_SHA256, sha, body, size);
		sign_hex(sha, 32, hex);
	}
}

/* Headers of one request; the date is taken each time, as a program that runs for days has to. */
static struct curl_slist *
sign(const char *path)
{
	char hash[65], date[17], auth[SIGN_AUTH_SIZE];
	struct sign_header h[] = {{"host", host}, {"x-amz-content-sha256", hash},
	    {"x-amz-date", date}, {"x-amz-checksum-crc32", crc_text}};
	struct sign_key key = {.id = id, .secret = secret, .region = "us-east-1"};
	struct sign_request r = {.method = mode == PUT ? "PUT" : "GET",
	    .path = path,
	    .payload_sha256 = hash,
	    .date = date,
	    .header = h,
	    .nheaders = mode == PUT ? 4 : 3};
	struct curl_slist *list = NULL;
	time_t t = time(NULL);

	payload_hash(hash);
	(void)strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", gmtime(&t));
	if (sign_v4(&cache, &key, &r, auth, NULL) < 0)
		die("cannot sign");
	add(&list, "x-amz-content-sha256", hash);
	add(&list, "x-amz-date", date);
	add(&list, "Authorization", auth);
	if (mode == PUT)
		add(&list, "x-amz-checksum-crc32", crc_text);
	return (curl_slist_append(list, "Expect:"));
}

static uint64_t
object_of(uint64_t number)
{
	/* range: all objects before any comes again, not in order. */
	return (mode == RANGE ? number * UINT64_C(2654435761) % count : number);
}

static void
begin(CURLM *multi, struct place *p, uint64_t number)
{
	char path[512], url[1024], range[64];
	uint64_t off = size <= PIECE ? 0 : (uint64_t)random() % (size / PIECE) * PIECE;
	CURL *c = p->easy;

	p->number = number;
	p->at = 0;
	p->start = now();
	(void)snprintf(path, sizeof(path), "/%s/%s%08llx", bucket, prefix,
	    (unsigned long long)(first + object_of(number)));
	(void)snprintf(url, sizeof(url), "%s%s", base, path);
	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	if (mode == RANGE) {
		(void)snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)off,
		    (unsigned long long)off + PIECE - 1);
		(void)curl_easy_setopt(c, CURLOPT_RANGE, range);
	}
	curl_slist_free_all(p->headers);
	p->headers = sign(path);
	(void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, p->headers);
	(void)curl_multi_add_handle(multi, c);
}

static void
place_open(struct place *p)
{
	CURL *c = p->easy = curl_easy_init();

	(void)curl_easy_setopt(c, CURLOPT_PRIVATE, p);
	(void)curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 512L * 1024);
	(void)curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body_in);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, p);
	if (cacert != NULL)
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, cacert);
	if (mode == PUT) {
		(void)curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		(void)curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
		(void)curl_easy_setopt(c, CURLOPT_READFUNCTION, on_body_out);
		(void)curl_easy_setopt(c, CURLOPT_READDATA, p);
	}
}

static void
ended(struct place *p, CURLcode result, struct shared *t)
{
	long status = 0;

	(void)curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result != CURLE_OK || (status != 200 && status != 206)) {
		if (t->errors++ == 0)
			(void)fprintf(stderr, "rawxfer: %s, status %ld\n",
			    curl_easy_strerror(result), status);
		return;
	}
	t->done++;
	t->bytes += p->at;
	latency_us[p->number] = (uint32_t)((now() - p->start) * 1e6);
}

/* Process `me` moves every processes-th object. */
static void
run(unsigned me, unsigned places)
{
	CURLM *multi = curl_multi_init();
	struct place *place = calloc(places, sizeof(*place));
	uint64_t next = me, limit = mode == RANGE && limit_s < 1e9 ? UINT32_C(4) << 20 : count;
	double end = now() + limit_s;
	int running = 1, left;
	CURLMsg *m;

	(void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)places);
	for (unsigned i = 0; i < places; i++) {
		place_open(&place[i]);
		if (next < limit)
			begin(multi, &place[i], next), next += processes;
	}
	while (running > 0) {
		(void)curl_multi_perform(multi, &running);
		while ((m = curl_multi_info_read(multi, &left)) != NULL) {
			struct place *p;

			(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&p);
			ended(p, m->data.result, &tally[me]);
			(void)curl_multi_remove_handle(multi, p->easy);
			if (next < limit && now() < end) {
				begin(multi, p, next), next += processes;
				running++;
			}
		}
		if (running > 0)
			(void)curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y ? -1 : x > y);
}

static void
report(double seconds, uint64_t slots)
{
	struct rusage u;
	uint64_t done = 0, bytes = 0, errors = 0, n = 0;
	double cpu;

	for (unsigned i = 0; i < processes; i++) {
		done += tally[i].done;
		bytes += tally[i].bytes;
		errors += tally[i].errors;
	}
	if (mode == PUT)
		bytes = done * size;
	for (uint64_t i = 0; i < slots; i++)
		if (latency_us[i] != 0)
			latency_us[n++] = latency_us[i];
	qsort(latency_us, n, sizeof(*latency_us), by_value);
	(void)getrusage(RUSAGE_CHILDREN, &u);
	cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	      (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	(void)printf("{\"seconds\":%.3f,\"MBps\":%.1f,\"perSec\":%.1f,\"cpu\":%.3f,\"done\":%llu,"
		     "\"errors\":%llu,\"p50us\":%u,\"p99us\":%u,\"maxus\":%u}\n",
	    seconds, (double)bytes / seconds / 1e6, (double)done / seconds, cpu,
	    (unsigned long long)done, (unsigned long long)errors, n > 0 ? latency_us[n / 2] : 0,
	    n > 0 ? latency_us[n * 99 / 100] : 0, n > 0 ? latency_us[n - 1] : 0);
	if (errors > 0)
		exit(1);
}

static void *
shared_memory(size_t bytes)
{
	void *p = mmap(
	    NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("no memory");
	return (p);
}

static void
arguments(int argc, char **argv)
{
	const char *slash;
	int c;

	while ((c = getopt(argc, argv, "c:j:n:s:f:m:p:ux:k:")) != -1) {
		switch (c) {
		case 'c':
			in_flight = (unsigned)atoi(optarg);
			break;
		case 'j':
			processes = (unsigned)atoi(optarg);
			break;
		case 'n':
			count = strtoull(optarg, NULL, 0);
			break;
		case 's':
			size = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			first = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			limit_s = atof(optarg);
			break;
		case 'p':
			prefix = optarg;
			break;
		case 'u':
			hash_bodies = false;
			break;
		case 'x':
			cacert = optarg;
			break;
		case 'k':
			(void)sscanf(optarg, "%127[^:]:%127s", id, secret);
			break;
		default:
			exit(2);
		}
	}
	if (optind + 2 != argc || count == 0 || processes == 0 || in_flight < processes)
		die("usage: rawxfer [options] put|get|range http://HOST:PORT/BUCKET");
	mode = strcmp(argv[optind], "put") == 0	  ? PUT
	       : strcmp(argv[optind], "get") == 0 ? GET
						  : RANGE;
	base = argv[optind + 1];
	if (sscanf(base, "%*[a-z]://%255[^/]/%255[^/]", host, bucket) != 2)
		die("no URL");
	slash = strchr(strstr(base, "//") + 2, '/');
	base = strndup(base, (size_t)(slash - base));
}

int
main(int argc, char **argv)
{
	uint8_t crc[4];
	uint64_t slots;
	double start;

	arguments(argc, argv);
	(void)gcry_check_version(NULL);
	(void)gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	(void)gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	slots = mode == RANGE && limit_s < 1e9 ? UINT32_C(4) << 20 : count;
	tally = shared_memory(processes * sizeof(*tally));
	latency_us = shared_memory(slots * sizeof(*latency_us));
	if ((body = malloc(size)) == NULL)
		die("no memory");
	for (uint64_t i = 0; i < size; i++)
		body[i] = (uint8_t)random();
	gcry_md_hash_buffer(GCRY_MD_CRC32, crc, body, size);
	sign_base64(crc, 4, crc_text);
	start = now();
	for (unsigned i = 0; i < processes; i++)
		if (fork() == 0) {
			run(i, in_flight / processes);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	report(now() - start, slots);
	return (0);
}
