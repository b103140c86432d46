"""A sealed little network for the stand-in's tests: an etcd, nodes on one bridge, daemons on the nodes.

Everything lives in network namespaces of this process' own and is gone after close().
Root is needed. NETCTL_LAB_FLANNELD="v0.20.2=/path/to/flanneld,…" puts released daemons in
the place of the stand-in for these releases, so that one suite judges both.
"""

import base64
import contextlib
import ctypes
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
STANDIN = os.path.join(HERE, "flanneld.py")
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
COUNTER = itertools.count()

RELEASED = dict(pair.split("=", 1) for pair in os.environ.get("NETCTL_LAB_FLANNELD", "").split(",") if "=" in pair)


def is_released(version):
    return version in RELEASED


def sh(*argv, check=True, text=None):
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def wait_for(ask, seconds=10, what=""):
    """The first true answer of `ask`, or an AssertionError when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"did not come in {seconds} s: {what or ask}")
        time.sleep(0.03)


def in_namespace(name, action):
    """Runs `action` in a thread of its own that lives in the network namespace."""
    box = {}

    def body():
        try:
            with open(f"/run/netns/{name}", "rb") as file:
                if LIBC.setns(file.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            box["value"] = action()
        except BaseException as problem:
            box["problem"] = problem

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "problem" in box:
        raise box["problem"]
    return box.get("value")


class Daemon:
    def __init__(self, node, version, argv, env, directory):
        self.node, self.version = node, version
        number = next(COUNTER)
        self.log_path = os.path.join(directory, f"log{number}")
        self.out_path = os.path.join(directory, f"out{number}")
        program = [RELEASED[version]] if is_released(version) else ["/usr/bin/python3", "-B", STANDIN]
        environment = {"PATH": os.environ["PATH"], "FLANNELD_STANDIN_VERSION": version, **(env or {})}
        with open(self.log_path, "wb") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", node.name, *program, *argv], stdout=out, stderr=log, env=environment, stdin=subprocess.DEVNULL
            )

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def out(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def messages(self):
        """Log lines without their head."""
        return [re.sub(r"^[IWEF]\d{4} .*?\] ", "", line) for line in self.log().splitlines()]

    def wait_log(self, text, seconds=10):
        def ask():
            if text in self.log():
                return True
            if self.process.poll() is not None and text not in self.log():
                raise AssertionError(f"ended with {self.process.returncode} without saying {text!r}:\n{self.log()}")
            return False

        try:
            wait_for(ask, seconds, text)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.log()}") from None
        return self

    def wait_exit(self, seconds=10):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds} s:\n{self.log()}") from None

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self

    def running(self):
        return self.process.poll() is None

    def close(self):
        if self.running():
            self.process.kill()
        self.process.wait()


class Node:
    def __init__(self, sandbox, number, segment=0, mtu=1500):
        self.sandbox, self.number = sandbox, number
        unique = next(COUNTER)  # the kernel takes its time to free the names of a dead namespace
        self.name = f"{sandbox.tag}n{unique}"
        self.address = f"10.99.{segment}.{10 + number}"
        self.directory = os.path.join(sandbox.directory, f"node{number}")
        os.makedirs(self.directory, exist_ok=True)
        self.subnet_file = os.path.join(self.directory, "subnet.env")
        self.veth = veth = f"v{unique}"
        sandbox.nodes.append(self)
        sh("ip", "netns", "add", self.name)
        sh("ip", "link", "add", veth, "netns", sandbox.lan, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        sh("ip", "-n", sandbox.lan, "link", "set", veth, "master", f"br{segment}", "mtu", str(mtu), "up")
        self.ip("link", "set", "lo", "up")
        self.ip("link", "set", "eth0", "mtu", str(mtu), "up")
        self.ip("addr", "add", f"{self.address}/24", "dev", "eth0")
        self.ip("route", "add", "default", "via", f"10.99.{segment}.1")

    def ip(self, *words, check=True):
        return sh("ip", "-n", self.name, *words, check=check)

    def run(self, *argv, check=True):
        return sh("ip", "netns", "exec", self.name, *argv, check=check)

    def routes(self):
        """Routes but the default and the connected ones, as `ip route` prints them."""
        lines = [line.strip() for line in self.ip("route", "show").splitlines()]
        return sorted(line for line in lines if not line.startswith("default") and "proto kernel" not in line)

    def subnet_env(self):
        with open(self.subnet_file, encoding="ascii") as file:
            return file.read()

    def subnet(self):
        """The node's subnet out of subnet.env: 10.1.7.0/24."""
        address, length = re.search(r"FLANNEL_SUBNET=([\d.]+)/(\d+)", self.subnet_env()).groups()
        parts = address.split(".")
        parts[3] = str(int(parts[3]) - 1)
        return ".".join(parts) + "/" + length

    def start(self, version, *argv, env=None, prefix=None, wait=True, endpoints=None):
        words = [f"--etcd-endpoints={endpoints or self.sandbox.endpoint}", f"--subnet-file={self.subnet_file}"]
        words.append(f"--etcd-prefix={prefix or self.sandbox.prefix}")
        daemon = Daemon(self, version, [*words, *argv], env, self.sandbox.directory)
        self.sandbox.daemons.append(daemon)
        if wait:
            daemon.wait_log("Waiting for ")  # the own lease was read back: all is running
        return daemon


