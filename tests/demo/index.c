// SPDX-License-Identifier: GPL-2.0
/*
 * The package index: parses Debian's text records, packs them into a binary
 * file, and maps such a file. Packing runs wherever apt is, the rest of the
 * demo only ever sees the file; since that may come from another machine,
 * index_map() believes nothing in it that it has not checked.
 *
 * Knows nothing about weir.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index.h"

/* Of the strings that make up a package; its offsets have 16 bits. */
#define PACKAGE_BYTES_MAX	65528

static const char *const string_field[PACKAGE_STRINGS] = {
	[PACKAGE_NAME]		= "Package",
	[PACKAGE_VERSION]	= "Version",
	[PACKAGE_SECTION]	= "Section",
	[PACKAGE_ARCHITECTURE]	= "Architecture",
	[PACKAGE_MAINTAINER]	= "Maintainer",
	[PACKAGE_DEPENDS]	= "Depends",
	[PACKAGE_DESCRIPTION]	= "Description",
	[PACKAGE_HOMEPAGE]	= "Homepage",
	[PACKAGE_FILENAME]	= "Filename",
};

static const char *const priority_name[] = {
	[PRIORITY_UNKNOWN]	= "",
	[PRIORITY_REQUIRED]	= "required",
	[PRIORITY_IMPORTANT]	= "important",
	[PRIORITY_STANDARD]	= "standard",
	[PRIORITY_OPTIONAL]	= "optional",
	[PRIORITY_EXTRA]	= "extra",
};

/**
 * struct packer - an index being made
 * @bytes: the packages, one after the other.
 * @used: bytes used.
 * @room: bytes allocated.
 * @offsets: of each package in @bytes.
 * @npackages, @offsets_room: used and allocated entries of @offsets.
 * @sections: table of sections, with @nsections entries.
 * @oversized: records too large to be packed.
 * @draft: the record being read; its strings are in @text.
 * @text: copies of the strings, from malloc, or NULL.
 */
struct packer {
	char			*bytes;
	size_t			used;
	size_t			room;
	uint64_t		*offsets;
	uint32_t		npackages;
	uint32_t		offsets_room;
	struct index_section	sections[INDEX_SECTIONS_MAX];
	uint32_t		nsections;
	uint32_t		oversized;
	struct package		draft;
	char			*text[PACKAGE_STRINGS];
};

static int fail_memory(void)
{
	fprintf(stderr, "weir-demo: out of memory\n");
	return -1;
}

/* --- parsing --- */

/*
 * The section's number. Sections of the main component have plain names
 * ("libs"), those of others are prefixed ("contrib/games").
 */
