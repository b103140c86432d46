#!/usr/bin/python3
"""netctl's stand-in for flanneld, for the lab only.

It behaves as the flanneld release named by BAKED_VERSION (or by the environment
variable FLANNELD_STANDIN_VERSION): flags, exit codes, etcd v2 or v3 leases,
subnet.env, routes, FDB, ARP and iptables rules. The quirks and the bugs of a
release are reproduced on purpose: netctl has to live with them.

What it does not do ends with a message that says so and exit code 1: Kubernetes,
IPv6 and dual stack, nftables mode, and every backend but host-gw, vxlan and alloc.

Variables of its own, which no flanneld knows:
  FLANNELD_STANDIN_VERSION      release to behave as, e.g. v0.20.2
  FLANNELD_STANDIN_TTL_SECONDS  life of a lease (default 86400). The renewal
                                margin shrinks in the same proportion.
  FLANNELD_STANDIN_RETRY_SECONDS  pause after a failed renewal (default 60)
"""

import base64
import errno
import http.client
import http.server
import ipaddress
import json
import os
import queue
import random
import re
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from datetime import datetime, timezone

BAKED_VERSION = ""  # make-archive writes the release here

IPV4_ALL = 0xFFFFFFFF
RACE_TRIES = 10
CANDIDATES = 100


# ---------------------------------------------------------------- the release


class Release:
    """A release tag that can be compared: `release >= "0.18.0"`."""

    def __init__(self, tag):
        match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)", tag)
        if not match:
            raise SystemExit(f"flanneld stand-in: {tag!r} is no release; give one such as v0.20.2")
        self.parts = tuple(int(part) for part in match.groups())
        self.tag = "v" + ".".join(match.groups())
        if self.parts < (0, 8, 0):
            raise SystemExit(f"flanneld stand-in: {self.tag} is too old; v0.8.0 is the oldest it knows")

    @staticmethod
    def _parts(text):
        return tuple(int(part) for part in text.split("."))

    def __ge__(self, text):
        return self.parts >= self._parts(text)

    def __lt__(self, text):
        return self.parts < self._parts(text)

    def within(self, first, last):
        return self._parts(first) <= self.parts <= self._parts(last)


REL = None  # the release, set in main()


class GoPanic(Exception):
    """A place where the real daemon crashes: message on stderr, exit code 2."""


class Fail(Exception):
    """An error value of the real daemon, with its text."""


class NotSupported(Fail):
    """Something that only the real daemon does."""


def die_of_panic(problem):
    sys.stderr.write(f"panic: {problem}\n\ngoroutine 1 [running]:\n\t(netctl's stand-in for flanneld {REL.tag})\n")
    sys.stderr.flush()
    os._exit(2)


def start_thread(target, *args):
    def body():
        try:
            target(*args)
        except GoPanic as problem:
            die_of_panic(problem)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread


# ------------------------------------------------------------------------ log


class Log:
    """glog and klog write the same line: severity, date, time, pid, place."""

    verbosity = 0

    def __init__(self, place):
        self.place = place

    def _write(self, severity, text):
        now = datetime.now()
        line = sys._getframe(2).f_lineno
        stamp = now.strftime("%m%d %H:%M:%S.%f")
        text = text.rstrip("\n")
        try:
            os.write(2, f"{severity}{stamp} {os.getpid():7d} {self.place}:{line}] {text}\n".encode("utf-8", "replace"))
        except OSError:
            pass  # nobody reads stderr any more: the real daemon goes on too

    def info(self, text):
        self._write("I", text)

    def warning(self, text):
        self._write("W", text)

    def error(self, text):
        self._write("E", text)

    def v(self, level, text):
        if level <= Log.verbosity:
            self._write("I", text)


log_main = Log("main.go")
log_match = Log("match.go")  # main.go before v0.15.0
log_rules = Log("main.go")  # iptables.go in later ones
log_manager = Log("local_manager.go")
log_monitor = Log("local_manager.go")  # main.go before v0.20.0
log_registry = Log("registry.go")
log_watch = Log("watch.go")
log_vxlan = Log("vxlan.go")
log_vxlan_net = Log("vxlan_network.go")
log_device = Log("device.go")
log_route = Log("route_network.go")
log_backend = Log("route_network.go")
log_iptables = Log("iptables.go")


# ------------------------------------------------------- flags, the Go way


def flag_table(release):
    """(name, kind, default, struct field) of every flag of a release, spec 4.1."""
    table = [
        ("etcd-endpoints", "string", "http://127.0.0.1:4001,http://127.0.0.1:2379", "etcdEndpoints"),
        ("etcd-prefix", "string", "/coreos.com/network", "etcdPrefix"),
        ("etcd-keyfile", "string", "", "etcdKeyfile"),
        ("etcd-certfile", "string", "", "etcdCertfile"),
        ("etcd-cafile", "string", "", "etcdCAFile"),
        ("etcd-username", "string", "", "etcdUsername"),
        ("etcd-password", "string", "", "etcdPassword"),
        ("version", "bool", False, "version"),
        ("kube-subnet-mgr", "bool", False, "kubeSubnetMgr"),
        ("kube-api-url", "string", "", "kubeApiUrl"),
    ]
    if release >= "0.11.0":
        table.append(("kube-annotation-prefix", "string", "flannel.alpha.coreos.com", "kubeAnnotationPrefix"))
    table += [
        ("kubeconfig-file", "string", "", "kubeConfigFile"),
        ("iface", "list", (), "iface"),
        ("iface-regex", "list", (), "ifaceRegex"),
        ("ip-masq", "bool", False, "ipMasq"),
    ]
    if release >= "0.27.4":
        table.append(("ip-masq-fully-random-disable", "bool", False, "ipMasqRandomFullyDisable"))
    if release >= "0.18.0":
        table.append(("iface-can-reach", "string", "", "ifaceCanReach"))
    table += [
        ("subnet-file", "string", "/run/flannel/subnet.env", "subnetFile"),
        ("public-ip", "string", "", "publicIP"),
    ]
    if release >= "0.15.0":
        table.append(("public-ipv6", "string", "", "publicIPv6"))
    table += [
        ("subnet-lease-renew-margin", "int", 60, "subnetLeaseRenewMargin"),
        ("healthz-ip", "string", "0.0.0.0", "healthzIP"),
        ("healthz-port", "int", 0, "healthzPort"),
    ]
    if release >= "0.11.0":
        table.append(("iptables-resync", "int", 5, "iptablesResyncSeconds"))
        table.append(("iptables-forward-rules", "bool", True, "iptablesForwardRules"))
    if release >= "0.27.1":
        table.append(("ip-blackhole-route", "bool", False, "blackholeRoute"))
    if release >= "0.12.0":
        table.append(("net-config-path", "string", "/etc/kube-flannel/net-conf.json", "netConfPath"))
    if release >= "0.15.0":
        table.append(("set-node-network-unavailable", "bool", True, "setNodeNetworkUnavailable"))
    if release.within("0.21.0", "0.22.3"):
        table.append(("use-multi-cluster-cidr", "bool", False, "useMultiClusterCidr"))
    table += [("v", "level", 0, None), ("vmodule", "vmodule", "", None), ("log_backtrace_at", "trace", "", None)]
    return table


def go_int(text):
    """strconv.ParseInt(text, 0, 64). Returns (value, problem); a bad text leaves 0."""
    match = re.fullmatch(r"([+-]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]*|0[bB][01]+|[1-9][0-9]*)", text)
    if not match:
        return 0, "parse error"
    sign, digits = match.groups()
    if re.fullmatch(r"0[0-7]+", digits):
        value = int(digits, 8)
    else:
        value = int(digits, 0)
    value = -value if sign == "-" else value
    if value > 2**63 - 1:
        return 2**63 - 1, "value out of range"
    if value < -(2**63):
        return -(2**63), "value out of range"
    return value, None


def go_bool(text):
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True, None
    if text in ("0", "f", "F", "FALSE", "false", "False"):
        return False, None
    return False, "parse error"


class Options:
    def __init__(self, release, program):
        self.program = program
        self.table = flag_table(release)
        self.kinds = {name: kind for name, kind, _, _ in self.table}
        self.values = {name: (list(default) if kind == "list" else default) for name, kind, default, _ in self.table}
        self.given = set()

    def __getitem__(self, name):
        return self.values.get(name)

    def set(self, name, text):
        """Takes a value as Go's flag package does: a bad one is stored as zero and reported."""
        kind = self.kinds[name]
        problem = None
        if kind in ("int", "level"):
            self.values[name], problem = go_int(text)
        elif kind == "bool":
            self.values[name], problem = go_bool(text)
        elif kind == "list":
            self.values[name].append(text)
        else:
            self.values[name] = text
        return problem

    def parse(self, words):
        words = list(words)
        while words:
            word = words[0]
            if len(word) < 2 or word[0] != "-":
                return  # the first positional word ends parsing; the rest is never looked at
            dashes = 2 if word.startswith("--") else 1
            if word == "--":
                return
            words.pop(0)
            name, equals, text = word[dashes:].partition("=")
            if not name or name[0] == "-" or word[dashes] == "=":
                self.fail(f"bad flag syntax: {word}")
            if name not in self.kinds:
                if name in ("help", "h"):
                    self.usage()
                self.fail(f"flag provided but not defined: -{name}")
            if self.kinds[name] == "bool":
                problem = self.set(name, text if equals else "true")
                if problem and equals:
                    self.fail(f'invalid boolean value "{text}" for -{name}: {problem}')
            else:
                if not equals:
                    if not words:
                        self.fail(f"flag needs an argument: -{name}")
                    text = words.pop(0)
                problem = self.set(name, text)
                if problem:
                    self.fail(f'invalid value "{text}" for flag -{name}: {problem}')
            self.given.add(name)

    def fail(self, text):
        sys.stderr.write(text + "\n")
        self.usage()

    def usage(self):
        """Usage on stderr and exit 0, also after a mistake: spec 4.1."""
        lines = [f"Usage: {self.program} [OPTION]..."]
        for name, kind, default, _ in sorted(self.table):
            words = {"string": " string", "int": " int", "list": " value", "bool": "", "level": " value"}.get(kind, " value")
            said = f' (default "{default}")' if kind == "string" and default else ""
            if kind == "int" and default:
                said = f" (default {default})"
            if kind == "bool" and default:
                said = " (default true)"
            lines.append(f"  -{name}{words}\n    \t{name.replace('-', ' ')}{said}")
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()
        sys.exit(0)

    def take_environment(self, environment):
        """After the command line, only flags not given there, only non-empty values."""
        problem = None
        for name in sorted(self.kinds):
            if name in self.given:
                continue
            variable = "FLANNELD_" + name.upper().replace("-", "_")
            text = environment.get(variable, "")
            if text and name != "version":
                bad = self.set(name, text)
                if bad:
                    problem = f'invalid value "{text}" for {variable}: {bad}'
            elif text:
                self.set(name, text)
        return problem

    def struct_text(self):
        """What Go's %+v prints of the options, for the `CLI flags config` line."""
        words = []
        for name, kind, _, field in self.table:
            if field is None:
                continue
            value = self.values[name]
            if kind == "list":
                shown = "[" + " ".join(value) + "]"
            elif kind == "bool":
                shown = "true" if value else "false"
            else:
                shown = str(value)
            if REL < "0.17.0":  # fields that no flag sets
                if field == "version":
                    words += ["help:false", "version:" + shown, "autoDetectIPv4:false", "autoDetectIPv6:false"]
                    continue
                if field == "publicIP":
                    words.append("subnetDir:")
                if field == "iptablesResyncSeconds":
                    words += ["charonExecutablePath:", "charonViciUri:"]
            words.append(f"{field}:{shown}")
        return "{" + " ".join(words) + "}"


# -------------------------------------------------------------------- addresses


def ip_text(number):
    return str(ipaddress.IPv4Address(number & IPV4_ALL))


def parse_ipv4_octets(text):
    """A dotted IPv4 address as Go reads it, or None. Leading zeros: only Go < 1.17 took them."""
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)\.(\d+)", text, re.ASCII)
    if not match:
        return None
    number = 0
    for octet in match.groups():
        if len(octet) > 1 and octet[0] == "0" and REL >= "0.16.3":
            return None
        if len(octet) > 16 or int(octet) > 255:
            return None
        number = number << 8 | int(octet)
    return number


def parse_ipv6(text):
    if "%" in text or ":" not in text:
        return None
    try:
        return int(ipaddress.IPv6Address(text))
    except ValueError:
        return None


def v4_of_mapped(number):
    return number & IPV4_ALL if number >> 32 == 0xFFFF else None


def go_parse_ip4(text):
    """flannel's ParseIP4: IPv4, or IPv6 that maps IPv4; other IPv6 crashes or fails by release."""
    number = parse_ipv4_octets(text)
    if number is not None:
        return number
    six = parse_ipv6(text)
    if six is None:
        raise Fail("invalid IP address format" if REL >= "0.28.0" else "Invalid IP address format")
    number = v4_of_mapped(six)
    if number is not None:
        return number
    crash_of_ipv6("invalid IPv4 address format")


def crash_of_ipv6(later_text):
    if REL >= "0.28.9":
        raise Fail(later_text)
    if REL >= "0.13.0":
        raise GoPanic("Address is not an IPv4 address")
    raise GoPanic("runtime error: index out of range")


class Net4:
    __slots__ = ("ip", "len")

    def __init__(self, ip, length):
        self.ip = ip & IPV4_ALL
        self.len = length

    @property
    def mask(self):
        return (IPV4_ALL << (32 - self.len)) & IPV4_ALL if self.len <= 32 else 0

    @property
    def size(self):
        return 1 << (32 - self.len) if self.len <= 32 else 0

    def masked(self):
        return Net4(self.ip & self.mask, self.len)

    def contains(self, ip):
        return self.ip & self.mask == ip & self.mask

    def overlaps(self, other):
        mask = self.mask if self.len < other.len else other.mask
        return self.ip & mask == other.ip & mask

    def is_empty(self):
        return self.ip == 0 and self.len == 0

    def __eq__(self, other):
        return isinstance(other, Net4) and (self.ip, self.len) == (other.ip, other.len)

    def __hash__(self):
        return hash((self.ip, self.len))

    def __str__(self):
        return f"{ip_text(self.ip)}/{self.len}"


ZERO_NET = Net4(0, 0)


def go_parse_cidr4(text):
    """Net4.UnmarshalJSON of flannel on text whose double quotes were stripped."""
    bad = Fail(f"invalid CIDR address: {text}")
    address, slash, length = text.partition("/")
    if not slash or not re.fullmatch(r"\d+", length, re.ASCII):
        raise bad
    number = parse_ipv4_octets(address)
    if number is not None:
        if int(length) > 32:
            raise bad
        return Net4(number, int(length)).masked()
    six = parse_ipv6(address)
    if six is None or int(length) > 128:
        raise bad
    return crash_of_ipv6("invalid IPv4 CIDR format")


