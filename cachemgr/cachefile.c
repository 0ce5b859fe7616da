/* SPDX-License-Identifier: ISC */
#include "cachemgr/cachefile.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "cachemgr/journal.h"
#include "common/cachelayout.h"
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/durable.h"
#include "common/inject.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "ipc/shm.h"

#define SUPER_BYTES  512
#define NAME_MAX_LEN 400
#define LOCK_WAIT_US (5 * US_PER_S)

struct super { /* decoded */
	uint32_t version, block_size, nslots, token, state;
	uint8_t boot[12];
	uint64_t nblocks;
	uint8_t identity[16], name_hash[32];
	char name[NAME_MAX_LEN];
	uint64_t last_sequence;
	uint32_t last_crc;
};

__attribute__((format(printf, 4, 5))) static int
refuse(char *why, size_t len, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, len, fmt, ap);
	va_end(ap);
	return (error);
}

static void
disk_name(const struct conf *c, char name[NAME_MAX_LEN], uint8_t hash[32])
{
	char full[4096];

	(void)snprintf(full, sizeof(full), "%s/%s", c->store_is_dir ? c->store_dir : c->bucket_name,
	    c->prefix_full);
	gcry_md_hash_buffer(GCRY_MD_SHA256, hash, full, strlen(full));
	(void)strlcpy(name, full, NAME_MAX_LEN);
}

/* Which boot of the machine this is: what the page cache holds is lost only between two. */
static void
boot_id(uint8_t out[12])
{
	static uint8_t hash[32];
	static bool known; /* asked for the first time while files may still be opened */

	if (!known) {
		char text[64] = "";
		AUTO_FILE FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

		if (f == NULL || fgets(text, sizeof(text), f) == NULL)
			arc4random_buf(text, sizeof(text)); /* unknown: never the same */
		gcry_md_hash_buffer(GCRY_MD_SHA256, hash, text, sizeof(text));
		known = true;
	}
	memcpy(out, hash, 12);
}

static void
super_encode(const struct super *s, uint8_t out[SUPER_BYTES])
{
	uint32_t w[6] = {htole32(s->version), htole32(s->block_size), htole32(s->nslots),
	    htole32(s->token), htole32(s->state)};
	uint64_t n = htole64(s->nblocks), last = htole64(s->last_sequence);
	uint32_t crc, last_crc = htole32(s->last_crc);

	memset(out, 0, SUPER_BYTES);
	memcpy(out, "S3BCACHE", 8);
	memcpy(out + 8, &w[0], 8);
	memcpy(out + 16, &n, 8);
	memcpy(out + 24, &w[2], 12);
	memcpy(out + 36, s->boot, sizeof(s->boot));
	memcpy(out + 48, s->identity, 16);
	memcpy(out + 64, s->name_hash, 32);
	memcpy(out + 96, s->name, NAME_MAX_LEN);
	memcpy(out + 496, &last, 8);
	memcpy(out + 504, &last_crc, 4);
	crc = htole32(crc32_of(0, out, SUPER_BYTES - 4));
	memcpy(out + SUPER_BYTES - 4, &crc, 4);
}

static bool
super_decode(const uint8_t in[SUPER_BYTES], struct super *s)
{
	uint32_t w[5], crc;

	memcpy(&crc, in + SUPER_BYTES - 4, 4);
	if (memcmp(in, "S3BCACHE", 8) != 0 || le32toh(crc) != crc32_of(0, in, SUPER_BYTES - 4))
		return (false);
	memcpy(&w[0], in + 8, 8);
	memcpy(&w[2], in + 24, 12);
	memcpy(&s->nblocks, in + 16, 8);
	s->nblocks = le64toh(s->nblocks);
	s->version = le32toh(w[0]);
	s->block_size = le32toh(w[1]);
	s->nslots = le32toh(w[2]);
	s->token = le32toh(w[3]);
	s->state = le32toh(w[4]);
	memcpy(s->boot, in + 36, sizeof(s->boot));
	memcpy(s->identity, in + 48, 16);
	memcpy(s->name_hash, in + 64, 32);
	memcpy(s->name, in + 96, NAME_MAX_LEN);
	s->name[NAME_MAX_LEN - 1] = '\0';
	memcpy(&s->last_sequence, in + 496, 8);
	memcpy(&s->last_crc, in + 504, 4);
	s->last_sequence = le64toh(s->last_sequence);
	s->last_crc = le32toh(s->last_crc);
	return (true);
}

