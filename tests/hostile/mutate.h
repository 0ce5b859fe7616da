/* SPDX-License-Identifier: ISC */
/*
 * mutate.h -- one change of some bytes, chosen by a number; and what came of many, in a table.
 *
 *	X.t [-n CHANGES] [-s SEED] [-i NUMBER]		-i: this one alone, and say what it does
 */
#ifndef S3B_TESTS_HOSTILE_MUTATE_H
#define S3B_TESTS_HOSTILE_MUTATE_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/tap.h"

enum kind {
	FLIP,
	ZERO,
	SWAP,
	CUT,
	REPLAY,
	KINDS
};
static const char *const kind_name[KINDS] = {"flip", "zero", "swap", "cut", "replay"};

enum outcome {
	GOOD,	 /* what may be there is there */
	FAILED,	 /* EIO, or the object is refused */
	REFUSED, /* the start is refused */
	LIMIT,	 /* old or changed bytes, where README.md says that nothing can tell */
	WRONG,	 /* the same, where something must */
	OUTCOMES
};
static const char *const outcome_name[OUTCOMES] = {"right", "EIO", "refused", "limit", "WRONG"};

#define PLACES 40
static struct {
	const char *name;
	unsigned long n[KINDS][OUTCOMES];
} table[PLACES];

static uint64_t dice;

static uint32_t
roll(uint32_t n)
{
	dice ^= dice >> 12;
	dice ^= dice << 25;
	dice ^= dice >> 27;
	return ((uint32_t)((dice * UINT64_C(2685821657736338717)) >> 33) % n);
}

/* The run: -s, -n, -i. */
static uint64_t seed = 1, changes, only = UINT64_MAX;
static bool aloud; /* one change alone: it says what it does */

/* Mutation number i of a seed is always the same. */
static void
dice_for(uint64_t i)
{
	dice = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (i + 1) * UINT64_C(0xbf58476d1ce4e5b9);
	(void)roll(2);
	(void)roll(2);
}

static void
tally(const char *place, enum kind k, enum outcome o)
{
	unsigned i = 0;

	while (table[i].name != NULL && strcmp(table[i].name, place) != 0)
		if (++i == PLACES)
			abort();
	table[i].name = place;
	table[i].n[k][o]++;
}

static unsigned long
tally_of(enum outcome o)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < PLACES; i++)
		for (unsigned k = 0; k < KINDS; k++)
			n += table[i].n[k][o];
	return (n);
}

/* As README.md has it. */
static void
print_table(void)
{
	printf("# | where | what |");
	for (unsigned o = 0; o < OUTCOMES; o++)
		printf(" %s |", outcome_name[o]);
	printf("\n# |---|---|---|---|---|---|---|\n");
	for (unsigned i = 0; i < PLACES && table[i].name != NULL; i++)
		for (unsigned k = 0; k < KINDS; k++) {
			unsigned long n = 0;

			for (unsigned o = 0; o < OUTCOMES; o++)
				n += table[i].n[k][o];
			if (n == 0)
				continue;
			printf("# | %s | %s |", table[i].name, kind_name[k]);
			for (unsigned o = 0; o < OUTCOMES; o++)
				printf(" %lu |", table[i].n[k][o]);
			printf("\n");
		}
}

/* What was being tried when something crashed. */
static char trying[160];

static void
on_crash(int sig)
{
	(void)!write(STDOUT_FILENO, trying, strlen(trying));
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static void
catch_crashes(void)
{
	(void)signal(SIGABRT, on_crash);
	(void)signal(SIGSEGV, on_crash);
	(void)signal(SIGBUS, on_crash);
}

/* ---- a run ------------------------------------------------------------------------------------- */
static void
options(int argc, char **argv, uint64_t usual)
{
	int c;

	changes = usual;
	while ((c = getopt(argc, argv, "n:s:i:")) != -1)
		if (c == 'n')
			changes = strtoull(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'i')
			only = strtoull(optarg, NULL, 0);
		else
			exit(2);
	aloud = only != UINT64_MAX;
}

static void
run_and_judge(void (*one)(uint64_t), const char *of_what)
{
	for (uint64_t i = aloud ? only : 0; i < (aloud ? only + 1 : changes); i++)
		one(i);
	print_table();
	is_int(tally_of(WRONG), 0,
	    "seed %llu: %llu changes of %s, none ends in wrong data (%lu right, %lu EIO, %lu "
	    "refused, "
	    "%lu limits)",
	    (unsigned long long)seed, (unsigned long long)changes, of_what, tally_of(GOOD),
	    tally_of(FAILED), tally_of(REFUSED), tally_of(LIMIT));
}

#endif