static int section_number(struct packer *k, const char *name)
{
	const char *slash = strchr(name, '/');
	char path[sizeof(k->sections[0].path)];
	uint32_t i;
	int n;

	n = snprintf(path, sizeof(path), "/deb/%s%s", slash ? "" : "main/", name);
	if (!*name || n >= (int)sizeof(path) || (slash && strchr(slash + 1, '/')) ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-./") != strlen(name))
		return -1;
	for (i = 0; i < k->nsections; i++) {
		if (!strcmp(k->sections[i].path, path))
			return (int)i;
	}
	if (k->nsections == INDEX_SECTIONS_MAX)
		return -1;
	strcpy(k->sections[k->nsections].path, path);
	return (int)k->nsections++;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void parse_sha256(struct package *p, const char *hex)
{
	size_t i;

	if (strspn(hex, "0123456789abcdef") != 2 * sizeof(p->sha256))
		return;
	for (i = 0; i < sizeof(p->sha256); i++)
		p->sha256[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 |
					 hex_digit(hex[2 * i + 1]));
}

/* The value of a field, without the blanks around it. */
static char *trimmed(char *value)
{
	char *end;

	value += strspn(value, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return value;
}

static int parse_field(struct packer *k, char *line)
{
	char *value = strchr(line, ':');
	size_t i;

	if (*line == ' ' || !value)
		return 0;	/* goes on from the line before: not kept */
	*value++ = '\0';
	value = trimmed(value);
	for (i = 0; i < PACKAGE_STRINGS; i++) {
		if (strcmp(line, string_field[i]))
			continue;
		free(k->text[i]);
		k->text[i] = strdup(value);
		return k->text[i] ? 0 : fail_memory();
	}
	if (!strcmp(line, "Size")) {
		k->draft.archive_bytes = strtoull(value, NULL, 10);
	} else if (!strcmp(line, "Installed-Size")) {
		k->draft.installed_kib = (uint32_t)strtoul(value, NULL, 10);
	} else if (!strcmp(line, "SHA256")) {
		parse_sha256(&k->draft, value);
	} else if (!strcmp(line, "Priority")) {
		for (i = 1; i < sizeof(priority_name) / sizeof(priority_name[0]); i++) {
			if (!strcmp(value, priority_name[i]))
				k->draft.priority = (uint8_t)i;
		}
	}
	return 0;
}

/* --- packing --- */

static void draft_reset(struct packer *k)
{
	size_t i;

	memset(&k->draft, 0, sizeof(k->draft));
	for (i = 0; i < PACKAGE_STRINGS; i++) {
		free(k->text[i]);
		k->text[i] = NULL;
	}
}

/* Lays the strings out behind the structure; 0 when they do not fit. */
static uint32_t draft_layout(struct packer *k)
{
	size_t at = sizeof(struct package), i;

	for (i = 0; i < PACKAGE_STRINGS; i++) {
		size_t len = k->text[i] ? strlen(k->text[i]) : 0;

		if (at + len + 1 > PACKAGE_BYTES_MAX)
			return 0;
		k->draft.string[i].offset = (uint16_t)at;
		k->draft.string[i].length = (uint16_t)len;
		at += len + 1;
	}
	return (uint32_t)((at + 7) & ~(size_t)7);
}

static int packer_reserve(struct packer *k, uint32_t bytes)
{
	if (k->used + bytes > k->room) {
		size_t room = k->room ? 2 * k->room : 1 << 20;
		char *p = realloc(k->bytes, room);

		if (!p)
			return fail_memory();
		k->bytes = p;
		k->room = room;
	}
	if (k->npackages == k->offsets_room) {
		uint32_t room = k->offsets_room ? 2 * k->offsets_room : 1024;
		uint64_t *p = realloc(k->offsets, room * sizeof(*p));

		if (!p)
			return fail_memory();
		k->offsets = p;
		k->offsets_room = room;
	}
	return 0;
}

/* The end of a record: what was read becomes a package. */
static int draft_finish(struct packer *k)
{
	struct package *p = &k->draft;
	int section;
	size_t i;
	char *to;

	if (!k->text[PACKAGE_NAME] || !*k->text[PACKAGE_NAME] ||
	    !k->text[PACKAGE_SECTION] || k->npackages == INDEX_PACKAGES_MAX)
		goto out;
	section = section_number(k, k->text[PACKAGE_SECTION]);
	if (section < 0)
		goto out;
	p->section = (uint16_t)section;
	p->bytes = draft_layout(k);
	if (!p->bytes) {
		k->oversized++;
		goto out;
	}
	if (packer_reserve(k, p->bytes))
		return -1;
	to = k->bytes + k->used;
	memset(to, 0, p->bytes);
	memcpy(to, p, sizeof(*p));
	for (i = 0; i < PACKAGE_STRINGS; i++) {
		if (k->text[i])
			memcpy(to + p->string[i].offset, k->text[i],
			       p->string[i].length);
	}
	k->offsets[k->npackages++] = k->used;
	k->used += p->bytes;
out:
	draft_reset(k);
	return 0;
}

static int parse(struct packer *k, FILE *in)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int err = 0;

	while (!err && (len = getline(&line, &room, in)) >= 0) {
		while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
			line[--len] = '\0';
		err = len ? parse_field(k, line) : draft_finish(k);
	}
	free(line);
	if (!err && ferror(in)) {
		fprintf(stderr, "weir-demo: reading the records: %s\n",
			strerror(errno));
		err = -1;
	}
	return err ? err : draft_finish(k);
}

/* --- writing --- */

static struct package *packed(const struct packer *k, uint32_t i)
{
	return (struct package *)(void *)(k->bytes + k->offsets[i]);
}

/*
 * If all would take too much, every so many records one is left out, so that
 * all sections stay in. Numbers the packages and counts the sections.
 */
static void thin(struct packer *k, struct index_header *h, uint64_t max_bytes)
{
	uint64_t keep = k->used <= max_bytes ? UINT64_C(1) << 32 :
			(max_bytes << 32) / k->used;
	uint64_t credit = 0;
	uint32_t i, n = 0;

	for (i = 0; i < k->npackages; i++) {
		struct package *p = packed(k, i);

		credit += keep;
		if (!(credit >> 32)) {
			h->left_out++;
			continue;
		}
		credit -= UINT64_C(1) << 32;
		p->id = n;
		k->sections[p->section].packages++;
		if (p->bytes > h->largest)
			h->largest = p->bytes;
		k->offsets[n++] = k->offsets[i];
	}
	h->npackages = n;
	h->nsections = k->nsections;
}

static void write_index(const struct packer *k, struct index_header *h, FILE *out)
{
	uint64_t at = sizeof(*h) + h->nsections * sizeof(k->sections[0]) +
		      h->npackages * sizeof(uint64_t);
	uint64_t end = at;
	uint32_t i;

	for (i = 0; i < h->npackages; i++)
		end += packed(k, i)->bytes;
	h->magic = INDEX_MAGIC;
	h->bytes = end;
	fwrite(h, sizeof(*h), 1, out);
	fwrite(k->sections, sizeof(k->sections[0]), h->nsections, out);
	for (i = 0; i < h->npackages; i++) {
		fwrite(&at, sizeof(at), 1, out);
		at += packed(k, i)->bytes;
	}
	for (i = 0; i < h->npackages; i++)
		fwrite(packed(k, i), packed(k, i)->bytes, 1, out);
}

static int save(const struct packer *k, struct index_header *h, const char *path)
{
	FILE *out = fopen(path, "w");
	int bad;

	if (out) {
		write_index(k, h, out);
		bad = ferror(out);
		if (!(fclose(out) || bad))
			return 0;
	}
	fprintf(stderr, "weir-demo: %s: %s\n", path, strerror(errno));
	return -1;
}

/**
 * index_pack() - make an index from apt's text records
 * @in: `apt-cache dumpavail`.
 * @path: file to write.
 * @max_bytes: thin the index out to about so much.
 * @min_packages: fail if fewer are left.
 */
int index_pack(FILE *in, const char *path, uint64_t max_bytes,
	       uint32_t min_packages)
{
	struct packer *k = calloc(1, sizeof(*k));
	struct index_header h = { 0 };
	int err;

	if (!k)
		return fail_memory();
	err = parse(k, in);
	if (!err) {
		thin(k, &h, max_bytes);
		if (!h.npackages || h.npackages < min_packages) {
			fprintf(stderr,
				"weir-demo: %u usable records, %u wanted: does apt have its package lists?\n",
				h.npackages, min_packages);
			err = -1;
		}
	}
	if (!err)
		err = save(k, &h, path);
	if (!err)
		printf("%s: %u packages in %u sections, %.1f MB, the largest %u bytes; left out: %u for size, %u too large\n",
		       path, h.npackages, h.nsections, (double)h.bytes / 1e6,
		       h.largest, h.left_out, k->oversized);
	draft_reset(k);
	free(k->bytes);
	free(k->offsets);
	free(k);
	return err;
}

/* --- listing, for tests/demo/oracle --- */

static void list_package(const struct index *index, const struct package *p,
			 FILE *out)
{
	bool hashed = false;
	size_t i;

	for (i = 0; i < sizeof(p->sha256); i++)
		hashed |= p->sha256[i];
	fprintf(out, "%s\t%llu\t%u\t%s\t", index->sections[p->section].path,
		(unsigned long long)p->archive_bytes, p->installed_kib,
		priority_name[p->priority]);
	for (i = 0; hashed && i < sizeof(p->sha256); i++)
		fprintf(out, "%02x", p->sha256[i]);
	for (i = 0; i < PACKAGE_STRINGS; i++)
		fprintf(out, "\t%s", package_string(p, i));
	fputc('\n', out);
}

/**
 * index_list() - print the packages of an index, a line each
 * @index: the index.
 * @out: where to print: path of the section, bytes of the archive, installed
 *	KiB, priority, SHA256, and the strings, with tabs between them.
 */
int index_list(const struct index *index, FILE *out)
{
	uint32_t i;

	for (i = 0; i < index->header->npackages; i++)
		list_package(index, index_package(index, i), out);
	if (!fflush(out) && !ferror(out))
		return 0;
	fprintf(stderr, "weir-demo: the list: %s\n", strerror(errno));
	return -1;
}

/* --- mapping --- */

/* Each word once: a lossy reader's package may be overwritten meanwhile. */
int package_valid(const struct package *p, uint64_t room)
{
	uint32_t bytes;
	size_t i;

	if (room < sizeof(*p))
		return 0;
	bytes = __atomic_load_n(&p->bytes, __ATOMIC_RELAXED);
	if (bytes < sizeof(*p) || bytes > room || bytes % 8)
		return 0;
	for (i = 0; i < PACKAGE_STRINGS; i++) {
		uint32_t at = __atomic_load_n(&p->string[i].offset,
					      __ATOMIC_RELAXED);
		uint32_t end = at + __atomic_load_n(&p->string[i].length,
						    __ATOMIC_RELAXED);

		if (at < sizeof(*p) || end >= bytes || ((const char *)p)[end])
			return 0;
	}
	return 1;
}

static int index_valid(struct index *index, uint64_t bytes)
{
	const struct index_header *h = index->header;
	uint64_t tables;
	uint32_t i;

	if (bytes < sizeof(*h) || h->magic != INDEX_MAGIC || h->bytes != bytes ||
	    !h->npackages || h->npackages > INDEX_PACKAGES_MAX ||
	    !h->nsections || h->nsections > INDEX_SECTIONS_MAX)
		return 0;
	tables = sizeof(*h) + h->nsections * sizeof(struct index_section) +
		 h->npackages * sizeof(uint64_t);
	if (tables > bytes)
		return 0;
	index->sections = (const void *)(h + 1);
	index->offsets = (const void *)(index->sections + h->nsections);
	for (i = 0; i < h->nsections; i++) {
		const struct index_section *s = &index->sections[i];

		if (s->path[0] != '/' || s->path[sizeof(s->path) - 1])
			return 0;
	}
	for (i = 0; i < h->npackages; i++) {
		uint64_t at = index->offsets[i];

		if (at < tables || at >= bytes || at % 8 ||
		    !package_valid(index_package(index, i), bytes - at) ||
		    index_package(index, i)->bytes > h->largest ||
		    index_package(index, i)->section >= h->nsections ||
		    index_package(index, i)->priority > PRIORITY_EXTRA ||
		    index_package(index, i)->id != i ||
		    !index_package(index, i)->string[PACKAGE_NAME].length)
			return 0;
	}
	return 1;
}

/* Maps a packed index, read only, for the rest of the process's life. */
int index_map(struct index *index, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st = { 0 };
	void *at = MAP_FAILED;

	if (fd >= 0 && !fstat(fd, &st))
		at = mmap(NULL, (size_t)st.st_size, PROT_READ,
			  MAP_SHARED | MAP_POPULATE, fd, 0);
	if (at == MAP_FAILED) {
		fprintf(stderr, "weir-demo: %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	index->header = at;
	if (!index_valid(index, (uint64_t)st.st_size)) {
		fprintf(stderr, "weir-demo: %s: not an index made by weir-demo pack\n",
			path);
		munmap(at, (size_t)st.st_size);
		return -1;
	}
	return 0;
}

/* --- finding --- */

/* The slot where the name is, or where it would be. */
static uint32_t *names_slot(const struct index_names *names, const char *name,
			    size_t len)
{
	uint32_t at = (uint32_t)hash_text(name, len, 0);

	for (;; at++) {
		uint32_t *slot = &names->slot[at & names->mask];
		const struct package *p;

		if (!*slot)
			return slot;
		p = index_package(names->index, *slot - 1);
		if (p->string[PACKAGE_NAME].length == len &&
		    !memcmp(package_string(p, PACKAGE_NAME), name, len))
			return slot;
	}
}

int index_names_make(struct index_names *names, const struct index *index)
{
	uint32_t i, n = index->header->npackages, size = 1024;

	while (size < 2 * n)
		size *= 2;
	names->index = index;
	names->mask = size - 1;
	names->slot = calloc(size, sizeof(*names->slot));
	if (!names->slot)
		return -1;
	for (i = 0; i < n; i++) {
		const struct package *p = index_package(index, i);
		uint32_t *slot = names_slot(names,
					    package_string(p, PACKAGE_NAME),
					    p->string[PACKAGE_NAME].length);

		if (!*slot)
			*slot = i + 1;
	}
	return 0;
}

void index_names_free(struct index_names *names)
{
	free(names->slot);
	names->slot = NULL;
}

const struct package *index_find(const struct index_names *names,
				 const char *name, size_t len)
{
	uint32_t slot = *names_slot(names, name, len);

	return slot ? index_package(names->index, slot - 1) : NULL;
}