class Sandbox:
    """One LAN (two segments when asked), one etcd with the v2 and the v3 API."""

    def __init__(self, segments=1, etcd_flags=()):
        self.tag = f"fl{os.getpid() % 100000}x{next(COUNTER)}"
        self.lan = self.tag + "lan"
        self.directory = tempfile.mkdtemp(prefix="netctl-flannel-")
        self.daemons, self.nodes = [], []
        self.prefix = "/coreos.com/network"
        self.endpoint = "http://10.99.0.1:2379"
        self.etcd = None
        self.etcd_flags = list(etcd_flags)
        sh("ip", "netns", "add", self.lan)
        try:
            sh("ip", "-n", self.lan, "link", "set", "lo", "up")
            sh("ip", "netns", "exec", self.lan, "sh", "-c", "echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables; echo 1 >/proc/sys/net/ipv4/ip_forward")
            for segment in range(segments):
                sh("ip", "-n", self.lan, "link", "add", f"br{segment}", "type", "bridge")
                sh("ip", "-n", self.lan, "addr", "add", f"10.99.{segment}.1/24", "dev", f"br{segment}")
                sh("ip", "-n", self.lan, "link", "set", f"br{segment}", "up")
            self.start_etcd()
        except BaseException:
            self.close()
            raise

    def start_etcd(self):
        data = os.path.join(self.directory, "etcd")
        urls = self.endpoint
        argv = ["ip", "netns", "exec", self.lan, "etcd", "--enable-v2", "--data-dir", data, "--listen-client-urls", urls]
        argv += ["--advertise-client-urls", urls, "--listen-peer-urls", "http://127.0.0.1:2380", "--logger", "zap", *self.etcd_flags]
        with open(os.path.join(self.directory, "etcd.log"), "ab") as log:
            self.etcd = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(self.etcd_ready, 20, "etcd")

    def etcd_ready(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.http("GET", "/health")[0] == 200
        return False

    def stop_etcd(self):
        if self.etcd and self.etcd.poll() is None:
            self.etcd.terminate()
            self.etcd.wait()

    def http(self, method, path, body=None, headers=None):
        def action():
            connection = http.client.HTTPConnection("10.99.0.1", 2379, timeout=5)
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            data = response.read()
            connection.close()
            return response.status, data

        return in_namespace(self.lan, action)

    def v3(self, path, body):
        status, data = self.http("POST", "/v3/" + path, json.dumps(body), {"Content-Type": "application/json"})
        if status != 200:
            raise AssertionError(f"etcd: {status} {data!r}")
        return json.loads(data)

    # -- keys, in the API that the release speaks

    @staticmethod
    def is_v3(version):
        return tuple(int(part) for part in version[1:].split(".")) >= (0, 18, 0)

    def put(self, version, key, value, ttl_seconds=None, prefix=None):
        key = f"{prefix or self.prefix}/{key}"
        if self.is_v3(version):
            body = {"key": b64(key), "value": b64(value)}
            if ttl_seconds:
                body["lease"] = self.v3("lease/grant", {"TTL": ttl_seconds})["ID"]
            self.v3("kv/put", body)
            return
        form = {"value": value, **({"ttl": ttl_seconds} if ttl_seconds else {})}
        status, data = self.http(
            "PUT", "/v2/keys" + urllib.parse.quote(key), urllib.parse.urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert status in (200, 201), data

    def delete(self, version, key, prefix=None):
        key = f"{prefix or self.prefix}/{key}"
        if self.is_v3(version):
            self.v3("kv/deleterange", {"key": b64(key)})
        else:
            self.http("DELETE", "/v2/keys" + urllib.parse.quote(key))

    def config(self, version, config, prefix=None):
        text = config if isinstance(config, str) else json.dumps(config)
        self.put(version, "config", text, prefix=prefix)

    def leases(self, version, prefix=None):
        """{key tail: (value text, TTL seconds or None)}."""
        prefix = (prefix or self.prefix) + "/subnets"
        if self.is_v3(version):
            answer = self.v3("kv/range", {"key": b64(prefix + "/"), "range_end": b64(prefix + "0")})
            found = {}
            for kv in answer.get("kvs", []):
                ttl_seconds = None
                if kv.get("lease", "0") != "0":
                    ttl_seconds = int(self.v3("lease/timetolive", {"ID": kv["lease"]}).get("TTL", 0))
                found[unb64(kv["key"])[len(prefix) + 1 :]] = (unb64(kv.get("value", "")), ttl_seconds)
            return found
        status, data = self.http("GET", "/v2/keys" + urllib.parse.quote(prefix) + "?recursive=true")
        if status != 200:
            return {}
        nodes = json.loads(data)["node"].get("nodes", [])
        return {node["key"][len(prefix) + 1 :]: (node.get("value", ""), node.get("ttl")) for node in nodes}

    def lease_ids(self):
        answer = self.v3("lease/leases", {})
        return {lease["ID"] for lease in answer.get("leases", [])}

    def node(self, segment=0, mtu=1500):
        return Node(self, len(self.nodes) + 1, segment, mtu)

    def clear(self):
        """Ends the daemons and the nodes and empties etcd, for the next test."""
        for daemon in self.daemons:
            daemon.close()
        for node in self.nodes:
            sh("ip", "-n", self.lan, "link", "del", node.veth, check=False)
            sh("ip", "netns", "del", node.name, check=False)
            shutil.rmtree(node.directory, ignore_errors=True)
        self.daemons, self.nodes = [], []
        if self.etcd and self.etcd.poll() is None:
            self.v3("kv/deleterange", {"key": b64("\0"), "range_end": b64("\0")})
            for lease in self.lease_ids():
                self.v3("lease/revoke", {"ID": lease})
            self.http("DELETE", "/v2/keys/coreos.com?recursive=true")

    def close(self):
        with contextlib.suppress(Exception):
            self.clear()
        self.stop_etcd()
        sh("ip", "netns", "del", self.lan, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


def b64(text):
    return base64.b64encode(text.encode()).decode()


def unb64(text):
    return base64.b64decode(text).decode("utf-8", "replace")


def can_run():
    """Why the tests cannot run here, or an empty text."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux"
    for program in ("ip", "bridge", "iptables", "etcd", "etcdctl", "openssl"):
        if not shutil.which(program):
            return f"needs {program}"
    return ""
