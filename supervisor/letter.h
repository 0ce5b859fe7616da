/* SPDX-License-Identifier: ISC */
/*
 * letter.h -- what one s3backerd tells the next about a disk that goes on.
 *
 * A JSON object, then, after a NUL, the configuration: unknown members are ignored, so that versions can differ.  Two readers:
 *
 *  the successor by exec (`restart`)	is the same process, so that all numbers hold: descriptors,
 *		children, clients that wait.  It also gets the configuration in force, with secrets;
 *		the letter travels through a pipe, never through anything that could reach a disk.
 *  the successor after a death	gets the descriptors from systemd, and the letter as one of
 *		them: a memfd, without secrets and without people, who died with us or will be killed.
 *
 * Errors: 0 or -errno; -EPROTO: not a letter that this program understands.
 */
#ifndef S3B_SUPERVISOR_LETTER_H
#define S3B_SUPERVISOR_LETTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct super;

#define LETTER_VERSION 1

struct letter {
	json_t	*json;
	char	*conf;		/* configuration in force, with secrets; NULL: not by exec */
	size_t	 conf_len;
};

enum letter_for {
	LETTER_STORE,		/* whoever comes after a death */
	LETTER_EXEC,		/* our successor, with everything */
	LETTER_COLD		/* our successor, without segment and roles: cold.h */
};

int	letter_send(const struct super *, enum letter_for, int fd);
int	letter_receive(int fd, struct letter *ret_letter);
void	letter_free(struct letter *);	/* wipes the secrets; idempotent */

bool	letter_is_cold(const struct letter *);
/* The size that the disk is to have afterwards; 0: that of now. */
uint64_t letter_resize(const struct letter *);
/* Were region and style of addressing found out, whatever the configuration says (place.h)? */
bool	letter_place_found(const struct letter *);
/* The kernel's INIT request, for the frontend of a new segment; -EPROTO. */
int	letter_read_init(const struct letter *, struct super *);
/* Does the segment of its writer fit this program? */
bool	letter_fits(const struct letter *);
/* Is it about the disk of this configuration? */
bool	letter_is_about(const struct letter *, const char *config);
/* The mount of a disk that nobody can go on with is taken away. */
void	letter_forget_mount(const struct letter *, const char *config);
/* The command line of the writer: before the configuration is read. */
int	letter_read_options(const struct letter *, struct super *);
/* What `s3backerctl set` had changed; the configuration is read already. */
int	letter_read_changes(const struct letter *, struct super *);
/* The rest, but for descriptors and people.  The configuration is read already. */
int	letter_read_disk(const struct letter *, struct super *);
/* Roles, clients, commands on their way: only by exec.  The segment is attached. */
int	letter_read_people(const struct letter *, struct super *);
/* Number of a descriptor by name, "upbell.3"; -1: there is none. */
int	letter_fd(const struct letter *, const char *name);

#endif
