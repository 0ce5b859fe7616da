/* SPDX-License-Identifier: ISC */
/*
 * conf_text.h -- numbers as a user would write them; private to the configuration.
 *
 * Process:  all.  Threads: any.  Both return their buffer, and what they write reads back as
 *           the same number: 131072 is 128k, 1000 is 1000.
 */
#ifndef S3B_COMMON_CONF_TEXT_H
#define S3B_COMMON_CONF_TEXT_H

#include <stdint.h>

char	*conf_text_size(uint64_t bytes, char buf[32]);
char	*conf_text_time(uint64_t us, char buf[32]);

#endif