static int
super_write(const struct cachefile *cf, const struct conf *c, const struct shm *shm, uint32_t token,
    enum cachefile_state state)
{
	struct super s = {.version = 1,
	    .block_size = shm->geo.block_size,
	    .nslots = shm->geo.nslots,
	    .nblocks = shm->geo.nblocks,
	    .token = token,
	    .state = state};
	uint8_t buf[SUPER_BYTES];
	int error;

	if (state == CACHEFILE_CLEAN || state == CACHEFILE_ENDED) {
		s.last_sequence = cf->last_sequence;
		s.last_crc = cf->last_crc;
	}
	memcpy(s.identity, cf->identity, sizeof(s.identity));
	boot_id(s.boot);
	disk_name(c, s.name, s.name_hash);
	super_encode(&s, buf);
	if ((error = pwrite_full(cf->fd, buf, sizeof(buf), 0)) < 0)
		return (error);
	return (durable_sync(cf->fd));
}

int
cachefile_mark(const struct cachefile *cf, const struct conf *c, const struct shm *shm,
    uint32_t token, enum cachefile_state state)
{
	return (cf->memory ? 0 : super_write(cf, c, shm, token, state));
}

/* Journal space is written once for real: later appends then change no metadata, only bytes. */
static int
clear_journal(int fd, const struct shm *shm)
{
	static const uint8_t zero[1 << 20];
	uint64_t left = 2 * cache_journal_bytes(shm->geo.nslots), at = CACHE_SUPER_BYTES;

	while (left > 0) {
		size_t n = left < sizeof(zero) ? left : sizeof(zero);
		int error = pwrite_full(fd, zero, n, (off_t)at);

		if (error < 0)
			return (error);
		at += n;
		left -= n;
	}
	return (0);
}

static int
format_file(
    struct cachefile *cf, const struct conf *c, const struct shm *shm, char *why, size_t why_len)
{
	uint64_t size = shm->geo.data_off + ((uint64_t)shm->geo.nslots << shm->block_shift);
	int error;

	/* Cut first: the bytes of whatever lay there before are nobody's business. */
	if (ftruncate(cf->fd, 0) < 0)
		return (refuse(why, why_len, -errno, "cannot write the cache file %s: %s",
		    c->cache_file, strerror(errno)));
	error = posix_fallocate(cf->fd, 0, (off_t)size);
	if (error != 0)
		return (refuse(why, why_len, -error,
		    "cannot allocate %llu MiB for the cache file %s: %s (set blockCacheSize lower, "
		    "or make room)",
		    (unsigned long long)(size >> 20), c->cache_file, strerror(error)));
	arc4random_buf(cf->identity, sizeof(cf->identity));
	cf->fresh = true;
	cf->token = 0;
	cf->last_sequence = 0;
	if ((error = clear_journal(cf->fd, shm)) < 0 ||
	    (error = super_write(cf, c, shm, 0, CACHEFILE_CLEAN)) < 0)
		return (refuse(why, why_len, error, "cannot write the cache file %s: %s",
		    c->cache_file, strerror(-error)));
	return (0);
}

/* All its slots' bytes are there, or what is missing would be found out one block at a time. */
static int
check_length(struct cachefile *cf, const struct super *s, const struct conf *c,
    const struct shm *shm, char *why, size_t why_len)
{
	uint64_t want = shm->geo.data_off + ((uint64_t)shm->geo.nslots << shm->block_shift);
	struct stat st;

	if (fstat(cf->fd, &st) < 0)
		return (refuse(why, why_len, -errno, "%s: %s", c->cache_file, strerror(errno)));
	if ((uint64_t)st.st_size >= want)
		return (0);
	if (s->state == CACHEFILE_CLEAN) {
		log_warn("the cache file has been cut off: making it anew");
		return (format_file(cf, c, shm, why, why_len));
	}
	return (refuse(why, why_len, -EUCLEAN,
	    "%s: the cache file has been cut off (%llu of %llu bytes are there), and may hold "
	    "changes that are not in the bucket: bring it back whole, or start "
	    "--dirty=set-aside to keep it under another name and go on without it",
	    c->cache_file, (unsigned long long)st.st_size, (unsigned long long)want));
}

