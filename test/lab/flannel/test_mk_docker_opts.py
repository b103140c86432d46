"""mk-docker-opts.sh and the archive that carries it."""

import contextlib
import os
import stat
import subprocess
import tarfile
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = "FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.74.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n"
BIP, MASQ, MTU = 'DOCKER_OPT_BIP="--bip=10.1.74.1/24"\n', 'DOCKER_OPT_IPMASQ="--ip-masq=true"\n', 'DOCKER_OPT_MTU="--mtu=1472"\n'
ALL = "--bip=10.1.74.1/24 --ip-masq=true --mtu=1472"


def make(directory, version):
    out = subprocess.run([os.path.join(HERE, "make-archive"), version, directory], check=True, capture_output=True, text=True)
    return out.stdout.strip()


class Unpacked(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="netctl-archive-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.archives, cls.unpacked = {}, {}
        for version in ("v0.17.0", "v0.18.0"):
            cls.archives[version] = make(cls.directory.name, version)
            cls.unpacked[version] = os.path.join(cls.directory.name, version)
            with tarfile.open(cls.archives[version]) as tar:
                tar.extractall(cls.unpacked[version])

    def run_script(self, version, env_text, *argv, env=None, stub=None, shell="/bin/sh"):
        """(exit code, output file or None, stderr)."""
        with tempfile.TemporaryDirectory() as directory:
            given, written = os.path.join(directory, "subnet.env"), os.path.join(directory, "out")
            if env_text is not None:
                with open(given, "w", encoding="ascii") as file:
                    file.write(env_text)
            path = os.environ["PATH"]
            if stub is not None:
                ip = os.path.join(directory, "ip")
                with open(ip, "w", encoding="ascii") as file:
                    file.write("#!/bin/sh\n" + stub + "\n")
                os.chmod(ip, 0o755)
                path = directory + ":" + path
            script = os.path.join(self.unpacked[version], "mk-docker-opts.sh")
            done = subprocess.run(
                [shell, script, "-f", given, "-d", written, *argv], env={"PATH": path, **(env or {})}, capture_output=True, text=True, check=False
            )
            self.assertEqual(done.stdout, "")
            out = None
            with contextlib.suppress(FileNotFoundError), open(written, encoding="ascii") as file:
                out = file.read()
            return done.returncode, out, done.stderr

    def both(self, *args, **keys):
        answers = [self.run_script(version, *args, **keys)[:2] for version in self.unpacked]
        self.assertEqual(answers[0], answers[1])
        return answers[0]


class Upstream(Unpacked):
    def test_the_five_published_cases(self):
        quiet = {"stub": "exit 0"}
        for argv, expected in (
            ((), BIP + MASQ + MTU + f'DOCKER_OPTS=" {ALL}"\n'),
            (("-i",), BIP + MASQ + MTU),
            (("-c",), f'DOCKER_OPTS=" {ALL}"\n'),
            (("-k", "CUSTOM_KEY"), BIP + MASQ + MTU + f'CUSTOM_KEY=" {ALL}"\n'),
            (("-m",), BIP + MTU + 'DOCKER_OPTS=" --bip=10.1.74.1/24 --mtu=1472"\n'),
        ):
            self.assertEqual(self.both(SAMPLE, *argv, **quiet), (0, expected), argv)


class Oddities(Unpacked):
    def test_usage_is_exit_code_1_without_output(self):
        for argv in (("-h",), ("-z",), ("-?",), ("-k",)):
            code, out, said = self.run_script("v0.18.0", SAMPLE, *argv)
            self.assertEqual((code, out), (1, None))
            self.assertIn("-f\t", said)

    def test_options_after_a_word_are_not_read(self):
        self.assertEqual(self.both(SAMPLE, "word", "-m", stub="exit 0")[1], BIP + MASQ + MTU + f'DOCKER_OPTS=" {ALL}"\n')

    def test_a_preset_key_is_kept_with_two_blanks(self):
        env = {"DOCKER_OPTS": "--debug"}
        self.assertEqual(self.both(SAMPLE, "-c", env=env, stub="exit 0"), (0, f'DOCKER_OPTS="--debug  {ALL}"\n'))

    def test_no_input_is_no_error(self):
        self.assertEqual(self.both(None), (0, 'DOCKER_OPTS=""\n'))
        self.assertEqual(self.both(None, "-i"), (0, ""))

    def test_options_of_the_environment_are_sorted_in(self):
        env = {"DOCKER_OPT_BRIDGE": "--x", "FOO": "xDOCKER_OPT_y"}
        expected = BIP + 'DOCKER_OPT_BRIDGE="--x"\n' + MASQ + MTU + 'FOO="xDOCKER_OPT_y"\n'
        self.assertEqual(self.both(SAMPLE, "-i", env=env, stub="exit 0"), (0, expected))

    def test_an_ip_masq_that_is_neither_exits_before_the_file_is_touched(self):
        text = SAMPLE.replace("false", "yes")
        code, out, said = self.run_script("v0.18.0", text)
        self.assertEqual((code, out, said), (1, None, "Invalid value of FLANNEL_IPMASQ: yes\n"))
        self.assertEqual(self.both(text, "-m", "-i", stub="exit 0"), (0, BIP + MTU))

    def test_quotes_and_comments_are_the_shell_s(self):
        self.assertEqual(self.both('FLANNEL_MTU="1450" # note\n', "-i"), (0, 'DOCKER_OPT_MTU="--mtu=1450"\n'))

    def test_ipv6_only(self):
        self.assertEqual(self.both("FLANNEL_IPV6_SUBNET=fd00::1/64\nFLANNEL_MTU=1400\n", "-i"), (0, 'DOCKER_OPT_MTU="--mtu=1400"\n'))

    def test_an_output_that_cannot_be_written_is_exit_code_0_from_v0_18(self):
        for version, expected in (("v0.17.0", 2), ("v0.18.0", 0)):
            code, _, said = self.run_script(version, SAMPLE, "-d", "/nonexistent/x", stub="exit 0")
            self.assertEqual(code, expected)
            self.assertIn("/nonexistent/x", said)

    def test_a_route_to_the_subnet_is_an_error_after_the_file_is_written_from_v0_18(self):
        for routes, conflict in (
            ("10.1.74.0/24 via 10.99.0.7 dev eth0", True),
            ("110x1x74x0/24 via 10.99.0.7 dev eth0", True),
            ("10.1.74.0/24 dev docker0 proto kernel", False),
            ("10.1.75.0/24 via 10.99.0.7 dev eth0", False),
        ):
            code, out, said = self.run_script("v0.18.0", SAMPLE, "-i", stub=f'echo "{routes}"')
            self.assertEqual((code, out), (1 if conflict else 0, BIP + MASQ + MTU))
            self.assertEqual(said, f"Your routing table already contains the subnet: {routes}\n" if conflict else "")
            self.assertEqual(self.run_script("v0.17.0", SAMPLE, "-i", stub=f'echo "{routes}"')[0], 0)

    def test_a_failing_ip_is_no_error(self):
        self.assertEqual(self.run_script("v0.18.0", SAMPLE, "-i", stub="exit 3")[0], 0)

    def test_a_subnet_that_is_not_ipv4_is_exit_code_2_after_the_file(self):
        code, out, _ = self.run_script("v0.18.0", "FLANNEL_SUBNET=fd00::1/64\n", "-i", stub="exit 0")
        self.assertEqual((code, out), (2, 'DOCKER_OPT_BIP="--bip=fd00::1/64"\n'))


class Archive(Unpacked):
    def test_it_has_the_three_files_of_a_release_flat_and_the_same_bytes_every_time(self):
        with tarfile.open(self.archives["v0.18.0"]) as tar:
            listed = [(member.name, stat.S_IMODE(member.mode), member.isfile()) for member in tar]
        self.assertEqual(listed, [("flanneld", 0o755, True), ("mk-docker-opts.sh", 0o755, True), ("README.md", 0o644, True)])
        self.assertEqual(os.path.basename(self.archives["v0.18.0"]), "flannel-v0.18.0-linux-amd64.tar.gz")
        with tempfile.TemporaryDirectory() as other:
            with open(make(other, "v0.18.0"), "rb") as again, open(self.archives["v0.18.0"], "rb") as first:
                self.assertEqual(again.read(), first.read())

    def test_its_flanneld_runs_alone_and_knows_its_version(self):
        for version, directory in self.unpacked.items():
            done = subprocess.run([os.path.join(directory, "flanneld"), "--version"], env={}, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", version + "\n"))

    def test_it_says_what_it_is(self):
        with open(os.path.join(self.unpacked["v0.18.0"], "README.md"), encoding="ascii") as file:
            self.assertIn("netctl's stand-in", file.read())


if __name__ == "__main__":
    unittest.main()