def go_parse_cidr6(text):
    bad = Fail(f"invalid CIDR address: {text}")
    address, slash, length = text.partition("/")
    if not slash or not re.fullmatch(r"\d+", length, re.ASCII):
        raise bad
    number = parse_ipv4_octets(address)
    if number is not None and int(length) <= 32:
        number, length = 0xFFFF00000000 | number, int(length) + 96
    else:
        number = parse_ipv6(address)
        if number is None or int(length) > 128:
            raise bad
        length = int(length)
    mask = ((1 << 128) - 1) ^ ((1 << (128 - length)) - 1)
    return (number & mask, length)


# ------------------------------------------------------------- JSON, the Go way


class Node:
    __slots__ = ("kind", "value", "raw")

    def __init__(self, kind, value, raw):
        self.kind, self.value, self.raw = kind, value, raw


def quote_char(char):
    if char == "'":
        return r"'\''"
    if char == '"':
        return "'\"'"
    shown = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\\": r"\\", "\0": r"\x00"}.get(char)
    if shown is None:
        shown = char if char.isprintable() else f"\\x{ord(char):02x}"
    return f"'{shown}'"


class GoJson:
    """encoding/json's scanner, near enough: strict syntax, raw texts kept, duplicate keys kept in order."""

    SPACE = " \t\r\n"
    NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
    STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')

    def __init__(self, data):
        self.text = data.decode("latin-1")  # bytes as characters, as the scanner counts them
        self.at = 0

    @classmethod
    def parse(cls, data):
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        reader = cls(data)
        node = reader.value()
        reader.skip()
        if reader.at < len(reader.text):
            reader.bad("after top-level value")
        return node

    def bad(self, where):
        if self.at >= len(self.text):
            raise Fail("unexpected end of JSON input")
        raise Fail(f"invalid character {quote_char(self.text[self.at])} {where}")

    def skip(self):
        while self.at < len(self.text) and self.text[self.at] in self.SPACE:
            self.at += 1

    def peek(self):
        self.skip()
        return self.text[self.at] if self.at < len(self.text) else ""

    def value(self):
        first = self.peek()
        start = self.at
        if first == "{":
            value, kind = self.object(), "object"
        elif first == "[":
            value, kind = self.array(), "array"
        elif first == '"':
            value, kind = self.string(), "string"
        elif first == "-" or first.isdigit():
            match = self.NUMBER.match(self.text, self.at)
            if not match:
                self.at += 1
                self.bad("in numeric literal")
            self.at = match.end()
            value, kind = match.group(), "number"
        else:
            for word, kind, value in (("true", "bool", True), ("false", "bool", False), ("null", "null", None)):
                if first and first == word[0]:
                    for offset, letter in enumerate(word):
                        if self.text[self.at : self.at + 1] != letter:
                            self.bad(f"in literal {word} (expecting {quote_char(word[offset])})")
                        self.at += 1
                    break
            else:
                self.bad("looking for beginning of value")
        return Node(kind, value, self.text[start : self.at])

    def string(self):
        match = self.STRING.match(self.text, self.at)
        if not match:
            scan = self.at + 1
            while scan < len(self.text) and self.text[scan] != '"':
                char = self.text[scan]
                if char < " ":
                    self.at = scan
                    self.bad("in string literal")
                if char == "\\":
                    scan += 1
                    if scan < len(self.text) and self.text[scan] not in '"\\/bfnrtu':
                        self.at = scan
                        self.bad("in string escape code")
                    if scan < len(self.text) and self.text[scan] == "u":
                        for _ in range(4):
                            scan += 1
                            if scan < len(self.text) and self.text[scan] not in "0123456789abcdefABCDEF":
                                self.at = scan
                                self.bad("in \\u hexadecimal character escape")
                scan += 1
            self.at = len(self.text)
            self.bad("")
        self.at = match.end()
        raw = match.group().encode("latin-1").decode("utf-8", "replace")
        return json.loads(raw, strict=False)

    def object(self):
        members = []
        self.at += 1
        if self.peek() == "}":
            self.at += 1
            return members
        while True:
            if self.peek() != '"':
                self.bad("looking for beginning of object key string")
            key = self.string()
            if self.peek() != ":":
                self.bad("after object key")
            self.at += 1
            members.append((key, self.value()))
            after = self.peek()
            if after == "}":
                self.at += 1
                return members
            if after != ",":
                self.bad("after object key:value pair")
            self.at += 1

    def array(self):
        items = []
        self.at += 1
        if self.peek() == "]":
            self.at += 1
            return items
        while True:
            items.append(self.value())
            after = self.peek()
            if after == "]":
                self.at += 1
                return items
            if after != ",":
                self.bad("after array element")
            self.at += 1


def fold(key):
    return key.replace("\u212a", "k").replace("\u017f", "s").lower()


def go_kind(node):
    return "number " + node.raw if node.kind == "number" else node.kind


INT_LIMITS = {"uint": (0, 2**64 - 1), "uint16": (0, 2**16 - 1), "uint32": (0, 2**32 - 1), "int": (-(2**63), 2**63 - 1)}


