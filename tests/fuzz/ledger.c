/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/ledger.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES	(1u << 16)
#define THREADS 16

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_reallocarray(void *, size_t, size_t);
int __real_posix_memalign(void **, size_t, size_t);
int __wrap_posix_memalign(void **, size_t, size_t);
void __wrap_free(void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
struct role_env;
_Noreturn void __real_exit(int);
_Noreturn void __wrap_exit(int);
_Noreturn void __wrap_role_fail(struct role_env *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

jmp_buf ledger_fail;
bool ledger_catches;
char ledger_why[512];

static struct {
	pthread_mutex_t lock;
	bool on;
	void *place[PLACES]; /* open addressing; GONE where one was given back */
	unsigned used;
	pthread_t thread[THREADS];
	unsigned nthreads;
} ledger = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define GONE ((void *)&ledger)

static unsigned
home(const void *p)
{
	return ((unsigned)(((uintptr_t)p * UINT64_C(0x9e3779b97f4a7c15)) >> 48) & (PLACES - 1));
}

static void *
note(void *p)
{
	unsigned i;

	if (p == NULL || !ledger.on)
		return (p);
	(void)pthread_mutex_lock(&ledger.lock);
	if (ledger.used++ >= PLACES - 1)
		abort();
	for (i = home(p); ledger.place[i] != NULL; i = (i + 1) & (PLACES - 1))
		;
	ledger.place[i] = p;
	(void)pthread_mutex_unlock(&ledger.lock);
	return (p);
}

static void
strike(const void *p)
{
	if (p == NULL || !ledger.on)
		return;
	(void)pthread_mutex_lock(&ledger.lock);
	for (unsigned i = home(p); ledger.place[i] != NULL; i = (i + 1) & (PLACES - 1))
		if (ledger.place[i] == p) {
			ledger.place[i] = GONE;
			break;
		}
	(void)pthread_mutex_unlock(&ledger.lock);
}

void *
__wrap_malloc(size_t n)
{
	return (note(__real_malloc(n)));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return (note(__real_calloc(n, size)));
}

void *
__wrap_realloc(void *p, size_t n)
{
	void *q;

	strike(p);
	q = __real_realloc(p, n);
	if (q == NULL && n > 0)
		(void)note(p);
	return (note(q));
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	return (__builtin_mul_overflow(n, size, &all) ? NULL : __wrap_realloc(p, all));
}

int
__wrap_posix_memalign(void **ret, size_t align, size_t n)
{
	int error = __real_posix_memalign(ret, align, n);

	if (error == 0)
		(void)note(*ret);
	return (error);
}

void
__wrap_free(void *p)
{
	strike(p);
	__real_free(p);
}

int
__wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	int error = __real_pthread_create(ret, attr, run, arg);

	if (error == 0 && ledger.on) {
		if (ledger.nthreads == THREADS)
			abort();
		ledger.thread[ledger.nthreads++] = *ret;
	}
	return (error);
}

_Noreturn void
__wrap_role_fail(struct role_env *env, const char *fmt, ...)
{
	va_list ap;

	(void)env;
	va_start(ap, fmt);
	(void)vsnprintf(ledger_why, sizeof(ledger_why), fmt, ap);
	va_end(ap);
	if (ledger_catches)
		longjmp(ledger_fail, 1);
	fprintf(stderr, "role_fail: %s\n", ledger_why);
	abort();
}

/* A role that gives up on purpose. */
_Noreturn void
__wrap_exit(int status)
{
	if (!ledger_catches)
		__real_exit(status);
	(void)snprintf(ledger_why, sizeof(ledger_why), "exit %d", status);
	longjmp(ledger_fail, 1);
}

void
ledger_begin(void)
{
	ledger.on = true;
}

void
ledger_end(void)
{
	ledger.on = false;
	/* They sleep in sem_wait(3), which is a point of cancellation, or come there. */
	for (unsigned i = 0; i < ledger.nthreads; i++) {
		(void)pthread_cancel(ledger.thread[i]);
		(void)pthread_join(ledger.thread[i], NULL);
	}
	ledger.nthreads = 0;
	if (ledger.used == 0)
		return;
	for (unsigned i = 0; i < PLACES; i++) {
		if (ledger.place[i] != NULL && ledger.place[i] != GONE)
			__real_free(ledger.place[i]);
		ledger.place[i] = NULL;
	}
	ledger.used = 0;
}
