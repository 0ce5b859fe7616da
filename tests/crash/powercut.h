/* SPDX-License-Identifier: ISC */
/*
 * powercut.h -- what the files of powercut share; README.md says what it does.
 *
 * Process:  powercut, process 1 of a namespace of its own, in which it finds all that it starts.
 * Threads:  main, and the workers of work.c between work_start() and work_join().
 * Errors:   0 or -errno; fail() notes what is wrong with the disk, and the run ends.
 */
#ifndef S3B_TESTS_CRASH_POWERCUT_H
#define S3B_TESTS_CRASH_POWERCUT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define SECTOR 512u

struct options {
	const char *bin;  /* directory of the programs */
	const char *base; /* where the work directory is made */
	uint64_t seed;
	unsigned id;	      /* in names of files */
	unsigned cuts, chain; /* cuts in all; live cuts of one disk before a new one is made */
	unsigned images;      /* post-cut images checked beside each live cut */
	const char *fault;    /* of the cache disk while the workload runs; NULL: none */
	bool lie, keep, verbose, crash_recovery;
};

/* Everything that a seed decides about one disk. */
struct shape {
	uint64_t seed;
	uint32_t block_size, nblocks, slots;
	uint32_t sectors, per_block;
	uint32_t delay_ms, threads;
	bool direct; /* O_DIRECT and AIO; else buffered and mapped */
	bool list, to_bucket;
};

struct place { /* one disk: a bucket, a cache file, a mount */
	char dir[PATH_MAX], conf[PATH_MAX], mnt[PATH_MAX], file[PATH_MAX], bucket[PATH_MAX],
	    cache[PATH_MAX], log[PATH_MAX],
	    link[PATH_MAX]; /* link: to the bucket, by which it is known */
};

extern struct options opt;
extern struct shape shape;

/* ---- powercut.c */
__attribute__((format(printf, 1, 2))) void fail(const char *fmt, ...);
bool failed(void);
__attribute__((format(printf, 1, 2))) void note(const char *fmt, ...);
uint64_t mix64(uint64_t a, uint64_t b);
uint32_t rng_next(uint64_t *state);

/* ---- model.c: which contents each sector may have */
int model_open(void);
void model_fill(uint32_t sector, uint32_t value, uint8_t buf[SECTOR]);
bool model_try_lock(uint32_t sector, uint32_t n);
void model_lock(uint32_t sector, uint32_t n);
void model_unlock(uint32_t sector, uint32_t n);
/* Of locked sectors: a write begins (value 0: zeros), and is acknowledged. */
bool model_begin(uint32_t sector, uint32_t n, uint32_t value); /* false: a flush is needed first */
uint32_t model_newest(uint32_t sector);
void model_ack(uint32_t sector, uint32_t n);
uint32_t model_value(void); /* a new one */
uint64_t model_tick(void);
void model_flushed(uint64_t tick); /* what was acknowledged before it is durable */
/* Of locked sectors, while the disk lives: what was written last, nothing else. */
bool model_reads_back(uint32_t sector, uint32_t n, const uint8_t *buf, const char *where);
/* After a cut: each sector one of those allowed. */
bool model_allows(const uint8_t *disk, const char *where);
void model_adopt(const uint8_t *disk); /* what was found counts from now on */
int model_save(const char *path);
int model_load(const char *path);

/* ---- work.c: the workload */
int work_start(const struct place *, uint64_t seed);
void work_stopping(void); /* errors are expected from now on */
void work_join(void);
uint64_t work_flushes(void); /* completed, since the start of the program */

/* ---- disk.c: processes */
int place_make(struct place *, const char *dir, const char *cache, const char *link);
void world_enter(void);
void boot_new(void);		      /* the next start is after a power cut */
int disk_start(const struct place *); /* waits until it is there */
pid_t disk_start_begin(const struct place *);
int disk_start_end(pid_t);
void disk_stop_all(void); /* SIGSTOP to every process of every disk */
void disk_kill_begin(void);
void disk_kill_end(const struct place *);
int place_conf(const struct place *); /* after a change of shape */
int disk_status(const struct place *, const char *out);
int disk_ctl(const struct place *, const char *word);
int disk_read(const struct place *, uint8_t *ret_disk);
int disk_run(const char *const argv[], const char *log);

/* ---- faults.c */
bool fault_known(const char *name);
void fault_round(const struct place *, uint64_t seed); /* work runs, and the fault is there */
void fault_heal(const struct place *);		       /* the end of it without a cut */

/* ---- store.c: the bucket, a directory */
int store_copy(const char *from, const char *to);
int store_read(const char *bucket, uint8_t *ret_disk); /* without any program of ours */
int remove_tree(const char *dir);

/* ---- forget.c: forgetfs */
int forget_start(const char *mnt, const char *socket, const char *log);
__attribute__((format(printf, 1, 2))) int forget(const char *fmt, ...);
const char *forget_answer(void);
void forget_stop(const char *mnt);
pid_t forget_pid(void);

#endif