def go_decode(node, struct, struct_type, fields):
    """json.Unmarshal into a struct. `fields`: name -> kind. Returns the members that were set.

    A value with a decoder of its own fails at once; a plain type error is kept
    until the end and the first one is reported.
    """
    if node.kind == "null":
        return {}
    if node.kind != "object":
        raise Fail(f"json: cannot unmarshal {node.kind} into Go value of type {struct_type}")
    folded = {fold(name): name for name in fields}
    result, first_problem = {}, None
    for key, item in node.value:
        name = key if key in fields else folded.get(fold(key))
        if name is None:
            continue
        kind = fields[name]
        raw = item.raw.encode("latin-1").decode("utf-8", "replace")
        if kind == "raw":
            result[name] = raw
            continue
        if kind in ("net4", "net6", "ip4", "ip6p", "mac"):
            text = raw.strip('"')
            if kind == "net4":
                result[name] = go_parse_cidr4(text)
            elif kind == "ip4":
                result[name] = go_parse_ip4(text)
            elif kind == "net6":
                result[name] = go_parse_cidr6(text)
            elif kind == "mac":
                if item.kind != "string":
                    raise Fail("error parsing hardware addr")
                if not re.fullmatch(r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", text):
                    raise Fail(f"address {text}: invalid MAC address")
                result[name] = text.lower()
            elif item.kind != "null":
                four = parse_ipv4_octets(text)
                six = parse_ipv6(text) if four is None else 0xFFFF00000000 | four
                if six is None:
                    raise Fail("invalid IP address format" if REL >= "0.28.0" else "Invalid IP address format")
                result[name] = six
            continue
        if item.kind == "null":
            continue
        wanted = {"bool": "bool", "string": "string"}.get(kind, "number")
        good = item.kind == wanted
        if good and wanted == "number":
            low, high = INT_LIMITS[kind]
            good = re.fullmatch(r"-?\d+", item.value) is not None and low <= int(item.value) <= high
        if good:
            result[name] = int(item.value) if wanted == "number" else item.value
        elif first_problem is None:
            first_problem = f"json: cannot unmarshal {go_kind(item)} into Go struct field {struct}.{name} of type {kind}"
    if first_problem:
        raise Fail(first_problem)
    return result


# ---------------------------------------------------------- network configuration


class NetworkConfig:
    def __init__(self):
        self.network = ZERO_NET
        self.subnet_len = 0
        self.subnet_min = 0
        self.subnet_max = 0
        self.enable_ipv4 = True
        self.enable_ipv6 = False
        self.enable_nftables = False
        self.network6 = None
        self.len6 = 0
        self.min6 = None
        self.max6 = None
        self.backend = ""
        self.backend_type = "udp"


def parse_config(data):
    """ParseConfig and, from v0.20.0, CheckNetworkConfig: spec 1.2 to 1.8."""
    node = GoJson.parse(data)
    fields = {"Network": "net4", "SubnetLen": "uint", "SubnetMin": "ip4", "SubnetMax": "ip4", "Backend": "raw"}
    if REL >= "0.15.0":
        fields.update(EnableIPv4="bool", EnableIPv6="bool", IPv6Network="net6", IPv6SubnetLen="uint")
        fields.update(IPv6SubnetMin="ip6p", IPv6SubnetMax="ip6p")
    if REL >= "0.25.0":
        fields["EnableNFTables"] = "bool"
    found = go_decode(node, "Config", "subnet.Config", fields)
    config = NetworkConfig()
    config.network = found.get("Network", ZERO_NET)
    config.subnet_len = found.get("SubnetLen", 0)
    config.subnet_min = found.get("SubnetMin", 0)
    config.subnet_max = found.get("SubnetMax", 0)
    config.enable_ipv4 = found.get("EnableIPv4", True)
    config.enable_ipv6 = found.get("EnableIPv6", False)
    config.enable_nftables = found.get("EnableNFTables", False)
    config.network6 = found.get("IPv6Network")
    config.len6 = found.get("IPv6SubnetLen", 0)
    config.min6 = found.get("IPv6SubnetMin") or None
    config.max6 = found.get("IPv6SubnetMax") or None
    config.backend = found.get("Backend", "")
    late = REL >= "0.20.0"
    if late:
        config.backend_type = parse_backend_type(config.backend)
    if config.enable_ipv4:
        check_ipv4(config)
    if config.enable_ipv6:
        check_ipv6(config)
    if not late:
        config.backend_type = parse_backend_type(config.backend)
    return config


def parse_backend_type(raw):
    if not raw:
        return "udp"
    try:
        node = GoJson.parse(raw)
        found = go_decode(node, "", "struct { Type string }", {"Type": "string"})
    except Fail as problem:
        raise Fail(f"error decoding Backend property of config: {problem}") from None
    return found.get("Type", "")


def check_ipv4(config):
    capital = REL < "0.20.0"
    network = config.network
    prefix = network.len
    if REL >= "0.19.2" and network.is_empty():
        raise Fail(("P" if capital else "p") + "lease define a correct Network parameter in the flannel config")
    if REL < "0.10.0":
        if config.subnet_len > 0:
            if config.subnet_len < prefix:
                raise Fail("HostSubnet is larger network than Network")
        else:
            config.subnet_len = 24 if prefix < 24 else prefix + 1
    elif config.subnet_len > 0:
        if config.subnet_len > 30:
            raise Fail("SubnetLen must be less than /31")
        if config.subnet_len < prefix + 2:
            raise Fail(("N" if capital else "n") + "etwork must be able to accommodate at least four subnets")
    elif prefix > 28:
        raise Fail(("N" if capital else "n") + "etwork is too small. Minimum useful network prefix is /28")
    else:
        config.subnet_len = 24 if prefix <= 22 else prefix + 2
    size = 1 << (32 - config.subnet_len) if config.subnet_len <= 32 else 0
    following = network.ip + network.size
    if config.subnet_min == 0:
        config.subnet_min = (network.ip + size) & IPV4_ALL
    elif not network.contains(config.subnet_min):
        raise Fail("SubnetMin is not in the range of the Network")
    if config.subnet_max == 0:
        config.subnet_max = (following - size) & IPV4_ALL
    elif not network.contains(config.subnet_max):
        raise Fail("SubnetMax is not in the range of the Network")
    if REL >= "0.10.0":
        for name, value in (("SubnetMin", config.subnet_min), ("SubnetMax", config.subnet_max)):
            if value & (size - 1):
                raise Fail(f"{name} is not on a SubnetLen boundary: {ip_text(value)}")


def check_ipv6(config):
    capital = REL < "0.20.0"
    if config.network6 is None or config.network6 == (0, 0):
        if REL >= "0.19.2":
            raise Fail(("P" if capital else "p") + "lease define a correct IPv6Network parameter in the flannel config")
        if config.network6 is None:
            raise GoPanic("runtime error: invalid memory address or nil pointer dereference")
    base, prefix = config.network6
    if config.len6 > 0:
        if config.len6 > 126:
            raise Fail("SubnetLen must be less than /127")
        if config.len6 < prefix + 2:
            raise Fail(("N" if capital else "n") + "etwork must be able to accommodate at least four subnets")
    elif prefix > 124:
        raise Fail("IPv6Network is too small. Minimum useful network prefix is /124")
    else:
        config.len6 = 64 if prefix <= 62 else prefix + 2
    size = 1 << (128 - config.len6)
    span = 1 << (128 - prefix)
    for name, value, default in (("Min", config.min6, base + size), ("Max", config.max6, base + span - size)):
        if value is None:
            value = default
        elif value & ~(span - 1) != base:
            raise Fail(f"IPv6Subnet{name} is not in the range of the IPv6Network")
        if name == "Min":
            config.min6 = value
        else:
            config.max6 = value
    for name, value in (("IPv6SubnetMin", config.min6), ("IPv6SubnetMax", config.max6)):
        if value & (size - 1):
            raise Fail(f"{name} is not on a SubnetLen boundary: {ipaddress.IPv6Address(value)}")


# --------------------------------------------------------------------- leases


class Attrs:
    """The value of a lease key."""

    def __init__(self, public_ip=0, backend_type="", backend_data=None, public_ipv6=None):
        self.public_ip = public_ip
        self.public_ipv6 = public_ipv6
        self.backend_type = backend_type
        self.backend_data = backend_data

    def marshal(self):
        parts = [f'"PublicIP":"{ip_text(self.public_ip)}"']
        if REL >= "0.15.0":
            parts.append('"PublicIPv6":null')
        if self.backend_type:
            parts.append(f'"BackendType":"{self.backend_type}"')
        if self.backend_data:
            parts.append(f'"BackendData":{self.backend_data}')
        return "{" + ",".join(parts) + "}"

    def describe(self):
        six = str(ipaddress.IPv6Address(self.public_ipv6)) if self.public_ipv6 is not None else "(nil)"
        data = self.backend_data or "(nil)"
        return f"BackendType: {self.backend_type}, PublicIP: {ip_text(self.public_ip)}, PublicIPv6: {six}, BackendData: {data}, BackendV6Data: (nil)"

    @staticmethod
    def parse(data):
        fields = {"PublicIP": "ip4", "BackendType": "string", "BackendData": "raw"}
        if REL >= "0.15.0":
            fields.update(PublicIPv6="ip6p", BackendV6Data="raw")
        found = go_decode(GoJson.parse(data), "LeaseAttrs", "subnet.LeaseAttrs", fields)
        return Attrs(found.get("PublicIP", 0), found.get("BackendType", ""), found.get("BackendData"), found.get("PublicIPv6"))


class Lease:
    """subnet6 is None for a plain IPv4 lease; expiration None means that the key never expires (v2)."""

    def __init__(self, subnet, subnet6, attrs, expiration):
        self.subnet, self.subnet6, self.attrs, self.expiration = subnet, subnet6, attrs, expiration


KEY_OLD = re.compile(r"(\d+\.\d+.\d+.\d+)-(\d+)", re.ASCII)
KEY_NEW = re.compile(r"(\d+\.\d+.\d+.\d+)-(\d+)(?:&([a-f\d:]+)-(\d+))?\Z", re.ASCII)


def parse_subnet_key(key):
    """(subnet, subnet6) or None: the table of spec 3.2."""
    new = REL >= "0.17.0"
    match = (KEY_NEW if new else KEY_OLD).search(key)
    if not match:
        return None
    ip = parse_ipv4_octets(match.group(1))
    length = int(match.group(2)) if len(match.group(2)) < 9 else 99
    if ip is None or length > 31:  # the length is read as a number of five bits
        return None
    six = None
    if new and match.group(3):
        ip6, length6 = parse_ipv6(match.group(3)), int(match.group(4))
        if ip6 is None or length6 > 127:
            return None
        six = (ip6, length6)
    return Net4(ip, length), six


def subnet_key(subnet, subnet6=None):
    text = f"{ip_text(subnet.ip)}-{subnet.len}"
    if subnet6:
        text += f"&{ipaddress.IPv6Address(subnet6[0])}-{subnet6[1]}"
    return text


def six_text(subnet6):
    return f"{ipaddress.IPv6Address(subnet6[0])}/{subnet6[1]}" if subnet6 else "::/0"


class Event:
    def __init__(self, kind, lease):
        self.kind, self.lease = kind, lease  # kind: added | removed


# --------------------------------------------------------------- the daemon's life


class Context:
    """One cancel for everything, and the sockets to wake when it comes."""

    def __init__(self):
        self.done = threading.Event()
        self.lock = threading.Lock()
        self.wakers = []

    def cancel(self):
        self.done.set()
        with self.lock:
            wakers, self.wakers = self.wakers, []
        for wake in wakers:
            wake()

    def cancelled(self):
        return self.done.is_set()

    def wait(self, seconds):
        return self.done.wait(seconds)

    def on_cancel(self, wake):
        with self.lock:
            if not self.done.is_set():
                self.wakers.append(wake)
                return
        wake()

    def forget(self, wake):
        with self.lock:
            if wake in self.wakers:
                self.wakers.remove(wake)


class Cancelled(Exception):
    pass


# ------------------------------------------------------------------ talking to etcd


class Unreachable(Fail):
    pass


class EtcdError(Fail):
    def __init__(self, text, code=0, index=0):
        super().__init__(text)
        self.code, self.index = code, index


class Endpoints:
    """Several etcd endpoints over HTTP; the one that answered last is asked first."""

    def __init__(self, ctx, texts, tls):
        self.ctx = ctx
        self.tls = tls
        self.urls = []
        for text in texts:
            url = urllib.parse.urlsplit(text if "://" in text else ("https://" if tls else "http://") + text)
            self.urls.append(url)
        self.last_good = 0

    def connect(self, url, timeout_seconds):
        port = url.port or (443 if url.scheme == "https" else 80)
        if url.scheme == "https":
            context = self.tls or ssl.create_default_context()
            return http.client.HTTPSConnection(url.hostname, port, timeout=timeout_seconds, context=context)
        return http.client.HTTPConnection(url.hostname, port, timeout=timeout_seconds)

    def order(self):
        count = len(self.urls)
        return [(self.last_good + step) % count for step in range(count)]

    def request(self, method, path, body, headers, timeout_seconds=5, stream=False):
        """(status, headers, body bytes), or with `stream` the open (connection, response)."""
        problems = []
        for number in self.order():
            url = self.urls[number]
            connection = self.connect(url, timeout_seconds)
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                if stream:
                    self.last_good = number
                    return connection, response
                data = response.read()
                self.last_good = number
                connection.close()
                return response.status, response.headers, data
            except (OSError, http.client.HTTPException, ValueError) as problem:
                connection.close()
                if self.ctx.cancelled():
                    raise Cancelled from None
                problems.append((url, problem))
        raise Unreachable(self.problem_text(problems))

    def problem_text(self, problems):
        raise NotImplementedError


def dial_text(url, problem):
    port = url.port or (443 if url.scheme == "https" else 80)
    reason = str(problem)
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"x509: {problem.verify_message}"
    if isinstance(problem, ConnectionRefusedError):
        reason = "connect: connection refused"
    elif isinstance(problem, (socket.timeout, TimeoutError)):
        reason = "i/o timeout"
    elif isinstance(problem, OSError) and problem.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        reason = "connect: " + os.strerror(problem.errno).lower()
    elif isinstance(problem, (http.client.RemoteDisconnected, ConnectionResetError)):
        return "EOF"
    return f"dial tcp {url.hostname}:{port}: {reason}"


class V2Endpoints(Endpoints):
    def problem_text(self, problems):
        parts = "; ".join(f"error #{n}: {dial_text(url, problem)}" for n, (url, problem) in enumerate(problems))
        return f"client: etcd cluster is unavailable or misconfigured; {parts}\n"


class V3Endpoints(Endpoints):
    def problem_text(self, problems):
        return dial_text(*problems[-1])


def file_must_open(path):
    try:
        with open(path, "rb"):
            pass
    except OSError as problem:
        raise Fail(f"open {path}: {os.strerror(problem.errno).lower()}") from None


def load_tls(context, cert, key, ca):
    for path in (cert, key, ca):
        if path:
            file_must_open(path)
    try:
        if cert and key:
            context.load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as problem:
        raise Fail(f"tls: failed to load certificate {cert} with key {key}: {problem}") from None
    if ca:
        try:
            context.load_verify_locations(cafile=ca)
        except (ssl.SSLError, OSError) as problem:
            raise Fail(f"could not load certificate authority {ca}: {problem}") from None


def clean_path(*parts):
    """Go's path.Join."""
    joined = "/".join(part for part in parts if part)
    if not joined:
        return ""
    rooted = joined.startswith("/")
    out = []
    for part in joined.split("/"):
        if part in ("", "."):
            continue
        if part == ".." and out and out[-1] != "..":
            out.pop()
        elif part != ".." or not rooted:
            out.append(part)
    text = "/".join(out)
    return "/" + text if rooted else (text or ".")


class V2Registry:
    """Releases up to v0.17.0: etcd's v2 keys API."""

    def __init__(self, ctx, options):
        self.ctx = ctx
        self.prefix = options["etcd-prefix"]
        cert, key, ca = options["etcd-certfile"], options["etcd-keyfile"], options["etcd-cafile"]
        tls = None
        if cert or key or ca:
            if bool(cert) != bool(key):
                raise Fail(f"KeyFile and CertFile must both be present[key: {key}, cert: {cert}]")
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            load_tls(tls, cert, key, ca)
            if not ca:
                tls.load_default_certs()
        self.etcd = V2Endpoints(ctx, options["etcd-endpoints"].split(","), tls)
        self.headers = {}
        if options["etcd-username"]:
            pair = f"{options['etcd-username']}:{options['etcd-password']}"
            self.headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()

    def key_path(self, *parts):
        return "/v2/keys" + urllib.parse.quote(clean_path("/", self.prefix, *parts), safe="/&:=")

    def call(self, method, path, form=None, timeout_seconds=10):
        headers = dict(self.headers)
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        status, answer_headers, data = self.etcd.request(method, path, body, headers, timeout_seconds)
        return self.answer(status, answer_headers, data)

    @staticmethod
    def answer(status, headers, data):
        try:
            answer = json.loads(data) if data else {}
        except ValueError:
            raise Fail("client: response is invalid json. The endpoint is probably not valid etcd cluster endpoint.") from None
        if status not in (200, 201):
            code = answer.get("errorCode", 0)
            index = answer.get("index", 0)
            if not code:
                raise Fail("client: response is invalid json. The endpoint is probably not valid etcd cluster endpoint.")
            text = f"{code}: {answer.get('message', '')} ({answer.get('cause', '')}) [{index}]"
            raise EtcdError(text, code, index)
        return answer, int(headers.get("X-Etcd-Index") or 0)

    def get_config(self):
        answer, _ = self.call("GET", self.key_path("config") + "?quorum=true")
        return answer["node"].get("value", "")

    @staticmethod
    def node_expiration(node):
        text = node.get("expiration")
        return parse_rfc3339(text) if text else None

    def node_lease(self, node):
        found = parse_subnet_key(node["key"])
        if not found:
            raise Fail(f"failed to parse subnet key {node['key']}")
        attrs = Attrs.parse(node.get("value", ""))
        return Lease(found[0], found[1], attrs, self.node_expiration(node))

    def list_leases(self):
        try:
            answer, index = self.call("GET", self.key_path("subnets") + "?recursive=true&quorum=true")
        except EtcdError as problem:
            if problem.code == 100:
                return [], problem.index
            raise
        leases = []
        for node in answer["node"].get("nodes", []):
            try:
                leases.append(self.node_lease(node))
            except Fail as problem:
                log_registry.warning(f"Ignoring bad subnet node: {problem}")
        return leases, index

    def get_lease(self, lease):
        answer, index = self.call("GET", self.key_path("subnets", subnet_key(lease.subnet)) + "?quorum=true")
        return self.node_lease(answer["node"]), index

    def create(self, subnet, attrs, ttl_seconds):
        answer, _ = self.call(
            "PUT",
            self.key_path("subnets", subnet_key(subnet)) + "?prevExist=false",
            {"value": attrs.marshal(), "ttl": ttl_seconds},
        )
        return self.node_expiration(answer["node"])

    def update(self, subnet, subnet6, attrs, ttl_seconds):
        form = {"value": attrs.marshal()}
        if ttl_seconds:
            form["ttl"] = ttl_seconds
        answer, _ = self.call("PUT", self.key_path("subnets", subnet_key(subnet, subnet6)), form)
        return self.node_expiration(answer["node"])

    def delete(self, subnet, subnet6):
        self.call("DELETE", self.key_path("subnets", subnet_key(subnet, subnet6)))

    def watch_once(self, after_index, lease=None):
        """Waits for one event. (Event or Fail, index of that event)."""
        parts = ("subnets",) if lease is None else ("subnets", subnet_key(lease.subnet))
        query = "?wait=true" + ("&recursive=true" if lease is None else "")
        if after_index:
            query += f"&waitIndex={after_index + 1}"
        while True:
            connection, response = self.etcd.request("GET", self.key_path(*parts) + query, None, self.headers, 10, True)

            def wake():
                close_hard(connection)

            self.ctx.on_cancel(wake)
            try:
                if connection.sock:
                    connection.sock.settimeout(None)
                data = response.read()
            except (OSError, http.client.HTTPException, ValueError, AttributeError):
                if self.ctx.cancelled():
                    raise Cancelled from None
                raise Unreachable("client: etcd cluster is unavailable or misconfigured; error #0: unexpected EOF") from None
            finally:
                self.ctx.forget(wake)
                connection.close()
            if self.ctx.cancelled():
                raise Cancelled
            if not data and response.status == 200:
                continue  # the server's long poll ended without an event
            answer, _ = self.answer(response.status, response.headers, data)
            node = answer["node"]
            index = node["modifiedIndex"]
            try:
                found = parse_subnet_key(node["key"])
                if not found:
                    raise Fail(f'{answer["action"]} "{node["key"]}": not a subnet, skipping')
                if answer["action"] in ("delete", "expire"):
                    return Event("removed", Lease(found[0], found[1], Attrs(), None)), index
                attrs = Attrs.parse(node.get("value", ""))
                return Event("added", Lease(found[0], found[1], attrs, self.node_expiration(node))), index
            except Fail as problem:
                return problem, index


def parse_rfc3339(text):
    match = re.fullmatch(r"(\d+-\d+-\d+T\d+:\d+:\d+)(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    zone = match.group(3).replace("Z", "+00:00")
    whole = datetime.fromisoformat(match.group(1) + zone).timestamp()
    return whole + float(match.group(2) or 0)


def close_hard(connection):
    """Wakes a thread that reads from this connection."""
    sock = connection.sock
    if sock is None:
        return
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class WatchClosed(Exception):
    """The server ended the watch for good: compaction, no leader, no permission."""

    def __init__(self, text, compact_revision=0):
        super().__init__(text)
        self.compact_revision = compact_revision


class Batch:
    def __init__(self, revision, events):
        self.revision, self.events = revision, events  # events: (type, key, value, lease id)


class V3Registry:
    """Releases from v0.18.0: etcd v3, reached through etcd's JSON gateway."""

    def __init__(self, ctx, options):
        self.ctx = ctx
        self.prefix = options["etcd-prefix"]
        self.user, self.password = options["etcd-username"], options["etcd-password"]
        cert, key, ca = options["etcd-certfile"], options["etcd-keyfile"], options["etcd-cafile"]
        tls = None
        if cert and key:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls.minimum_version = ssl.TLSVersion.TLSv1_2
            load_tls(tls, cert, key, ca)
            if not ca:
                tls.load_default_certs()
        elif REL < "0.19.2":
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        else:
            log_registry.warning("no certificate provided: connecting to etcd with http. This is insecure")
        self.etcd = V3Endpoints(ctx, options["etcd-endpoints"].split(","), tls)
        self.token = None
        if self.user and self.password:
            self.authenticate()

    def authenticate(self):
        self.token = None
        answer = self.call("/v3/auth/authenticate", {"name": self.user, "password": self.password}, again=False)
        self.token = answer["token"]

    def headers(self):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = self.token
        return headers

    def call(self, path, body, again=True, timeout_seconds=10):
        """One request. An etcd that cannot be reached is waited for without a word, for
        ever: so does the real client, also when the reason is a refused certificate."""
        pause = 0.1
        while True:
            try:
                status, _, data = self.etcd.request("POST", path, json.dumps(body), self.headers(), timeout_seconds)
                break
            except Unreachable:
                if self.ctx.wait(pause):
                    raise Cancelled from None
                pause = min(pause * 2, 1)
        try:
            answer = json.loads(data) if data else {}
        except ValueError:
            raise Fail(f"etcd answered {status} to {path}: {data[:100]!r}") from None
        if status != 200:
            text = answer.get("error") or answer.get("message") or f"HTTP {status}"
            if again and self.token and "invalid auth token" in text:
                self.authenticate()
                return self.call(path, body, False, timeout_seconds)
            raise EtcdError(text)
        return answer

    @staticmethod
    def b64(text):
        return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()

    @classmethod
    def prefix_range(cls, key):
        data = bytearray(key.encode("utf-8", "surrogateescape"))
        while data and data[-1] == 0xFF:
            data.pop()
        if not data:
            return {"key": cls.b64("\0"), "range_end": cls.b64("\0")}
        data[-1] += 1
        return {"key": cls.b64(key), "range_end": base64.b64encode(bytes(data)).decode()}

    def key(self, *parts):
        return clean_path(self.prefix, *parts)

    def get_config(self):
        answer = self.call("/v3/kv/range", {"key": self.b64(self.key("config"))})
        kvs = answer.get("kvs", [])
        if not kvs:
            if REL < "0.19.0":
                raise Fail("rpc error: code = InvalidArgument desc = etcdserver: key is not provided")
            raise Fail("flannel config not found in etcd store. Did you create your config using etcdv3 API?")
        return base64.b64decode(kvs[0].get("value", ""))

    def time_to_live(self, lease_id):
        answer = self.call("/v3/lease/timetolive", {"ID": str(lease_id)})
        return int(answer.get("TTL", 0))

    def kv_lease(self, kv, ttl_seconds):
        key = base64.b64decode(kv["key"]).decode("utf-8", "surrogateescape")
        found = parse_subnet_key(key)
        if not found:
            raise Fail(f"failed to parse subnet key {key}")
        attrs = Attrs.parse(base64.b64decode(kv.get("value", "")))
        return Lease(found[0], found[1], attrs, time.time() + ttl_seconds)

    def list_leases(self):
        answer = self.call("/v3/kv/range", self.prefix_range(self.key("subnets")))
        leases = []
        for kv in answer.get("kvs", []):
            try:
                ttl_seconds = self.time_to_live(kv.get("lease", "0"))
            except Fail as problem:
                log_registry.warning(f"Could not read ttl: {problem}")
                continue
            try:
                leases.append(self.kv_lease(kv, ttl_seconds))
            except Fail as problem:
                log_registry.warning(f"Ignoring bad subnet node: {problem}")
        return leases, int(answer["header"].get("revision", 0))

    def get_lease(self, lease):
        key = self.key("subnets", subnet_key(lease.subnet, lease.subnet6))
        answer = self.call("/v3/kv/range", {"key": self.b64(key)})
        kvs = answer.get("kvs", [])
        if not kvs:
            raise KeyMissing(int(answer["header"].get("revision", 0)))
        ttl_seconds = self.time_to_live(kvs[0].get("lease", "0"))
        return self.kv_lease(kvs[0], ttl_seconds), int(answer["header"].get("revision", 0))

    def grant(self, ttl_seconds):
        answer = self.call("/v3/lease/grant", {"TTL": str(ttl_seconds)})
        return answer["ID"], int(answer.get("TTL", ttl_seconds))

    def revoke(self, lease_id):
        try:
            self.call("/v3/lease/revoke", {"ID": lease_id})
        except Fail as problem:
            log_registry.error(str(problem))

    def create(self, subnet, attrs, ttl_seconds):
        key = self.key("subnets", subnet_key(subnet))
        lease_id, granted = self.grant(ttl_seconds)
        try:
            answer = self.call(
                "/v3/kv/txn",
                {
                    "compare": [{"key": self.b64(key), "target": "VERSION", "result": "EQUAL", "version": "0"}],
                    "success": [{"request_put": {"key": self.b64(key), "value": self.b64(attrs.marshal()), "lease": lease_id}}],
                },
            )
        except Fail:
            self.revoke(lease_id)
            raise
        if not answer.get("succeeded"):
            self.revoke(lease_id)
            raise Fail("subnet already exists")
        return time.time() + granted

    def update(self, subnet, subnet6, attrs, ttl_seconds):
        key = self.key("subnets", subnet_key(subnet, subnet6))
        lease_id, granted = self.grant(ttl_seconds)
        try:
            self.call("/v3/kv/put", {"key": self.b64(key), "value": self.b64(attrs.marshal()), "lease": lease_id})
        except Fail:
            self.revoke(lease_id)
            raise
        return time.time() + granted

    def delete(self, subnet, subnet6):
        self.call("/v3/kv/deleterange", {"key": self.b64(self.key("subnets", subnet_key(subnet, subnet6)))})

    def watch(self, key, revision):
        """Yields a Batch per answer with events. Ends with WatchClosed or Cancelled.

        A broken connection is taken up again after the last revision seen, as
        etcd's own client does; only the server's word ends a watch.
        """
        next_revision = revision
        pause = 0.05
        while True:
            request = self.prefix_range(key)
            if next_revision:
                request["start_revision"] = str(next_revision)
            headers = self.headers()
            headers["Grpc-Metadata-hasleader"] = "true"
            try:
                connection, response = self.etcd.request(
                    "POST", "/v3/watch", json.dumps({"create_request": request}), headers, 10, True
                )
            except Unreachable:
                if self.ctx.wait(pause):
                    raise Cancelled from None
                pause = min(pause * 2, 2)
                continue
            wake = lambda: close_hard(connection)
            self.ctx.on_cancel(wake)
            try:
                if connection.sock:
                    connection.sock.settimeout(None)
                for line in iter(response.readline, b""):
                    if self.ctx.cancelled():
                        raise Cancelled
                    answer = json.loads(line)
                    if "error" in answer:
                        problem = answer["error"]
                        text = problem.get("message", "") if isinstance(problem, dict) else str(problem)
                        if "no leader" in text or "permission" in text or "auth" in text:
                            raise WatchClosed(text)
                        break
                    result = answer.get("result", {})
                    compacted = int(result.get("compact_revision", 0))
                    if result.get("canceled"):
                        text = "etcdserver: mvcc: required revision has been compacted" if compacted else result.get("cancel_reason", "")
                        raise WatchClosed(text, compacted)
                    pause = 0.05
                    head = int(result.get("header", {}).get("revision", 0))
                    if result.get("created"):
                        if not next_revision:
                            next_revision = head  # and not one more: an interrupted watch repeats that event
                        continue
                    events = [self.event(event) for event in result.get("events", [])]
                    if events:
                        next_revision = max(head + 1, next_revision)
                        yield Batch(head, events)
            except (OSError, http.client.HTTPException, ValueError, AttributeError):
                pass
            finally:
                self.ctx.forget(wake)
                close_hard(connection)
                connection.close()
            if self.ctx.wait(pause):
                raise Cancelled
            pause = min(pause * 2, 2)

    @staticmethod
    def event(event):
        kv = event["kv"]
        key = base64.b64decode(kv["key"]).decode("utf-8", "surrogateescape")
        return event.get("type", "PUT"), key, base64.b64decode(kv.get("value", "")), kv.get("lease", "0")

    def read_event(self, raw):
        kind, key, value, lease_id = raw
        found = parse_subnet_key(key)
        if not found:
            raise Fail(f'{kind} "{key}": not a subnet, skipping')
        if kind == "DELETE":
            return Event("removed", Lease(found[0], found[1], Attrs(), None))
        attrs = Attrs.parse(value)
        expiration = time.time() + self.time_to_live(lease_id)
        return Event("added", Lease(found[0], found[1], attrs, expiration))


class KeyMissing(Fail):
    def __init__(self, revision):
        super().__init__("key not found" if REL < "0.19.0" else "rpc error: code = InvalidArgument desc = etcdserver: key is not provided")
        self.revision = revision


# ----------------------------------------------------------------- lease manager


def go_duration(seconds):
    """A time.Duration as Go prints it."""
    nanos = int(round(seconds * 1e9))
    sign = "-" if nanos < 0 else ""
    nanos = abs(nanos)
    if nanos < 1000000000:
        if nanos == 0:
            return "0s"
        for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
            if nanos >= size:
                return sign + f"{nanos / size:.6f}".rstrip("0").rstrip(".") + unit
    whole, rest = divmod(nanos, 10**9)
    hours, minutes, secs = whole // 3600, whole // 60 % 60, whole % 60
    tail = f".{rest:09d}".rstrip("0").rstrip(".") if rest else ""
    text = f"{secs}{tail}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    if hours:
        text = f"{hours}h{text}"
    return sign + text


class LeaseManager:
    """Acquisition, renewal and the two watches: spec 3.4 to 3.7."""

    def __init__(self, ctx, options, previous):
        self.ctx = ctx
        self.v3 = REL >= "0.18.0"
        prefix = options["etcd-prefix"]
        try:
            re.compile(prefix)
        except re.error as problem:
            raise GoPanic(f"regexp: Compile(`{prefix}/([^/]*)(/|/config)?$`): error parsing regexp: {problem}") from None
        self.registry = (V3Registry if self.v3 else V2Registry)(ctx, options)
        self.previous = previous
        self.ttl_seconds = int(os.environ.get("FLANNELD_STANDIN_TTL_SECONDS") or 86400)
        self.retry_seconds = float(os.environ.get("FLANNELD_STANDIN_RETRY_SECONDS") or 60)
        self.margin_seconds = options["subnet-lease-renew-margin"] * 60 * self.ttl_seconds / 86400
        self.own_watch = None

    def name(self):
        shown = "None" if self.previous.is_empty() else str(self.previous)
        return f"Etcd Local Manager with Previous Subnet: {shown}"

    def get_config(self):
        return parse_config(self.registry.get_config())

    # -- acquisition

    def acquire(self, attrs):
        config = self.get_config()
        for _ in range(RACE_TRIES):
            lease = self.try_acquire(config, attrs)
            if lease:
                return lease
        raise Fail("Max retries reached trying to acquire a subnet")

    @staticmethod
    def compatible(config, lease_subnet, lease_subnet6):
        fits = config.subnet_min <= lease_subnet.ip <= config.subnet_max and lease_subnet.len == config.subnet_len
        return fits and (REL < "0.17.0" or lease_subnet6 is None)

    def describe(self, subnet, subnet6=None):
        if REL >= "0.17.0":
            return f"ip: {subnet} ipv6: {six_text(subnet6)}"
        return str(subnet)

    def take_over(self, lease, attrs):
        # v2 only: a key without expiration is a reservation and stays one. v3 reads
        # TTL -1 for such a key, which is not "no expiration": spec 3.7.
        ttl_seconds = self.ttl_seconds if lease.expiration is not None else 0
        lease.expiration = self.registry.update(lease.subnet, lease.subnet6, attrs, ttl_seconds)
        lease.attrs = attrs
        return lease

    def try_acquire(self, config, attrs):
        leases, _ = self.registry.list_leases()
        own_ip = ip_text(attrs.public_ip)

        mine = next((lease for lease in leases if lease.attrs.public_ip == attrs.public_ip), None)
        if mine:
            if self.compatible(config, mine.subnet, mine.subnet6):
                log_manager.info(f"Found lease ({self.describe(mine.subnet, mine.subnet6)}) for current IP ({own_ip}), reusing")
                return self.take_over(mine, attrs)
            log_manager.info(f"Found lease ({mine.subnet}) for current IP ({own_ip}) but not compatible with current config, deleting")
            self.registry.delete(mine.subnet, mine.subnet6)

        subnet = None
        if not self.previous.is_empty():
            holder = next((lease for lease in leases if lease.subnet == self.previous), None)
            if holder and not self.v3:
                if self.compatible(config, holder.subnet, holder.subnet6):
                    log_manager.info(f"Found lease ({holder.subnet}) matching previously leased subnet, reusing")
                    return self.take_over(holder, attrs)
                log_manager.info(
                    f"Found lease ({holder.subnet}) matching previously leased subnet but not compatible with current config, deleting"
                )
                self.registry.delete(holder.subnet, holder.subnet6)
            elif not holder:
                if self.compatible(config, self.previous, None):
                    log_manager.info(f"Found previously leased subnet ({self.previous}), reusing")
                    subnet = self.previous
                else:
                    log_manager.error(
                        f"Found previously leased subnet ({self.previous}) that is not compatible with the Etcd network config, ignoring"
                    )
        if subnet is None:
            subnet = self.allocate(config, leases)

        try:
            expiration = self.registry.create(subnet, attrs, self.ttl_seconds)
        except EtcdError:
            # v2 takes any answer of the server for a lost race; v3 never retries (its
            # "subnet already exists" is not recognised), so the daemon exits.
            if self.v3:
                raise
            return None
        log_manager.info(f"Allocated lease ({self.describe(subnet)}) to current node ({own_ip}) ")
        return Lease(subnet, None, attrs, expiration)

    @staticmethod
    def allocate(config, leases):
        log_manager.info(f"Picking subnet in range {ip_text(config.subnet_min)} ... {ip_text(config.subnet_max)}")
        size = 1 << (32 - config.subnet_len) if config.subnet_len <= 32 else 0
        # Two things make this walk safe to follow to the letter: the wrap-around at
        # 255.255.255.255 is kept, and it ends because 100 candidates are enough.
        candidates = []
        ip = config.subnet_min
        wraps = 0
        while ip <= config.subnet_max and len(candidates) < CANDIDATES:
            subnet = Net4(ip, config.subnet_len)
            if not any(subnet.overlaps(lease.subnet) for lease in leases):
                candidates.append(subnet)
            following = (ip + size) & IPV4_ALL
            if following <= ip:
                wraps += 1
                if wraps > 2:
                    break
            ip = following
        if not candidates:
            raise Fail("out of subnets")
        return random.choice(candidates)

    # -- renewal and the watch of the own lease

    def monitor(self, lease):
        """Returns "interrupted" when the lease was revoked and "canceled" otherwise."""
        events = queue.SimpleQueue()
        watcher = self.watch_own_v2 if not self.v3 else self.watch_own_single if REL < "0.21.3" else self.watch_own_stream
        self.own_watch = start_thread(self.run_watch, watcher, lease, events)
        self.ctx.on_cancel(lambda: events.put(None))
        due = self.until_renewal(lease)
        while True:
            try:
                event = events.get(timeout=min(max(due, 0), 10**6))
            except queue.Empty:
                if due > 10**6:
                    due -= 10**6
                    continue
                try:
                    lease.expiration = self.registry.update(lease.subnet, lease.subnet6, lease.attrs, self.ttl_seconds)
                except Fail as problem:
                    log_monitor.error(f"Error renewing lease (trying again in 1 min): {problem}")
                    due = self.retry_seconds
                    continue
                except Cancelled:
                    return "canceled"
                log_monitor.info(f"Lease renewed, new expiration: {go_time(lease.expiration)}")
                due = self.until_renewal(lease)
                continue
            if event is None:
                if REL.within("0.18.0", "0.21.2") and self.ctx.cancelled():
                    time.sleep(5)  # the watches crash first
                log_monitor.info("Stopped monitoring lease")
                return "canceled"
            if event.kind == "removed":
                log_monitor.error("Lease has been revoked. Shutting down daemon.")
                return "interrupted"
            lease.expiration = event.lease.expiration
            due = self.until_renewal(lease)
            log_monitor.info(f"Waiting for {go_duration(due)} to renew lease")

    def until_renewal(self, lease):
        if lease.expiration is None:  # v2 reservation: integer overflow makes it 292 years
            return 2562046 * 3600 + 47 * 60 + 16.854775808
        return lease.expiration - time.time() - self.margin_seconds

    def run_watch(self, watcher, *args):
        """A watch until the end of the daemon, with what its end does to the daemon."""
        try:
            watcher(*args)
        except Cancelled:
            if REL.within("0.18.0", "0.21.2"):
                raise GoPanic("runtime error: index out of range [0] with length 0") from None
            if REL >= "0.21.3" and watcher == self.watch_own_stream:
                log_watch.info("context canceled, close receiver chan")
                log_watch.info("leaseWatchChan channel closed")
                if REL < "0.26.3":
                    # Two places close the same channel: v0.21.3 to v0.26.2 crash at every end.
                    raise GoPanic("close of closed channel") from None
            elif REL >= "0.21.3":
                log_watch.error("could not watch leases: context canceled")
            elif REL >= "0.14.0":
                log_watch.info("context canceled, close receiver chan")
            if watcher == self.watch_peers and log_backend.place == "vxlan_network.go":
                log_backend.v(1, "WatchLeases exited")
            if REL >= "0.14.0" and watcher == self.watch_peers:
                log_backend.info("leaseEvents chan closed" if REL >= "0.27.4" else "evts chan closed")

    def pause_second(self):
        if self.ctx.wait(1):
            raise Cancelled

    def watch_own_v2(self, lease, events):
        index = None
        while True:
            try:
                if index is None:
                    found, index = self.registry.get_lease(lease)
                    events.put(Event("added", found))
                    continue
                event, new_index = self.registry.watch_once(index, lease)
                if isinstance(event, Fail):
                    raise event
                index = new_index
                events.put(event)
            except EtcdError as problem:
                if problem.code == 401:
                    log_watch.warning("Watch of subnet leases failed because etcd index outside history window")
                    index = None
                    continue
                log_watch.error(f"Subnet watch failed: {problem}")
                self.pause_second()
            except Fail as problem:
                log_watch.error(f"Subnet watch failed: {problem}")
                self.pause_second()

    def watch_first(self, key, revision):
        """v0.18.0 to v0.21.2: one answer, of which only the first event counts, then the watch is dropped."""
        stream = self.registry.watch(key, revision)
        try:
            batch = next(stream)
        except WatchClosed:
            raise GoPanic("runtime error: index out of range [0] with length 0") from None
        finally:
            stream.close()
        return self.registry.read_event(batch.events[0])

    def watch_own_single(self, lease, events):
        key = self.registry.key("subnets", subnet_key(lease.subnet, lease.subnet6))
        cursor = None
        while True:
            try:
                if cursor is None:
                    found, cursor = self.registry.get_lease(lease)
                    events.put(Event("added", found))
                    continue
                event = self.watch_first(key, cursor)
                cursor = 0
                events.put(event)
            except Fail as problem:
                log_watch.error(f"Subnet watch failed: {problem}")
                self.pause_second()

    def watch_own_stream(self, lease, events):
        key = self.registry.key("subnets", subnet_key(lease.subnet, lease.subnet6))
        try:
            found, revision = self.registry.get_lease(lease)
        except Fail as problem:
            # The monitor ends, the daemon goes on, and nobody renews: spec 3.6.
            log_watch.error(f"Subnet watch failed: {problem}")
            events.put(None)
            return
        log_manager.info("manager.WatchLease: sending reset results...")
        events.put(Event("added", found))

        def on_batch(batch):
            for raw in batch.events:
                try:
                    event = self.registry.read_event(raw)
                except Fail as problem:
                    log_registry.error(f"couldn't read etcd event: {problem}")
                    continue
                events.put(event)

        def on_compacted():
            try:
                found, revision = self.registry.get_lease(lease)
            except KeyMissing as missing:
                events.put(Event("removed", lease))
                return missing.revision
            events.put(Event("added", found))
            return revision

        self.follow(key, revision, on_batch, on_compacted if REL >= "0.28.9" else None, resume=REL >= "0.28.9")

    def follow(self, key, revision, on_batch, on_compacted, resume):
        """The streaming watch from v0.21.3 on, with each era's way of losing it.

        It starts after the revision of the listing. The watches before v0.21.3 start at
        that revision and so hear its event once more.
        """
        since = revision + 1
        backoff = 0.1
        while True:
            if key.endswith("/subnets"):
                log_registry.v(4 if REL >= "0.28.0" else 0, f"registry: watching subnets starting from rev {since}")
            try:
                for batch in self.registry.watch(key, since):
                    backoff = 0.1
                    if resume and batch.revision:
                        since = batch.revision + 1
                    on_batch(batch)
            except WatchClosed as closed:
                if REL < "0.26.4":
                    # The real daemon spins on the closed channel at full speed and hears
                    # nothing any more. The stand-in is as deaf, and spares the CPU.
                    self.ctx.done.wait()
                    raise Cancelled from None
                if closed.compact_revision and on_compacted:
                    log_registry.warning(
                        f"etcd watch for {key} fell behind compaction horizon (compact rev {closed.compact_revision}), re-listing and resuming"
                    )
                    try:
                        since = on_compacted() + 1
                        backoff = 0.1
                        continue
                    except Fail as problem:
                        log_registry.error(f"failed to re-list subnets after compaction: {problem}")
                else:
                    tail = f"reconnecting from rev {since}..." if resume else "reconnecting..."
                    log_registry.warning(f"etcd watch channel for {key} closed with error {closed}, {tail}")
                if self.ctx.wait(backoff):
                    raise Cancelled from None
                backoff = min(backoff * 2, 5)

    # -- the watch of the peers

    def watch_peers(self, own, on_events):
        """Calls on_events(list of Event) until the daemon ends."""
        watcher = LeaseWatcher(own)
        if not self.v3:
            self.watch_peers_v2(watcher, on_events)
        elif REL < "0.21.3":
            self.watch_peers_single(watcher, on_events)
        else:
            self.watch_peers_stream(watcher, on_events)

    def watch_peers_v2(self, watcher, on_events):
        index = None
        while True:
            try:
                if index is None:
                    try:
                        leases, index = self.registry.list_leases()
                    except Fail as problem:
                        raise Fail(f"failed to retrieve subnet leases: {problem}") from None
                    tell(on_events, watcher.reset(leases))
                    continue
                event, new_index = self.registry.watch_once(index)
                if isinstance(event, Fail):
                    if REL >= "0.14.0":
                        index = new_index  # skipped; before, the node stays blind on this event
                    raise event
                index = new_index
                tell(on_events, watcher.update([event]))
            except EtcdError as problem:
                if problem.code == 401:
                    log_manager.warning("Watch of subnet leases failed because etcd index outside history window")
                    index = None
                    continue
                log_watch.error(f"Watch subnets: {problem}")
                self.pause_second()
            except Fail as problem:
                log_watch.error(f"Watch subnets: {problem}")
                self.pause_second()

    def watch_peers_single(self, watcher, on_events):
        key = self.registry.key("subnets")
        cursor = None
        while True:
            try:
                if cursor is None:
                    try:
                        leases, cursor = self.registry.list_leases()
                    except Fail as problem:
                        raise Fail(f"failed to retrieve subnet leases: {problem}") from None
                    tell(on_events, watcher.reset(leases))
                    continue
                event = self.watch_first(key, cursor)
                cursor = 0
                tell(on_events, watcher.update([event]))
            except Fail as problem:
                log_watch.error(f"Watch subnets: {problem}")
                self.pause_second()

    def watch_peers_stream(self, watcher, on_events):
        key = self.registry.key("subnets")
        try:
            leases, revision = self.registry.list_leases()
        except Fail as problem:
            log_watch.error(f"could not watch leases: failed to retrieve subnet leases: {problem}")
            return
        tell(on_events, watcher.reset(leases))

        def on_batch(batch):
            for raw in batch.events:
                try:
                    event = self.registry.read_event(raw)
                except Fail as problem:
                    # The bug that matters most: an event that cannot be read counts as an
                    # empty snapshot, and the routes to every peer are removed.
                    log_registry.warning("Watch of subnet leases failed because header revision != 0")
                    log_registry.error(f"error parsing etcd event: {problem}")
                    tell(on_events, watcher.reset([]))
                    continue
                log_registry.info(f"watchSubnets: got valid subnet event with revision {batch.revision}")
                tell(on_events, watcher.update([event]))

        def on_compacted():
            leases, revision = self.registry.list_leases()
            tell(on_events, watcher.reset(leases))
            return revision

        self.follow(key, revision, on_batch, on_compacted if REL >= "0.28.6" else None, resume=REL >= "0.28.6")


def tell(on_events, events):
    if events:
        on_events(events)


def go_time(seconds):
    if seconds is None:
        return "0001-01-01 00:00:00 +0000 UTC"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")


class LeaseWatcher:
    """What flanneld remembers of its peers, to turn listings and deletions into events."""

    def __init__(self, own):
        self.own = own
        self.leases = []

    @staticmethod
    def same(asked, other):
        """Whether two leases share their subnet, asked from the point of view of `asked`."""
        if asked.subnet != other.subnet:
            return False
        if asked.subnet6 is None:
            return True
        if other.subnet6 is None:
            raise GoPanic("runtime error: invalid memory address or nil pointer dereference")
        return asked.subnet6 == other.subnet6

    def reset(self, leases):
        events = []
        for lease in leases:
            if self.same(lease, self.own):
                continue
            for known in self.leases:
                if self.same(known, lease):
                    self.leases.remove(known)
                    break
            else:
                events.append(Event("added", lease))
        for gone in self.leases:
            # From v0.22.0 the own lease is not left out here: harmless for routes.
            if REL < "0.22.0" and self.same(gone, self.own):
                continue
            events.append(Event("removed", gone))
        self.leases = list(leases)
        return events

    def update(self, events):
        out = []
        for event in events:
            if self.same(event.lease, self.own):
                continue
            for position, known in enumerate(self.leases):
                if self.same(known, event.lease):
                    if event.kind == "added":
                        self.leases[position] = event.lease
                        out.append(event)
                    else:
                        del self.leases[position]
                        out.append(Event("removed", known))
                    break
            else:
                if event.kind == "added":
                    self.leases.append(event.lease)
                elif REL >= "0.15.0":
                    log_watch.error(f"Removed subnet ({event.lease.subnet}) and ipv6 subnet ({six_text(event.lease.subnet6)}) were not found")
                else:
                    log_watch.error(f"Removed subnet ({event.lease.subnet}) was not found")
                out.append(event)
        return out


# ----------------------------------------------------------------- the kernel


def run(argv, text=None):
    """(exit code, stdout, stderr) of a program."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr.strip()


def must(argv):
    code, out, problem = run(argv)
    if code:
        raise Fail(kernel_text(problem))
    return out


def kernel_text(problem):
    """The kernel's own words out of what iproute2 says, in Go's lower case."""
    match = re.search(r"RTNETLINK answers: (.*)", problem)
    if match:
        return match.group(1).splitlines()[0].lower()
    return problem.splitlines()[-1] if problem else "failed"


def ip_json(*words):
    text = must(["ip", "-j", *words])
    return json.loads(text) if text.strip() else []


class Interface:
    def __init__(self, data):
        self.index = data["ifindex"]
        self.name = data["ifname"].partition("@")[0]
        self.mtu = data.get("mtu", 0)
        self.addresses = [info for info in data.get("addr_info", []) if info.get("family") == "inet" and info.get("local")]

    def usable(self):
        """The IPv4 addresses in the order in which flanneld prefers them."""
        good = []
        for info in self.addresses:
            address = ipaddress.IPv4Address(info["local"])
            if address.is_loopback or address.is_multicast or address.is_unspecified or int(address) == IPV4_ALL:
                continue
            if REL >= "0.28.0" and info.get("deprecated"):
                continue
            rank = (address.is_link_local, bool(info.get("dynamic")) if REL >= "0.28.0" else False)
            good.append((rank, info["local"]))
        return [text for _, text in sorted(good, key=lambda pair: pair[0])]


def all_interfaces():
    return sorted((Interface(data) for data in ip_json("addr", "show") if "ifindex" in data), key=lambda one: one.index)


class ExternalInterface:
    def __init__(self, interface, address, external):
        self.name, self.index, self.mtu = interface.name, interface.index, interface.mtu
        self.address, self.external = address, external


def interface_by_address(address):
    for one in all_interfaces():
        if any(info["local"] == address for info in one.addresses):
            return one
    raise Fail("no interface with given IP found" if REL >= "0.27.0" else "No interface with given IP found")


def look_up_interface(options, name="", pattern="", can_reach=""):
    """LookupExtIface: spec 4.3."""
    interface, address = None, None
    if name:
        number = parse_ipv4_octets(name)
        if number is not None:
            address = ip_text(number)
            log_match.info(f"Searching for interface using {address}")
            try:
                interface = interface_by_address(address)
            except Fail as problem:
                raise Fail(f"error looking up interface {name}: {problem}") from None
        else:
            interface = next((one for one in all_interfaces() if one.name == name), None)
            if not interface:
                raise Fail(f"error looking up interface {name}: route ip+net: no such network interface")
    elif pattern:
        interface, address = match_interface(pattern)
    elif can_reach:
        log_match.info(f"Determining interface to use based on given ifcanreach: {can_reach}")
        try:
            route = ip_json("route", "get", can_reach)[0]
        except Fail as problem:
            raise Fail(f"failed to get ifcanreach based interface: couldn't lookup route to {can_reach}: {problem}") from None
        interface = next(one for one in all_interfaces() if one.name == route["dev"])
        address = route.get("prefsrc")
    else:
        log_match.info("Determining IP address of default interface")
        default = next((route for route in ip_json("route", "show") if route["dst"] == "default"), None)
        if not default or "dev" not in default:
            raise Fail("failed to get default interface: " + ("unable" if REL >= "0.27.0" else "Unable") + " to find default route")
        interface = next(one for one in all_interfaces() if one.name == default["dev"])
    if address is None:
        usable = interface.usable()
        if not usable:
            raise Fail(f"failed to find IPv4 address for interface {interface.name}")
        address = usable[0]
    log_match.info(f"Using interface with name {interface.name} and address {address}")
    if not interface.mtu:
        raise Fail(f"failed to determine MTU for {address} interface")
    external = None
    wanted = options["public-ip"]
    if wanted:
        number = parse_ipv4_octets(wanted)
        if number is None:
            raise Fail(f"invalid public IP address: {wanted}")
        external = ip_text(number)
        log_match.info(f"Using {external} as external address")
    else:
        log_match.info(f"Defaulting external address to interface address ({address})")
        external = address
    return ExternalInterface(interface, address, external)


def match_interface(pattern):
    try:
        regex = re.compile(pattern)
    except re.error as problem:
        raise Fail(f"could not compile the IP address regex '{pattern}': error parsing regexp: {problem}") from None
    interfaces = all_interfaces()
    for one in interfaces:
        usable = one.usable()
        for address in usable if REL >= "0.17.0" else usable[:1]:
            if regex.search(address):
                return one, address
    for one in interfaces:
        if regex.search(one.name):
            return one, None
    listed = ", ".join(f"{one.name}:[{' '.join(one.usable())}]" for one in interfaces)
    raise Fail(f"Could not match pattern {pattern} to any of the available network interfaces ({listed})")


def choose_interface(options):
    """The interface, or exit 1."""
    given = options["iface"] or options["iface-regex"] or options["iface-can-reach"]
    if not given:
        try:
            return look_up_interface(options, name=options["public-ip"] if REL >= "0.12.0" else "")
        except Fail as problem:
            log_main.error(f"Failed to find any valid interface to use: {problem}")
            sys.exit(1)
    for name in options["iface"]:
        try:
            return look_up_interface(options, name=name)
        except Fail as problem:
            log_main.info(f"Could not find valid interface matching {name}: {problem}")
    for pattern in options["iface-regex"]:
        try:
            return look_up_interface(options, pattern=pattern)
        except Fail as problem:
            log_main.info(f"Could not find valid interface matching {pattern}: {problem}")
    if options["iface-can-reach"]:
        try:
            return look_up_interface(options, can_reach=options["iface-can-reach"])
        except Fail as problem:
            log_main.info(f"Could not find valid interface matching ifaceCanReach: {options['iface-can-reach']}: {problem}")
    log_main.error("Failed to find interface to use that matches the interfaces and/or regexes provided")
    sys.exit(1)


# ------------------------------------------------------------------- backends


def backend_names():
    """Backend types of this release, spec 2.1."""
    names = {"udp", "vxlan", "host-gw", "alloc", "extension"}
    if REL >= "0.10.0":
        names.add("ipip")
    if REL >= "0.11.0":
        names.add("ipsec")
    if REL >= "0.14.0":
        names.add("tencent-vpc")
    if REL >= "0.16.0":
        names.add("wireguard")
    if REL < "0.20.0":
        names |= {"aws-vpc", "gce", "ali-vpc"}
    return names


def get_backend(config, interface):
    kind = config.backend_type.lower()
    if kind not in backend_names():
        raise Fail(f"unknown backend type: {kind}")
    if kind == "host-gw":
        return HostGw(interface)
    if kind == "vxlan":
        return Vxlan(interface)
    if kind == "alloc":
        return Alloc(interface)
    raise NotSupported(f"backend {kind} is not supported by netctl's stand-in for flanneld; a released flannel archive has it")


def acquire(manager, attrs):
    try:
        return manager.acquire(attrs)
    except Fail as problem:
        raise Fail(f"failed to acquire lease: {problem}") from None


def as_number(address):
    return int(ipaddress.IPv4Address(address))


class Alloc:
    """A lease and nothing else."""

    def __init__(self, interface):
        self.interface = interface

    def register(self, ctx, manager, config):
        self.lease = acquire(manager, Attrs(as_number(self.interface.external)))
        self.mtu = self.interface.mtu

    def run(self, ctx, manager):
        ctx.done.wait()


class HostGw:
    """A route per peer through its public address: spec 2.4."""

    CHECK_SECONDS = 10

    def __init__(self, interface):
        if interface.external != interface.address:
            raise Fail(
                "your PublicIP differs from interface IP, meaning that probably you're on a NAT, which is not supported by host-gw backend"
            )
        self.interface = interface
        self.routes = []  # (destination, gateway) that ought to exist
        self.lock = threading.Lock()

    def register(self, ctx, manager, config):
        self.lease = acquire(manager, Attrs(as_number(self.interface.external), "host-gw"))
        self.mtu = self.interface.mtu

    def run(self, ctx, manager):
        self.ctx = ctx
        log_route.info("Watching for new subnet leases")
        start_thread(self.check_loop, ctx)
        manager.run_watch(manager.watch_peers, self.lease, self.handle)

    def listed(self):
        """{destination: [(gateway, device)]} of the main table."""
        routes = {}
        for route in ip_json("route", "show"):
            routes.setdefault(full_cidr(route["dst"]), []).append((route.get("gateway"), route.get("dev")))
        return routes

    def add_argv(self, destination, gateway):
        return ["route", "add", destination, "via", gateway, "dev", self.interface.name]

    def handle(self, events):
        dev = self.interface.name
        with self.lock:
            existing = self.listed()
            fresh = []
            for event in events:
                lease = event.lease
                if REL < "0.15.0" and event.kind == "added":
                    log_route.info(f"Subnet added: {lease.subnet} via {ip_text(lease.attrs.public_ip)}")
                if lease.attrs.backend_type != "host-gw":
                    log_route.warning(f"Ignoring non-host-gw subnet: type={lease.attrs.backend_type}")
                    continue
                destination, gateway = str(lease.subnet), ip_text(lease.attrs.public_ip)
                route = (destination, gateway)
                if event.kind == "removed":
                    log_route.info(f"Subnet removed: {destination}")
                    if route in self.routes:
                        self.routes.remove(route)
                    code, _, problem = run(["ip", "route", "del", destination, "via", gateway, "dev", dev])
                    if code:
                        log_route.error(f"Error deleting route to {destination}: {kernel_text(problem)}")
                    existing = self.listed()
                    continue
                if REL >= "0.15.0":
                    log_route.info(f"Subnet added: {destination} via {gateway}")
                if route not in self.routes:
                    self.routes.append(route)
                known = existing.get(full_cidr(destination), [])
                same = lambda pair: pair[0] == gateway and (pair[1] == dev or REL < "0.10.0")
                if known and not same(known[0]):
                    log_route.warning(f"Replacing existing route to {destination} via {known[0][0]} dev {known[0][1]} with {destination} via {gateway} dev {dev}.")
                    old = ["ip", "route", "del", destination]
                    if known[0][0]:
                        old += ["via", known[0][0]]
                    if known[0][1]:
                        old += ["dev", known[0][1]]
                    code, _, problem = run(old)
                    if code:
                        log_route.error(f"Error deleting route to {destination}: {kernel_text(problem)}")
                        continue
                    self.routes = [one for one in self.routes if one != (destination, known[0][0])]
                    known = known[1:]
                if known and same(known[0]):
                    log_route.info(f"Route to {destination} via {gateway} dev {dev} already exists, skipping.")
                    continue
                fresh.append(route)
                existing[full_cidr(destination)] = [(gateway, dev)]
                if lease.subnet6 is not None:
                    break
            self.add(fresh)
        for event in events:
            if event.lease.attrs.backend_type == "host-gw":
                freeze_on_dual(self.ctx, event.lease)

    def add(self, routes):
        """One `ip -batch` for many; one by one when it fails, to say which."""
        if len(routes) > 1:
            text = "".join(" ".join(self.add_argv(*route)) + "\n" for route in routes)
            if run(["ip", "-batch", "-"], text)[0] == 0:
                return
        for destination, gateway in routes:
            code, _, problem = run(["ip", *self.add_argv(destination, gateway)])
            if code and not (len(routes) > 1 and "File exists" in problem):
                log_route.error(f"Error adding route to {destination} via {gateway} dev {self.interface.name}: {kernel_text(problem)}")

    def check_loop(self, ctx):
        while not ctx.wait(self.CHECK_SECONDS):
            with self.lock:
                try:
                    existing = self.listed()
                except Fail as problem:
                    log_route.error(f"Error fetching route list. Will automatically retry: {problem}")
                    continue
                for destination, gateway in self.routes:
                    if (gateway, self.interface.name) in existing.get(full_cidr(destination), []):
                        continue
                    code, _, problem = run(["ip", *self.add_argv(destination, gateway)])
                    if code:
                        log_route.error(f"Error recovering route to {destination}: {gateway}, {kernel_text(problem)}")
                    else:
                        log_route.info(f"Route recovered {destination} : {gateway}")


def full_cidr(destination):
    if destination == "default":
        return "0.0.0.0/0"
    return destination if "/" in destination else destination + "/32"


def freeze_on_dual(ctx, lease):
    """An IPv4-only daemon that meets a dual-stack lease.

    It has no IPv6 device or route function, so it panics after the IPv4 part; but a
    deferred wait keeps the panic from ending the process. The daemon goes on, renews its
    lease, and never looks at a peer again.
    """
    if lease.subnet6 is not None:
        ctx.done.wait()
        raise GoPanic("runtime error: invalid memory address or nil pointer dereference")


class Vxlan:
    """A device, and per peer an ARP entry, an FDB entry and a route: spec 2.3."""

    OVERHEAD = 50

    def __init__(self, interface):
        self.interface = interface
        self.lock = threading.Lock()

    def settings(self, config, mtu):
        fields = {"VNI": "int", "Port": "int", "GBP": "bool", "DirectRouting": "bool"}
        if REL >= "0.12.0":
            fields["Learning"] = "bool"
        if REL >= "0.21.3":
            fields["MTU"] = "int"
        try:
            found = go_decode(GoJson.parse(config.backend), "", "struct", fields) if config.backend else {}
        except Fail as problem:
            raise Fail(f"error decoding VXLAN backend config: {problem}") from None
        self.vni = found.get("VNI", 1)
        self.port = found.get("Port", 0)
        self.gbp = found.get("GBP", False)
        self.learning = found.get("Learning", False)
        self.direct = found.get("DirectRouting", False)
        self.base_mtu = found.get("MTU", mtu)
        self.device = f"flannel.{self.vni}"

    def register(self, ctx, manager, config):
        self.settings(config, self.interface.mtu)
        learning = f" Learning={go_truth(self.learning)}" if REL >= "0.12.0" else ""
        log_vxlan.info(
            f"VXLAN config: VNI={self.vni} Port={self.port} GBP={go_truth(self.gbp)}{learning} DirectRouting={go_truth(self.direct)}"
        )
        source = self.interface.external if REL >= "0.27.4" else self.interface.address
        try:
            self.ensure_device(source)
        except Fail as problem:
            raise Fail(f"failed to create vxlan device: {problem}" if REL >= "0.27.4" else str(problem)) from None
        self.lease = acquire(manager, Attrs(as_number(self.interface.external), "vxlan", self.backend_data()))
        try:
            self.configure(config)
        except Fail as problem:
            raise Fail(f"failed to configure interface {self.device}: {problem}") from None
        self.mtu = (self.base_mtu if REL >= "0.21.3" else self.interface.mtu) - self.OVERHEAD

    def backend_data(self):
        if REL < "0.14.0":
            return f'{{"VtepMAC":"{self.mac}"}}'
        vni = self.vni % 2**32 if REL >= "0.24.0" else self.vni % 2**16
        return f'{{"VNI":{vni},"VtepMAC":"{self.mac}"}}'

    # -- the device

    def link(self):
        code, out, _ = run(["ip", "-j", "-d", "link", "show", "dev", self.device])
        return json.loads(out)[0] if code == 0 else None

    def create_argv(self, source):
        argv = ["ip", "link", "add", self.device, "txqueuelen", "0"]
        if REL.within("0.14.1", "0.14.1") or REL >= "0.15.1":
            argv += ["address", random_mac()]
        if REL >= "0.21.3" and self.base_mtu > self.OVERHEAD:
            argv += ["mtu", str(self.base_mtu - self.OVERHEAD)]
        argv += ["type", "vxlan", "id", str(self.vni % 2**32), "dev", self.interface.name, "local", source]
        argv += ["learning" if self.learning else "nolearning", "dstport", str(self.port)]
        if self.gbp:
            argv.append("gbp")
        return argv

    def incompatible(self, link, source):
        """Why an existing link cannot be reused, or an empty text."""
        info = link.get("linkinfo", {})
        data = info.get("info_data", {})
        if info.get("info_kind") != "vxlan":
            return f"link type: vxlan vs {info.get('info_kind', 'device')}"
        if data.get("id") != self.vni:
            return f"vni: {self.vni} vs {data.get('id')}"
        lower = data.get("link")
        if lower and lower != self.interface.name:
            return f"vtep (external) interface: {self.interface.name} vs {lower}"
        local = data.get("local")
        if local and local != source:
            return f"vtep (external) IP: {source} vs {local}"
        if data.get("l2miss"):
            return "l2miss: false vs true"
        if self.port > 0 and data.get("port") and data["port"] != self.port:
            return f"port: {self.port} vs {data['port']}"
        if bool(data.get("gbp")) != self.gbp:
            return f"gbp: {go_truth(self.gbp)} vs {go_truth(bool(data.get('gbp')))}"
        return ""

    def ensure_device(self, source):
        if len(self.device) > 15:
            raise Fail("numerical result out of range")
        code, _, problem = run(self.create_argv(source))
        if code and "File exists" in problem:
            link = self.link()
            log_device.v(1, "VXLAN device already exists")
            reason = self.incompatible(link, source) if link else ""
            if link and not reason:
                log_device.v(1, "Returning existing device")
                self.mac = link["address"]
                return
            if link:
                word = "incompatible" if REL >= "0.19.2" else "incompatable"
                log_device.warning(f'"{self.device}" already exists with {word} configuration: {reason}; recreating device')
                code, _, problem = run(["ip", "link", "del", self.device])
                if code:
                    raise Fail(f"failed to delete interface: {kernel_text(problem)}")
                code, _, problem = run(self.create_argv(source))
                if code:
                    raise Fail(f"failed to create vxlan interface: {kernel_text(problem)}")
            else:
                # Another device owns this VNI and port: the name is free, the kernel refuses.
                raise Fail("Link not found")
        elif code:
            raise Fail(kernel_text(problem))
        self.mac = self.link()["address"]

    def configure(self, config):
        wanted = (ip_text(self.lease.subnet.ip), 32)
        addresses = [
            (info["local"], info["prefixlen"])
            for data in ip_json("addr", "show", "dev", self.device)
            for info in data.get("addr_info", [])
            if info.get("family") == "inet"
        ]
        if REL < "0.14.0":
            if len(addresses) > 1:
                raise Fail("link has incompatible addresses. Remove additional addresses and try again." if REL < "0.10.0" else
                           f"failed to ensure address of interface {self.device}: link has incompatible addresses. Remove additional addresses and try again.")
            unwanted = [one for one in addresses if one != wanted]
        else:
            unwanted = [one for one in addresses if one != wanted and config.network.contains(as_number(one[0]))]
        for address, length in unwanted:
            must(["ip", "addr", "del", f"{address}/{length}", "dev", self.device])
            log_device.info(f"removed IP address {address}/{length} from {self.device}")
        if wanted not in addresses:
            # The netlink library of these releases set a broadcast address, too.
            broadcast = ["broadcast", wanted[0]] if REL.within("0.13.0", "0.16.2") else []
            must(["ip", "addr", "add", f"{wanted[0]}/32", *broadcast, "dev", self.device])
        must(["ip", "link", "set", self.device, "up"])
        if REL >= "0.14.0":
            try:
                with open(f"/proc/sys/net/ipv6/conf/{self.device}/accept_ra", "w", encoding="ascii") as file:
                    file.write("0")
            except OSError:
                pass
        if REL >= "0.22.3":
            found = self.link()["address"]
            if found != self.mac:
                raise Fail(f"{self.device}'s mac address wanted: {self.mac}, but got: {found}")

    # -- the peers

    def run(self, ctx, manager):
        self.ctx = ctx
        log_backend.place = "vxlan_network.go"
        log_vxlan_net.info("watching for new subnet leases")
        if REL >= "0.27.4":
            start_thread(self.guard_device, ctx, manager)
        manager.run_watch(manager.watch_peers, self.lease, self.handle)

    def handle(self, events):
        with self.lock:
            tasks = []
            for event in events:
                lease = event.lease
                if REL >= "0.25.1":
                    log_vxlan_net.info(f"Received Subnet Event with VxLan: {lease.attrs.describe()}")
                if lease.attrs.backend_type != "vxlan":
                    if REL >= "0.15.0":
                        what = f"ignoring non-vxlan v4Subnet({lease.subnet}) v6Subnet({six_text(lease.subnet6)})"
                    else:
                        what = f"ignoring non-vxlan subnet({lease.subnet})"
                    log_vxlan_net.warning(f"{what}: type={lease.attrs.backend_type}")
                    continue
                fields = {"VtepMAC": "mac"}
                if REL >= "0.14.0":
                    fields["VNI"] = "uint32" if REL >= "0.24.0" else "uint16"
                try:
                    data = go_decode(GoJson.parse(lease.attrs.backend_data or ""), "vxlanLeaseAttrs", "vxlan.vxlanLeaseAttrs", fields)
                except Fail as problem:
                    log_vxlan_net.error(f"error decoding subnet lease JSON: {problem}")
                    continue
                public = ip_text(lease.attrs.public_ip)
                tasks.append((event.kind, lease.subnet, public, data.get("VtepMAC", ""), self.is_direct(public)))
                if lease.subnet6 is not None:
                    break
            together = len(tasks) > 1 and all(task[0] == "added" for task in tasks) and self.add_batch(tasks)
            for kind, subnet, public, mac, direct in () if together else tasks:
                (self.add_peer if kind == "added" else self.remove_peer)(subnet, public, mac, direct)
        for event in events:
            if event.lease.attrs.backend_type == "vxlan":
                freeze_on_dual(self.ctx, event.lease)

    def is_direct(self, public):
        if not self.direct:
            return False
        try:
            routes = ip_json("route", "get", public)
        except Fail as problem:
            log_vxlan_net.error(f"couldn't lookup route to {public}: {problem}")
            return False
        return len(routes) == 1 and "gateway" not in routes[0]

    def arp(self, verb, subnet, mac):
        tail = ["nud", "permanent"] if verb == "replace" else []
        return ["neigh", verb, ip_text(subnet.ip), "lladdr", mac, "dev", self.device, *tail]

    def fdb(self, verb, public, mac):
        tail = ["permanent"] if verb == "replace" else []
        return ["fdb", verb, mac, "dev", self.device, "dst", public, "self", *tail]

    def route(self, verb, subnet):
        return ["route", verb, str(subnet), "via", ip_text(subnet.ip), "dev", self.device, "onlink"]

    def add_batch(self, tasks):
        """All ARP entries, then all FDB entries, then all routes. False when anything failed."""
        arp = [self.arp("replace", subnet, mac) for _, subnet, _, mac, direct in tasks if not direct]
        fdb = [self.fdb("replace", public, mac) for _, _, public, mac, direct in tasks if not direct]
        routes = [
            ["route", "replace", str(subnet), "via", public] if direct else self.route("replace", subnet)
            for _, subnet, public, _, direct in tasks
        ]
        for program, lines in (("ip", arp), ("bridge", fdb), ("ip", routes)):
            text = "".join(" ".join(line) + "\n" for line in lines)
            if text and run([program, "-batch", "-"], text)[0]:
                return False
        return True

    def add_peer(self, subnet, public, mac, direct):
        if direct:
            log_vxlan_net.v(2, f"Adding direct route to subnet: {subnet} PublicIP: {public}")
            code, _, problem = run(["ip", "route", "replace", str(subnet), "via", public])
            if code:
                log_vxlan_net.error(f"Error adding route to {subnet} via {public}: {kernel_text(problem)}")
            return
        log_vxlan_net.v(2, f"adding subnet: {subnet} PublicIP: {public} VtepMAC: {mac}")
        code, _, problem = run(["ip", *self.arp("replace", subnet, mac)])
        if code:
            log_vxlan_net.error(f"AddARP failed: {kernel_text(problem)}")
            return
        code, _, problem = run(["bridge", *self.fdb("replace", public, mac)])
        if code:
            log_vxlan_net.error(f"AddFDB failed: {kernel_text(problem)}")
            self.undo("DelARP", ["ip", *self.arp("del", subnet, mac)])
            return
        code, _, problem = run(["ip", *self.route("replace", subnet)])
        if code:
            log_vxlan_net.error(f"failed to add vxlanRoute ({subnet} -> {ip_text(subnet.ip)}): {kernel_text(problem)}")
            self.undo("DelARP", ["ip", *self.arp("del", subnet, mac)])
            self.undo("DelFDB", ["bridge", *self.fdb("del", public, mac)])

    @staticmethod
    def undo(name, argv):
        code, _, problem = run(argv)
        if code:
            log_vxlan_net.error(f"{name} failed: {kernel_text(problem)}")

    def remove_peer(self, subnet, public, mac, direct):
        if direct:
            log_vxlan_net.v(2, f"Removing direct route to subnet: {subnet} PublicIP: {public}")
            code, _, problem = run(["ip", "route", "del", str(subnet), "via", public])
            if code:
                log_vxlan_net.error(f"Error deleting route to {subnet} via {public}: {kernel_text(problem)}")
            return
        log_vxlan_net.v(2, f"removing subnet: {subnet} PublicIP: {public} VtepMAC: {mac}")
        self.undo("DelARP", ["ip", *self.arp("del", subnet, mac)])
        self.undo("DelFDB", ["bridge", *self.fdb("del", public, mac)])
        code, _, problem = run(["ip", *self.route("del", subnet)])
        if code:
            log_vxlan_net.error(f"failed to delete vxlanRoute ({subnet} -> {ip_text(subnet.ip)}): {kernel_text(problem)}")

    # -- v0.27.4+: the device is made again when somebody deletes it; the peers are not replayed

    def guard_device(self, ctx, manager):
        log_vxlan_net.info("starting vxlan device watcher")
        group_link, message_dellink, attribute_name = 1, 17, 3
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        sock.bind((0, group_link))
        while not ctx.cancelled():
            readable, _, _ = select.select([sock], [], [], 0.5)
            if not readable:
                continue
            data = sock.recv(65536)
            gone = False
            while len(data) >= 16:
                length, kind = struct.unpack_from("=IH", data)
                if length < 16:
                    break
                if kind == message_dellink:
                    at = 16 + 16
                    while at + 4 <= length:
                        size, name = struct.unpack_from("=HH", data, at)
                        if size < 4:
                            break
                        if name == attribute_name and data[at + 4 : at + size].rstrip(b"\0").decode() == self.device:
                            gone = True
                        at += (size + 3) & ~3
                data = data[(length + 3) & ~3 :]
            if gone:
                log_vxlan_net.info(f"Interface {self.device} deleted")
                log_vxlan_net.info("vxlan device missing, attempting to recreate...")
                self.recreate(ctx, manager)
        sock.close()

    def recreate(self, ctx, manager):
        backoff = 1
        while not ctx.cancelled():
            try:
                interface = next((one for one in all_interfaces() if one.name == self.interface.name), None)
                if not interface:
                    raise Fail(f"external interface {self.interface.name} not found")
                config = manager.get_config()
                self.settings(config, interface.mtu)
                self.ensure_device(interface.usable()[0])
                self.configure(config)
                log_vxlan_net.info(f"VXLAN device {self.device} recreated successfully")
                return
            except (Fail, Cancelled, IndexError) as problem:
                log_vxlan_net.error(f"failed to create vxlan device: {problem}")
                if ctx.wait(backoff):
                    return
                backoff = min(backoff * 2, 30)


def go_truth(value):
    return "true" if value else "false"


def random_mac():
    data = bytearray(os.urandom(6))
    data[0] = (data[0] | 2) & 0xFE
    return ":".join(f"{byte:02x}" for byte in data)


# ------------------------------------------------------------------ iptables


class Rule:
    def __init__(self, table, action, chain, words):
        self.table, self.action, self.chain, self.words = table, action, chain, words


def supports_random_fully():
    code, out, _ = run(["iptables", "--version"])
    match = re.search(r"v(\d+)\.(\d+)\.(\d+)", out) if code == 0 else None
    return bool(match) and tuple(int(part) for part in match.groups()) >= (1, 6, 2)


def masquerade_rules(network, subnet, random_fully_off):
    """The nat rules of each era, in order: spec 6.1."""
    n, s = str(network), str(subnet)
    fully = ["--random-fully"] if REL >= "0.11.0" and not random_fully_off and supports_random_fully() else []
    comment = ["-m", "comment", "--comment", "flanneld masq"] if REL >= "0.16.2" else []
    odd = ["-m", "comment", "--comment", "flannel masq"] if REL.within("0.16.2", "0.16.3") and fully else comment
    inside = ["-s", n, "-d", n, *comment, "-j", "RETURN"]
    outward = ["-s", n, "!", "-d", "224.0.0.0/4", *odd, "-j", "MASQUERADE", *fully]
    arriving = ["!", "-s", n, "-d", s, *comment, "-j", "RETURN"]
    from_host = ["!", "-s", n, "-d", n, *comment, "-j", "MASQUERADE", *fully]
    if REL < "0.20.0":
        return [Rule("nat", "-A", "POSTROUTING", words) for words in (inside, outward, arriving, from_host)]
    chain = "FLANNEL-POSTRTG"
    jump = Rule("nat", "-A" if REL >= "0.21.3" else "-I", "POSTROUTING", [*comment, "-j", chain])
    mark = ["-m", "mark", "--mark", "0x4000/0x4000", *comment, "-j", "RETURN"]
    if REL < "0.20.2":
        bodies = [inside, outward, arriving, from_host]
    elif REL < "0.21.0":
        bodies = [mark, inside, outward, arriving, from_host]
    else:
        mine = ["-s", s, "-d", n, *comment, "-j", "RETURN"]
        to_mine = ["-s", n, "-d", s, *comment, "-j", "RETURN"]
        bodies = [mark, mine, to_mine, arriving, outward, from_host]
    return [jump] + [Rule("nat", "-A", chain, words) for words in bodies]


def forward_rules(network):
    n = str(network)
    comment = ["-m", "comment", "--comment", "flanneld forward"] if REL >= "0.16.2" else []
    source, target = ["-s", n, *comment, "-j", "ACCEPT"], ["-d", n, *comment, "-j", "ACCEPT"]
    if REL < "0.20.0":
        return [Rule("filter", "-A", "FORWARD", words) for words in (source, target)]
    chain = "FLANNEL-FWD"
    jump = Rule("filter", "-A" if REL >= "0.21.3" else "-I", "FORWARD", [*comment, "-j", chain])
    return [jump, Rule("filter", "-A", chain, source), Rule("filter", "-A", chain, target)]


class Firewall:
    """Keeps the rules there: spec 6.3."""

    def __init__(self, ctx, resync_seconds):
        self.ctx = ctx
        self.resync_seconds = resync_seconds
        self.installed = []

    @staticmethod
    def available():
        try:
            run(["iptables", "--version"])
            return True
        except OSError:
            log_iptables.error(
                'Failed to setup IPTables. iptables binary was not found: exec: "iptables": executable file not found in $PATH'
            )
            return False

    @staticmethod
    def exists(rule):
        return run(["iptables", "-w", "-t", rule.table, "-C", rule.chain, *rule.words])[0] == 0

    @staticmethod
    def chain_exists(table, chain):
        return run(["iptables", "-w", "-t", table, "-S", chain, "1"])[0] == 0

    def clear_chain(self, table, chain):
        if run(["iptables", "-w", "-t", table, "-N", chain])[0]:
            code, _, problem = run(["iptables", "-w", "-t", table, "-F", chain])
            if code:
                log_iptables.error(f"Failed to setup IPTables. Error on creating the chain: {problem}")

    def restore(self, lines_by_table):
        text = ""
        for table, lines in lines_by_table.items():
            text += f"*{table}\n"
            for words in lines:
                text += " ".join(f'"{word}"' if " " in word else word for word in words) + "\n"
            text += "COMMIT\n"
        code, _, problem = run(["iptables-restore", "--noflush", "--wait"], text)
        if code:
            raise Fail(f"failed to apply partial iptables-restore {problem}")

    def bootstrap(self, rules):
        lines = {}
        for rule in rules:
            if rule.chain.startswith("FLANNEL-") and not self.chain_exists(rule.table, rule.chain):
                self.clear_chain(rule.table, rule.chain)
            if rule.words[-1].startswith("FLANNEL-") and not self.chain_exists(rule.table, rule.words[-1]):
                self.clear_chain(rule.table, rule.words[-1])
            block = lines.setdefault(rule.table, [])
            if self.exists(rule):
                block.append(["-D", rule.chain, *rule.words])
            block.append([rule.action, rule.chain, *rule.words])
        self.restore(lines)
        log_iptables.info("bootstrap done")

    def remove(self, rules):
        if REL < "0.20.0":
            for rule in rules:
                log_iptables.info("Deleting iptables rule: " + " ".join(rule.words))
                run(["iptables", "-w", "-t", rule.table, "-D", rule.chain, *rule.words])
            return
        lines = {}
        for rule in rules:
            chain = rule.words[-1] if rule.words[-1].startswith("FLANNEL-") else rule.chain
            if chain.startswith("FLANNEL-") and not self.chain_exists(rule.table, chain):
                continue
            if self.exists(rule):
                lines.setdefault(rule.table, []).append(["-D", rule.chain, *rule.words])
        if lines:
            self.restore(lines)

    def ensure(self, rules):
        if all(self.exists(rule) for rule in rules):
            return
        log_iptables.info("Some iptables rules are missing; deleting and recreating rules")
        if REL >= "0.20.0":
            self.bootstrap(rules)
            return
        self.remove(rules)
        for rule in rules:
            log_iptables.info("Adding iptables rule: " + " ".join(rule.words))
            if not self.exists(rule):
                code, _, problem = run(["iptables", "-w", "-t", rule.table, "-A", rule.chain, *rule.words])
                if code:
                    raise Fail(f"Error setting up rules: failed to insert IPTables rule: {problem}")

    def keep(self, rules, chain):
        """Installs the rules (at once from v0.25.0, beside the start before) and looks after them."""
        if not self.available():
            return
        if REL.within("0.21.0", "0.24.4"):
            log_iptables.info(f"generated {len(rules)} rules")
        if REL >= "0.20.0":
            self.clear_chain(rules[0].table, chain)
        if REL >= "0.25.0":
            self.first(rules)
            self.installed += rules
            start_thread(self.loop, rules)
        else:
            start_thread(self.first_and_loop, rules)

    def first(self, rules):
        if REL >= "0.20.0":
            try:
                self.bootstrap(rules)
            except Fail as problem:
                log_iptables.error(f"Failed to bootstrap IPTables: {problem}")

    def first_and_loop(self, rules):
        self.first(rules)
        self.ensure_logged(rules)
        self.loop(rules)

    def ensure_logged(self, rules):
        try:
            self.ensure(rules)
        except Fail as problem:
            log_iptables.error(f"Failed to ensure iptables rules: {problem}")

    def loop(self, rules):
        while not self.ctx.wait(self.resync_seconds):
            self.ensure_logged(rules)

    def clean_exit(self):
        """v0.25.0 to v0.26.7 take their rules away about a second after the end; the empty chains stay."""
        if REL.within("0.25.0", "0.26.7") and self.installed:
            time.sleep(1)
            log_iptables.info("iptables (ipv4): cleaning-up before exiting flannel...")
            try:
                self.remove(self.installed)
            except Fail as problem:
                log_iptables.error(f"Failed to tear down IPTables: {problem}")


def recycle(firewall, options, config, lease):
    """Takes old masquerade rules away when the subnet file tells of another network: spec 6.3."""
    if REL < "0.11.0":
        return
    old_network = read_subnet_file(options["subnet-file"], "FLANNEL_NETWORK")
    old_subnet = read_subnet_file(options["subnet-file"], "FLANNEL_SUBNET")
    if REL >= "0.25.0":
        for key in ("FLANNEL_IPV6_NETWORK", "FLANNEL_IPV6_SUBNET"):
            log_main.warning(f"no subnet found for key: {key} in file: {options['subnet-file']}")
    differs = (old_network != config.network, old_subnet != lease.subnet)
    if any(differs) if REL >= "0.25.0" else all(differs):
        log_rules.info(
            f"Current network or subnet ({config.network}, {lease.subnet}) is not equal to previous one ({old_network}, {old_subnet}), trying to recycle old iptables rules"
        )
        if firewall.available():
            try:
                firewall.remove(masquerade_rules(old_network, old_subnet, options["ip-masq-fully-random-disable"]))
            except Fail as problem:
                what = "Failed to setup masq rules" if REL >= "0.25.0" else "Failed to recycle IPTables rules"
                raise Fail(f"{what}, {problem}") from None
        elif REL >= "0.11.0":
            raise Fail('Failed to setup masq rules, exec: "iptables": executable file not found in $PATH')


# ------------------------------------------------------------------ subnet.env


def read_env_file(path):
    """godotenv's reading: comments, `export`, quotes, blanks round the sign."""
    values = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file.read().splitlines():
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            match = re.match(r"(?:export\s+)?([^=:\s]+)\s*[=:]\s*(.*)$", line)
            if not match:
                raise Fail("Can't separate key from value")
            key, value = match.groups()
            if value[:1] in "\"'" and value:
                end = value.find(value[0], 1)
                value = value[1:end] if end > 0 else value[1:]
            else:
                value = re.split(r"\s+#", value)[0].strip()
            values[key] = value
    return values


def read_subnet_file(path, key):
    missing = REL >= "0.25.0" or (REL >= "0.21.0" and key == "FLANNEL_SUBNET")
    try:
        if not os.path.exists(path):
            if missing:
                log_main.warning(f"no subnet found for key: {key} in file: {path}")
            return ZERO_NET
        values = read_env_file(path)
    except (OSError, Fail) as problem:
        log_main.error(f"Couldn't fetch previous {key} from subnet file at {path}: {problem}")
        return ZERO_NET
    text = values.get(key)
    if text is None:
        if missing:
            log_main.warning(f"no subnet found for key: {key} in file: {path}")
        return ZERO_NET
    found = []
    for part in text.split(",") if REL >= "0.21.0" else [text.strip('"')]:
        try:
            found.append(go_parse_cidr4(part))
        except Fail as problem:
            log_main.error(f"Couldn't parse previous {key} from subnet file at {path}: {problem}")
            if REL.within("0.21.0", "0.28.5"):
                raise GoPanic("runtime error: invalid memory address or nil pointer dereference") from None
    if len(found) > 1:
        log_main.error(f"error reading subnet: more than 1 entry found for key: {key} in file {path}: ")
    elif not found and missing:
        log_main.warning(f"no subnet found for key: {key} in file: {path}")
    return found[0] if len(found) == 1 else ZERO_NET


def write_subnet_file(path, config, lease, mtu, masquerade):
    """Order, mode and rename of spec 4.4."""
    directory, name = os.path.split(path)
    if directory:
        os.makedirs(directory, 0o755, exist_ok=True)
    text = (
        f"FLANNEL_NETWORK={config.network}\n"
        f"FLANNEL_SUBNET={ip_text(lease.subnet.ip + 1)}/{lease.subnet.len}\n"
        f"FLANNEL_MTU={mtu}\n"
        f"FLANNEL_IPMASQ={go_truth(masquerade)}\n"
    )
    exact = REL >= "0.28.8"
    temporary = os.path.join(directory, f".{name}{random.randrange(10**9)}" if exact else f".{name}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), "w", encoding="ascii") as file:
        file.write(text)
        if exact:
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
    os.rename(temporary, path)


# ---------------------------------------------------------------------- main


class Health:
    """/healthz, and /readyz from v0.28.9: spec 4.5."""

    def __init__(self, host, port):
        self.ready = False
        self.address = f"{host}:{port}" if ":" not in host else f"[{host}]:{port}"
        self.host, self.port = host, port
        self.server = None

    def serve(self):
        health = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path.partition("?")[0]
                if path == "/healthz":
                    self.answer(200, b"flanneld is running")
                elif path == "/readyz" and REL >= "0.28.9":
                    if health.ready:
                        self.answer(200, b"flanneld is ready")
                    else:
                        self.answer(503, b"flanneld is not ready yet")
                else:
                    self.answer(404, b"404 page not found\n")

            do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

            def answer(self, status, body):
                self.send_response_only(status)
                self.send_header("Date", self.date_time_string())
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                if status == 404:
                    self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        try:
            self.server = http.server.ThreadingHTTPServer((self.host, self.port), Handler)
        except OSError as problem:
            text = f"listen tcp {self.address}: bind: {os.strerror(problem.errno or errno.EINVAL).lower()}"
            log_main.error(f"Start healthz server error. {text}")
            raise GoPanic(text) from None
        self.server.serve_forever(poll_interval=0.2)


def notify_ready():
    """systemd's READY=1, to the socket in NOTIFY_SOCKET."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect(address)
        sock.send(b"READY=1")


def wait_for_config(ctx, manager):
    while True:
        try:
            config = manager.get_config()
            log_main.info(f"Found network config - Backend type: {config.backend_type}")
            return config
        except Fail as problem:
            log_main.error(f"Couldn't fetch network config: {problem}")
        except Cancelled:
            if manager.v3:
                log_main.error("Couldn't fetch network config: context canceled")
            return None
        if ctx.wait(1):
            return None
        try:
            os.write(1, b"timed out\n")
        except OSError:
            pass


def main(argv):
    global REL
    REL = Release(os.environ.get("FLANNELD_STANDIN_VERSION") or BAKED_VERSION or "(no version)")
    options = Options(REL, argv[0])
    options.parse(argv[1:])
    if options["version"]:
        sys.stderr.write(REL.tag + "\n")
        return 0
    problem = options.take_environment(os.environ)
    if problem and REL >= "0.18.0":
        log_main.error(f"Failed to set flag FLANNELD from env{problem}")
    Log.verbosity = options["v"]
    if REL >= "0.15.0":
        log_main.info(f"CLI flags config: {options.struct_text()}")
    if not 0 < options["subnet-lease-renew-margin"] < 24 * 60:
        log_main.error("Invalid subnet-lease-renew-margin option, out of acceptable range")
        return 1

    early = REL < "0.15.0"
    if early:
        log_match.place = "main.go"
    if REL < "0.20.0":
        log_monitor.place = "main.go"
    if REL >= "0.22.0":
        log_watch.place = "subnet.go"
    if REL >= "0.24.1":
        log_rules.place = "iptables.go"
    interface = choose_interface(options) if early else None

    ctx = Context()
    try:
        if options["kube-subnet-mgr"]:
            raise NotSupported("--kube-subnet-mgr is not supported by netctl's stand-in for flanneld; a released flannel archive has it")
        previous = read_subnet_file(options["subnet-file"], "FLANNEL_SUBNET")
        if REL >= "0.21.0":  # IPv6 is never in the file here
            log_main.warning(f"no subnet found for key: FLANNEL_IPV6_SUBNET in file: {options['subnet-file']}")
        manager = LeaseManager(ctx, options, previous)
    except Fail as problem:
        log_main.error(f"Failed to create SubnetManager: {problem}")
        return 1
    log_main.info(f"Created subnet manager: {manager.name()}")

    log_main.info("Installing signal handlers")

    def on_signal(*_):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        log_main.info("shutdownHandler sent cancel signal...")
        ctx.cancel()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)

    health = None
    if options["healthz-port"] > 0:
        health = Health(options["healthz-ip"], options["healthz-port"])
        log_main.info(f"Start healthz server on {health.address}")
        start_thread(health.serve)

    config = wait_for_config(ctx, manager)
    if config is None:
        return 0
    if not config.enable_ipv4 and not config.enable_ipv6:
        log_main.error("none defined stack")
        return 1
    if config.enable_ipv6:
        log_main.error("EnableIPv6 is not supported by netctl's stand-in for flanneld; a released flannel archive has it")
        return 1
    if config.enable_nftables:
        log_main.error("EnableNFTables is not supported by netctl's stand-in for flanneld; a released flannel archive has it")
        return 1
    bridge_file = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    if REL >= "0.26.0" and not os.path.exists(bridge_file):
        log_main.error(f"Failed to check br_netfilter: stat {bridge_file}: no such file or directory")
        return 1
    if not early:
        interface = choose_interface(options)

    try:
        backend = get_backend(config, interface)
    except Fail as problem:
        log_main.error(f"Error fetching backend: {problem}")
        return 1
    try:
        backend.register(ctx, manager, config)
    except (Fail, Cancelled) as problem:
        log_main.error(f"Error registering network: {problem or 'context canceled'}")
        return 1

    firewall = Firewall(ctx, options["iptables-resync"] if REL >= "0.11.0" else 5)
    if REL >= "0.27.0":
        log_main.info("Cleaning-up unused traffic manager rules")
        for family, table in (("ip", "flannel-ipv4"), ("ip6", "flannel-ipv6")):
            try:
                run(["nft", "delete", "table", family, table])
            except OSError:
                break  # no nft here: tolerated in iptables mode
    if REL >= "0.25.0":
        log_iptables.info("Starting flannel in iptables mode...")
    if options["ip-masq"]:
        try:
            recycle(firewall, options, config, backend.lease)
        except Fail as problem:
            log_main.error(str(problem))
            return 1
        if REL >= "0.12.0":
            log_rules.info("Setting up masking rules")
        firewall.keep(masquerade_rules(config.network, backend.lease.subnet, options["ip-masq-fully-random-disable"]), "FLANNEL-POSTRTG")
    wants_forward = options["iptables-forward-rules"] if REL >= "0.11.0" else REL >= "0.9.1"
    if wants_forward:
        if REL >= "0.12.0":
            log_rules.info("Changing default FORWARD chain policy to ACCEPT")
        firewall.keep(forward_rules(config.network), "FLANNEL-FWD")
    if options["ip-blackhole-route"]:
        start_thread(keep_blackhole, ctx, str(backend.lease.subnet), options["iptables-resync"])

    try:
        write_subnet_file(options["subnet-file"], config, backend.lease, backend.mtu, options["ip-masq"])
        log_main.info(f"Wrote subnet file to {options['subnet-file']}")
        if health:
            health.ready = True
        if REL >= "0.28.9":
            log_main.info("flannel is ready")
    except OSError as problem:
        log_main.warning(f"Failed to write subnet file: {problem.strerror}: {problem.filename}")

    log_main.info("Running backend.")
    running = start_thread(backend.run, ctx, manager)
    try:
        notify_ready()
    except OSError as problem:
        log_main.error(f"Failed to notify systemd the message READY=1 {problem}")

    outcome = manager.monitor(backend.lease)
    if REL >= "0.20.0":
        log_main.error(f"CompleteLease execute error err: {outcome}")
    if outcome == "interrupted":
        ctx.cancel()
        if not REL.within("0.18.0", "0.21.2"):
            log_main.info("Stopping shutdownHandler...")
    log_main.info("Waiting for all goroutines to exit")
    for thread in (running, manager.own_watch):
        while ctx.cancelled() and thread.is_alive():
            thread.join(0.2)
    ctx.done.wait()  # the monitor may have ended alone; the daemon then goes on
    firewall.clean_exit()
    log_main.info("Exiting cleanly...")
    return 0


def keep_blackhole(ctx, subnet, seconds):
    while not ctx.wait(seconds):
        code, _, problem = run(["ip", "route", "add", "blackhole", subnet])
        if code and "File exists" not in problem:
            log_main.error(f"Failed to setup blackhole route, {kernel_text(problem)}")


if __name__ == "__main__":
    try:
        STATUS = main(sys.argv)
    except GoPanic as crash:
        die_of_panic(crash)
    except SystemExit as stop:
        if isinstance(stop.code, str):
            sys.stderr.write(stop.code + "\n")
            STATUS = 1
        else:
            STATUS = stop.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(STATUS)
