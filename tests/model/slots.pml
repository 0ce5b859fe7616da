/* SPDX-License-Identifier: ISC */
/*
 * slots.pml -- hazards, freezing and giving up a slot (ipc/slot_table.h, H1-H4 and H6).
 *
 * One slot holds block A.  Two writers and a reader in the frontend, cachemgr, which uploads, and
 * gives the slot to block B when it is clean.  A writer may die between any two steps; cachemgr
 * clears its hazard then.  The bytes are two cells that are written one after the other, so that a copy
 * that is not alone shows.  A hazard is a plain store made visible by a fence: without one it may
 * become visible after the second look at the head (store buffer, x86).
 *
 * Must hold:
 *	a reader that has looked twice reads bytes of A
 *	what is uploaded is not in the middle of a write
 *	B's slot has no writer of A's in it
 *	what is given up is in the bucket: the slot's bytes equal what was uploaded
 *
 * Mutations: NO_SECOND_LOOK, SCAN_FIRST, RELAXED_HAZARD, NO_WAIT_TO_FREEZE, CLEAN_LOOK_ONCE, WSEQ_LAST
 */
#define WRITERS 2
#define READER	2
#define NOBODY	0
#define READS	1
#define WRITES	2
#define A	1
#define B	2
mtype = { LIVE, FROZEN, OLD };

byte block = A;
mtype state = LIVE;
byte hazard[3], buffer[3];	/* seen by all; on its way there */
byte wseq, cseq;
byte cell[2];			/* what was written: 0 at first, then the writer's number */
byte bucket[2];
bool mine;			/* B has the slot */
bool in_slot[WRITERS];

#define FITS (block == A && (state == LIVE || (state == FROZEN && !writing)))

inline name(who, how) {
#ifdef RELAXED_HAZARD
	buffer[who] = how
#else
	hazard[who] = how
#endif
}
inline unname(who) { d_step { hazard[who] = NOBODY; buffer[who] = NOBODY } }

proctype writer(byte n) {
	bool writing = true;

	if
	:: FITS
	:: else -> goto gone
	fi;
	name(n, WRITES);
#ifndef NO_SECOND_LOOK
	if
	:: FITS
	:: else -> goto leave
	fi;
#endif
	in_slot[n] = true;
	assert(!mine);
#ifndef WSEQ_LAST
	wseq++;
#endif
	if
	:: true
	:: goto dead
	fi;
	assert(!mine);
	cell[0] = n + 1;
	if
	:: true
	:: goto dead
	fi;
	assert(!mine);
	cell[1] = n + 1;
#ifdef WSEQ_LAST
	if
	:: true
	:: goto dead
	fi;
	wseq++;
#endif
dead:					/* or done: burial clears what it named */
	in_slot[n] = false;
leave:
	unname(n);
gone:
	skip
}

active proctype reader() {
	bool writing = false;

	if
	:: FITS
	:: else -> goto gone
	fi;
	name(READER, READS);
#ifndef NO_SECOND_LOOK
	if
	:: FITS
	:: else -> goto leave
	fi;
#endif
	assert(!mine);
	skip;				/* reads */
	assert(!mine);
leave:
	unname(READER);
gone:
	skip
}

#define NO_WRITER (hazard[0] != WRITES && hazard[1] != WRITES)
#define NO_HAZARD (NO_WRITER && hazard[READER] == NOBODY)

inline upload() {
	byte seq;
#ifdef SCAN_FIRST
	NO_WRITER;
	state = FROZEN;
#else
	state = FROZEN;
#ifndef NO_WAIT_TO_FREEZE
	NO_WRITER;
#endif
#endif
	seq = wseq;
	assert(!in_slot[0] && !in_slot[1]);
	bucket[0] = cell[0];
	assert(!in_slot[0] && !in_slot[1]);
	bucket[1] = cell[1];
	assert(!in_slot[0] && !in_slot[1]);
	cseq = seq;
	state = LIVE
}

inline give_up() {
#ifdef SCAN_FIRST
	NO_HAZARD;
	state = OLD;
#else
	state = OLD;
	NO_HAZARD;
#endif
#ifdef CLEAN_LOOK_ONCE
	if
	:: true ->
#else
	if
	:: wseq != cseq -> state = LIVE	/* somebody wrote meanwhile */
	:: else ->
#endif
		mine = true;
		assert(cell[0] == bucket[0] && cell[1] == bucket[1]);
		block = B;
		state = LIVE
	fi
}

active proctype cachemgr() {
	byte turns = 0;
	do
	:: !mine && turns < 4 ->
		turns++;
		if
		:: wseq != cseq -> upload()
		:: wseq == cseq -> give_up()
		fi
	:: else -> break
	od
}

/* What was stored becomes visible, at some moment. */
active proctype memory() {
end:
	do
	:: buffer[0] != hazard[0] && buffer[0] != NOBODY -> hazard[0] = buffer[0]
	:: buffer[1] != hazard[1] && buffer[1] != NOBODY -> hazard[1] = buffer[1]
	:: buffer[2] != hazard[2] && buffer[2] != NOBODY -> hazard[2] = buffer[2]
	od
}

init {
	run writer(0);
	run writer(1)
}
