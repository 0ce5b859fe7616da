/* SPDX-License-Identifier: ISC */
#include "common/counters.h"

const struct counter_info counter_info[CTR_COUNT] = {
#define CTR(field, unit, level, text) {#field, unit, level, text},
#include "common/counters.def"
#undef CTR
};
