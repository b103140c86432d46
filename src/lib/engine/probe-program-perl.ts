/**
 * Reads a program of a given length from standard input, byte for byte, and becomes it; what follows is the program's own input.
 * So it stands in no argument that sudo writes to its log, and in no file.
 */
export const perlLoader = String.raw`our($l,$p,$c)=("","","");while(sysread(STDIN,$c,1)&&$c ne "\n"){$l.=$c}while(length($p)<$l){sysread(STDIN,$p,$l-length($p),length($p))or exit 1}eval $p;die $@ if $@`;

/**
 * What a node runs while it is probed, for the Perl that Debian has in perl-base: no Time::HiRes, no JSON.
 * `probe-program-python.ts` is the same program, function by function; the protocol is in `probe-talk.ts`.
 *
 * The first process stays in the node's own network. A second one is started in a network namespace that has no name and lives as
 * long as it does; with it goes its end of the veth, and so the other end. It ends when its standard input does.
 */
export const perlProgram = String.raw`use strict;
use Socket qw(:DEFAULT);
use Errno;
use Fcntl;
use POSIX ();
my $own = $main::p;
my $loader = q{${perlLoader}};
my $silence = 15;
my $served_at_once = 400;
$| = 1;
$^F = 2;
$SIG{PIPE} = 'IGNORE';
my (%read, %write, %serving, @waiting, %active, %icmp_job);
my ($ask, $answer, $timeout, $at_once) = ('', '', 5, 64);
my ($raw, $icmp_id, $icmp_seq) = (undef, $$ & 0xffff, 0);

sub now {
  open(my $f, '<', '/proc/uptime') or return time;
  my $line = <$f>;
  return (split ' ', $line)[0];
}
sub say_line { my $text = shift() . "\n"; defined(syswrite(STDOUT, $text)) or quit(1) }
sub word_of { my $number = shift; local $! = $number; for (sort keys %!) { return $_ if $!{$_} } return 'E' . $number }
sub nonblocking { my $h = shift; fcntl($h, F_SETFL, fcntl($h, F_GETFL, 0) | O_NONBLOCK) }
sub place { my ($port, $host) = unpack_sockaddr_in(shift); return (inet_ntoa($host), $port) }
my $quit = sub { POSIX::_exit(shift) };
sub quit { $quit->(@_) }

sub turn {
  my $wait = shift;
  my ($r, $w) = ('', '');
  vec($r, $_, 1) = 1 for keys %read;
  vec($w, $_, 1) = 1 for keys %write;
  my $n = select($r, $w, undef, $wait);
  return if !defined($n) || $n <= 0;
  for my $fd (keys %read) { $read{$fd}->() if vec($r, $fd, 1) && $read{$fd} }
  for my $fd (keys %write) { $write{$fd}->() if vec($w, $fd, 1) && $write{$fd} }
}

# Lines of a handle; undef is its end.
sub lines_of {
  my ($h, $on_line) = @_;
  my $text = '';
  $read{fileno $h} = sub {
    my $n = sysread($h, $text, 65536, length $text);
    return if !defined($n) && $!{EINTR};
    if (!$n) { delete $read{fileno $h}; return $on_line->(undef) }
    while ($text =~ s/^([^\n]*)\n//) { $on_line->($1) }
    quit(1) if length($text) > 65536;
  };
}

# Writes without ever waiting, so that two processes that talk to each other cannot both wait for ever.
sub teller {
  my $h = shift;
  my $left = '';
  nonblocking($h);
  my $push = sub {
    my $n = syswrite($h, $left);
    return if !defined($n) && ($!{EAGAIN} || $!{EINTR});
    $left = defined $n ? substr($left, $n) : '';
    delete $write{fileno $h} if $left eq '';
  };
  return sub { $left .= shift; $write{fileno $h} = $push; $push->() };
}

# The side that answers. Only whoever knows the word of this run is answered, and never with more than was sent.
sub listen_tcp {
  my $address = shift;
  socket(my $s, PF_INET, SOCK_STREAM, 6) or return;
  setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
  bind($s, pack_sockaddr_in(0, inet_aton($address))) && listen($s, 511) or return;
  nonblocking($s);
  $read{fileno $s} = sub { while (my $from = accept(my $c, $s)) { serve($c, $from) } };
  return (place(getsockname $s))[1];
}
sub serve {
  my ($c, $from) = @_;
  return if keys(%serving) >= $served_at_once;
  my $fd = fileno $c;
  my ($head, $seen) = ('', 0);
  setsockopt($c, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
  nonblocking($c);
  my $done = sub { delete $read{$fd}; delete $serving{$fd}; close $c };
  $serving{$fd} = [now() + 30, $done];
  $read{$fd} = sub {
    my $n = sysread($c, my $chunk, 65536);
    return if !defined($n) && ($!{EAGAIN} || $!{EINTR});
    return $done->() if !$n;
    $seen += $n;
    $head .= substr($chunk, 0, 200) if length($head) < 200;
    my $reply = reply_to($head, $seen, $from, 0);
    if (!defined $reply) { return $done->() if length($head) >= 200 || $seen > 65536; return }
    syswrite($c, $reply) if $reply ne '';
  };
}
# undef: not a request, or not yet; '': go on reading.
sub reply_to {
  my ($head, $seen, $from, $whole) = @_;
  return if $head !~ /^netctl-probe (\S+) ([0-9a-f]{16}) (\d{1,5})\n/ || $1 ne $ask;
  my ($nonce, $bytes) = ($2, $3);
  return '' if $seen < $bytes && !$whole;
  return if $seen != $bytes;
  my ($host, $port) = place($from);
  return "netctl-answer $answer $nonce $host $port $seen\n";
}
sub listen_udp {
  my $address = shift;
  socket(my $s, PF_INET, SOCK_DGRAM, 17) or return;
  bind($s, pack_sockaddr_in(0, inet_aton($address))) or return;
  nonblocking($s);
  $read{fileno $s} = sub {
    while (my $from = recv($s, my $text, 65536, 0)) {
      my $reply = reply_to(substr($text, 0, 200), length $text, $from, 1);
      send($s, $reply, 0, $from) if defined $reply && $reply ne '';
    }
  };
  return (place(getsockname $s))[1];
}

# The side that asks.
sub begin {
  my ($id, $check, $address, $port, $bytes, $his_ask, $his_answer, $nonce) = @_;
  my $job = { id => $id, check => $check, address => $address, answer => $his_answer, nonce => $nonce, until => now() + $timeout, bytes => $bytes };
  $active{$id} = $job;
  my $to = pack_sockaddr_in($port, inet_aton($address));
  my $head = "netctl-probe $his_ask $nonce $bytes\n";
  my $text = $bytes > length $head ? $head . 'x' x ($bytes - length $head) : $head;
  if ($check eq 'icmp') { begin_icmp($job, $to) }
  elsif ($check eq 'udp') { begin_udp($job, $to, $text) }
  else { begin_tcp($job, $to, $check eq 'tcp' ? $text : '') }
}
sub finish {
  my ($job, @words) = @_;
  return if !$active{$job->{id}};
  delete $active{$job->{id}};
  delete $icmp_job{$job->{seq}} if defined $job->{seq};
  if (my $s = $job->{socket}) { my $fd = fileno $s; delete $read{$fd}; delete $write{$fd}; close $s }
  say_line(join ' ', 'r', $job->{id}, @words);
}
sub answered {
  my ($job, $text, $rtt) = @_;
  my ($answer, $nonce) = ($job->{answer}, $job->{nonce});
  return finish($job, 'ok', $rtt, $1, $2, $3) if $text =~ /^netctl-answer \Q$answer\E \Q$nonce\E (\d{1,3}(?:\.\d{1,3}){3}) (\d{1,5}) (\d{1,5})\n$/;
  finish($job, 'no', 'wrong-answer');
}
sub begin_tcp {
  my ($job, $to, $text) = @_;
  socket(my $s, PF_INET, SOCK_STREAM, 6) or return finish($job, 'no', word_of($! + 0));
  setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
  nonblocking($s);
  $job->{socket} = $s;
  my $fd = fileno $s;
  connect($s, $to) || $!{EINPROGRESS} or return finish($job, 'no', word_of($! + 0));
  my ($got, $isOpen) = ('', 0);
  my $rtt = sub { my $info = getsockopt($s, 6, 11); defined($info) && length($info) >= 72 ? unpack('x68 L', $info) : '-' };
  $write{$fd} = sub {
    if (!$isOpen) {
      my $error = unpack('i', getsockopt($s, SOL_SOCKET, SO_ERROR));
      return finish($job, 'no', word_of($error)) if $error;
      return if !getpeername $s;
      $isOpen = 1;
      return finish($job, 'ok', $rtt->(), '-', '-', 0) if $job->{check} eq 'connect';
    }
    my $n = syswrite($s, $text);
    if (!defined $n) { return if $!{EAGAIN} || $!{EINTR}; return finish($job, 'no', word_of($! + 0)) }
    $text = substr($text, $n);
    delete $write{$fd} if $text eq '';
  };
  $read{$fd} = sub {
    return if !$isOpen;
    my $n = sysread($s, $got, 300, length $got);
    if (!defined $n) { return if $!{EAGAIN} || $!{EINTR}; return finish($job, 'no', word_of($! + 0)) }
    return answered($job, $got, $rtt->()) if $got =~ /\n/ || length $got > 300;
    finish($job, 'no', 'closed') if !$n;
  };
}
sub begin_udp {
  my ($job, $to, $text) = @_;
  socket(my $s, PF_INET, SOCK_DGRAM, 17) or return finish($job, 'no', word_of($! + 0));
  nonblocking($s);
  $job->{socket} = $s;
  connect($s, $to) or return finish($job, 'no', word_of($! + 0));
  $job->{resend} = sub {
    return if defined(send($s, $text, 0)) || $!{EAGAIN};
    finish($job, 'no', word_of($! + 0));
  };
  $read{fileno $s} = sub {
    my $got = '';
    if (!defined recv($s, $got, 300, 0)) { return if $!{EAGAIN} || $!{EINTR}; return finish($job, 'no', word_of($! + 0)) }
    answered($job, $got, '-');
  };
  again($job);
}
sub again { my $job = shift; $job->{next} = now() + 1; $job->{resend}->() }

sub checksum {
  my $text = shift;
  my $sum = unpack('%32n*', length($text) % 2 ? $text . "\0" : $text);
  $sum = ($sum >> 16) + ($sum & 0xffff);
  $sum += $sum >> 16;
  return ~$sum & 0xffff;
}
sub open_icmp {
  socket(my $s, PF_INET, SOCK_RAW, 1) or return;
  # IP_MTU_DISCOVER to IP_PMTUDISC_PROBE: never in pieces, whatever was learnt of the path before.
  setsockopt($s, 0, 10, pack('i', 3));
  setsockopt($s, SOL_SOCKET, SO_RCVBUF, pack('i', 1 << 20));
  nonblocking($s);
  $raw = $s;
  $read{fileno $s} = sub { while (defined recv($s, my $packet, 65536, 0)) { heard_icmp($packet) } };
}
sub begin_icmp {
  my ($job, $to) = @_;
  return finish($job, 'no', 'no-raw-socket') if !$raw;
  my $seq = $job->{seq} = $icmp_seq = ($icmp_seq + 1) & 0xffff;
  $icmp_job{$seq} = $job;
  my $body = pack('nn', $icmp_id, $seq) . $job->{nonce};
  $body .= 'x' x ($job->{bytes} - 24 - length $body) if $job->{bytes} > 24 + length $body;
  my $packet = pack('CCn', 8, 0, checksum(pack('CCn', 8, 0, 0) . $body)) . $body;
  $job->{resend} = sub {
    return if defined(send($raw, $packet, 0, $to)) || $!{EAGAIN} || $!{ENOBUFS};
    finish($job, 'no', word_of($! + 0));
  };
  again($job);
}
sub heard_icmp {
  my $packet = shift;
  return if length $packet < 20;
  my $from = inet_ntoa(substr($packet, 12, 4));
  my $icmp = substr($packet, (ord($packet) & 15) * 4);
  return if length $icmp < 8;
  my ($type, $code) = unpack('CC', $icmp);
  if ($type == 0) {
    my ($id, $seq) = unpack('x4 nn', $icmp);
    my $job = $id == $icmp_id && $icmp_job{$seq};
    return if !$job || $from ne $job->{address} || substr($icmp, 8, 16) ne $job->{nonce};
    return finish($job, 'ok', '-', '-', '-', length $packet);
  }
  return if $type != 3 && $type != 11;
  my $inner = substr($icmp, 8);
  return if length $inner < 20;
  my $echo = substr($inner, (ord($inner) & 15) * 4);
  return if length $echo < 8 || ord(substr($inner, 9, 1)) != 1 || ord($echo) != 8;
  my ($id, $seq) = unpack('x4 nn', $echo);
  my $job = $id == $icmp_id && $icmp_job{$seq} or return;
  return if inet_ntoa(substr($inner, 16, 4)) ne $job->{address};
  finish($job, 'no', 'icmp', $type, $code, $type == 3 && $code == 4 ? unpack('x6 n', $icmp) : 0, $from);
}

sub work {
  my $now = now();
  while (@waiting && keys(%active) < $at_once) { begin(@{shift @waiting}) }
  for my $job (values %active) {
    if ($job->{until} <= $now) { finish($job, 'no', 'timeout') }
    elsif (defined $job->{next} && $job->{next} <= $now) { again($job) }
  }
  for my $each (values %serving) { $each->[1]->() if $each->[0] <= $now }
}
sub queue { my @job = @_; push @waiting, \@job if @job == 8 }

# What a program says, errors too; then $? is its end.
sub output_of {
  my @words = @_;
  my $pid = open(my $out, '-|');
  return 'no process could be started' if !defined $pid;
  if (!$pid) { open(STDIN, '<', '/dev/null'); open(STDERR, '>&', \*STDOUT); { exec { $words[0] } @words } print $!; POSIX::_exit(127) }
  read($out, my $text, 400);
  close $out;
  $text =~ s/[^ -~]+/ /g;
  return $text;
}
# Why it failed, or undef.
sub run {
  my $text = output_of(@_);
  return if !$?;
  return "$_[0] $_[1] $_[2]: " . ($text =~ /\S/ ? $text : 'it failed');
}

# In the namespace.
sub endpoint {
  my ($outer, $address, $length, $gateway, $mtu) = @_;
  if (readlink('/proc/self/ns/net') eq $outer) { say_line('failed it is in no network of its own'); quit(1) }
  for (['ip', 'link', 'set', 'dev', 'lo', 'up'], ['ip', 'addr', 'add', "$address/$length", 'dev', 'eth0'], ['ip', 'link', 'set', 'dev', 'eth0', 'up'],
    ['ip', 'route', 'add', 'default', 'via', $gateway, 'dev', 'eth0']) {
    my $why = run(@$_);
    if (defined $why) { say_line("failed $why"); quit(1) }
  }
  my ($tcp, $udp) = (listen_tcp($address), listen_udp($address));
  if (!$tcp || !$udp) { say_line("failed no socket could be opened: $!"); quit(1) }
  open_icmp();
  say_line("listening $tcp $udp");
}

# In the node's own network.
sub node {
  my ($most, $link, $bridge, $mtu, $length, $gateway, $public, @candidates) = @_;
  my ($child, $address, $held);
  my $is_over = 0;
  $quit = sub {
    my $code = shift;
    return if $is_over;
    $is_over = 1;
    $SIG{$_} = 'IGNORE' for qw(TERM HUP INT);
    $SIG{ALRM} = 'DEFAULT';
    alarm 20;
    kill 'KILL', $child if $child;
    run('ip', 'link', 'del', 'dev', $link);
    run('ip', 'neigh', 'del', $address, 'dev', $bridge) if defined $address;
    waitpid($child, 0) if $child;
    syswrite(STDOUT, "end\n") if !$code;
    POSIX::_exit($code);
  };
  $SIG{$_} = sub { quit(1) } for qw(TERM HUP INT ALRM);
  my $fail = sub { my $why = shift; $why =~ s/[^ -~]+/ /g; say_line('unready ' . substr($why, 0, 300)); quit(0) };
  my $outer = readlink('/proc/self/ns/net') or $fail->("/proc/self/ns/net: $!");

  pipe(my $from_us, my $to_child) && pipe(my $from_child, my $to_us) or $fail->("pipe: $!");
  $child = fork;
  $fail->("fork: $!") if !defined $child;
  if (!$child) {
    $SIG{$_} = 'DEFAULT' for qw(TERM HUP INT ALRM);
    open(STDIN, '<&', $from_us);
    open(STDOUT, '>&', $to_us);
    { exec 'unshare', '--net', '--', $^X, '-e', $loader }
    print "failed unshare: $!\n";
    POSIX::_exit(127);
  }
  close $from_us;
  close $to_us;
  my @heard;
  my $has_ended = 0;
  lines_of($from_child, sub {
    my $line = shift;
    if (!defined $line) { $has_ended = 1; return }
    if ($line =~ /^r /) { say_line($line) } else { push @heard, $line }
  });
  my $hear = sub {
    my $until = now() + 10;
    turn(0.2) while !@heard && !$has_ended && now() < $until;
    my $line = @heard ? shift @heard : 'failed the process in the namespace did not answer (unshare)';
    $fail->($1) if $line =~ /^failed (.*)/;
    return $line;
  };
  my $tell = teller($to_child);
  $tell->(length($own) . "\n" . $own . "inside $most\n");
  $hear->();
  my $inner = readlink("/proc/$child/ns/net");
  $fail->('unshare gave it no network of its own') if !defined $inner || $inner eq $outer;
  for (['ip', 'link', 'add', 'name', $link, 'mtu', $mtu, 'type', 'veth', 'peer', 'name', 'eth0', 'mtu', $mtu, 'netns', $child],
    ['ip', 'link', 'set', 'dev', $link, 'master', $bridge], ['ip', 'link', 'set', 'dev', $link, 'up']) {
    my $why = run(@$_);
    $fail->($why) if defined $why;
  }
  # A bridge without containers is awake a moment after its first port only; until then it loses packets.
  for (1 .. 30) {
    open(my $f, '<', "/sys/class/net/$bridge/operstate") or last;
    last if <$f> =~ /^up/;
    select(undef, undef, undef, 0.1);
  }
  for my $each (@candidates) {
    # A name that the kernel gives to one process only and takes back with it: two runs never choose the same address.
    socket($held, PF_UNIX, SOCK_STREAM, 0) && bind($held, pack_sockaddr_un("\0netctl-probe $each")) or next;
    next if is_taken($each, $bridge);
    $address = $each;
    last;
  }
  $fail->('no address is free on ' . $bridge) if !defined $address;
  $tell->("endpoint $outer $address $length $gateway $mtu $ask $answer $timeout $at_once\n");
  my ($tcp, $udp) = $hear->() =~ /^listening (\d+) (\d+)$/ or $fail->('the process in the namespace does not listen');
  my ($node_tcp, $node_udp) = $public eq '-' ? () : (listen_tcp($public), listen_udp($public));
  open_icmp();
  say_line(join ' ', 'ready', $address, $tcp, $udp, $node_tcp || 0, $node_udp || 0);
  my $heard_at = now();
  lines_of(*STDIN, sub {
    my $line = shift;
    quit(0) if !defined $line || $line eq 'end';
    $heard_at = now();
    if ($line =~ /^job c (.*)/) { $tell->("job $1\n") }
    elsif ($line =~ /^job n (.*)/) { queue(split ' ', $1) }
  });
  while (1) {
    turn(0.2);
    work();
    quit(1) if $has_ended || now() - $heard_at > $silence;
  }
}

# Somebody who has the address tells the kernel so when it looks for it.
sub is_taken {
  my ($address, $bridge) = @_;
  socket(my $s, PF_INET, SOCK_DGRAM, 17) or return 0;
  send($s, '', 0, pack_sockaddr_in(9, inet_aton($address)));
  my $state = '';
  for (1 .. 4) {
    select(undef, undef, undef, 0.1);
    $state = output_of('ip', 'neigh', 'show', 'to', $address, 'dev', $bridge);
    last if $state =~ /lladdr/;
  }
  run('ip', 'neigh', 'del', $address, 'dev', $bridge);
  return $state =~ /lladdr/;
}

my ($first, $byte) = ('', '');
while (sysread(STDIN, $byte, 1) && $byte ne "\n") { $first .= $byte }
my @words = split ' ', $first;
if ($first =~ /^inside (\d+)$/) {
  # Else nothing would end it while its parent hangs.
  alarm $1;
  say_line('in');
  my $is_told = 0;
  lines_of(*STDIN, sub {
    my $line = shift;
    quit(0) if !defined $line;
    if ($line =~ /^job (.*)/) { return queue(split ' ', $1) }
    return if $is_told || $line !~ /^endpoint (.*)/;
    $is_told = 1;
    my @told = split ' ', $1;
    ($ask, $answer, $timeout, $at_once) = splice(@told, 5, 4);
    endpoint(@told);
  });
  while (1) { turn(0.2); work() }
}
elsif (shift(@words) eq 'probe') {
  my $most = shift @words;
  alarm $most;
  ($ask, $answer, $timeout, $at_once) = splice(@words, 0, 4);
  node($most, @words);
}
POSIX::_exit(1);
`;
