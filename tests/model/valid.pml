/* SPDX-License-Identifier: ISC */
/*
 * valid.pml -- what of a slot is valid, and where that is written (ipc/slot_table.h, H6, H8 and H9).
 *
 * One slot of two sub-blocks, each with a word of the map, is used for one block after another.  cachemgr
 * downloads all of a block or a part, or hands the slot out empty; completes what was written in part, and then
 * calls it clean; promotes to WHOLE; and gives up what is clean.  It may die between any two stores, and a
 * successor takes over what it finds.  Two writers, of a sub-block each, and a reader; a writer may
 * die as well.  Head, with state and flags, is one store.  That hazards work is slots.pml's to show: here a name is
 * seen at once.
 *
 * Must hold:
 *	what is valid are bytes of the slot's block, all of them
 *	what was valid stays so for whoever names the slot
 *	what a writer has written is valid when he is done, until the slot is clean and given up
 *	what is completed from the bucket was not written
 *
 * Mutations: VALID_FIRST, NO_CLEAR, CLEAR_AFTER_MAP, LIVE_WITHOUT_MAP, WHOLE_FIRST, WHOLE_STAYS,
 * PROMOTE_HALF, UNLINK_FORGETS, RELINK_FORGETS, REBUILD_FORGETS, REBUILD_TAKES_FILLING, REBUILD_ASKS_NOBODY,
 * REUSE_NAMED
 */
#define READER	2
#define NOBODY	0
#define READS	1
#define WRITES	2
#define BLOCKS	2
#define TURNS	4
mtype = { FREE, FILLING, LIVE, FROZEN, OLD };

mtype state = FREE;
byte block;			/* each use of the slot is another block */
bool map, whole;		/* flags of the head */
bool bit_of[2];
byte bytes[2];			/* whose they are; 0: half written */
byte hazard[3];
byte wseq, cseq;
bool acked[2];			/* written to the present block */
bool die;			/* cachemgr may, once */

#define LINKED	      (state == FILLING || state == LIVE || state == FROZEN)
#define VALID(s)      (whole || (map && bit_of[s]))
#define WHOLLY_VALID  (whole || (map && bit_of[0] && bit_of[1]))
#define NO_WRITER     (hazard[0] != WRITES && hazard[1] != WRITES)
#define NO_HAZARD     (NO_WRITER && hazard[READER] == NOBODY)

/* Two looks, as in the code: at the head, and at the map if that says so. */
inline look(s, ret_valid) {
	d_step { saw_whole = whole; saw_map = map };
	if
	:: saw_whole -> ret_valid = true
	:: !saw_whole && saw_map -> ret_valid = bit_of[s]
	:: else -> ret_valid = false
	fi
}

proctype writer(byte n) {
	bool saw_whole, saw_map, valid;
	byte b;

end:
	atomic { state == LIVE -> b = block; hazard[n] = WRITES };
	wseq++;
#ifdef VALID_FIRST
	bit_of[n] = true;
#endif
	look(n, valid);
	if
	:: valid				/* over bytes of the block */
	:: else -> bytes[n] = 0			/* over whatever is there */
	fi;
	if
	:: true
	:: goto leave				/* dead: burial clears what it named */
	fi;
	bytes[n] = b;
	if
	:: true
	:: goto leave
	fi;
	saw_whole = whole;
	if
	:: saw_whole
	:: else -> bit_of[n] = true
	fi;
	acked[n] = true;
	look(n, valid);
	assert(valid);
leave:
	hazard[n] = NOBODY;
	d_step { b = 0; saw_whole = false; saw_map = false; valid = false } /* fewer states */
}

active proctype reader() {
	bool saw_whole, saw_map, valid;
	byte b, s;

	if
	:: s = 0
	:: s = 1
	fi;
end:
	atomic { LINKED -> b = block; hazard[READER] = READS };
	look(s, valid);
	if
	:: valid ->
		assert(bytes[s] == b);
		look(s, valid);
		assert(valid);
		assert(bytes[s] == b)
	:: else
	fi;
	hazard[READER] = NOBODY;
	d_step { b = 0; s = 0; saw_whole = false; saw_map = false; valid = false }
}

inline may_die() {
	if
	:: true
	:: die -> die = false; goto rebuild
	fi
}

