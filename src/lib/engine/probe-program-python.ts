/** As `perlLoader`. */
export const pythonLoader = String.raw`import os
l=p=b""
while l[-1:]!=b"\n":
 c=os.read(0,1)
 if not c:os._exit(1)
 l+=c
while len(p)<int(l):
 c=os.read(0,int(l)-len(p))
 if not c:os._exit(1)
 p+=c
exec(p.decode())`;

/** `perlProgram` for nodes without a Perl, function by function: Python from 3.6, its smallest set of modules. */
export const pythonProgram = String.raw`import errno, fcntl, os, re, select, signal, socket, struct, subprocess, sys, time
own = p
loader = """${pythonLoader.replaceAll('\\', '\\\\')}"""
silence = 15
served_at_once = 400
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
readers, writers, serving, waiting, active, icmp_job = {}, {}, {}, [], {}, {}
word = {"ask": "", "answer": "", "timeout": 5.0, "at_once": 64}
icmp = {"raw": None, "id": os.getpid() & 0xffff, "seq": 0}
now = time.monotonic
quitter = [os._exit]

def quit(code): quitter[0](code)
def say_line(text):
    try:
        os.write(1, (text + "\n").encode())
    except OSError:
        quit(1)
def word_of(number): return errno.errorcode.get(number, "E%d" % number)
def linger(s): s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

def turn(wait):
    poll = select.poll()
    for fd in set(readers) | set(writers):
        poll.register(fd, (select.POLLIN if fd in readers else 0) | (select.POLLOUT if fd in writers else 0))
    for fd, event in poll.poll(wait * 1000):
        if event & ~select.POLLOUT and fd in readers: readers[fd]()
        if event & ~select.POLLIN and fd in writers: writers[fd]()

# Lines of a descriptor; None is its end.
def lines_of(fd, on_line):
    held = [b""]
    def read():
        more = os.read(fd, 65536)
        if not more:
            readers.pop(fd, None)
            return on_line(None)
        held[0] += more
        while b"\n" in held[0]:
            line, held[0] = held[0].split(b"\n", 1)
            on_line(line.decode("ascii", "replace"))
        if len(held[0]) > 65536: quit(1)
    readers[fd] = read

# Writes without ever waiting, so that two processes that talk to each other cannot both wait for ever.
def teller(fd):
    left = [b""]
    os.set_blocking(fd, False)
    def push():
        try:
            left[0] = left[0][os.write(fd, left[0]):]
        except BlockingIOError:
            return
        except OSError:
            left[0] = b""
        if not left[0]: writers.pop(fd, None)
    def tell(text):
        left[0] += text if isinstance(text, bytes) else text.encode()
        writers[fd] = push
        push()
    return tell

# The side that answers. Only whoever knows the word of this run is answered, and never with more than was sent.
def listen_tcp(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        linger(s)
        s.bind((address, 0))
        s.listen(511)
    except OSError:
        return 0
    s.setblocking(False)
    def accept():
        try:
            while True: serve(*s.accept())
        except OSError:
            pass
    readers[s.fileno()] = accept
    return s.getsockname()[1]
def serve(c, source):
    if len(serving) >= served_at_once: return c.close()
    fd = c.fileno()
    held = {"head": b"", "seen": 0}
    linger(c)
    c.setblocking(False)
    def done():
        readers.pop(fd, None)
        serving.pop(fd, None)
        c.close()
    def read():
        try:
            chunk = c.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            chunk = b""
        if not chunk: return done()
        held["seen"] += len(chunk)
        if len(held["head"]) < 200: held["head"] += chunk[:200]
        reply = reply_to(held["head"], held["seen"], source, False)
        if reply is None:
            if len(held["head"]) >= 200 or held["seen"] > 65536: done()
        elif reply:
            try:
                c.send(reply.encode())
            except OSError:
                done()
    serving[fd] = (now() + 30, done)
    readers[fd] = read
# None: not a request, or not yet; "": go on reading.
def reply_to(head, seen, source, whole):
    found = re.match(r"netctl-probe (\S+) ([0-9a-f]{16}) (\d{1,5})\n", head.decode("latin-1"))
    if not found or found.group(1) != word["ask"]: return None
    size = int(found.group(3))
    if seen < size and not whole: return ""
    if seen != size: return None
    return "netctl-answer %s %s %s %d %d\n" % (word["answer"], found.group(2), source[0], source[1], seen)
def listen_udp(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.bind((address, 0))
    except OSError:
        return 0
    s.setblocking(False)
    def read():
        try:
            while True:
                text, source = s.recvfrom(65536)
                reply = reply_to(text[:200], len(text), source, True)
                if reply: s.sendto(reply.encode(), source)
        except OSError:
            pass
    readers[s.fileno()] = read
    return s.getsockname()[1]

# The side that asks.
def begin(id, check, address, port, size, his_ask, his_answer, nonce):
    size = int(size)
    job = {"id": id, "check": check, "address": address, "answer": his_answer, "nonce": nonce, "until": now() + word["timeout"], "size": size}
    active[id] = job
    to = (address, int(port))
    text = ("netctl-probe %s %s %d\n" % (his_ask, nonce, size)).encode()
    text += b"x" * (size - len(text))
    try:
        if check == "icmp": begin_icmp(job, to)
        elif check == "udp": begin_udp(job, to, text)
        else: begin_tcp(job, to, text if check == "tcp" else b"")
    except OSError as error:
        finish(job, "no", word_of(error.errno))
def finish(job, *words):
    if job["id"] not in active: return
    del active[job["id"]]
    icmp_job.pop(job.get("seq"), None)
    if "socket" in job:
        fd = job["socket"].fileno()
        readers.pop(fd, None)
        writers.pop(fd, None)
        job["socket"].close()
    say_line(" ".join(["r", job["id"]] + [str(each) for each in words]))
def answered(job, text, rtt):
    found = re.match(r"netctl-answer (\S+) (\S+) (\d{1,3}(?:\.\d{1,3}){3}) (\d{1,5}) (\d{1,5})\n$", text.decode("latin-1"))
    if found and found.group(1) == job["answer"] and found.group(2) == job["nonce"]:
        return finish(job, "ok", rtt, found.group(3), found.group(4), found.group(5))
    finish(job, "no", "wrong-answer")
def begin_tcp(job, to, text):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    job["socket"] = s
    linger(s)
    s.setblocking(False)
    fd = s.fileno()
    code = s.connect_ex(to)
    if code not in (0, errno.EINPROGRESS): return finish(job, "no", word_of(code))
    held = {"left": text, "got": b"", "open": False}
    def rtt():
        info = s.getsockopt(socket.IPPROTO_TCP, 11, 256)
        return struct.unpack_from("I", info, 68)[0] if len(info) >= 72 else "-"
    def write():
        if not held["open"]:
            code = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code: return finish(job, "no", word_of(code))
            try:
                s.getpeername()
            except OSError:
                return
            held["open"] = True
            if job["check"] == "connect": return finish(job, "ok", rtt(), "-", "-", 0)
        try:
            held["left"] = held["left"][s.send(held["left"]):]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            return finish(job, "no", word_of(error.errno))
        if not held["left"]: writers.pop(fd, None)
    def read():
        if not held["open"]: return
        try:
            more = s.recv(300)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            return finish(job, "no", word_of(error.errno))
        held["got"] += more
        if b"\n" in held["got"] or len(held["got"]) > 300: return answered(job, held["got"], rtt())
        if not more: finish(job, "no", "closed")
    writers[fd] = write
    readers[fd] = read
def begin_udp(job, to, text):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    job["socket"] = s
    s.setblocking(False)
    s.connect(to)
    def read():
        try:
            answered(job, s.recv(300), "-")
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            finish(job, "no", word_of(error.errno))
    job["resend"] = lambda: s.send(text)
    readers[s.fileno()] = read
    again(job)
def again(job):
    job["next"] = now() + 1
    try:
        job["resend"]()
    except (BlockingIOError, InterruptedError):
        pass
    except OSError as error:
        if error.errno != errno.ENOBUFS: finish(job, "no", word_of(error.errno))

def checksum(text):
    sum = 0
    for each in struct.unpack("!%dH" % ((len(text) + 1) // 2), text + b"\0" * (len(text) % 2)): sum += each
    sum = (sum >> 16) + (sum & 0xffff)
    sum += sum >> 16
    return ~sum & 0xffff
def open_icmp():
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    except OSError:
        return
    # IP_MTU_DISCOVER to IP_PMTUDISC_PROBE: never in pieces, whatever was learnt of the path before.
    s.setsockopt(0, 10, 3)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.setblocking(False)
    icmp["raw"] = s
    def read():
        try:
            while True: heard_icmp(s.recv(65536))
        except OSError:
            pass
    readers[s.fileno()] = read
def begin_icmp(job, to):
    if not icmp["raw"]: return finish(job, "no", "no-raw-socket")
    seq = job["seq"] = icmp["seq"] = (icmp["seq"] + 1) & 0xffff
    icmp_job[seq] = job
    body = struct.pack("!HH", icmp["id"], seq) + job["nonce"].encode()
    body += b"x" * (job["size"] - 24 - len(body))
    packet = struct.pack("!BBH", 8, 0, checksum(struct.pack("!BBH", 8, 0, 0) + body)) + body
    job["resend"] = lambda: icmp["raw"].sendto(packet, (to[0], 0))
    again(job)
def heard_icmp(packet):
    if len(packet) < 20: return
    source = socket.inet_ntoa(packet[12:16])
    told = packet[(packet[0] & 15) * 4:]
    if len(told) < 8: return
    kind, code = told[0], told[1]
    if kind == 0:
        id, seq = struct.unpack_from("!HH", told, 4)
        job = icmp_job.get(seq) if id == icmp["id"] else None
        if not job or source != job["address"] or told[8:24] != job["nonce"].encode(): return
        return finish(job, "ok", "-", "-", "-", len(packet))
    if kind not in (3, 11): return
    inner = told[8:]
    if len(inner) < 20: return
    echo = inner[(inner[0] & 15) * 4:]
    if len(echo) < 8 or inner[9] != 1 or echo[0] != 8: return
    id, seq = struct.unpack_from("!HH", echo, 4)
    job = icmp_job.get(seq) if id == icmp["id"] else None
    if not job or socket.inet_ntoa(inner[16:20]) != job["address"]: return
    finish(job, "no", "icmp", kind, code, struct.unpack_from("!H", told, 6)[0] if (kind, code) == (3, 4) else 0, source)

def work():
    while waiting and len(active) < word["at_once"]: begin(*waiting.pop(0))
    for job in list(active.values()):
        if job["until"] <= now(): finish(job, "no", "timeout")
        elif job.get("next", job["until"]) <= now(): again(job)
    for until, done in list(serving.values()):
        if until <= now(): done()
def queue(job):
    if len(job) == 8: waiting.append(job)

# What a program says, errors too, and its code.
def output_of(*words):
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        return 127, str(error)
    return done.returncode, re.sub(r"[^ -~]+", " ", done.stdout[:400].decode("latin-1"))
# Why it failed, or None.
def run(*words):
    code, text = output_of(*words)
    if code == 0: return None
    return " ".join(words[:3]) + ": " + (text.strip() or "it failed")

# In the namespace.
def endpoint(outer, address, length, gateway, mtu):
    if os.readlink("/proc/self/ns/net") == outer:
        say_line("failed it is in no network of its own")
        quit(1)
    for words in (("ip", "link", "set", "dev", "lo", "up"), ("ip", "addr", "add", address + "/" + length, "dev", "eth0"),
                  ("ip", "link", "set", "dev", "eth0", "up"), ("ip", "route", "add", "default", "via", gateway, "dev", "eth0")):
        why = run(*words)
        if why is not None:
            say_line("failed " + why)
            quit(1)
    tcp, udp = listen_tcp(address), listen_udp(address)
    if not tcp or not udp:
        say_line("failed no socket could be opened")
        quit(1)
    open_icmp()
    say_line("listening %d %d" % (tcp, udp))

# In the node's own network.
def node(most, link, bridge, mtu, length, gateway, public, *candidates):
    state = {"child": 0, "address": None, "over": False, "ended": False, "heard": 0.0}
    def leave(code):
        if state["over"]: return
        state["over"] = True
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(each, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        if state["child"]: os.kill(state["child"], signal.SIGKILL)
        run("ip", "link", "del", "dev", link)
        if state["address"]: run("ip", "neigh", "del", state["address"], "dev", bridge)
        if state["child"]: os.waitpid(state["child"], 0)
        if code == 0:
            try:
                os.write(1, b"end\n")
            except OSError:
                pass
        os._exit(code)
    quitter[0] = leave
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM): signal.signal(each, lambda *_: quit(1))
    def fail(why):
        say_line("unready " + re.sub(r"[^ -~]+", " ", why)[:300])
        quit(0)
    outer = os.readlink("/proc/self/ns/net")
    from_us, to_child = os.pipe()
    from_child, to_us = os.pipe()
    child = state["child"] = os.fork()
    if child == 0:
        try:
            for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM): signal.signal(each, signal.SIG_DFL)
            os.dup2(from_us, 0)
            os.dup2(to_us, 1)
            os.execvp("unshare", ["unshare", "--net", "--", sys.executable, "-c", loader])
        except OSError as error:
            os.write(1, ("failed unshare: %s\n" % error).encode())
        finally:
            os._exit(127)
    os.close(from_us)
    os.close(to_us)
    heard = []
    def on_line(line):
        if line is None: state["ended"] = True
        elif line.startswith("r "): say_line(line)
        else: heard.append(line)
    lines_of(from_child, on_line)
    def hear():
        until = now() + 10
        while not heard and not state["ended"] and now() < until: turn(0.2)
        line = heard.pop(0) if heard else "failed the process in the namespace did not answer (unshare)"
        if line.startswith("failed "): fail(line[7:])
        return line
    tell = teller(to_child)
    tell(str(len(own)).encode() + b"\n" + own + b"inside " + most.encode() + b"\n")
    hear()
    if os.readlink("/proc/%d/ns/net" % child) == outer: fail("unshare gave it no network of its own")
    for words in (("ip", "link", "add", "name", link, "mtu", mtu, "type", "veth", "peer", "name", "eth0", "mtu", mtu, "netns", str(child)),
                  ("ip", "link", "set", "dev", link, "master", bridge), ("ip", "link", "set", "dev", link, "up")):
        why = run(*words)
        if why is not None: fail(why)
    # A bridge without containers is awake a moment after its first port only; until then it loses packets.
    for _ in range(30):
        try:
            with open("/sys/class/net/" + bridge + "/operstate") as f:
                if f.read().strip() == "up": break
        except OSError:
            break
        time.sleep(0.1)
    for each in candidates:
        # A name that the kernel gives to one process only and takes back with it: two runs never choose the same address.
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            held.bind("\0netctl-probe " + each)
        except OSError:
            continue
        if is_taken(each, bridge): continue
        state["address"], state["held"] = each, held
        break
    if state["address"] is None: fail("no address is free on " + bridge)
    tell(" ".join(["endpoint", outer, state["address"], length, gateway, mtu, word["ask"], word["answer"], str(word["timeout"]), str(word["at_once"])]) + "\n")
    found = re.match(r"listening (\d+) (\d+)$", hear())
    if not found: return fail("the process in the namespace does not listen")
    node_tcp, node_udp = (0, 0) if public == "-" else (listen_tcp(public), listen_udp(public))
    open_icmp()
    say_line("ready %s %s %s %d %d" % (state["address"], found.group(1), found.group(2), node_tcp, node_udp))
    state["heard"] = now()
    def on_told(line):
        if line is None or line == "end": quit(0)
        state["heard"] = now()
        if line.startswith("job c "): tell("job " + line[6:] + "\n")
        elif line.startswith("job n "): queue(line[6:].split())
    lines_of(0, on_told)
    while True:
        turn(0.2)
        work()
        if state["ended"] or now() - state["heard"] > silence: quit(1)

# Somebody who has the address tells the kernel so when it looks for it.
def is_taken(address, bridge):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", (address, 9))
    text = ""
    for _ in range(4):
        time.sleep(0.1)
        text = output_of("ip", "neigh", "show", "to", address, "dev", bridge)[1]
        if "lladdr" in text: break
    run("ip", "neigh", "del", address, "dev", bridge)
    return "lladdr" in text

def take(words):
    word["ask"], word["answer"], word["timeout"], word["at_once"] = words[0], words[1], float(words[2]), int(words[3])

first = b""
while True:
    c = os.read(0, 1)
    if not c or c == b"\n": break
    first += c
words = first.decode("ascii", "replace").split(" ")
if words[0] == "inside":
    # Else nothing would end it while its parent hangs.
    signal.alarm(int(words[1]))
    say_line("in")
    told = []
    def on_line(line):
        if line is None: quit(0)
        parts = line.split()
        if parts[:1] == ["job"]: queue(parts[1:])
        elif parts[:1] == ["endpoint"] and not told:
            told.append(1)
            take(parts[6:10])
            endpoint(*parts[1:6])
    lines_of(0, on_line)
    while True:
        turn(0.2)
        work()
elif words[0] == "probe":
    signal.alarm(int(words[1]))
    take(words[2:6])
    node(words[1], *words[6:])
os._exit(1)
`;
