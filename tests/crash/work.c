/* SPDX-License-Identifier: ISC */
/*
 * work.c -- the workload: threads that write, trim, read and flush the mounted file.
 *
 * Buffered disks: pwrite, and stores into a shared mapping; the kernel keeps writes and flushes of one
 * file apart there.  Direct disks: O_DIRECT with the kernel's AIO, several writes in flight while other
 * threads flush, as a loop device does it.
 *
 * A write or flush that fails while nobody has said work_stopping() is a fault of the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/powercut.h"

#define THREADS_MAX 8
#define IO_MAX	    (256u << 10)
#define AIO_MAX	    4

struct worker {
	pthread_t thread;
	uint64_t rng;
	int fd, scratch; /* scratch: a memfd with what goes into the mapping */
	uint8_t *buf, *map;
	aio_context_t aio;
};

struct range {
	uint32_t sector, n;
};

static struct worker workers[THREADS_MAX];
/* Stores into a mapping while the kernel writes the page back would tear sectors by themselves. */
static pthread_rwlock_t storing = PTHREAD_RWLOCK_INITIALIZER;
static _Atomic bool stop, errors_expected;
static _Atomic uint64_t flushes;

static void
gave_up(const char *what, const struct range *r)
{
	struct timespec ms = {0, 1000000};
	int error = errno;

	if (opt.fault != NULL && !atomic_load(&errors_expected)) {
		(void)nanosleep(&ms, NULL); /* it may fail; the next may not */
		return;
	}
	atomic_store(&stop, true);
	if (!atomic_load(&errors_expected))
		fail("%s of block %u sector %u, %u sectors: %s", what, r->sector / shape.per_block,
		    r->sector % shape.per_block, r->n, strerror(error));
}

/* Most of the work falls on a few blocks, which are rewritten all the time. */
static struct range
pick(struct worker *w)
{
	uint32_t hot = shape.nblocks / 8 + 1;
	uint32_t block = rng_next(&w->rng) % (rng_next(&w->rng) % 10 < 7 ? hot : shape.nblocks);
	uint32_t most = shape.sectors - block * shape.per_block;
	struct range r = {.sector = block * shape.per_block};

	switch (rng_next(&w->rng) % 6) {
	case 0: /* a block, or two */
		r.n = shape.per_block * (1 + rng_next(&w->rng) % 2);
		break;
	case 1: /* over the end of a block */
		r.sector += rng_next(&w->rng) % shape.per_block;
		r.n = 1 + rng_next(&w->rng) % shape.per_block;
		break;
	default:
		r.sector += rng_next(&w->rng) % shape.per_block;
		r.n = 1 + rng_next(&w->rng) % 8;
		break;
	}
	most = shape.sectors - r.sector;
	if (r.n > most)
		r.n = most;
	if (r.n > IO_MAX / SECTOR)
		r.n = IO_MAX / SECTOR;
	return (r);
}

static void
flush(struct worker *w)
{
	uint64_t tick = model_tick();
	struct range all = {0, shape.sectors};
	int r;

	if (!shape.direct)
		(void)pthread_rwlock_wrlock(&storing);
	r = rng_next(&w->rng) % 2 == 0 ? fdatasync(w->fd) : fsync(w->fd);
	if (!shape.direct)
		(void)pthread_rwlock_unlock(&storing);
	if (r == 0) {
		model_flushed(tick);
		atomic_fetch_add(&flushes, 1);
	} else {
		gave_up("flush", &all);
	}
}

static void
fill(uint8_t *buf, const struct range *r, uint32_t value)
{
	for (uint32_t i = 0; i < r->n; i++)
		model_fill(r->sector + i, value, buf + (size_t)i * SECTOR);
}

/* Locked, begun and filled; false: there is no room in the history of a sector. */
static bool
begin(struct worker *w, const struct range *r, uint32_t value, uint8_t *buf)
{
	if (model_begin(r->sector, r->n, value)) {
		fill(buf, r, value);
		return (true);
	}
	model_unlock(r->sector, r->n);
	flush(w);
	return (false);
}