inline use_map() {
	if
	:: map || whole
	:: else ->
#ifdef CLEAR_AFTER_MAP
		map = true;
		may_die();
#endif
#ifndef NO_CLEAR
		bit_of[0] = false;
		may_die();
		bit_of[1] = false;
		may_die();
#endif
#ifndef CLEAR_AFTER_MAP
		map = true;
#endif
		may_die()
	fi
}

inline prepare() {
	block++;
	cseq = wseq;
	d_step {
		acked[0] = false; acked[1] = false;
		map = false;
#ifndef WHOLE_STAYS
		whole = false;
#endif
		state = OLD
	};
	may_die()
}

inline download() {
	state = FILLING;
	may_die();
#ifdef WHOLE_FIRST
	whole = true;
#endif
	bytes[0] = block;
	bytes[1] = block;
	may_die();
	whole = true;
	may_die();
	state = LIVE
}

inline download_part() {
	state = FILLING;
	may_die();
	bytes[0] = block;
	may_die();
	use_map();
	bit_of[0] = true;
	may_die();
	state = LIVE
}

inline hand_out() {
#ifdef LIVE_WITHOUT_MAP
	state = LIVE;
	may_die();
	use_map()
#else
	use_map();
	state = LIVE
#endif
}

inline promote() {
	if
#ifdef PROMOTE_HALF
	:: bit_of[0] || bit_of[1] -> whole = true
#else
	:: bit_of[0] -> if :: bit_of[1] -> whole = true :: else fi
#endif
	:: else
	fi
}

inline fill(s) {
	if
	:: VALID(s)
	:: else ->
		assert(!acked[s]);
		bytes[s] = 0;
		may_die();
		bytes[s] = block;
		may_die();
		use_map();
		bit_of[s] = true;
		may_die()
	fi
}

/* Completed, uploaded, clean. */
inline upload() {
	state = FROZEN;
	may_die();
	NO_WRITER;
	fill(0);
	fill(1);
	assert(bytes[0] == block && bytes[1] == block);
	cseq = wseq;
	may_die();
	promote();
	may_die();
	state = LIVE
}

inline set_free() {
#ifndef REUSE_NAMED
	NO_HAZARD;
#endif
	assert(wseq == cseq);
	d_step { acked[0] = false; acked[1] = false; state = FREE }	/* flags: as evict_one() leaves them */
}

inline give_up() {
	d_step {
#ifdef UNLINK_FORGETS
		map = false; whole = false;
#endif
		state = OLD
	};
	may_die();
#ifdef REUSE_NAMED
	if
	:: wseq == cseq -> set_free()
#else
	if
	:: NO_HAZARD && wseq == cseq -> set_free()
#endif
	:: else ->
#ifdef RELINK_FORGETS
		d_step { whole = false; map = false };
#endif
		hand_out()
	fi
}

/* A successor: what it does here it can do twice, so it does not die once more. */
inline take_over() {
	bool named;

#ifndef REBUILD_ASKS_NOBODY
	named = !NO_WRITER;		/* before it looks whether it is dirty */
#endif
	if
	:: state == FREE
#ifdef REBUILD_TAKES_FILLING
	:: state == FILLING -> d_step { whole = true; state = LIVE }
#else
	:: state == FILLING -> state = OLD; set_free()
#endif
	:: state == OLD && !named && wseq == cseq -> set_free()
	:: else ->
		/* By way of OLD: chains are made anew. */
		d_step {
#ifdef REBUILD_FORGETS
			map = false; whole = false;
#endif
			state = OLD
		};
		hand_out()
	fi
}

active proctype cachemgr() {
	byte turns;

	die = true;
	do
	:: turns < TURNS ->
		turns++;
		if
		:: state == FREE && block < BLOCKS ->
			prepare();
			if
			:: download()
			:: download_part()
			:: hand_out()
			fi
		:: state == LIVE && wseq != cseq -> upload()
		:: state == LIVE && wseq == cseq ->
			if
			:: give_up()
			:: upload()
			:: map -> promote()
			fi
		:: else
		fi;
		may_die()
	:: else -> break
	od;
	goto over;
rebuild:
	take_over();
	do
	:: turns < TURNS ->
		turns++;
		if
		:: state == FREE && block < BLOCKS ->
			prepare();
			if
			:: download()
			:: hand_out()
			fi
		:: state == LIVE && wseq != cseq -> upload()
		:: state == LIVE && wseq == cseq -> give_up()
		:: else
		fi
	:: else -> break
	od;
over:
	assert(!acked[0] || VALID(0));
	assert(!acked[1] || VALID(1))
}

init {
	run writer(0);
	run writer(1)
}
