/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The packed package index: a file that is mapped and used as it lies. It is
 * made from what `apt-cache dumpavail` prints.
 *
 *	struct index_header
 *	struct index_section [nsections]
 *	__u64 offset of each package [npackages], from the start of the file
 *	struct package, 8-byte aligned, one after the other
 *
 * A struct package is also what travels: the publisher copies it into a ring,
 * and subscribers read its binary fields and strings where they lie.
 */
#ifndef DEMO_INDEX_H
#define DEMO_INDEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define INDEX_MAGIC		UINT64_C(0x0131646e69726577)	/* "weirnd1" */
#define INDEX_SECTIONS_MAX	192
#define INDEX_PACKAGES_MAX	(1U << 22)

enum package_string {
	PACKAGE_NAME,
	PACKAGE_VERSION,
	PACKAGE_SECTION,
	PACKAGE_ARCHITECTURE,
	PACKAGE_MAINTAINER,
	PACKAGE_DEPENDS,
	PACKAGE_DESCRIPTION,
	PACKAGE_HOMEPAGE,
	PACKAGE_FILENAME,
	PACKAGE_STRINGS
};

enum package_priority {
	PRIORITY_UNKNOWN,
	PRIORITY_REQUIRED,
	PRIORITY_IMPORTANT,
	PRIORITY_STANDARD,
	PRIORITY_OPTIONAL,
	PRIORITY_EXTRA,
};

/**
 * struct package - one record of the index
 * @bytes: of this structure with its strings, a multiple of 8.
 * @id: its place in the index.
 * @archive_bytes: size of the .deb.
 * @installed_kib: size when installed.
 * @section: number of the section.
 * @priority: enum package_priority.
 * @reserved: zero.
 * @sha256: of the .deb, zero if not known.
 * @string: where each string is, from the start of this structure, and its
 *	length without the NUL that follows it.
 */
struct package {
	uint32_t	bytes;
	uint32_t	id;
	uint64_t	archive_bytes;
	uint32_t	installed_kib;
	uint16_t	section;
	uint8_t		priority;
	uint8_t		reserved;
	uint8_t		sha256[32];
	struct {
		uint16_t	offset;
		uint16_t	length;
	} string[PACKAGE_STRINGS];
	uint32_t	pad;
};

_Static_assert(sizeof(struct package) % 8 == 0, "packages follow each other");

/**
 * struct index_section - one section, and the path that it is published under
 * @path: /deb/main/libs, say.
 * @packages: how many there are of it.
 * @reserved: zero.
 */
struct index_section {
	char		path[56];
	uint32_t	packages;
	uint32_t	reserved;
};

struct index_header {
	uint64_t	magic;
	uint64_t	bytes;
	uint32_t	npackages;
	uint32_t	nsections;
	uint32_t	largest;	/* bytes of the largest package */
	uint32_t	left_out;	/* packages that the size limit left out */
};

/**
 * struct index - a mapped index
 * @header: start of the mapping.
 * @sections: table of sections.
 * @offsets: table of packages.
 */
struct index {
	const struct index_header	*header;
	const struct index_section	*sections;
	const uint64_t			*offsets;
};

/* All return 0, or -1 after a message on stderr. */
int index_pack(FILE *in, const char *path, uint64_t max_bytes,
	       uint32_t min_packages);
int index_map(struct index *index, const char *path);
int index_list(const struct index *index, FILE *out);

/* Is this a whole package, of no more than @room bytes? */
int package_valid(const struct package *p, uint64_t room);

static inline const struct package *index_package(const struct index *index,
						  uint32_t id)
{
	return (const void *)((const char *)index->header + index->offsets[id]);
}

static inline const char *package_string(const struct package *p,
					 enum package_string which)
{
	return (const char *)p + p->string[which].offset;
}

/**
 * struct index_names - finds packages by name; fields are private
 * @index: the index.
 * @slot: hash table of package numbers + 1, 0 is free.
 * @mask: its size - 1.
 */
struct index_names {
	const struct index	*index;
	uint32_t		*slot;
	uint32_t		mask;
};

/* 0, or -1 without memory. */
int index_names_make(struct index_names *names, const struct index *index);
void index_names_free(struct index_names *names);

/* The package of this name, the first version of several; NULL: there is none. */
const struct package *index_find(const struct index_names *names,
				 const char *name, size_t len);

/* 64-bit hash of a text, whatever its length is (FNV-1a). */
static inline uint64_t hash_text(const char *text, size_t len, uint32_t seed)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

	while (len--)
		hash = (hash ^ (unsigned char)*text++) * UINT64_C(0x100000001b3);
	return hash;
}

/* 64-bit hash of @bytes, a multiple of 8. */
static inline uint64_t hash_words(const void *data, size_t bytes)
{
	const uint64_t *word = data;
	uint64_t hash = bytes * UINT64_C(0x9e3779b97f4a7c15);
	size_t i;

	for (i = 0; i < bytes / 8; i++) {
		hash = (hash ^ word[i]) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	return hash;
}

#endif /* DEMO_INDEX_H */
