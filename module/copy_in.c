// SPDX-License-Identifier: GPL-2.0
/* Structures that programs pass to the module; later versions extend them. */
#include <linux/uaccess.h>

#include "copy_in.h"
#include "owner.h"

/*
 * Copy in a structure that begins with its own size. Structures of older and
 * newer programs are accepted as copy_struct_from_user() says. Returns 0 or a
 * negative errno with words.
 */
int weir_copy_in(struct weir_owner *o, void *to, size_t known,
		 const void __user *from)
{
	u32 size;
	int err;

	if (get_user(size, (const u32 __user *)from))
		return weir_owner_refuse(o, -EFAULT, "the structure is not readable");
	if (size == known) {
		/* the usual case: there are no bytes beyond to check */
		if (copy_from_user(to, from, known))
			return weir_owner_refuse(o, -EFAULT,
						 "the structure is not readable");
		*(u32 *)to = size;
		return 0;
	}
	if (size < sizeof(size) || size > PAGE_SIZE)
		return weir_owner_refuse(o, -EINVAL, "the structure's size field is wrong");
	err = copy_struct_from_user(to, known, from, size);
	if (err)
		return weir_owner_refuse(o, err, err == -E2BIG ?
					 "the structure has fields this module does not know" :
					 "the structure is not readable");
	/* the size has been read twice: keep the one that was checked */
	*(u32 *)to = size;
	return 0;
}
