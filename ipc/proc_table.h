/* SPDX-License-Identifier: ISC */
/*
 * proc_table.h -- one row per process: who it is, that it lives, its last words.
 *
 * Writers are named per field.  A row outlives its process: the successor takes the same row with
 * the next epoch, so that late messages of the dead can be told apart.
 */
#ifndef S3B_IPC_PROC_TABLE_H
#define S3B_IPC_PROC_TABLE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

enum proc_run {
	PROC_NONE,
	PROC_STARTING,
	PROC_RUNNING,
	PROC_DEAD
};

struct proc_slot {
	_Atomic uint32_t pid;	     /* supervisor, at spawn; 0 = nobody */
	_Atomic uint32_t epoch;	     /* supervisor: grows by one per spawn */
	_Atomic uint32_t run;	     /* supervisor: enum proc_run */
	_Atomic uint32_t restarts;   /* supervisor */
	_Atomic uint64_t started_us; /* supervisor: monotonic */
	_Atomic uint64_t beat_us;    /* the process: last turn of its main loop, monotonic */
	_Atomic uint32_t buried_by;  /* cachemgr: last epoch whose burial it finished */
	uint32_t pad[5];
	alignas(64) char words[448]; /* the process: what troubles it, panic text; NUL-terminated */
};
_Static_assert(sizeof(struct proc_slot) == 512, "layout v1");

const char *proc_name(uint32_t proc, char *buf, unsigned len); /* "uploader.0" */

#endif
