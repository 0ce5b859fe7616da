/* SPDX-License-Identifier: ISC */
/*
 * page.h -- the status page for people: health first, then what is at risk, then the rest.
 */
#ifndef S3B_CTL_PAGE_H
#define S3B_CTL_PAGE_H

#include <jansson.h>
#include <stdio.h>

void	page_print(json_t *status, FILE *out);

#endif
