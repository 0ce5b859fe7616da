/* SPDX-License-Identifier: ISC */
/*
 * resume.h -- how a new frontend takes over a mount whose last one died.
 *
 * Process:  frontend.
 * Threads:  resume_take_over() before the FUSE threads; the rest from any of them.
 * Owns:     nothing; the INIT request lies in the segment (SHM_FUSE_INIT).
 * Follows:  the FUSE protocol of linux/fuse.h; FUSE_NOTIFY_RESEND is in Linux 6.9 and later.
 *
 * The kernel negotiates once per mount.  The first frontend keeps the kernel's INIT in the segment;
 * each later one feeds it to libfuse and swallows the reply, which is then in the same state as the
 * dead one's.  FUSE_NOTIFY_RESEND makes the kernel send again whatever the dead had read and not
 * answered.  All our requests may be done twice: a write writes the same bytes, a trim zeroes again.
 */
#ifndef S3B_FRONTEND_RESUME_H
#define S3B_FRONTEND_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct volume;

/* Looks at a request before libfuse does.  True: it has been dealt with. */
bool resume_saw_request(struct volume *, const void *request, size_t len);
/* Looks at a reply before the kernel does.  True: it must not be sent. */
bool resume_saw_reply(struct volume *, const struct iovec *iov, int n);
/* Replay, and ask for what was not answered.  0 or -errno; -ENOSYS: the kernel is too old. */
int  resume_take_over(struct volume *);

#endif
