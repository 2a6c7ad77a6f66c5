// SPDX-License-Identifier: GPL-2.0
/*
 * Sequences to begin with: each shows one way in which weir is used, which
 * chance would take long to find. Options by number are those of uapi/weir.h.
 */
#include "fuzz.h"

const char *const fuzz_seeds[] = {
	/* a pair by name, with data left unread at the end */
	"socket 0 0; bind 0 /f/a; listen 0 2; socket 1 0; connect 1 /f/a;"
	" accept 0 2; send 1 100 0x40; recv 2 100 0x40; send 2 5000 0x40;"
	" map 0 1 0; map 1 2 2; publish 0 33 0 0 3; consume 1 2; kick 1 1;"
	" shutdown 1 1; recv 2 10 0x40; shutdown 2 2; names 1 1; getopt 1 17 4",
	"socketpair 0 1 0; map 0 0 0; map 1 1 2; publish 0 1000 0 0 15;"
	" wait 0 6 0 4000; consume 1 7; kick 1 2 2; poll 255 1; fork 1; close 0;"
	" recv 1 5000 0x40",
	/* a publisher and its subscribers: gating, lossy, by pattern */
	"socket 0 1; bind 0 /f/a; socket 1 1; connect 1 /f/*; send 0 100 0x40;"
	" recv 1 100 0x40; map 0 0 0; map 1 1 2; publish 0 500 0 0 7; kick 0 1;"
	" consume 1 3; kick 1 2 2; poll 255 1; list 0 0 8 0xffff; list 0 3 8 0xffff;"
	" list 0 2 8 0xffff; list 0 1 8 0xffff; detach 1 2; recv 1 100 0x40",
	"socket 0 2; setopt 0 1 4096; bind 0 /f/b; socket 1 2; connect 1 /f/b;"
	" map 0 0 0; publish 0 1000 0 0 15; publish 0 1000 0 0 15;"
	" publish 0 1000 0 0 15; recv 1 2000 0x40; recv 1 2000 0x40; ioctl 1 0",
	"socket 0 2; setopt 0 1 4096; bind 0 /f/c; socket 1 2; connect 1 /f/c;"
	" send 0 1000 0x40; send 0 1000 0x40; send 0 1000 0x40; send 0 1000 0x40;"
	" send 0 1000 0x40; send 0 1000 0x40; recv 1 2000 0x40; recv 1 2000 0x40;"
	" map 0 1 2; poke 0 0 3; recv 1 100 0x40; send 0 10 0x40; recv 1 100 0x40",
	/* a full ring, patience, eviction, demand */
	"socket 0 1; setopt 0 1 4096; setopt 0 5 1; bind 0 /f/c; socket 1 1;"
	" setopt 1 14 2; connect 1 /f/c; map 0 1 2; send 0 1000 0x40;"
	" send 0 1000 0x40; send 0 1000 0x40; send 0 1000 0x40; send 0 1000 0x40;"
	" demand 0 1 5; kick 1 2 2; nap 6; send 0 1000 0x40; recv 1 100 0x40",
	/* lingering, taken over; a cursor with a name that holds */
	"socket 0 1; setopt 0 6 1000; bind 0 /f/a; send 0 50 0x40; socket 1 1;"
	" setopt_text 1 9 /f/a; setopt 1 7 1000; setopt 1 8 1; connect 1 /f/a;"
	" recv 1 50 0x40; close 1; close 0; socket 2 1; bind 2 /f/a; socket 1 1;"
	" setopt_text 1 9 /f/a; setopt 1 7 5; connect 1 /f/a; send 2 60 0x40;"
	" recv 1 60 0x40; close 1; nap 6",
	"socket 0 1; setopt 0 6 5; bind 0 /f/a; send 0 50 0x40; map 0 0 0;"
	" publish 0 100 0x40 0 6; socket 1 1; connect 1 /f/a; close 0; recv 1 50 0x40;"
	" nap 6; recv 1 50 0x40; recv 1 50 0x40; unmap 0",
	/* a stream and a cursor that outlive all, up to their namespace */
	"socket 0 1; setopt 0 6 0x7fffffff; bind 0 /f/d/e; send 0 50 0x40; socket 1 1;"
	" setopt_text 1 9 /f/b; setopt 1 7 0x7fffffff; setopt 1 8 1; connect 1 /f/d/e;"
	" close 1; close 0; fork 2 7; socket 0 1; setopt 0 6 0x7fffffff; bind 0 /f/a;"
	" send 0 9 0x40; close 0; nap 2",
	/* words that cannot be true: a reader's, then the owner's */
	"socket 0 1; bind 0 /f/a; socket 1 1; connect 1 /f/a; map 0 0 0; map 1 1 2;"
	" poke 1 0 0x123457; poll 255 1; send 0 100 0x40; poke 0 1 0x123456789;"
	" poll 255 1; send 0 10 0x40; recv 1 10 0x40; wait 0 2 0 4000; list 0 2 9 0xffff",
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 1 1; call 1 /f/a 0 0xffff; map 0 1 0;"
	" publish 0 20 1 0 3 0; poke 0 1 0x123456789; kick 1 1; wait 1 6 0 64",
	/* mappings moved, split, inherited, made writable */
	"socketpair 0 1 0; map 0 0 0; map 1 1 2; remap 0 1 7 0; remap 1 1 7 0; fork 3 2;"
	" publish 0 33 0 0 3; consume 1 1; remap 0 1 4; remap 0 1 2; remap 0 0 3;"
	" remap 0 0 0 3; remap 0 0 1; remap 0 1 0 5; mmap 0 0 1 3 0x40; mmap 0 0 5 3;"
	" mmap 0 0 0 3; mmap 0 0 1 7; look 0 1; poll 255 1; wait 1 1 0; wait 0 2 0 65536",
	/* large pages; aborted records; a long path */
	"socket 0 1; setopt 0 15 1; setopt 0 1 0x400000; bind 0 /f/a; map 0 0 0;"
	" socket 1 1; setopt 1 8 1; connect 1 /f/a; map 1 1 2; publish 0 100 0 1 9;"
	" publish 0 100 0 0 9; look 0 0; consume 1 9; recv 1 100 0x40; ioctl 0 1",
	"socket 0 1; setopt_text 0 16 /h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w;"
	" bind 0 12; getopt 0 10 255; getopt 0 12 255; getopt 0 13 255; getopt 0 9 64",
	/* requests by ordinary calls */
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 1 1; request 1 /f/a 100 0 0x10;"
	" recvmsg 0 1000 0x40; reply 0 50 0 0; recvmsg 1 1000 0x40; sendto 1 /f/b 10 0x40;"
	" recv 1 100 0x40; list 1 4 4 0xffff; list 1 5 4 0xffff; request 1 /f/a 10 2 0x204;"
	" recvmsg 0 1000 0x40; close 0; recvmsg 1 1000 0x40",
	/* requests in shared memory, many at once */
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 1 1; call 1 /f/a 0 0xffff;"
	" map 0 0 0; map 1 0 1; map 2 1 0; map 3 1 1; publish 2 33 1 0 15 0;"
	" kick 1 1; consume 1 7; publish 0 20 2 0 7; kick 0 1; consume 3 7;"
	" kick 1 4; publish 0 20 3 0 7; kick 0 1; consume 3 7; kick 1 4",
	/* routes: each policy with each guard, by the kernel's administrator */
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 2 1; serve 2 /f/a 2 0xffff;"
	" socket 3 1; serve 3 /f/a 1 0xffff; control 0 1 /f/a /f/b 0 7; socket 1 1;"
	" request 1 /f/a 10 2 0x10; request 1 /f/a 10 0 0x20; recvmsg 0 1000 0x40;"
	" recvmsg 2 1000 0x40; recvmsg 3 1000 0x40; reply 0 10 0 0; reply 2 10 0 1;"
	" reply 3 10 0 2; recvmsg 1 1000 0x40; recvmsg 1 1000 0x40",
	"socket 0 1; serve 0 /f/a 1 0xffff; serve 0 /f/b 1 0xffff; socket 1 1;"
	" control 1 3 /f/c /f/a 0 5; control 1 3 /f/c /f/b 0 6; control 1 1 /f/c /f/b 0 12;"
	" request 1 /f/c 10 2 0x114 1000000; recvmsg 0 1000 0x40; nap 5;"
	" request 1 /f/c 10 2 0x114 1000000; reply 0 10 0x80 0; recvmsg 1 1000 0x40;"
	" control 1 4 /f/c /f/a 0 9; control 1 5 /f/c /f/a 0 9; control 1 2 /f/c /f/a 0 9",
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 1 1; target 0 /f/a 6 1 0;"
	" request 1 /f/a 10 0 0x10; recvmsg 1 1000 0x40; target 0 /f/a 6 0 0;"
	" target 0 /f/a 4 0 0; request 1 /f/a 10 0 0x10; recvmsg 1 1000 0x40;"
	" control 1 1 /f/a /f/b 0 77; control 1 1 /f/b /f/a 3 99; list 1 4 1 0xffff",
	/* a target that does nothing, a caller that leaves, a killed process */
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 1 1; request 1 /f/a 10 2 0x104 3000000;"
	" nap 6; recvmsg 1 1000 0x40; request 1 /f/a 10 2 0x104 50000000; close 1;"
	" recvmsg 0 1000 0x40; reply 0 10 0x40 0; socket 1 1; request 1 /f/a 10 0x40 0; fork 3 0",
	/* a full inbox: refused, dropped, waited for */
	"socket 0 1; setopt 0 17 4096; serve 0 /f/a 1 0xffff; socket 1 1; setopt 1 17 4096;"
	" request 1 /f/a 2000 0 0x10; request 1 /f/a 2000 0 0x10; request 1 /f/a 2000 4 0x10;"
	" request 1 /f/a 2000 8 0x10; request 1 /f/a 2000 0 0x11; recvmsg 0 4000 0x40;"
	" reply 0 3000 0x40 0; recvmsg 0 4000 0x40; reply 0 3000 0x40 1; recvmsg 1 4000 0x40;"
	" recvmsg 1 4000 0x40; request 1 /f/a 16000 0 0x10; recvmsg 1 4000 0x40; kick 1 4",
	/* polled by the kernel */
	"polled 2; socket 0 1; serve 0 /f/a 1 0xffff; socket 1 1; call 1 /f/a 0 0xffff;"
	" map 0 1 0; publish 0 33 1 0 7 0; nap 5; recvmsg 0 100 0x40; reply 0 10 0 0;"
	" nap 5; recvmsg 1 100 0x40",
	/* each guard: a rate, a bulkhead, copies, breakers, second tries, a fallback */
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 1 1; conf 1 /f/a 0 1 4;"
	" request 1 /f/a 10 0 0x10; request 1 /f/a 10 0 0x10; request 1 /f/a 10 0 0x10;"
	" recvmsg 0 100 0x40; recvmsg 1 100 0x40; recvmsg 1 100 0x40",
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 1 1; conf 1 /f/a 0 2 1;"
	" request 1 /f/a 10 0 0x10; request 1 /f/a 10 0 0x10; request 1 /f/a 10 0 0x10;"
	" request 1 /f/a 10 0 0x10; recvmsg 0 100 0x40; reply 0 10 0 0; recvmsg 1 100 0x40",
	"socket 0 1; serve 0 /f/a 1 0xffff; serve 0 /f/b 1 0xffff; socket 1 1;"
	" conf 1 /f/a 0 4 2; request 1 /f/a 10 0 0x10; recvmsg 0 100 0x40;"
	" recvmsg 0 100 0x40; reply 0 10 0 0; reply 0 10 0 1; recvmsg 1 100 0x40",
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 1 1; conf 1 /f/a 0 8 3;"
	" request 1 /f/a 10 0 0x10; recvmsg 0 100 0x40; reply 0 10 0x80 0;"
	" request 1 /f/a 10 0 0x10; recvmsg 0 100 0x40; reply 0 10 0x80 1;"
	" request 1 /f/a 10 0 0x10; recvmsg 1 100 0x40; nap 6; request 1 /f/a 10 0 0x10;"
	" recvmsg 0 100 0x40; reply 0 10 0 2; recvmsg 1 100 0x40; recvmsg 1 100 0x40",
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 2 1; serve 2 /f/a 1 0xffff; socket 1 1;"
	" conf 1 /f/a 3 0x18 5; request 1 /f/a 10 2 0x10; recvmsg 0 100 0x40;"
	" reply 0 10 0x80 0; nap 5; recvmsg 2 100 0x40; close 2; nap 5;"
	" recvmsg 0 100 0x40; reply 0 10 0 1; recvmsg 1 100 0x40",
	"socket 0 1; serve 0 /f/b 1 0xffff; socket 1 1; conf 1 /f/a 0 0x40 6;"
	" conf 1 /f/c 0 0x80 7; request 1 /f/a 10 0 0x10; request 1 /f/c 10 0 0x10;"
	" recvmsg 0 100 0x40; reply 0 10 0 0; recvmsg 1 5000 0x40; recvmsg 1 5000 0x40",
	/* the same key twice: remembered, under way, too large, forgotten */
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 1 1; conf 1 /f/a 0 0x20 8;"
	" request 1 /f/a 10 2 0x14; request 1 /f/a 10 2 0x14; recvmsg 0 100 0x40;"
	" reply 0 10 0 0; recvmsg 1 100 0x40; recvmsg 1 100 0x40; request 1 /f/a 10 2 0x14;"
	" recvmsg 1 100 0x40; request 1 /f/a 10 2 0x114; recvmsg 0 100 0x40;"
	" reply 0 500 0 1; request 1 /f/a 10 2 0x114; recvmsg 1 600 0x40; request 1 /f/a 10 2 0x214;"
	" request 1 /f/a 10 2 0x214; close 0; recvmsg 1 100 0x40; recvmsg 1 100 0x40",
	/* by key; by weight; the first; as many as answer */
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 2 1; serve 2 /f/a 3 0xffff; socket 1 1;"
	" conf 1 /f/a 2 0 9; request 1 /f/a 10 0 0x10; request 1 /f/a 10 0 0x20;"
	" conf 1 /f/a 1 0 9; request 1 /f/a 10 0 0x10; request 1 /f/a 10 0 0x20;"
	" conf 1 /f/a 3 0 9; request 1 /f/a 10 0 0x10; close 0; request 1 /f/a 10 0 0x20;"
	" recvmsg 2 100 0x40; reply 2 10 0 0; recvmsg 1 100 0x40; list 1 5 9 0xffff",
	"socket 0 1; serve 0 /f/a 1 0xffff; socket 2 1; serve 2 /f/a 1 0xffff; socket 1 1;"
	" conf 1 /f/a 5 0 10; request 1 /f/a 10 0 0x10; recvmsg 0 100 0x40; recvmsg 2 100 0x40;"
	" reply 0 10 0 0; reply 2 10 0x80 1; recvmsg 1 100 0x40; conf 1 /f/a 4 0 10;"
	" request 1 /f/a 10 0 0x10; recvmsg 0 100 0x40; close 0; close 2; recvmsg 1 100 0x40;"
	" recvmsg 1 100 0x40",
	/* descriptors on their way, another namespace, threads */
	"socket 0 1; bind 0 /f/a; pass 0 0; close 0; take 1 1; socket 2 1; connect 2 /f/a;"
	" thread 1 3; send 1 10 0x40; recv 2 10 0x40; detach 2 2; close 1; fork 2 4;"
	" socket 3 1; bind 3 /f/b; socket 4 1; connect 4 /f/*; nap 3",
	"socket 0 1; fail 2; bind 0 /f/a; socket 1 1; fail 4; connect 1 /f/a; fail 3;"
	" serve 1 /f/b 1 0xffff; fail 5; call 0 /f/b 0 0xffff; fail 2; control 0 1 /f/a /f/b 0 3",
};

const unsigned int fuzz_nseeds = ARRAY_SIZE(fuzz_seeds);
