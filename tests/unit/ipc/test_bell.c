/* SPDX-License-Identifier: ISC */
/*
 * test_bell.c -- no wake-up is lost, none is needed twice, a dead ringer silences nobody.
 *
 * A lost wake-up shows as a wait that ends at its deadline although something had been published
 * and rung.  Deadlines are long, so the tests take long only when they fail.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/timeutil.h"
#include "ipc/bell.h"
#include "tests/unit/tap.h"

#define LONG_US (5 * US_PER_S)

struct shared {
	struct ipc_bell bell[2];
	_Atomic uint64_t published[8];
	_Atomic uint64_t seen;
};

static struct shared *sh;
static int efd = -1;

static void
pause_a_bit(unsigned *x)
{
	*x = *x * 1103515245 + 12345;
	switch (*x >> 28) {
	case 0:
		sched_yield();
		break;
	case 1:
	case 2:
		for (volatile unsigned i = 0; i < (*x >> 16 & 1023); i++)
			;
		break;
	default:
		break;
	}
}

/* Sleeps until something is new.  False: it was there, and the bell had not woken us. */
static int
await(struct ipc_bell *b, uint64_t want)
{
	for (;;) {
		uint64_t deadline = deadline_in_us(LONG_US), sum = 0;

		ipc_bell_clear(b, efd);
		for (unsigned i = 0; i < 8; i++)
			sum += atomic_load_explicit(&sh->published[i], memory_order_acquire);
		if (sum >= want)
			return (1);
		if (b->kind == IPC_BELL_EVENTFD) {
			struct pollfd p = {.fd = efd, .events = POLLIN};

			if (ipc_bell_may_sleep(b, deadline))
				(void)poll(&p, 1, (int)(LONG_US / 1000));
		} else {
			ipc_bell_wait(b, deadline);
		}
		if (now_us() >= deadline)
			return (0);
	}
}

/* ---- ping-pong: each round is a chance to lose one ------------------------------------- */
#define ROUNDS 100000

static void *
ponger(void *arg)
{
	unsigned x = 1;

	for (uint64_t i = 1; i <= ROUNDS; i++) {
		/* Spin a little sometimes, so that the other is caught before, in and after its sleep. */
		while (atomic_load_explicit(&sh->seen, memory_order_acquire) < i - 1)
			sched_yield();
		pause_a_bit(&x);
		atomic_fetch_add_explicit(&sh->published[0], 1, memory_order_release);
		ipc_bell_ring(&sh->bell[0], efd);
	}
	return (arg);
}

static uint64_t
pinger(void)
{
	unsigned x = 2;
	uint64_t i;

	for (i = 1; i <= ROUNDS; i++) {
		if (!await(&sh->bell[0], i))
			break;
		atomic_store_explicit(&sh->seen, i, memory_order_release);
		pause_a_bit(&x);
	}
	return (i - 1);
}

static void
reset(enum ipc_bell_kind kind)
{
	memset(sh->published, 0, sizeof(sh->published));
	sh->seen = 0;
	(void)ipc_bell_init(&sh->bell[0], kind);
	(void)ipc_bell_init(&sh->bell[1], kind);
	if (efd >= 0)
		close(efd);
	efd = kind == IPC_BELL_EVENTFD ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
}

static void
test_two(enum ipc_bell_kind kind, int process)
{
	const char *name = kind == IPC_BELL_SEM ? "semaphore" : "eventfd";
	pthread_t t;
	pid_t pid;

	reset(kind);
	if (!process) {
		if (pthread_create(&t, NULL, ponger, NULL) != 0)
			abort();
		is_int(pinger(), ROUNDS, "%s: no wake-up lost between two threads", name);
		(void)pthread_join(t, NULL);
		return;
	}
	if ((pid = fork()) == 0) {
		(void)ponger(NULL);
		_exit(0);
	}
	is_int(pinger(), ROUNDS, "%s: no wake-up lost between two processes", name);
	(void)waitpid(pid, NULL, 0);
}

/* ---- many ringers ---------------------------------------------------------------------- */
#define EACH 30000

static void *
ringer(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg, x = i;

	for (unsigned n = 0; n < EACH; n++) {
		atomic_fetch_add_explicit(&sh->published[i], 1, memory_order_release);
		ipc_bell_ring(&sh->bell[0], efd);
		pause_a_bit(&x);
	}
	return (NULL);
}

