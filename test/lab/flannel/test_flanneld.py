"""The stand-in against a real etcd and real network namespaces. Run: python3 -m unittest discover -s test/lab/flannel

The cases with VERSIONS also hold for released daemons (see sandbox.py); those that need
a short lease are the stand-in's alone.
"""

import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sandbox
from sandbox import Sandbox, in_namespace, is_released, wait_for

WHY_NOT = sandbox.can_run()
ALL_VERSIONS = "v0.9.1,v0.11.0,v0.14.0,v0.17.0,v0.18.1,v0.20.2,v0.21.3,v0.24.4,v0.26.7,v0.28.9"
WANTED = os.environ.get("FLANNELD_TEST_VERSIONS") or "v0.11.0,v0.20.2,v0.28.9"
VERSIONS = tuple((ALL_VERSIONS if WANTED == "all" else WANTED).split(","))
V3_EVENT_BUG = "v0.21.3"


def number(version):
    return tuple(int(part) for part in version[1:].split("."))


def at_least(version, other):
    return number(version) >= number(other)


def end_code(version):
    """Exit code after SIGTERM or a revoked lease."""
    return 2 if number("v0.18.0") <= number(version) < number("v0.26.3") else 0


def versions(*only):
    """Runs a test once per release: those named, or all of VERSIONS."""

    def decorate(test):
        def run(self):
            for version in only or VERSIONS:
                if only and is_released_only() and not is_released(version):
                    continue
                with self.subTest(version=version):
                    try:
                        test(self, version)
                    finally:
                        self.box.clear()

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    return decorate


def is_released_only():
    return bool(sandbox.RELEASED)


def network(kind="host-gw", **keys):
    backend = keys.pop("backend", {})
    return {"Network": "10.1.0.0/16", **keys, "Backend": {"Type": kind, **backend}}


@unittest.skipIf(WHY_NOT, WHY_NOT)
class LabCase(unittest.TestCase):
    segments = 1

    @classmethod
    def setUpClass(cls):
        cls.box = Sandbox(cls.segments)
        cls.addClassCleanup(cls.box.close)

    def tearDown(self):
        self.box.clear()

    def only_lease(self, version):
        leases = self.box.leases(version)
        self.assertEqual(len(leases), 1, leases)
        return next(iter(leases.items()))


class CommandLine(LabCase):
    def answer(self, version, *argv, env=None):
        node = self.box.nodes[0] if self.box.nodes else self.box.node()
        daemon = node.start(version, *argv, env=env, wait=False)
        return daemon.wait_exit(), daemon.log(), daemon.out()

    @versions()
    def test_version_goes_to_stderr_with_exit_code_0(self, version):
        self.assertEqual(self.answer(version, "--version"), (0, version + "\n", ""))

    @versions()
    def test_a_mistake_on_the_command_line_prints_usage_and_exits_with_0(self, version):
        for words, said in (
            (["--nonsense"], "flag provided but not defined: -nonsense\nUsage: "),
            (["-h"], "Usage: "),
            (["--healthz-port=x"], 'invalid value "x" for flag -healthz-port: '),
            (["--ip-masq=maybe"], 'invalid boolean value "maybe" for -ip-masq: '),
            (["--iface"], "flag needs an argument: -iface\nUsage: "),
        ):
            code, log, _ = self.answer(version, *words)
            self.assertEqual(code, 0)
            self.assertTrue(log.startswith(said), log[:200])
            self.assertIn("  -etcd-prefix string\n", log)

    def test_each_release_knows_its_own_flags(self):
        for version, flag, known in (
            ("v0.10.0", "iptables-resync", False),
            ("v0.11.0", "iptables-resync", True),
            ("v0.17.0", "iface-can-reach", False),
            ("v0.18.0", "iface-can-reach", True),
            ("v0.22.3", "use-multi-cluster-cidr", True),
            ("v0.23.0", "use-multi-cluster-cidr", False),
            ("v0.27.3", "ip-masq-fully-random-disable", False),
            ("v0.27.4", "ip-masq-fully-random-disable", True),
        ):
            _, log, _ = self.answer(version, "-h")
            self.assertEqual(f"  -{flag}" in log, known, (version, flag))

    @versions()
    def test_a_margin_out_of_range_exits_with_1(self, version):
        for margin in ("0", "1440"):
            code, log, _ = self.answer(version, f"--subnet-lease-renew-margin={margin}")
            self.assertEqual(code, 1)
            self.assertIn("Invalid subnet-lease-renew-margin option, out of acceptable range", log)

    @versions()
    def test_the_environment_fills_in_what_the_command_line_leaves_out(self, version):
        code, log, _ = self.answer(version, env={"FLANNELD_SUBNET_LEASE_RENEW_MARGIN": "0"})
        self.assertEqual(code, 1)
        node = self.box.nodes[0]
        self.box.config(version, network())
        daemon = node.start(version, "--ip-masq=false", env={"FLANNELD_IP_MASQ": "true", "FLANNELD_PUBLIC_IP": ""})
        self.assertIn("FLANNEL_IPMASQ=false", node.subnet_env())
        daemon.close()
        node.start(version, env={"FLANNELD_IP_MASQ": "true"})
        self.assertIn("FLANNEL_IPMASQ=true", node.subnet_env())

    @versions()
    def test_an_invalid_number_in_the_environment_counts_as_0(self, version):
        code, log, _ = self.answer(version, env={"FLANNELD_SUBNET_LEASE_RENEW_MARGIN": "x"})
        self.assertEqual(code, 1)
        self.assertEqual("Failed to set flag FLANNELD from env" in log, at_least(version, "v0.18.0") or (is_released(version) and "Failed to set" in log))

    @versions()
    def test_everything_after_a_positional_word_is_ignored(self, version):
        self.box.config(version, network())
        node = self.box.node()
        node.start(version, "word", "--ip-masq", "--nonsense")
        self.assertIn("FLANNEL_IPMASQ=false", node.subnet_env())

    @versions()
    def test_the_options_are_logged_from_v0_15(self, version):
        _, log, _ = self.answer(version, "--subnet-lease-renew-margin=0", "--iface=a", "--iface=b")
        self.assertEqual("CLI flags config: {etcdEndpoints:http://10.99.0.1:2379 etcdPrefix:" in log, at_least(version, "v0.15.0"))
        if at_least(version, "v0.15.0"):
            self.assertIn(" iface:[a b] ", log)


