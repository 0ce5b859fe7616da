/* SPDX-License-Identifier: ISC */
/*
 * bell.pml -- ring and bell (ipc/ring.h, ipc/bell.h): nothing that was published and rung for is
 * left lying while the owner sleeps.
 *
 * Two producers publish one message each and ring; either may die between any two steps.  What a
 * producer that died before it had rung has published may stay: burial rings for it.  The owner follows
 * the order that bell.h demands.  Memory is that of x86: a plain store may become visible later than
 * the loads behind it (one entry of store buffer for `asleep` is enough to show that); an exchange
 * or a sequentially consistent store waits until it is visible.
 *
 * Mutations: LOOK_BEFORE_CLEAR, RING_BEFORE_PUBLISH, RELAXED_ASLEEP, TRUST_THE_OTHERS_POST
 */
#define PRODUCERS 2

bool published[PRODUCERS];	/* in the ring, not taken yet */
bool told[PRODUCERS];		/* its ringer has come to its end */
bit rung, asleep, asleep_buffer;
bool buffered;			/* `asleep_buffer` is still to become visible */
byte posts;			/* the semaphore, or the eventfd */
bool waiting;
byte done;

inline publish(n) { published[n] = true }

inline ring(n) {
	bit was;
	d_step { was = rung; rung = 1 }		/* atomic_exchange */
	if
	:: true
	:: goto dead				/* the others must do without its post */
	fi;
#ifdef TRUST_THE_OTHERS_POST
	if
	:: was -> goto told_it			/* somebody rang already and will post */
	:: else
	fi;
#endif
	if
	:: asleep -> posts = 1
	:: else
	fi;
told_it:
	skip
}

proctype producer(byte n) {
#ifdef RING_BEFORE_PUBLISH
	ring(n);
	publish(n);
#else
	publish(n);
	if
	:: true
	:: goto dead
	fi;
	ring(n);
#endif
	told[n] = true;
dead:
	done++
}

inline look() {
	byte i = 0;
	found = false;
	do
	:: i < PRODUCERS ->
		if
		:: published[i] -> published[i] = false; found = true
		:: else
		fi;
		i++
	:: else -> break
	od
}

inline clear() {
	d_step { asleep = 0; buffered = false; posts = 0 }
	rung = 0
}

inline sleep() {
#ifdef RELAXED_ASLEEP
	asleep_buffer = 1; buffered = true;
#else
	asleep = 1;
#endif
	if
	:: rung == 0 ->
		waiting = true;
end_asleep:
		posts > 0;			/* sem_wait; may be for ever when there is nothing */
		posts = 0;
		waiting = false
	:: else
	fi;
	d_step { asleep = 0; buffered = false }
}

active proctype owner() {
	bool found;
end:
	do
	:: true ->
#ifdef LOOK_BEFORE_CLEAR
		look();
		clear();
#else
		clear();
		look();
#endif
		if
		:: found
		:: else -> sleep()
		fi
	od
}

/* The store buffer of the owner drains at some moment. */
active proctype memory() {
end:
	do
	:: buffered -> d_step { asleep = asleep_buffer; buffered = false }
	od
}

/* When nothing moves any more: nothing is left of a producer that has come to its end. */
active proctype judge() {
	done == PRODUCERS;
	timeout;
	assert(!(told[0] && published[0]));
	assert(!(told[1] && published[1]))
}

init {
	run producer(0);
	run producer(1)
}
