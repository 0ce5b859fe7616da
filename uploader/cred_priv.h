/* SPDX-License-Identifier: ISC */
/*
 * cred_priv.h -- what the parts of the credentials share; nobody else includes it.
 *
 *	credentials.c	 the main thread's side
 *	cred_renewal.c	 the thread that looks for keys, and renews them in time
 *	cred_chain.c	 where to look, in which order
 *	cred_environ.c	 variables: taken once, and wiped where they hold a secret
 *	cred_profile.c	 profiles of the shared files, with their roles
 *	cred_sts.c	 AssumeRole, AssumeRoleWithWebIdentity
 *	cred_ec2.c	 the metadata service of a virtual machine
 *	cred_container.c the endpoint that ECS and EKS give to a container
 *	cred_document.c	 their replies: JSON and XML
 *	cred_http.c	 one request, with curl's blocking interface
 *	cred_reader.c, cred_files.c, cred_run.c, cred_ini.c	a process of its own
 *
 * Process:  uploader.  Threads: the credentials thread alone, unless credentials.c says otherwise.
 *           It may wait, for the network or for a command, as long as it likes: transfers do not.
 * Owns:     struct cred_keys are plain arrays in memory that no core file has.
 * Errors:   0; -ENOENT: not configured here, look elsewhere; else -errno: configured, and broken.
 *           In both cases ctx->why says it in words, without any secret.
 */
#ifndef S3B_UPLOADER_CRED_PRIV_H
#define S3B_UPLOADER_CRED_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uploader/cred_reader.h"

struct conf;

#define CRED_ID_MAX    256
#define CRED_TOKEN_MAX 8192
#define CRED_WHY_MAX   1536

struct cred_keys {
	char	id[CRED_ID_MAX], secret[1024], token[CRED_TOKEN_MAX]; /* token "": none */
	int64_t expires_s;	/* since 1970; 0: never */
	char	source[512];	/* "profile backup", for the log */
};

/* The variables that matter; NULL where they are unset or empty. */
enum cred_variable {
	CRED_ENV_ID,
	CRED_ENV_SECRET,
	CRED_ENV_TOKEN,
	CRED_ENV_PROFILE,
	CRED_ENV_DEFAULT_PROFILE,
	CRED_ENV_REGION,
	CRED_ENV_DEFAULT_REGION,
	CRED_ENV_ROLE_ARN,
	CRED_ENV_ROLE_SESSION,
	CRED_ENV_WEB_FILE,
	CRED_ENV_STS_URL,
	CRED_ENV_ANY_URL,
	CRED_ENV_RELATIVE_URI,
	CRED_ENV_FULL_URI,
	CRED_ENV_AUTH_TOKEN,
	CRED_ENV_AUTH_FILE,
	CRED_ENV_EC2_OFF,
	CRED_ENV_EC2_URL,
	CRED_ENV_EC2_MODE,
	CRED_ENV_EC2_V1_OFF,
	CRED_ENV_EC2_TIMEOUT,
	CRED_ENV_EC2_TRIES,
	CRED_NENV
};

struct cred_environ {		/* strings of the process */
	char *value[CRED_NENV];
};

int	cred_environ_take(struct cred_environ *);

enum cred_plan {		/* what the configuration asks for */
	CRED_PLAN_ANONYMOUS,
	CRED_PLAN_FIXED,	/* a key that never changes */
	CRED_PLAN_FILE,		/* accessFile */
	CRED_PLAN_PROFILE,
	CRED_PLAN_EC2,
	CRED_PLAN_CHAIN		/* nothing: look everywhere */
};

struct cred_ctx {
	const struct conf    *conf;
	struct cred_reader   *reader;
	struct cred_environ   env;
	enum cred_plan	      plan;
	int		      stop_fd;	/* readable: give up whatever it is */
	int		      found;	/* index of the source that had keys; -1: none yet */
	bool		      used_files;
	char		      why[CRED_WHY_MAX];
	char		     *text;	/* CRED_TEXT_MAX bytes, for one reply at a time */
};

/* -errno with a line for the user in ctx->why. */
int	cred_fail(struct cred_ctx *, int err, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

void	cred_keys_wipe(struct cred_keys *);
int	cred_chain_find(struct cred_ctx *, struct cred_keys *ret_keys);
int	cred_profile_find(struct cred_ctx *, const char *name, struct cred_keys *ret_keys);
int	cred_web_identity(struct cred_ctx *, struct cred_keys *ret_keys);
int	cred_environ_find(struct cred_ctx *, struct cred_keys *ret_keys);
int	cred_container_find(struct cred_ctx *, struct cred_keys *ret_keys);
int	cred_ec2_find(struct cred_ctx *, struct cred_keys *ret_keys);
/* Asks the reader; the text is in ctx->text, and for errors in ctx->why. */
int	cred_ask(struct cred_ctx *, enum cred_ask, const char *name);

/* ---- cred_container.c, pure ---------------------------------------------------------------- */
/* Where to ask, or -EINVAL and why: plain HTTP only to this machine and the agents' addresses. */
int	cred_container_url(const char *relative, const char *full, char *buf, size_t size,
	    const char **ret_why);

/* ---- cred_sts.c ---------------------------------------------------------------------------- */
struct cred_role {
	const char *arn, *session, *external_id, *duration, *region;
	const char *web_token;	/* NULL: signed with `by` */
	const struct cred_keys *by;
};
int	cred_sts_assume(struct cred_ctx *, const struct cred_role *, struct cred_keys *ret_keys);
void	cred_sts_url(const struct cred_environ *, const char *region, char *buf, size_t size);

/* ---- cred_document.c, pure ------------------------------------------------------------------ */
/* ECS, EC2, credential_process.  -EILSEQ, and `why` (CRED_WHY_MAX) says what is missing. */
int	cred_json(const char *text, struct cred_keys *ret_keys, char *why);
/* STS: the keys, or the error that it sent: -EREMOTEIO, code and message in `why`. */
int	cred_sts_xml(const char *text, size_t len, struct cred_keys *ret_keys, char *why);
int64_t	cred_time(const char *iso);	/* 2026-11-24T23:00:00Z; 0: not understood */

/* ---- cred_http.c ---------------------------------------------------------------------------- */
struct cred_http {
	const char *method, *url;
	const char *header[8];	/* "Name: value" */
	unsigned    nheaders;
	const char *body;	/* POST */
	long	    connect_ms, total_ms;
	bool	    no_proxy;	/* an address that no proxy can reach */
};
/* The status, or -errno with the reason in `why`.  The body is in `text`, CRED_TEXT_MAX bytes. */
int	cred_http(const struct cred_http *, int stop_fd, char *text, char *why);

#endif