class Start(LabCase):
    @versions()
    def test_it_waits_for_the_config_and_says_timed_out_on_stdout(self, version):
        node = self.box.node()
        daemon = node.start(version, wait=False).wait_log("Couldn't fetch network config: ")
        missing = {True: "flannel config not found in etcd store. Did you create your config using etcdv3 API?"}.get(at_least(version, "v0.19.0"))
        if missing:
            self.assertIn(missing, daemon.log())
        elif not Sandbox.is_v3(version):
            self.assertRegex(daemon.log(), r"100: Key not found \(/coreos.com")
        wait_for(lambda: "timed out\n" in daemon.out())
        self.box.config(version, network())
        daemon.wait_log("Waiting for ")
        self.assertIn("Found network config - Backend type: host-gw", daemon.log())

    @versions()
    def test_a_signal_while_it_waits_for_the_config_exits_with_0(self, version):
        daemon = self.box.node().start(version, wait=False).wait_log("Couldn't fetch network config: ")
        self.assertEqual(daemon.signal().wait_exit(), 0)

    @versions()
    def test_a_signal_ends_it_with_the_exit_code_of_its_era_and_leaves_lease_file_and_routes(self, version):
        self.box.config(version, network())
        first, second = self.box.node(), self.box.node()
        for which in (signal.SIGTERM, signal.SIGINT):
            one = first.start(version)
            time.sleep(0.5)  # v0.18 to v0.21.2 lose events that come together
            two = second.start(version)
            wait_for(lambda: first.routes() and second.routes(), what="routes")
            before = self.box.leases(version)
            self.assertEqual(one.signal(which).wait_exit(), end_code(version))
            self.assertTrue(first.routes())
            self.assertTrue(os.path.exists(first.subnet_file))
            self.assertEqual(self.box.leases(version).keys(), before.keys())
            two.close()

    @versions()
    def test_an_unknown_backend_and_a_backend_of_the_wrong_shape_exit_with_1(self, version):
        node = self.box.node()
        for config, said in (
            (network("VXLAN2"), "Error fetching backend: unknown backend type: vxlan2"),
            ({"Network": "10.1.0.0/16", "Backend": None}, "Error fetching backend: unknown backend type: \n"),
            (network("vxlan", backend={"VNI": "1"}), "Error registering network: error decoding VXLAN backend config: json: cannot unmarshal string into Go "),
        ):
            self.box.config(version, config)
            daemon = node.start(version, wait=False)
            self.assertEqual(daemon.wait_exit(), 1)
            self.assertIn(said, daemon.log())
        self.assertEqual(self.box.leases(version), {})

    @versions()
    def test_bad_configs_are_retried_for_ever_with_the_words_of_the_era(self, version):
        node = self.box.node()
        late = at_least(version, "v0.20.0")
        cases = [
            ('{"Network":"10.1.0.0/16",}', "invalid character '}' looking for beginning of object key string"),
            ('{"Network":"10.1.0.0"}', "invalid CIDR address: 10.1.0.0"),
            ('{"Network":"10.1.0.0/16","SubnetLen":24.0}', "json: cannot unmarshal number 24.0 into Go struct field Config.SubnetLen of type uint"),
            ('{"Network":"10.1.0.0/16","SubnetMin":"10.2.0.0"}', "SubnetMin is not in the range of the Network"),
        ]
        if at_least(version, "v0.10.0"):
            cases += [
                ('{"Network":"10.1.0.0/29"}', ("n" if late else "N") + "etwork is too small. Minimum useful network prefix is /28"),
                ('{"Network":"10.1.0.0/16","SubnetLen":17}', ("n" if late else "N") + "etwork must be able to accommodate at least four subnets"),
                ('{"Network":"10.1.0.0/16","SubnetMax":"10.1.255.255"}', "SubnetMax is not on a SubnetLen boundary: 10.1.255.255"),
            ]
        if at_least(version, "v0.19.2"):
            cases.append(("{}", ("p" if late else "P") + "lease define a correct Network parameter in the flannel config"))
        self.box.config(version, cases[0][0])
        daemon = node.start(version, wait=False)
        for config, said in cases:
            self.box.config(version, config)
            daemon.wait_log(f"Couldn't fetch network config: {said}")
        self.assertTrue(daemon.running())
        self.box.config(version, '{"network":"10.9.0.0/16","Network":"10.1.0.0/16","BACKEND":{"type":"ALLOC"},"x":1}')
        daemon.wait_log("Waiting for ")
        self.assertIn("FLANNEL_NETWORK=10.1.0.0/16\n", node.subnet_env())

    @versions()
    def test_interfaces_are_chosen_by_name_address_pattern_and_public_address(self, version):
        self.box.config(version, network("alloc"))
        node = self.box.node()
        node.ip("link", "add", "other", "type", "bridge")
        node.ip("addr", "add", "10.98.0.5/24", "dev", "other")
        node.ip("link", "set", "other", "mtu", "1400", "up")
        cases = [
            (["--iface=nothing", "--iface=other"], "other", "10.98.0.5"),
            (["--iface=10.98.0.5"], "other", "10.98.0.5"),
            (["--iface-regex=^10\\.98"], "other", "10.98.0.5"),
            (["--iface-regex=^oth"], "other", "10.98.0.5"),
            ([], "eth0", node.address),
        ]
        if at_least(version, "v0.12.0"):
            cases.append((["--public-ip=10.98.0.5"], "other", "10.98.0.5"))
        if at_least(version, "v0.18.0"):
            cases.append((["--iface-can-reach=10.98.0.77"], "other", "10.98.0.5"))
        for words, name, address in cases:
            daemon = node.start(version, *words)
            self.assertIn(f"Using interface with name {name} and address {address}", daemon.log())
            self.assertIn(f"FLANNEL_MTU={1400 if name == 'other' else 1500}\n", node.subnet_env())
            daemon.close()
        refused = [(["--iface=nothing"], "Failed to find interface to use that matches the interfaces and/or regexes provided")]
        if at_least(version, "v0.12.0"):
            refused.append((["--public-ip=203.0.113.9"], "Failed to find any valid interface to use: "))
        for words, said in refused:
            daemon = node.start(version, *words, wait=False)
            self.assertEqual(daemon.wait_exit(), 1)
            self.assertIn(said, daemon.log())

    @versions()
    def test_host_gw_refuses_a_public_address_that_is_not_the_interface_s(self, version):
        self.box.config(version, network())
        daemon = self.box.node().start(version, "--iface=eth0", "--public-ip=203.0.113.9", wait=False)
        self.assertEqual(daemon.wait_exit(), 1)
        self.assertIn("your PublicIP differs from interface IP, meaning that probably you're on a NAT", daemon.log())

    @versions()
    def test_systemd_is_told_when_it_is_ready(self, version):
        self.box.config(version, network())
        path = os.path.join(self.box.directory, "notify" + version)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(path)
            sock.settimeout(5)
            node = self.box.node()
            node.start(version, env={"NOTIFY_SOCKET": path})
            self.assertEqual(sock.recv(100), b"READY=1")
            self.assertTrue(os.path.exists(node.subnet_file))

    @versions()
    def test_health_is_answered_before_the_config_is_there(self, version):
        node = self.box.node()
        daemon = node.start(version, "--healthz-ip=127.0.0.1", "--healthz-port=2401", wait=False).wait_log("Couldn't fetch network config")

        def get(path):
            def action():
                connection = http.client.HTTPConnection("127.0.0.1", 2401, timeout=5)
                connection.request("GET", path)
                response = connection.getresponse()
                return response.status, response.read()

            return in_namespace(node.name, action)

        self.assertEqual(get("/healthz"), (200, b"flanneld is running"))
        ready = at_least(version, "v0.28.9")
        self.assertEqual(get("/readyz"), (503, b"flanneld is not ready yet") if ready else (404, b"404 page not found\n"))
        self.box.config(version, network())
        daemon.wait_log("Wrote subnet file")
        self.assertEqual(get("/readyz")[0], 200 if ready else 404)
        second = node.start(version, "--healthz-ip=127.0.0.1", "--healthz-port=2401", wait=False)
        self.assertEqual(second.wait_exit(), 2)
        self.assertIn("panic: listen tcp 127.0.0.1:2401: bind: address already in use", second.log())


