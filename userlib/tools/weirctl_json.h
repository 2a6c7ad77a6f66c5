/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/* JSON values. */
#ifndef WEIRCTL_JSON_H
#define WEIRCTL_JSON_H

#include <stdint.h>
#include <jansson.h>

void weirctl_json_put(json_t *o, const char *key, uint64_t value);
json_t *weirctl_json_text(const char *text);
void weirctl_json_print(json_t *o);
void weirctl_json_line(json_t *o);

#endif /* WEIRCTL_JSON_H */