static void
write_one(struct worker *w)
{
	struct range r = pick(w);
	/* Now and then zeros, which are not stored like other bytes. */
	uint32_t value = rng_next(&w->rng) % 12 == 0 ? 0 : model_value();
	size_t len = (size_t)r.n * SECTOR;

	model_lock(r.sector, r.n);
	if (!begin(w, &r, value, w->buf))
		return;
	if (pwrite(w->fd, w->buf, len, (off_t)r.sector * SECTOR) == (ssize_t)len)
		model_ack(r.sector, r.n);
	else
		gave_up("write", &r);
	model_unlock(r.sector, r.n);
}

/* Into the mapping by read(2): when the disk is gone that is EFAULT, not SIGBUS. */
static void
write_mapped(struct worker *w)
{
	struct range r = pick(w);
	size_t len = (size_t)r.n * SECTOR;

	ssize_t n = -1;

	model_lock(r.sector, r.n);
	if (!begin(w, &r, model_value(), w->buf))
		return;
	(void)pthread_rwlock_rdlock(&storing);
	if (pwrite(w->scratch, w->buf, len, 0) == (ssize_t)len)
		n = pread(w->scratch, w->map + (size_t)r.sector * SECTOR, len, 0);
	(void)pthread_rwlock_unlock(&storing);
	if (n == (ssize_t)len)
		model_ack(r.sector, r.n);
	else
		gave_up("store into the mapping", &r);
	model_unlock(r.sector, r.n);
}

/* Several writes in flight; other threads flush meanwhile. */
static void
write_async(struct worker *w)
{
	struct range r[AIO_MAX];
	struct iocb cb[AIO_MAX], *cbp[AIO_MAX];
	struct io_event ev[AIO_MAX];
	size_t used = 0;
	long n = 0, done = 0;

	for (unsigned i = 0; i < AIO_MAX && n < AIO_MAX; i++) {
		r[n] = pick(w);
		if (used + (size_t)r[n].n * SECTOR > IO_MAX || !model_try_lock(r[n].sector, r[n].n))
			continue;
		if (!model_begin(r[n].sector, r[n].n, model_value())) {
			model_unlock(r[n].sector, r[n].n);
			continue;
		}
		cb[n] = (struct iocb){.aio_data = (uint64_t)n,
		    .aio_lio_opcode = IOCB_CMD_PWRITE,
		    .aio_fildes = (uint32_t)w->fd,
		    .aio_buf = (uintptr_t)w->buf + used,
		    .aio_nbytes = (uint64_t)r[n].n * SECTOR,
		    .aio_offset = (int64_t)r[n].sector * SECTOR};
		cbp[n] = &cb[n];
		n++;
		used += (size_t)r[n - 1].n * SECTOR;
	}
	if (n == 0) {
		flush(w); /* history is full, or everybody writes the same place */
		return;
	}
	/* model_begin() has the newest value last; it is what the bytes are made of. */
	for (long i = 0; i < n; i++)
		fill((uint8_t *)(uintptr_t)cb[i].aio_buf, &r[i], model_newest(r[i].sector));
	done = syscall(SYS_io_submit, w->aio, n, cbp);
	if (done < 0)
		done = 0;
	for (long i = done; i < n; i++) {
		gave_up("io_submit", &r[i]);
		model_unlock(r[i].sector, r[i].n);
	}
	n = done;
	done = n > 0 ? syscall(SYS_io_getevents, w->aio, n, n, ev, NULL) : 0;
	for (long i = 0; i < done; i++) {
		struct range *q = &r[ev[i].data];

		if (ev[i].res == (int64_t)q->n * SECTOR) {
			model_ack(q->sector, q->n);
		} else {
			errno = ev[i].res < 0 ? (int)-ev[i].res : EIO;
			gave_up("asynchronous write", q);
		}
		model_unlock(q->sector, q->n);
	}
}