class Endpoints(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.certs = os.path.join(cls.box.directory, "certs")
        os.makedirs(cls.certs)
        ssl_sh = lambda *argv: sandbox.sh("openssl", *argv)
        path = lambda name: os.path.join(cls.certs, name)
        ssl_sh("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca", "-days", "2", "-keyout", path("ca.key"), "-out", path("ca.pem"))
        for name, extra in (("server", "subjectAltName=IP:10.99.0.1,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth"), ("client", "extendedKeyUsage=clientAuth")):
            with open(path("ext"), "w", encoding="ascii") as file:
                file.write(extra)
            ssl_sh("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", path(name + ".key"), "-out", path("csr"))
            ssl_sh("x509", "-req", "-in", path("csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", path("ext"), "-out", path(name + ".pem"))
        cls.path = staticmethod(path)

    def other_etcd(self, *flags):
        """A second etcd with TLS. Gives back a function that runs etcdctl on it."""
        url = "https://10.99.0.1:2579"
        data = os.path.join(self.box.directory, f"tls{time.monotonic_ns()}")
        argv = ["ip", "netns", "exec", self.box.lan, "etcd", "--enable-v2", "--data-dir", data, "--listen-client-urls", url]
        argv += ["--advertise-client-urls", url, "--listen-peer-urls", "http://127.0.0.1:2581", "--initial-advertise-peer-urls", "http://127.0.0.1:2581"]
        argv += ["--initial-cluster", "default=http://127.0.0.1:2581", "--cert-file", self.path("server.pem"), "--key-file", self.path("server.key")]
        argv += ["--trusted-ca-file", self.path("ca.pem"), *flags]
        with open(data + ".log", "wb") as log:
            etcd = subprocess.Popen(argv, stdout=log, stderr=log)
        self.addCleanup(lambda: (etcd.terminate(), etcd.wait()))

        def ctl(*words, check=True, v2=False):
            names = ("--ca-file", "--cert-file", "--key-file") if v2 else ("--cacert", "--cert", "--key")
            files = [word for pair in zip(names, map(self.path, ("ca.pem", "client.pem", "client.key"))) for word in pair]
            environment = "ETCDCTL_API=" + ("2" if v2 else "3")
            return sandbox.sh("ip", "netns", "exec", self.box.lan, "env", environment, "etcdctl", "--endpoints", url, *files, *words, check=check)

        wait_for(lambda: "healthy" in ctl("endpoint", "health", check=False) or ctl("put", "up", "1", check=False), 15)
        text = json.dumps(network())
        ctl("put", "/coreos.com/network/config", text)
        ctl("set", "/coreos.com/network/config", text, v2=True)
        return url, ctl

    @versions()
    def test_the_first_endpoint_that_answers_is_used(self, version):
        self.box.config(version, network())
        self.box.node().start(version, endpoints="http://10.99.0.1:4001,http://10.99.0.1:2379")

    @versions("v0.11.0", "v0.17.0", "v0.20.2", "v0.26.7", "v0.28.9")
    def test_client_certificates_and_what_a_ca_alone_does(self, version):
        url, _ = self.other_etcd("--client-cert-auth")
        full = [f"--etcd-cafile={self.path('ca.pem')}", f"--etcd-certfile={self.path('client.pem')}", f"--etcd-keyfile={self.path('client.key')}"]
        node = self.box.node()
        node.start(version, *full, endpoints=url).close()
        daemon = node.start(version, full[0], endpoints=url, wait=False)
        if Sandbox.is_v3(version):
            daemon.wait_log("no certificate provided: connecting to etcd with http. This is insecure")
            time.sleep(2)
            self.assertNotIn("Couldn't fetch", daemon.log())  # it waits without a word
            self.assertEqual(daemon.signal().wait_exit(), 0)
            self.assertIn("Couldn't fetch network config: context canceled", daemon.log())
        else:
            daemon.wait_log("Couldn't fetch network config: client: etcd cluster is unavailable or misconfigured; error #0: ")
        daemon = node.start(version, *full[:2], "--etcd-keyfile=/nonexistent", endpoints=url, wait=False)
        self.assertEqual(daemon.wait_exit(), 1)
        self.assertIn("Failed to create SubnetManager: open /nonexistent: no such file or directory", daemon.log())
        self.doCleanups()

    @versions("v0.17.0", "v0.20.2", "v0.28.9")
    def test_user_and_password(self, version):
        url, ctl = self.other_etcd()
        if Sandbox.is_v3(version):
            ctl("user", "add", "root:secret")
            ctl("user", "grant-role", "root", "root")
            ctl("auth", "enable")
        else:
            ctl("user", "add", "root:secret", v2=True)
            ctl("auth", "enable", v2=True)
            ctl("--username", "root:secret", "role", "revoke", "guest", "--path", "/*", "--readwrite", v2=True)
        full = [f"--etcd-cafile={self.path('ca.pem')}", f"--etcd-certfile={self.path('client.pem')}", f"--etcd-keyfile={self.path('client.key')}"]
        node = self.box.node()
        node.start(version, *full, "--etcd-username=root", "--etcd-password=secret", endpoints=url)
        daemon = node.start(version, *full, "--etcd-username=root", "--etcd-password=wrong", endpoints=url, wait=False)
        if Sandbox.is_v3(version):
            self.assertEqual(daemon.wait_exit(), 1)
            self.assertIn("Failed to create SubnetManager: etcdserver: authentication failed, invalid user ID or password", daemon.log())
        else:
            daemon.wait_log("Couldn't fetch network config: 110: The request requires user authentication")
        self.doCleanups()

    @versions()
    def test_an_etcd_that_is_down_at_the_start_is_waited_for(self, version):
        self.box.config(version, network())
        node = self.box.node()
        self.box.stop_etcd()
        try:
            daemon = node.start(version, wait=False).wait_log("Installing signal handlers")
            time.sleep(1.5)
            self.assertEqual("Couldn't fetch network config" in daemon.log(), not Sandbox.is_v3(version))
        finally:
            self.box.start_etcd()
        daemon.wait_log("Waiting for ", 15)


class Leases(LabCase):
    @versions()
    def test_the_value_of_a_lease_has_the_fields_of_its_era(self, version):
        node = self.box.node()
        six = ',"PublicIPv6":null' if at_least(version, "v0.15.0") else ""
        vni = '"VNI":1,' if at_least(version, "v0.14.0") else ""
        for kind, tail in (
            ("alloc", ""),
            ("host-gw", ',"BackendType":"host-gw"'),
            ("vxlan", f',"BackendType":"vxlan","BackendData":{{{vni}"VtepMAC":"MAC"}}'),
        ):
            self.box.config(version, network(kind))
            daemon = node.start(version)
            key, (value, ttl_seconds) = self.only_lease(version)
            self.assertRegex(key, r"^10\.1\.\d+\.0-24$")
            self.assertEqual(re.sub("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", "MAC", value), f'{{"PublicIP":"{node.address}"{six}{tail}}}')
            self.assertTrue(86390 <= ttl_seconds <= 86400, ttl_seconds)
            daemon.close()

    @versions()
    def test_the_subnet_file_has_four_lines_in_order_and_mode_0644(self, version):
        self.box.config(version, network("vxlan"))
        node = self.box.node()
        node.start(version, "--ip-masq")
        key, _ = self.only_lease(version)
        base = key.rpartition(".")[0]
        self.assertEqual(
            node.subnet_env(), f"FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET={base}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
        )
        self.assertEqual(stat.S_IMODE(os.stat(node.subnet_file).st_mode), 0o644)
        self.assertEqual(os.listdir(node.directory), ["subnet.env"])

    @versions()
    def test_a_lease_with_the_own_address_is_taken_whoever_wrote_it(self, version):
        self.box.config(version, network())
        node = self.box.node()
        self.box.put(version, "subnets/10.1.77.0-24", json.dumps({"PublicIP": node.address}), 600)
        daemon = node.start(version)
        self.assertEqual(node.subnet(), "10.1.77.0/24")
        self.assertIn("for current IP (%s), reusing" % node.address, daemon.log())
        self.assertGreater(self.only_lease(version)[1][1], 86000)

    @versions()
    def test_an_incompatible_lease_of_the_own_address_is_deleted(self, version):
        self.box.config(version, network())
        node = self.box.node()
        self.box.put(version, "subnets/10.2.77.0-24", json.dumps({"PublicIP": node.address}), 600)
        node.start(version)
        self.assertTrue(self.only_lease(version)[0].startswith("10.1."))

    @versions()
    def test_the_previous_subnet_is_asked_for_again(self, version):
        self.box.config(version, network())
        node = self.box.node()
        node.start(version).close()
        subnet = node.subnet()
        self.box.delete(version, "subnets/" + subnet.replace("/", "-"))
        daemon = node.start(version)
        self.assertIn(f"Found previously leased subnet ({subnet}), reusing", daemon.log())
        self.assertEqual(node.subnet(), subnet)

    @versions()
    def test_a_previous_subnet_that_another_node_holds_is_stolen_up_to_v0_17_and_given_up_later(self, version):
        self.box.config(version, network())
        node = self.box.node()
        node.start(version).close()
        subnet = node.subnet()
        key = subnet.replace("/", "-")
        self.box.put(version, "subnets/" + key, '{"PublicIP":"10.99.0.99"}', 600)
        node.start(version)
        if Sandbox.is_v3(version):
            self.assertNotEqual(node.subnet(), subnet)
            self.assertEqual(len(self.box.leases(version)), 2)
        else:
            self.assertEqual(node.subnet(), subnet)
            self.assertIn(node.address, self.only_lease(version)[1][0])

    @versions("v0.11.0", "v0.17.0")
    def test_v2_an_incompatible_previous_subnet_exits_once_and_then_starts(self, version):
        node = self.box.node()
        self.box.config(version, network())
        node.start(version).close()
        self.box.config(version, network(Network="10.2.0.0/16"))
        daemon = node.start(version, wait=False)
        self.assertEqual(daemon.wait_exit(), 1)
        self.assertIn("Error registering network: failed to acquire lease: 100: Key not found", daemon.log())
        node.start(version)
        self.assertTrue(node.subnet().startswith("10.2."))

    @versions()
    def test_no_free_subnet_exits_with_1(self, version):
        self.box.config(version, network(SubnetMin="10.1.5.0", SubnetMax="10.1.5.0"))
        self.box.put(version, "subnets/10.1.4.0-22", '{"PublicIP":"10.99.0.99"}', 600)
        daemon = self.box.node().start(version, wait=False)
        self.assertEqual(daemon.wait_exit(), 1)
        self.assertIn("Error registering network: failed to acquire lease: out of subnets", daemon.log())

    @versions()
    def test_the_first_hundred_free_subnets_are_the_candidates(self, version):
        self.box.config(version, network("alloc"))
        for third in range(1, 100):
            self.box.put(version, f"subnets/10.1.{third}.0-24", '{"PublicIP":"10.99.0.99"}', 600)
        node = self.box.node()
        seen = set()
        for _ in range(3):
            node.start(version).close()
            third = int(node.subnet().split(".")[2])
            self.assertTrue(100 <= third < 200, third)
            seen.add(third)
            self.box.delete(version, f"subnets/10.1.{third}.0-24")
            os.unlink(node.subnet_file)
        self.assertGreater(len(seen), 1)

    @versions("v0.28.9", "v0.20.2", "v0.17.0")
    def test_when_many_start_at_once_v3_losers_exit_and_v2_losers_try_again(self, version):
        self.box.config(version, network("alloc", SubnetMin="10.1.1.0", SubnetMax="10.1.4.0"))
        nodes = [self.box.node() for _ in range(4)]
        lost = 0
        for _ in range(12):
            daemons = [node.start(version, wait=False) for node in nodes]
            for daemon in daemons:
                wait_for(lambda: "Waiting for" in daemon.log() or not daemon.running(), 15)
                if not daemon.running():
                    self.assertTrue(Sandbox.is_v3(version), daemon.log())
                    self.assertEqual(daemon.wait_exit(), 1)
                    self.assertIn("failed to acquire lease: subnet already exists", daemon.log())
                    lost += 1
            kept = self.box.leases(version)
            self.assertEqual(len(kept), sum(daemon.running() for daemon in daemons))
            for daemon in daemons:
                daemon.close()
            for key in kept:
                self.box.delete(version, "subnets/" + key)
            for node in nodes:
                if os.path.exists(node.subnet_file):
                    os.unlink(node.subnet_file)
            if lost:
                break
        if Sandbox.is_v3(version):
            self.assertGreater(lost, 0, "no race in twelve rounds")

    @versions()
    def test_a_revoked_lease_ends_the_daemon_and_the_next_start_regains_it(self, version):
        self.box.config(version, network())
        node = self.box.node()
        daemon = node.start(version)
        subnet = node.subnet()
        time.sleep(0.4)
        self.box.delete(version, "subnets/" + subnet.replace("/", "-"))
        daemon.wait_log("Lease has been revoked. Shutting down daemon.")
        self.assertEqual(daemon.wait_exit(), end_code(version))
        self.assertTrue(os.path.exists(node.subnet_file))
        node.start(version)
        self.assertEqual(node.subnet(), subnet)

    @versions()
    def test_a_reservation_lasts_with_v2_and_becomes_a_lease_with_v3(self, version):
        self.box.config(version, network())
        node = self.box.node()
        value = json.dumps({"PublicIP": node.address})
        self.box.put(version, "subnets/10.1.9.0-24", value)
        daemon = node.start(version)
        self.assertEqual(node.subnet(), "10.1.9.0/24")
        expected = (lambda ttl: ttl is not None and ttl > 86000) if Sandbox.is_v3(version) else (lambda ttl: ttl is None)
        self.assertTrue(expected(self.only_lease(version)[1][1]))
        time.sleep(0.4)
        self.box.put(version, "subnets/10.1.9.0-24", value)  # again, under the running daemon
        daemon.wait_log("Waiting for -1h" if Sandbox.is_v3(version) else "Waiting for 2562046h")
        if Sandbox.is_v3(version):
            daemon.wait_log("Lease renewed, new expiration: ")
        time.sleep(0.3)
        self.assertTrue(expected(self.only_lease(version)[1][1]))

    @versions("v0.17.0", "v0.20.2", "v0.28.9")
    def test_renewal_takes_a_new_lease_id_and_keeps_the_key(self, version):
        if is_released(version):
            self.skipTest("a released daemon has leases of a day")
        self.box.config(version, network())
        node = self.box.node()
        env = {"FLANNELD_STANDIN_TTL_SECONDS": "4"}
        daemon = node.start(version, "--subnet-lease-renew-margin=720", env=env)
        before = self.box.leases(version)
        ids = self.box.lease_ids()
        daemon.wait_log("Lease renewed, new expiration: ", 6)
        time.sleep(3)
        self.assertEqual(self.box.leases(version).keys(), before.keys())
        if Sandbox.is_v3(version):
            self.assertTrue(self.box.lease_ids() - ids)
        daemon.signal().wait_exit()
        wait_for(lambda: not self.box.leases(version), 8, "expiry")

    @versions("v0.17.0", "v0.20.2", "v0.28.9")
    def test_a_lease_that_expires_takes_the_peers_routes_along(self, version):
        if is_released(version):
            self.skipTest("a released daemon has leases of a day")
        self.box.config(version, network())
        first, second = self.box.node(), self.box.node()
        second.start(version)
        daemon = first.start(version, env={"FLANNELD_STANDIN_TTL_SECONDS": "3"})
        wait_for(second.routes)
        daemon.signal(signal.SIGSTOP)
        wait_for(lambda: not second.routes(), 8, "the peer's route is gone")

    @versions()
    def test_an_ipv6_address_in_a_lease_crashes_every_release_before_v0_28_9(self, version):
        self.box.config(version, network())
        self.box.put(version, "subnets/10.1.9.0-24", '{"PublicIP":"fd00::1"}', 600)
        daemon = self.box.node().start(version, wait=False)
        if at_least(version, "v0.28.9"):
            daemon.wait_log("Waiting for ")
            self.assertIn("Ignoring bad subnet node: invalid IPv4 address format", daemon.log())
        else:
            self.assertEqual(daemon.wait_exit(), 2)
            self.assertIn("panic: ", daemon.log())

    @versions("v0.14.0", "v0.20.2", "v0.24.4", "v0.28.9")
    def test_a_previous_subnet_that_is_no_cidr(self, version):
        self.box.config(version, network())
        node = self.box.node()
        with open(node.subnet_file, "w", encoding="ascii") as file:
            file.write("FLANNEL_SUBNET=garbage\n")
        daemon = node.start(version, wait=False)
        if number("v0.21.0") <= number(version) <= number("v0.28.5"):
            self.assertEqual(daemon.wait_exit(), 2)
        else:
            daemon.wait_log("Waiting for ")
        self.assertIn("Couldn't parse previous FLANNEL_SUBNET from subnet file at ", daemon.log())


class Peers(LabCase):
    def trio(self, version, kind, **keys):
        """A node under test, with a peer that is only a lease."""
        self.box.config(version, network(kind, **keys))
        node = self.box.node()
        daemon = node.start(version)
        time.sleep(0.5)  # v0.18 to v0.21.2 lose events that come together
        return node, daemon

    def peer_value(self, kind, address="10.99.0.50", mac="02:00:00:00:00:50"):
        value = {"PublicIP": address, "BackendType": kind}
        if kind == "vxlan":
            value["BackendData"] = {"VNI": 1, "VtepMAC": mac}
        return json.dumps(value)

    def put_peer(self, version, kind, third=200, address="10.99.0.50", **keys):
        self.box.put(version, f"subnets/10.1.{third}.0-24", self.peer_value(kind, address, **keys), 600)

    @versions()
    def test_host_gw_routes_follow_the_peers(self, version):
        node, _ = self.trio(version, "host-gw")
        self.put_peer(version, "host-gw")
        wait_for(lambda: node.routes() == ["10.1.200.0/24 via 10.99.0.50 dev eth0"])
        time.sleep(0.3)
        self.put_peer(version, "host-gw", address="10.99.0.51")
        wait_for(lambda: node.routes() == ["10.1.200.0/24 via 10.99.0.51 dev eth0"])
        time.sleep(0.3)
        self.box.delete(version, "subnets/10.1.200.0-24")
        wait_for(lambda: node.routes() == [])

    @versions()
    def test_host_gw_puts_a_lost_route_back_within_ten_seconds(self, version):
        node, daemon = self.trio(version, "host-gw")
        self.put_peer(version, "host-gw")
        wait_for(node.routes)
        node.ip("route", "del", "10.1.200.0/24")
        wait_for(node.routes, 12)
        daemon.wait_log("Route recovered ")

    @versions()
    def test_a_lease_of_another_backend_is_ignored(self, version):
        node, daemon = self.trio(version, "host-gw")
        self.put_peer(version, "vxlan")
        daemon.wait_log("Ignoring non-host-gw subnet: type=vxlan")
        self.assertEqual(node.routes(), [])

    @versions()
    def test_vxlan_keeps_arp_fdb_and_route_per_peer(self, version):
        node, _ = self.trio(version, "vxlan")
        link = json.loads(node.ip("-j", "-d", "addr", "show", "dev", "flannel.1"))[0]
        data = link["linkinfo"]["info_data"]
        self.assertEqual((data["id"], data["port"], data["local"], data["link"], data["learning"]), (1, 8472, node.address, "eth0", False))
        self.assertEqual(link["mtu"], 1450)
        subnet = node.subnet().split("/")[0]
        self.assertEqual([(info["local"], info["prefixlen"]) for info in link["addr_info"] if info["family"] == "inet"], [(subnet, 32)])
        self.assertIn(f'"VtepMAC":"{link["address"]}"', self.only_lease(version)[1][0])
        self.put_peer(version, "vxlan")
        wait_for(lambda: node.routes() == ["10.1.200.0/24 via 10.1.200.0 dev flannel.1 onlink"])
        self.assertIn("02:00:00:00:00:50 dst 10.99.0.50 self permanent", node.run("bridge", "fdb", "show", "dev", "flannel.1"))
        self.assertIn("10.1.200.0 lladdr 02:00:00:00:00:50 PERMANENT", node.ip("neigh", "show", "dev", "flannel.1"))
        time.sleep(0.3)
        self.put_peer(version, "vxlan", mac="02:00:00:00:00:51")
        wait_for(lambda: "02:00:00:00:00:51 PERMANENT" in node.ip("neigh", "show", "dev", "flannel.1"))
        time.sleep(0.3)
        fdb = node.run("bridge", "fdb", "show", "dev", "flannel.1")
        self.assertIn("02:00:00:00:00:50 ", fdb)  # the entry of the old address is never cleaned
        self.box.delete(version, "subnets/10.1.200.0-24")
        wait_for(lambda: node.routes() == [])
        wait_for(lambda: "02:00:00:00:00:51" not in node.run("bridge", "fdb", "show", "dev", "flannel.1"))
        self.assertNotIn("10.1.200.0", node.ip("neigh", "show", "dev", "flannel.1"))

    @versions()
    def test_vxlan_reuses_its_device_and_makes_it_anew_when_the_settings_differ(self, version):
        node, daemon = self.trio(version, "vxlan")
        link = lambda: json.loads(node.ip("-j", "-d", "link", "show", "dev", "flannel.1"))[0]
        before = link()
        daemon.close()
        node.start(version).close()
        self.assertEqual((link()["ifindex"], link()["address"]), (before["ifindex"], before["address"]))
        self.box.config(version, network("vxlan", backend={"Port": 4789}))
        daemon = node.start(version)
        self.assertNotEqual(link()["ifindex"], before["ifindex"])
        self.assertNotEqual(link()["address"], before["address"])
        self.assertEqual(link()["linkinfo"]["info_data"]["port"], 4789)
        self.assertRegex(daemon.log(), '"flannel.1" already exists with incompat[ai]ble configuration: port: 4789 vs 8472; recreating device')

    @versions()
    def test_many_peers_at_the_start(self, version):
        self.box.config(version, network("vxlan"))
        for third in range(100, 130):
            self.put_peer(version, "vxlan", third, f"10.99.0.{third}", mac=f"02:00:00:00:01:{third:02x}"[:17])
        node = self.box.node()
        node.start(version)
        wait_for(lambda: len(node.routes()) == 30)
        self.assertEqual(node.run("bridge", "fdb", "show", "dev", "flannel.1").count(" dst 10.99.0."), 30)
        self.assertEqual(node.ip("neigh", "show", "dev", "flannel.1").count("PERMANENT"), 30)

    @versions("v0.11.0", "v0.14.0", "v0.17.0", "v0.20.2", "v0.21.3", "v0.24.4", "v0.26.7", "v0.28.9")
    def test_a_key_that_is_no_lease_does_what_its_era_does_to_the_fleet(self, version):
        node, daemon = self.trio(version, "host-gw")
        self.put_peer(version, "host-gw")
        wait_for(node.routes)
        time.sleep(0.3)
        self.box.put(version, "subnets/lock", "x", 600)
        if at_least(version, V3_EVENT_BUG):
            wait_for(lambda: node.routes() == [], what="all routes gone")
            daemon.wait_log("Watch of subnet leases failed because header revision != 0")
            self.box.delete(version, "subnets/lock")
            time.sleep(0.3)
            self.put_peer(version, "host-gw")  # the peer renews
            wait_for(node.routes)
        else:
            daemon.wait_log("not a subnet, skipping")
            self.assertTrue(node.routes())
            time.sleep(1.3)
            self.put_peer(version, "host-gw", 201, "10.99.0.51")
            if at_least(version, "v0.14.0"):
                wait_for(lambda: len(node.routes()) == 2)
            else:
                time.sleep(2.5)
                self.assertEqual(len(node.routes()), 1)  # blind
                self.assertGreater(daemon.log().count("not a subnet, skipping"), 2)
        self.assertTrue(daemon.running())

    @versions("v0.20.2", "v0.21.3", "v0.28.9")
    def test_v3_a_sibling_of_the_subnets_folder_belongs_to_the_leases(self, version):
        node, _ = self.trio(version, "host-gw")
        self.box.put(version, "subnets-old/10.1.222.0-24", self.peer_value("host-gw"), 600)
        wait_for(lambda: node.routes() == ["10.1.222.0/24 via 10.99.0.50 dev eth0"])

    @versions("v0.26.7", "v0.28.9")
    def test_v3_watches_survive_a_restart_of_etcd(self, version):
        node, daemon = self.trio(version, "host-gw")
        self.box.stop_etcd()
        time.sleep(0.5)
        self.box.start_etcd()
        self.put_peer(version, "host-gw")
        wait_for(node.routes, 15)
        self.assertTrue(daemon.running())

    @versions("v0.17.0", "v0.24.4", "v0.26.7", "v0.28.9")
    def test_an_ipv4_node_that_meets_a_dual_stack_lease_goes_on_blind(self, version):
        for kind in ("host-gw", "vxlan"):
            node, daemon = self.trio(version, kind)
            self.box.put(version, "subnets/10.1.9.0-24&fd00:0:0:1::-64", self.peer_value(kind), 600)
            wait_for(lambda: len(node.routes()) == 1)
            time.sleep(0.3)
            self.put_peer(version, kind, 201, "10.99.0.51")
            time.sleep(0.7)
            self.assertEqual(len(node.routes()), 1)
            self.assertTrue(daemon.running())
            self.box.clear()

    @versions("v0.28.9", "v0.27.4")
    def test_vxlan_makes_a_deleted_device_again_without_its_peers(self, version):
        node, daemon = self.trio(version, "vxlan")
        self.put_peer(version, "vxlan")
        wait_for(node.routes)
        node.ip("link", "del", "flannel.1")
        daemon.wait_log("VXLAN device flannel.1 recreated successfully")
        self.assertEqual(node.routes(), [])


class TwoSegments(LabCase):
    segments = 2

    @versions()
    def test_direct_routing_only_within_a_segment(self, version):
        self.box.config(version, network("vxlan", backend={"DirectRouting": True}))
        near, same, far = self.box.node(), self.box.node(), self.box.node(segment=1)
        for node in (same, far, near):
            node.start(version)
            time.sleep(0.4)
        wait_for(lambda: len(near.routes()) == 2)
        same_base, far_base = same.subnet().split("/")[0], far.subnet().split("/")[0]
        self.assertEqual(
            near.routes(),
            sorted([f"{same.subnet()} via {same.address} dev eth0", f"{far.subnet()} via {far_base} dev flannel.1 onlink"]),
        )
        self.assertNotIn(same_base, near.ip("neigh", "show", "dev", "flannel.1"))

    @versions("v0.20.2", "v0.28.9")
    def test_hosts_of_two_segments_reach_each_other_over_vxlan(self, version):
        self.box.config(version, network("vxlan"))
        one, two = self.box.node(), self.box.node(segment=1)
        for node in (one, two):
            node.start(version)
            time.sleep(0.4)
            node.ip("link", "add", "docker0", "type", "bridge")
            node.ip("addr", "add", re.search("SUBNET=(.*)", node.subnet_env()).group(1), "dev", "docker0")
            node.ip("link", "set", "docker0", "up")
            node.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        wait_for(lambda: one.routes() and two.routes())
        target = re.search(r"SUBNET=([\d.]+)", two.subnet_env()).group(1)
        port = 18080
        listener = in_namespace(two.name, lambda: socket.create_server((target, port)))
        with listener:
            in_namespace(one.name, lambda: socket.create_connection((target, port), 3).close())

    @versions("v0.20.2", "v0.28.9")
    def test_host_gw_cannot_cross_segments(self, version):
        self.box.config(version, network())
        one, two = self.box.node(), self.box.node(segment=1)
        two.start(version)
        time.sleep(0.4)
        daemon = one.start(version)
        daemon.wait_log("Error adding route to ")
        self.assertEqual(one.routes(), [])


class Rules(LabCase):
    def rules(self, node, table, *chains):
        text = node.run("iptables", "-w", "-t", table, "-S")
        return [line for line in text.splitlines() if line.startswith("-A") and line.split()[1] in chains]

    def expected(self, version, subnet):
        n, masq = "10.1.0.0/16", "-m comment --comment \"flanneld masq\" " if at_least(version, "v0.16.2") else ""
        fully = " --random-fully" if at_least(version, "v0.11.0") else ""
        c = "FLANNEL-POSTRTG" if at_least(version, "v0.20.0") else "POSTROUTING"
        inside = f"-A {c} -s {n} -d {n} {masq}-j RETURN"
        outward = f"-A {c} -s {n} ! -d 224.0.0.0/4 {masq}-j MASQUERADE{fully}"
        arriving = f"-A {c} ! -s {n} -d {subnet} {masq}-j RETURN"
        from_host = f"-A {c} ! -s {n} -d {n} {masq}-j MASQUERADE{fully}"
        mark = f"-A {c} -m mark --mark 0x4000/0x4000 {masq}-j RETURN"
        jump = f"-A POSTROUTING {masq}-j FLANNEL-POSTRTG"
        if not at_least(version, "v0.20.0"):
            return [inside, outward, arriving, from_host]
        if not at_least(version, "v0.21.0"):
            return [jump, mark, inside, outward, arriving, from_host]
        mine = [f"-A {c} -s {subnet} -d {n} {masq}-j RETURN", f"-A {c} -s {n} -d {subnet} {masq}-j RETURN"]
        return [jump, mark, *mine, arriving, outward, from_host]

    def expected_forward(self, version):
        comment = "-m comment --comment \"flanneld forward\" " if at_least(version, "v0.16.2") else ""
        if not at_least(version, "v0.20.0"):
            return [f"-A FORWARD -s 10.1.0.0/16 {comment}-j ACCEPT", f"-A FORWARD -d 10.1.0.0/16 {comment}-j ACCEPT"]
        c = "FLANNEL-FWD"
        return [f"-A FORWARD {comment}-j {c}", f"-A {c} -s 10.1.0.0/16 {comment}-j ACCEPT", f"-A {c} -d 10.1.0.0/16 {comment}-j ACCEPT"]

    @versions()
    def test_masquerade_and_forward_rules_of_each_era(self, version):
        self.box.config(version, network())
        node = self.box.node()
        daemon = node.start(version, "--ip-masq")
        nat = lambda: self.rules(node, "nat", "POSTROUTING", "FLANNEL-POSTRTG")
        forward = lambda: self.rules(node, "filter", "FORWARD", "FLANNEL-FWD")
        wanted = self.expected(version, node.subnet())
        wait_for(lambda: len(nat()) >= len(wanted) and len(forward()) >= 2)
        self.assertEqual(nat(), wanted)
        self.assertEqual(forward(), self.expected_forward(version))
        # a second start changes nothing
        daemon.close()
        daemon = node.start(version, "--ip-masq")
        time.sleep(0.7)
        self.assertEqual(nat(), wanted)
        self.assertEqual(forward(), self.expected_forward(version))
        # the end: kept, but for v0.26.3 to v0.26.7 which clean up
        daemon.signal().wait_exit()
        cleaned = number("v0.26.3") <= number(version) <= number("v0.26.7")
        self.assertEqual(nat(), [] if cleaned else wanted)

    @versions()
    def test_lost_rules_come_back(self, version):
        self.box.config(version, network())
        node = self.box.node()
        words = ["--iptables-resync=1"] if at_least(version, "v0.11.0") else []
        node.start(version, "--ip-masq", *words)
        wanted = self.expected(version, node.subnet())
        nat = lambda: self.rules(node, "nat", "POSTROUTING", "FLANNEL-POSTRTG")
        wait_for(lambda: nat() == wanted)
        time.sleep(0.5)
        node.run("iptables", "-w", "-t", "nat", "-F", "POSTROUTING")
        wait_for(lambda: nat() == wanted, 8, "rules are back")

    @versions("v0.11.0", "v0.20.2", "v0.21.3", "v0.28.9")
    def test_the_place_of_the_rules_among_those_of_others(self, version):
        self.box.config(version, network())
        node = self.box.node()
        node.run("iptables", "-w", "-t", "nat", "-A", "POSTROUTING", "-s", "10.1.9.0/24", "!", "-o", "docker0", "-j", "MASQUERADE")
        node.start(version, "--ip-masq")
        wanted = self.expected(version, node.subnet())
        nat = lambda: self.rules(node, "nat", "POSTROUTING", "FLANNEL-POSTRTG")
        wait_for(lambda: len(nat()) == len(wanted) + 1)
        inserted_first = number("v0.20.0") <= number(version) <= number("v0.21.2")
        self.assertEqual("docker0" in nat()[0], not inserted_first)

    @versions("v0.11.0", "v0.20.2", "v0.28.9")
    def test_forward_rules_can_be_left_out(self, version):
        self.box.config(version, network())
        node = self.box.node()
        node.start(version, "--iptables-forward-rules=false")
        time.sleep(0.7)
        self.assertEqual(self.rules(node, "filter", "FORWARD", "FLANNEL-FWD"), [])

    @versions("v0.17.0", "v0.20.2", "v0.28.9")
    def test_rules_of_an_old_network_are_recycled(self, version):
        self.box.config(version, network())
        node = self.box.node()
        nat = lambda: self.rules(node, "nat", "POSTROUTING", "FLANNEL-POSTRTG")
        daemon = node.start(version, "--ip-masq")
        wait_for(lambda: nat() == self.expected(version, node.subnet()))
        daemon.close()
        subnet = node.subnet()
        self.box.delete(version, "subnets/" + subnet.replace("/", "-"))
        self.box.config(version, network(Network="10.2.0.0/16"))
        node.start(version, "--ip-masq")
        wait_for(lambda: any("10.2.0.0/16" in rule for rule in nat()))
        time.sleep(0.7)
        self.assertFalse([rule for rule in nat() if "10.1." in rule])


if __name__ == "__main__":
    unittest.main()
