/* SPDX-License-Identifier: ISC */
#include "supervisor/askpass.h"

#include <bsd/readpassphrase.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

#include "supervisor/guard.h"

#define AGENT	    "systemd-ask-password"
#define AGENT_LIMIT "--timeout=300"

static int
refuse(int err, const char *why, char **ret_error)
{
	*ret_error = strdup(why);
	return (err);
}

static int
keep(char *buf, size_t len, char **ret_password, char **ret_error)
{
	int r = 0;

	buf[strcspn(buf, "\n")] = '\0';
	if (buf[0] == '\0')
		r = refuse(-ENOKEY, "encrypt: the password is empty", ret_error);
	else if ((*ret_password = strdup(buf)) == NULL)
		r = -ENOMEM;
	explicit_bzero(buf, len);
	return (r);
}

/* It has the question on its command line, and writes the answer to a pipe. */
_Noreturn static void
run_agent(const char *question, int out)
{
	int null = open("/dev/null", O_RDONLY);

	(void)signal(SIGPIPE, SIG_DFL);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)execlp(AGENT, AGENT, "--id=s3backer", "--icon=drive-harddisk", AGENT_LIMIT, "--",
	    question, (char *)NULL);
	_exit(errno == ENOENT ? 127 : 126);
}

static int
by_agent(const char *question, char **ret_password, char **ret_error)
{
	AUTO_FD int from = -1;
	char buf[ASKPASS_MAX + 2] = "";
	size_t have = 0;
	int p[2], status = -1;
	ssize_t n = 1;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return (-errno);
	from = p[0];
	if ((pid = fork()) == 0)
		run_agent(question, p[1]);
	close(p[1]);
	if (pid < 0)
		return (-errno);
	while (n != 0 && have < sizeof(buf) - 1) {
		n = read(from, buf + have, sizeof(buf) - 1 - have);
		if (n < 0 && errno != EINTR)
			break;
		have += n > 0 ? (size_t)n : 0;
	}
	close(fd_take(&from)); /* one that has more to say than fits is cut off */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	buf[have] = '\0';
	if (status == 0 && have <= ASKPASS_MAX)
		return (keep(buf, sizeof(buf), ret_password, ret_error));
	explicit_bzero(buf, sizeof(buf));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return (refuse(-ENOKEY,
		    "encrypt: no password (passwordFile, or start it on a terminal; " AGENT
		    " is not there)",
		    ret_error));
	return (refuse(-ECANCELED,
	    "encrypt: no password: " AGENT " got no answer (passwordFile, or start it on a "
	    "terminal)",
	    ret_error));
}

int
askpass(const char *disk, char **ret_password, char **ret_error)
{
	AUTO_FREE char *question = NULL;
	char buf[ASKPASS_MAX];

	*ret_password = *ret_error = NULL;
	if (asprintf(&question, "Password of disk %s: ", disk) < 0)
		return (-ENOMEM);
	if (readpassphrase(question, buf, sizeof(buf), RPP_REQUIRE_TTY) != NULL)
		return (keep(buf, sizeof(buf), ret_password, ret_error));
	if (errno != ENOTTY && errno != ENXIO && errno != ENOENT)
		return (refuse(-ECANCELED, "encrypt: no password: interrupted", ret_error));
	return (by_agent(question, ret_password, ret_error));
}
