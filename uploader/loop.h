/* SPDX-License-Identifier: ISC */
/*
 * loop.h -- descriptors and timers of the main thread: one epoll set, the uploader's only sleep.
 *
 * Process:  uploader.  Threads: main thread only.
 * Owns:     the epoll descriptor; watched descriptors and timers are the caller's.
 * Errors:   0 or -errno.
 * Why:      epoll and curl_multi_socket_action() touch only what is ready; poll(2) and
 *           curl_multi_perform() look at every one of hundreds of transfers at each turn.
 */
#ifndef S3B_UPLOADER_LOOP_H
#define S3B_UPLOADER_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <bsd/sys/tree.h>

#define LOOP_SOURCES 16 /* a store that is opened anew takes further ones */

typedef void loop_ready_fn(void *arg, int fd, uint32_t epoll_events);

struct timer {
	RB_ENTRY(timer) link;
	uint64_t when;		/* now_us() */
	uint64_t seq;		/* equal times: first set, first run */
	bool	 armed;
	void   (*run)(void *arg);
	void	*arg;
};

struct loop {
	int epfd;
	struct {
		loop_ready_fn *ready;
		void	      *arg;
	} source[LOOP_SOURCES];
	unsigned nsources;
	uint64_t seq;
	RB_HEAD(timer_tree, timer) timers;
};

int	loop_open(struct loop *);
void	loop_close(struct loop *);

/* A kind of descriptor with its handler; returns its number for loop_watch(). */
int	loop_source(struct loop *, loop_ready_fn *, void *arg);
int	loop_watch(struct loop *, int source, int fd, uint32_t epoll_events); /* or change it */
void	loop_unwatch(struct loop *, int fd);

void	loop_timer_set(struct loop *, struct timer *, uint64_t when);
void	loop_timer_clear(struct loop *, struct timer *);
uint64_t loop_next(const struct loop *);	/* the earliest timer, TIME_NEVER */

/*
 * One turn: sleep until a descriptor is ready, a timer is due or `deadline` has come (now or
 * earlier: do not sleep), then run what is due.  Returns how much that was.
 */
int	loop_turn(struct loop *, uint64_t deadline);

#endif