/* An existing file: is it this disk's, and does its shape fit? */
static int
check_super(struct cachefile *cf, const struct super *s, const struct conf *c,
    const struct shm *shm, char *why, size_t why_len)
{
	uint8_t hash[32];
	char name[NAME_MAX_LEN];

	disk_name(c, name, hash);
	if (s->version != 1)
		return (refuse(why, why_len, -EINVAL,
		    "%s: cache file of version %u, this program reads version 1", c->cache_file,
		    s->version));
	if (memcmp(hash, s->name_hash, sizeof(hash)) != 0 && !INJECT_FAIL("mutate.d5-any-disk"))
		return (refuse(why, why_len, -EINVAL,
		    "%s: cache file of another disk: %s (this one is %s; give each disk a "
		    "blockCacheFile of its own)",
		    c->cache_file, s->name, name));
	cf->unclean = s->state != CACHEFILE_CLEAN;
	if (s->state == CACHEFILE_VOID) {
		log_warn("the cache file could not be written in its last run: making it anew");
		return (format_file(cf, c, shm, why, why_len));
	}
	/* A disk that has grown keeps what was cached of it. */
	if (s->block_size == shm->geo.block_size && s->nblocks <= shm->geo.nblocks &&
	    s->nslots == shm->geo.nslots) {
		memcpy(cf->identity, s->identity, sizeof(cf->identity));
		cf->token = s->token;
		cf->last_sequence = s->last_sequence;
		cf->last_crc = s->last_crc;
		return (check_length(cf, s, c, shm, why, why_len));
	}
	if (s->state != CACHEFILE_CLEAN)
		return (refuse(why, why_len, -EINVAL,
		    "%s: the cache file holds changes that are not in the bucket, for "
		    "blockSize=%u, "
		    "size=%llu and %u cached blocks; start once with those values so that it can "
		    "upload them, or remove the file and lose them",
		    c->cache_file, s->block_size, (unsigned long long)s->nblocks * s->block_size,
		    s->nslots));
	log_info("cache file is empty and of another shape: making it anew");
	return (format_file(cf, c, shm, why, why_len));
}

/*
 * What the file holds, as far as it is on the disk.  After an fsync that failed the kernel calls pages
 * clean that the disk has lost, and shows them until it needs their memory; and who could say that it
 * failed may have been killed.  So once the file was not ended well, or what is unwritten cannot be
 * written now, these pages go, and what the disk has is what was lost or not, once and for all.
 */
static bool
read_super(struct cachefile *cf, struct super *ret_super)
{
	int error = durable_sync(cf->fd);
	uint8_t buf[SUPER_BYTES];

	if (!INJECT_FAIL("mutate.p3-trust-page-cache"))
		(void)posix_fadvise(cf->fd, 0, CACHE_SUPER_BYTES, POSIX_FADV_DONTNEED);
	if (pread_full(cf->fd, buf, sizeof(buf), 0) < 0 || !super_decode(buf, ret_super))
		return (false);
	if (error < 0)
		log_err(error, "the cache file: some of what was written to it last is lost");
	cf->synced = error == 0 && ret_super->state != CACHEFILE_IN_USE;
	if (!cf->synced && !INJECT_FAIL("mutate.p3-trust-page-cache"))
		(void)posix_fadvise(cf->fd, 0, 0, POSIX_FADV_DONTNEED);
	return (true);
}

/* The cache manager of an s3backerd that has just been killed may still be committing. */
static bool
lock_file(int fd)
{
	uint64_t deadline = deadline_in_us(LOCK_WAIT_US);
	const struct timespec pause = {.tv_nsec = 20000000};

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || deadline_passed(deadline))
			return (false);
		(void)nanosleep(&pause, NULL);
	}
	return (true);
}

/* The format, section 13: native endian, the signature first. */
static bool
is_old_program(int fd)
{
	uint32_t signature;

	return (pread_full(fd, &signature, sizeof(signature), 0) == 0 && signature == 0xe496f17bu);
}

static int
open_file(
    struct cachefile *cf, const struct conf *c, const struct shm *shm, char *why, size_t why_len)
{
	struct super s;
	struct stat st;