static void
test_many(enum ipc_bell_kind kind)
{
	pthread_t t[4];
	int good = 1;

	reset(kind);
	for (uintptr_t i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, ringer, (void *)i) != 0)
			abort();
	for (uint64_t want = 1; want <= 4 * EACH && good; want += 97)
		good = await(&sh->bell[0], want);
	good = good && await(&sh->bell[0], 4 * EACH);
	for (unsigned i = 0; i < 4; i++)
		(void)pthread_join(t[i], NULL);
	ok(good, "%s: four ringers, every publication seen",
	    kind == IPC_BELL_SEM ? "semaphore" : "eventfd");
}

/* ---- one at a time --------------------------------------------------------------------- */
static void *
sleeper(void *arg)
{
	struct ipc_bell *b = &sh->bell[0];

	ipc_bell_clear(b, -1);
	ipc_bell_wait(b, deadline_in_us(LONG_US));
	atomic_store(&sh->seen, 1);
	return (arg);
}

static void
await_asleep(struct ipc_bell *b)
{
	struct timespec ts = {.tv_nsec = 20000000};

	while (atomic_load(&b->asleep) == 0)
		sched_yield();
	(void)nanosleep(&ts, NULL); /* from "about to" to "does" */
}

static void
test_dead_ringer(void)
{
	uint64_t began = now_us();
	pthread_t t;

	reset(IPC_BELL_SEM);
	if (pthread_create(&t, NULL, sleeper, NULL) != 0)
		abort();
	await_asleep(&sh->bell[0]);
	/* A ringer that died between counting and posting. */
	atomic_store(&sh->bell[0].rung, 1);
	ipc_bell_ring(&sh->bell[0], -1);
	(void)pthread_join(t, NULL);
	ok(now_us() - began < LONG_US / 2, "a ringer that died half-way does not silence the next");
}

static void
test_clear(void)
{
	struct ipc_bell *b = &sh->bell[0];
	uint64_t began = now_us();

	reset(IPC_BELL_SEM);
	ipc_bell_clear(b, -1);
	ipc_bell_ring(b, -1);
	ipc_bell_wait(b, deadline_in_us(LONG_US));
	ok(now_us() - began < LONG_US / 2, "rung after clear: wait does not sleep");
	ipc_bell_clear(b, -1);
	began = now_us();
	ipc_bell_wait(b, deadline_in_us(50000));
	ok(now_us() - began >= 50000, "cleared and not rung: wait sleeps to its deadline");
	is_int(atomic_load(&b->asleep), 0, "and is awake afterwards");
	ipc_bell_ring(b, -1);
	ipc_bell_ring(b, -1);
	ipc_bell_clear(b, -1);
	ok(ipc_bell_may_sleep(b, 1), "clear takes any number of rings");
	atomic_store(&b->asleep, 0);
	ipc_bell_ring(b, -1);
	ok(!ipc_bell_may_sleep(b, 1), "rung: may not sleep");
}

static int
sem_count(struct ipc_bell *b)
{
	return ((int)atomic_load(&b->sem));
}

static void
test_ring_by(void)
{
	struct ipc_bell *b = &sh->bell[0];
	uint64_t now = now_us();

	reset(IPC_BELL_SEM);
	ipc_bell_clear(b, -1);
	(void)ipc_bell_may_sleep(b, now + 1000);
	ipc_bell_ring_by(b, -1, now + 5000);
	is_int(sem_count(b), 0, "an owner that looks sooner by itself is not woken");
	ipc_bell_ring_by(b, -1, now + 500);
	is_int(sem_count(b), 1, "one that would look too late is");
	ipc_bell_clear(b, -1);
	ipc_bell_ring_by(b, -1, now + 5000);
	is_int(sem_count(b), 0, "an owner that is awake costs no system call");
	ok(!ipc_bell_may_sleep(b, now + 1000), "but is told to look once more");
}

static void
on_alarm(int sig)
{
	(void)sig;
	ipc_bell_ring(&sh->bell[0], -1);
}

static void
test_signal(void)
{
	struct itimerval it = {.it_value.tv_usec = 50000};
	uint64_t began = now_us();

	reset(IPC_BELL_SEM);
	(void)signal(SIGALRM, on_alarm);
	ipc_bell_clear(&sh->bell[0], -1);
	(void)setitimer(ITIMER_REAL, &it, NULL);
	ipc_bell_wait(&sh->bell[0], deadline_in_us(LONG_US));
	ok(now_us() - began < LONG_US / 2, "a signal handler can ring");
}

int
main(void)
{
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		return (1);
	test_clear();
	test_ring_by();
	test_signal();
	test_dead_ringer();
	for (int process = 0; process < 2; process++) {
		test_two(IPC_BELL_SEM, process);
		test_two(IPC_BELL_EVENTFD, process);
	}
	test_many(IPC_BELL_SEM);
	test_many(IPC_BELL_EVENTFD);
	return (tap_done());
}
