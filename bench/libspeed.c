/* SPDX-License-Identifier: ISC */
/*
 * libspeed.c -- what the libraries alone need for blocks: the limit of the processor for ours.
 *
 *	libspeed [-s SIZE] [-n COUNT] FILE METHOD...
 *	  -s -n	blocks (64) and their size in bytes (1 MiB)
 *	  FILE	what they hold, from its beginning on, again and again; it lies in memory meanwhile
 *	METHOD	sha256, crc32, zstd, aes, hmac
 *
 * As uploader/codec.c and payload.c use them: zstd at its default level, AES-128-CBC with an IV for each
 * block, HMAC with SHA-1, the signature of an encrypted block.  But what can be kept from one block to
 * the next is kept, and results go to one buffer that stays in the processor's cache.
 * Prints one line of JSON: seconds of CPU per GiB, by method.
 */
#include <fcntl.h>
#include <gcrypt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

static size_t size = 1u << 20, room;
static uint64_t count = 64, nblocks; /* of the file */
static const uint8_t *data;
static uint8_t *out;
static const uint8_t key[16] = "a key, and an IV";

static void
die(const char *why)
{
	(void)fprintf(stderr, "libspeed: %s\n", why);
	exit(1);
}

static double
cpu(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return ((double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
}

static const uint8_t *
block(uint64_t n)
{
	return (data + n % nblocks * size);
}

static void
hash(int algo, unsigned flags)
{
	gcry_md_hd_t h;

	if (gcry_md_open(&h, algo, flags) != 0)
		die("no such hash");
	if (flags != 0 && gcry_md_setkey(h, key, sizeof(key)) != 0)
		die("no key");
	for (uint64_t n = 0; n < count; n++) {
		gcry_md_reset(h);
		gcry_md_write(h, block(n), size);
		memcpy(out, gcry_md_read(h, algo), gcry_md_get_algo_dlen(algo));
	}
	gcry_md_close(h);
}

static void
compress(void)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	for (uint64_t n = 0; n < count; n++)
		if (ZSTD_isError(
			ZSTD_compressCCtx(c, out, room, block(n), size, ZSTD_CLEVEL_DEFAULT)))
			die("zstd");
	(void)ZSTD_freeCCtx(c);
}

static void
encrypt(void)
{
	gcry_cipher_hd_t h;

	if (gcry_cipher_open(&h, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CBC, 0) != 0 ||
	    gcry_cipher_setkey(h, key, sizeof(key)) != 0)
		die("no such cipher");
	for (uint64_t n = 0; n < count; n++)
		if (gcry_cipher_setiv(h, key, sizeof(key)) != 0 ||
		    gcry_cipher_encrypt(h, out, size, block(n), size) != 0)
			die("aes");
	gcry_cipher_close(h);
}

static void
run(const char *method)
{
	if (strcmp(method, "sha256") == 0)
		hash(GCRY_MD_SHA256, 0);
	else if (strcmp(method, "crc32") == 0)
		hash(GCRY_MD_CRC32, 0);
	else if (strcmp(method, "hmac") == 0)
		hash(GCRY_MD_SHA1, GCRY_MD_FLAG_HMAC);
	else if (strcmp(method, "zstd") == 0)
		compress();
	else if (strcmp(method, "aes") == 0)
		encrypt();
	else
		die("no such method");
}

static void
read_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || (nblocks = (uint64_t)st.st_size / size) == 0)
		die("cannot read the file, or it has no block");
	p = mmap(NULL, nblocks * size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		die("no memory");
	close(fd);
	data = p;
}

int
main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:")) != -1) {
		if (c == 's')
			size = strtoull(optarg, NULL, 0);
		else if (c == 'n')
			count = strtoull(optarg, NULL, 0);
		else
			return (2);
	}
	if (optind + 2 > argc || size == 0 || size % 16 != 0 || count == 0)
		die("usage: libspeed [-s SIZE] [-n COUNT] FILE METHOD...");
	(void)gcry_check_version(NULL);
	(void)gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	(void)gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	read_file(argv[optind]);
	room = ZSTD_compressBound(size);
	if ((out = malloc(room)) == NULL)
		die("no memory");
	memset(out, 1, room);
	for (int i = optind + 1; i < argc; i++) {
		double start = cpu();

		run(argv[i]);
		(void)printf("%c\"%s\":%.4f", i == optind + 1 ? '{' : ',', argv[i],
		    (cpu() - start) * (double)(1u << 30) / (double)(count * size));
	}
	(void)printf("}\n");
	return (0);
}