	cf->fd = open(c->cache_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (cf->fd < 0)
		return (refuse(why, why_len, -errno, "cannot open the cache file %s: %s",
		    c->cache_file, strerror(errno)));
	if (!lock_file(cf->fd))
		return (refuse(why, why_len, -EBUSY,
		    "%s: cache file is in use by another running disk (give each disk a "
		    "blockCacheFile of its own)",
		    c->cache_file));
	if (fstat(cf->fd, &st) < 0)
		return (-errno);
	if (!S_ISREG(st.st_mode))
		return (refuse(why, why_len, -EINVAL, "%s: not a regular file", c->cache_file));
	if (st.st_size == 0)
		return (format_file(cf, c, shm, why, why_len));
	if (is_old_program(cf->fd))
		return (refuse(why, why_len, -EINVAL,
		    "%s: is a cache file of the old program (let it upload what is left: start "
		    "and stop it once; then remove the file)",
		    c->cache_file));
	if (st.st_size < SUPER_BYTES || !read_super(cf, &s))
		return (refuse(why, why_len, -EINVAL,
		    "%s: not a cache file of this program (remove it, or choose another "
		    "blockCacheFile)",
		    c->cache_file));
	return (check_super(cf, &s, c, shm, why, why_len));
}

/*
 * The name must be as durable as the bytes, or a power cut takes a new file away with all that was
 * flushed into it.  At each start, as the one that made it may have died before it got here.
 */
static int
sync_name(const struct conf *c, char *why, size_t why_len)
{
	int error = durable_sync_parent(AT_FDCWD, c->cache_file);

	if (error < 0)
		return (refuse(why, why_len, error, "cannot sync the directory of %s: %s",
		    c->cache_file, strerror(-error)));
	return (0);
}

/* Before privileges are given up; without it every flush is an fdatasync. */
static void
open_direct(struct cachefile *cf)
{
	int r = durable_open_direct(cf->fd);

	cf->direct_fd = r < 0 ? -1 : r;
	if (r < 0)
		log_info(
		    "the cache file cannot be written past the page cache, so each flush syncs "
		    "all of it: %s",
		    strerror(-r));
}

int
cachefile_open(
    const struct conf *c, const struct shm *shm, struct cachefile *ret, char *why, size_t why_len)
{
	struct cachefile cf = {.fd = -1, .direct_fd = -1, .memory = c->cache_file == NULL};
	uint8_t boot[12];
	int error = 0;

	why[0] = '\0';
	boot_id(boot);
	if (cf.memory) {
		cf.fresh = true;
		cf.fd = memfd_create("s3backer-cache", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (cf.fd < 0 ||
		    ftruncate(cf.fd, (off_t)(shm->geo.data_off + ((uint64_t)shm->geo.nslots
								     << shm->block_shift))) < 0 ||
		    fcntl(cf.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
			error = refuse(why, why_len, -errno, "cannot make the memory cache: %s",
			    strerror(errno));
	} else {
		error = open_file(&cf, c, shm, why, why_len);
		if (error == 0)
			error = sync_name(c, why, why_len);
		if (error == 0)
			open_direct(&cf);
	}
	if (error < 0) {
		if (why[0] == '\0')
			(void)refuse(
			    why, why_len, error, "%s: %s", c->cache_file, strerror(-error));
		if (cf.fd >= 0)
			close(cf.fd);
		return (error);
	}
	*ret = cf;
	return (0);
}

int
cachefile_adopt(int fd, const struct conf *c, const struct shm *shm, struct cachefile *ret,
    char *why, size_t why_len)
{
	struct cachefile cf = {.fd = fd, .direct_fd = -1, .memory = c->cache_file == NULL};
	uint8_t buf[SUPER_BYTES], boot[12];
	struct super s;

	boot_id(boot);
	if (!cf.memory) {
		if (pread_full(fd, buf, sizeof(buf), 0) < 0 || !super_decode(buf, &s) ||
		    s.nslots != shm->geo.nslots || s.block_size != shm->geo.block_size)
			return (refuse(why, why_len, -EUCLEAN,
			    "%s: the superblock changed under the running disk", c->cache_file));
		memcpy(cf.identity, s.identity, sizeof(cf.identity));
		cf.token = s.token;
		open_direct(&cf);
	}
	*ret = cf;
	return (0);
}
