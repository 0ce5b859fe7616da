/* SPDX-License-Identifier: ISC */
/*
 * aws.h -- where AWS gives keys to its machines, containers and roles, played under /_aws/.
 *
 *	/_aws/ec2/latest/...	the metadata service, versions 1 and 2
 *	/_aws/container/...	the endpoint of ECS and EKS
 *	/_aws/sts/		AssumeRole (its signature is checked), AssumeRoleWithWebIdentity
 *
 * Every key given out works for S3 until it has run out: then the answer is 400 ExpiredToken.
 *
 * Process:  s3testd, any thread.  Standard: the EC2 user guide, "Use IMDS"; the STS API reference.
 */
#ifndef S3TESTD_AWS_H
#define S3TESTD_AWS_H

#include <stdbool.h>
#include <stdint.h>

struct request;
struct text;

#define AWS_PREFIX "/_aws/"

void aws_execute(struct request *);
/* An answer that gets lost on its way: microseconds for which it stays away. */
uint64_t aws_stall_us(const struct request *);
/* lifetime=S imds=both|1|2|hop role=NAME auth=TEXT web=TEXT external=TEXT fail=STATUS; -EINVAL. */
int aws_set(const struct request *);
void aws_show(struct text *); /* issued=N and what the last ones were given for */

#endif
