// SPDX-License-Identifier: GPL-2.0
/* weir for bursts: several messages claimed, and several released, at once. */
#define LINK		link_weir_batch
#define LINK_NAME	"weir-batch"
#define LINK_WHAT	"weir direct, both sides polling, 16 messages at once"
#define WEIR_WAY	WAY_BATCH
#define LINK_MODULE	false
#define LINK_SLEEPS	false
#define LINK_BATCHES	true

#include "weir_end.h"