static void
trim_one(struct worker *w)
{
	struct range r = pick(w);
	int mode = rng_next(&w->rng) % 2 == 0 ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;

	if (rng_next(&w->rng) % 2 == 0) { /* whole blocks: objects to delete */
		r.sector -= r.sector % shape.per_block;
		r.n = shape.per_block;
	}
	model_lock(r.sector, r.n);
	if (!model_begin(r.sector, r.n, 0)) {
		model_unlock(r.sector, r.n);
		flush(w);
		return;
	}
	if (fallocate(w->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)r.sector * SECTOR,
		(off_t)r.n * SECTOR) == 0)
		model_ack(r.sector, r.n);
	else
		gave_up("trim", &r);
	model_unlock(r.sector, r.n);
}

/* So that the next read asks the disk. */
static void
drop_pages(struct worker *w, off_t off, off_t len)
{
	(void)pthread_rwlock_wrlock(&storing);
	(void)sync_file_range(w->fd, off, len,
	    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	(void)posix_fadvise(w->fd, off, len, POSIX_FADV_DONTNEED);
	(void)pthread_rwlock_unlock(&storing);
}

static void
read_one(struct worker *w)
{
	struct range r = pick(w);
	size_t len = (size_t)r.n * SECTOR;

	model_lock(r.sector, r.n);
	if (!shape.direct)
		drop_pages(w, (off_t)r.sector * SECTOR, (off_t)len);
	if (pread(w->fd, w->buf, len, (off_t)r.sector * SECTOR) != (ssize_t)len) {
		gave_up("read", &r);
	} else if (!model_reads_back(r.sector, r.n, w->buf, "running")) {
		atomic_store(&stop, true);
	}
	model_unlock(r.sector, r.n);
}

/* While the cache disk fails, readers may wait long; somebody always flushes, as a file system does. */
static void
flush_only(struct worker *w)
{
	struct timespec ms5 = {0, 5000000};

	while (!atomic_load(&stop)) {
		flush(w);
		(void)nanosleep(&ms5, NULL);
	}
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	if (opt.fault != NULL && w == &workers[0])
		flush_only(w);
	while (!atomic_load(&stop)) {
		uint32_t what = rng_next(&w->rng) % 100;

		if (what < 15)
			flush(w);
		else if (what < 23)
			trim_one(w);
		else if (what < 40)
			read_one(w);
		else if (shape.direct && what < 70)
			write_async(w);
		else if (!shape.direct && what < 55)
			write_mapped(w);
		else
			write_one(w);
	}
	return (NULL);
}

static int
prepare(struct worker *w, const struct place *p)
{
	size_t len = (size_t)shape.sectors * SECTOR;

	memset(w, 0, sizeof(*w));
	w->scratch = -1;
	w->fd = open(p->file, O_RDWR | O_CLOEXEC | (shape.direct ? O_DIRECT : 0));
	if (w->fd < 0 || posix_memalign((void **)&w->buf, 4096, IO_MAX) != 0)
		return (-EIO);
	if (shape.direct)
		return (syscall(SYS_io_setup, AIO_MAX, &w->aio) == 0 ? 0 : -errno);
	w->scratch = memfd_create("scratch", MFD_CLOEXEC);
	w->map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, 0);
	return (w->scratch < 0 || w->map == MAP_FAILED ? -errno : 0);
}

int
work_start(const struct place *p, uint64_t seed)
{
	int error;

	atomic_store(&stop, false);
	atomic_store(&errors_expected, false);
	for (uint32_t i = 0; i < shape.threads; i++) {
		if ((error = prepare(&workers[i], p)) < 0)
			return (error);
		workers[i].rng = mix64(seed, i);
	}
	for (uint32_t i = 0; i < shape.threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			return (-ENOMEM);
	return (0);
}

void
work_stopping(void)
{
	atomic_store(&errors_expected, true);
	atomic_store(&stop, true);
}

void
work_join(void)
{
	for (uint32_t i = 0; i < shape.threads; i++) {
		struct worker *w = &workers[i];

		(void)pthread_join(w->thread, NULL);
		if (w->map != NULL)
			(void)munmap(w->map, (size_t)shape.sectors * SECTOR);
		if (w->aio != 0)
			(void)syscall(SYS_io_destroy, w->aio);
		if (w->scratch >= 0)
			(void)close(w->scratch);
		(void)close(w->fd);
		free(w->buf);
	}
}

uint64_t
work_flushes(void)
{
	return (atomic_load(&flushes));
}
