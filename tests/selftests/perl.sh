#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A scripting language's own socket functions use AF_WEIR with nothing but a
# packed address (family, path, NUL): perl connects pairs, publishes and
# subscribes with patterns, learns from whom a message came, polls with
# select, sets an option and reads one. Needs no module of perl's.

# shellcheck source=tests/selftests/selftest.sh
. "$(dirname "$0")/selftest.sh"

loaded || skip_all "the weir module is not loaded"
command -v perl >/dev/null || skip_all "no perl"

# results: a line "STATUS WORDS" of standard input each
results() {
	last=
	while read -r status words; do
		ok "$status" "$words"
		last=$words
	done
	[ "$last" = "the script comes to its end" ]
	ok $? "all of it was tried"
	plan
}

perl - <<'PERL' | results
$| = 1;
sub ok {
	my ($good, $name) = @_;
	print $good ? "0 " : "1 ", $name, $good ? "" : ": $!", "\n";
}

open(my $f, "<", "/sys/module/weir/parameters/family") or exit 1;
my $family = <$f> + 0;
my ($dgram, $rdm, $seqpacket, $sol_weir) = (2, 4, 5, 0x7765);
my ($ring_bytes, $peer_path, $error_text) = (1, 11, 12);
my ($sol_socket, $so_type) = (1, 3);
my ($dontwait, $nosignal) = (0x40, 0x4000);

sub address { pack("S Z*", $family, $_[0]) }
sub path { (unpack("S Z*", $_[0]))[1] }
sub readable {
	my ($s, $time) = @_;
	my $bits = "";
	vec($bits, fileno($s), 1) = 1;
	return select($bits, undef, undef, $time);
}

# a connected pair between two processes
ok(socket(my $l, $family, $seqpacket, 0), "socket");
ok(setsockopt($l, $sol_weir, $ring_bytes, pack("i", 8192)), "setsockopt");
ok(unpack("i", getsockopt($l, $sol_weir, $ring_bytes)) == 8192, "getsockopt");
ok(unpack("i", getsockopt($l, $sol_socket, $so_type)) == $seqpacket, "SO_TYPE");
ok(bind($l, address("/selftest/perl")), "bind");
ok(path(getsockname($l)) eq "/selftest/perl", "getsockname");
ok(listen($l, 4), "listen");
my $pid = fork();
if (!$pid) {
	socket(my $c, $family, $seqpacket, 0) or exit 1;
	connect($c, address("/selftest/perl")) or exit 2;
	path(getpeername($c)) eq "/selftest/perl" or exit 3;
	my $sum = 0;
	for (my $i = 0; $i < 500; $i++) {
		my $got;
		defined(recv($c, $got, 4096, 0)) or exit 4;
		$got eq "$i:" . ("x" x ($i % 300)) or exit 5;
		$sum += length($got);
	}
	send($c, "$sum", 0) or exit 6;
	exit 0;
}
ok(accept(my $s, $l), "accept");
my $sum = 0;
my $sent = 1;
for (my $i = 0; $i < 500; $i++) {
	my $m = "$i:" . ("x" x ($i % 300));
	$sent &&= send($s, $m, 0) == length($m);
	$sum += length($m);
}
ok($sent, "500 messages");
my $got;
ok(defined(recv($s, $got, 100, 0)) && $got eq $sum, "all arrived whole");
waitpid($pid, 0);
ok($? == 0, "the other process is content");
ok(defined(recv($s, $got, 100, 0)) && $got eq "", "end of file");
ok(!defined(send($s, "x", $nosignal)), "and nobody to write to");
close($s);
close($l);
socket($s, $family, $seqpacket, 0);
ok(!connect($s, address("/selftest/perl")) && $! == 111,
   "connect to nobody is refused");
ok(getsockopt($s, $sol_weir, $error_text) =~ /listens/, "in words");

# publish and subscribe
socket(my $sub, $family, $rdm, 0);
ok(connect($sub, address("/selftest/feed/*")), "subscribe to a pattern");
socket(my $a, $family, $rdm, 0);
ok(bind($a, address("/selftest/feed/a")), "publish a");
socket(my $b, $family, $rdm, 0);
ok(bind($b, address("/selftest/feed/b")), "publish b");
ok(readable($sub, 0) == 0, "nothing yet");
send($a, "from a", 0);
ok(readable($sub, 60) == 1, "select tells");
my $from = recv($sub, $got, 100, 0);
ok($got eq "from a" && path($from) eq "/selftest/feed/a", "a message of a");
send($b, "from b", 0);
$from = recv($sub, $got, 100, 0);
ok($got eq "from b" && path($from) eq "/selftest/feed/b", "a message of b");
ok(!defined(recv($sub, $got, 100, $dontwait)), "no more");
my $peer = getsockopt($sub, $sol_weir, $peer_path);
ok($peer eq "/selftest/feed/*\0", "the pattern is told");

# a lossy tap
socket(my $tap, $family, $dgram, 0);
ok(connect($tap, address("/selftest/feed/a")), "tap");
my $all = 1;
$all &&= send($a, "n$_", $dontwait) for 1 .. 10;
ok($all, "publish");
my $seen = "";
while (defined(recv($tap, $got, 100, $dontwait))) {
	$seen .= $got;
}
ok($seen eq join("", map { "n$_" } 1 .. 10), "the tap saw all");

ok(1, "the script comes to its end");
PERL
