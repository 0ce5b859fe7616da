/* SPDX-License-Identifier: ISC */
#include "frontend/iobuf.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "frontend/guard.h"

#define IDLE_MOST 16

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct iobuf *idle;
static unsigned nidle;

struct iobuf *
iobuf_get(void)
{
	struct iobuf *b;
	void *mem;

	(void)pthread_mutex_lock(&idle_lock);
	if ((b = idle) != NULL) {
		idle = b->next;
		nidle--;
	}
	(void)pthread_mutex_unlock(&idle_lock);
	if (b != NULL)
		return (b);
	if ((b = malloc(sizeof(*b))) == NULL)
		return (NULL);
	/* Populated, and kept so if we may: see "Dying" in reply.c. */
	mem = mmap(NULL, IOBUF_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (mem == MAP_FAILED) {
		free(b);
		return (NULL);
	}
	(void)mlock(mem, IOBUF_SIZE);
	b->mem = mem;
	return (b);
}

void
iobuf_put(struct iobuf *b)
{
	if (b == NULL)
		return;
	(void)pthread_mutex_lock(&idle_lock);
	if (nidle < IDLE_MOST) {
		b->next = idle;
		idle = b;
		nidle++;
		b = NULL;
	}
	(void)pthread_mutex_unlock(&idle_lock);
	if (b != NULL) {
		(void)munmap(b->mem, IOBUF_SIZE);
		free(b);
	}
}
