// SPDX-License-Identifier: GPL-2.0
/*
 * The module around the unit tests: weir_kunit.ko, made from every file of
 * this directory when make is told WEIR_KUNIT=1. Each file holds the suites of
 * the source of the same name in its order (match.c the second half of
 * trie.c's); each case is named for the function and what is expected of it.
 *
 * The suites run when the module is loaded, on Linux 6.1 before its init and
 * its parameters are seen, so they lean on neither. A failed case does not
 * fail the load: the verdict is in the console log (KTAP).
 */
#include <linux/module.h>

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
MODULE_DESCRIPTION("Unit tests of weir");
MODULE_LICENSE("GPL");
