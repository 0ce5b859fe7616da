/* SPDX-License-Identifier: ISC */
/*
 * rekey.h -- `s3backerctl rekey`: another password for a disk with AES-256-GCM; s3backer-gcm(5).
 *
 * The disk may run or not: only the key object changes, and what runs has the data key already.
 * Exit code; all is printed.
 */
#ifndef S3B_SUPERVISOR_REKEY_H
#define S3B_SUPERVISOR_REKEY_H

struct super;

int	rekey_disk(struct super *);

#endif
