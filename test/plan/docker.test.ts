import { describe, expect, it } from 'vitest';
import type { DockerFacts, DockerPlan, DockerWish, FileWrite } from '../../src/lib/plan/docker';
import { dockerDefaults, planDocker, planDockerReset } from '../../src/lib/plan/docker';

const unitPath = '/lib/systemd/system/docker.service';
const execStart = 'ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS';
const debian = `[Unit]\nRequires=docker.socket\n\n[Service]\nType=notify\nEnvironmentFile=-/etc/default/docker\n${execStart}\n`;
const subnetEnv = 'FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.21.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n';

/** A Debian 12 host with docker.io as it is installed, and flannel beside it. */
const fresh: DockerFacts = {
  daemonJson: { path: '/etc/docker/daemon.json', text: null, mode: null },
  unit: {
    files: [{ path: unitPath, text: debian }],
    environmentFiles: [{ path: '/etc/default/docker', text: '# nothing\n' }],
  },
  cmdline: ['/usr/sbin/dockerd', '-H', 'fd://', '--containerd=/run/containerd/containerd.sock'],
  version: '20.10.24+dfsg1',
  docker0: { addresses: ['172.17.0.1/16'] },
  bridge: { subnet: '172.17.0.0/16', mtu: 1500, ipMasq: true },
  containers: ['web', 'db'],
  liveRestore: false,
  subnetEnv: { path: '/run/flannel/subnet.env', text: subnetEnv },
  files: [],
};
const json: DockerWish = { style: 'daemon-json', after: ['flanneld.service'] };
const options: DockerWish = { style: 'options-file', after: ['flanneld.service'] };

/** The facts after the writes are made and Docker is restarted, as far as the plan asks for it. */
function applied(facts: DockerFacts, plan: Pick<DockerPlan, 'writes'> & Partial<DockerPlan>): DockerFacts {
  let { daemonJson, files } = facts;
  let units = facts.unit.files;
  for (const write of plan.writes) {
    expect(textAt(facts, write.path)).toBe(write.before);
    if (write.path === daemonJson.path) {
      daemonJson = { ...daemonJson, text: write.after, mode: write.after === null ? null : write.mode };
      continue;
    }
    files = [
      ...files.filter(({ path }) => path !== write.path),
      { path: write.path, text: write.after, mode: write.after === null ? null : write.mode },
    ];
    if (!write.path.includes('/docker.service.d/')) continue;
    units = units.filter(({ path }) => path !== write.path);
    if (write.after !== null) units = [...units, { path: write.path, text: write.after }];
  }
  const { expected, restart } = plan;
  return {
    ...facts,
    daemonJson,
    files,
    unit: { ...facts.unit, files: units },
    ...(restart == null || expected === undefined
      ? {}
      : {
          docker0: { addresses: [expected.address ?? '172.17.0.1/16'] },
          bridge: { subnet: expected.subnet, mtu: expected.mtu ?? 1500, ipMasq: expected.ipMasq ?? true },
          containers: [],
          cmdline: facts.cmdline ?? ['/usr/sbin/dockerd'],
        }),
  };
}

function textAt(facts: DockerFacts, path: string): string | null {
  return [facts.daemonJson, ...facts.files, ...facts.unit.files].find((file) => file.path === path)?.text ?? null;
}

const paths = (writes: readonly FileWrite[]) => writes.map(({ path }) => path);
const codes = (plan: DockerPlan) => plan.refusals.map(({ code }) => code);
const written = (plan: DockerPlan, path: string) => plan.writes.find((write) => write.path === path)?.after ?? '';

function plansToNothing(facts: DockerFacts, wish: DockerWish): void {
  const plan = planDocker(facts, wish);
  expect(plan).toMatchObject({
    refusals: [],
    problems: [],
    writes: [],
    undo: [],
    restart: null,
    reload: false,
    enable: [],
    disable: [],
    validate: null,
  });
}

describe('Docker on flannel’s subnet, by daemon.json', () => {
  it('missing: writes the script, the drop-in and the three keys, and says which containers stop', () => {
    const plan = planDocker(fresh, json);
    expect(plan.refusals).toEqual([]);
    expect(paths(plan.writes)).toEqual([dockerDefaults.helper, dockerDefaults.dropIn, '/etc/docker/daemon.json']);
    expect(written(plan, '/etc/docker/daemon.json')).toBe(
      '{\n  "bip": "172.7.21.1/24",\n  "mtu": 1450,\n  "ip-masq": false\n}\n',
    );
    expect(written(plan, dockerDefaults.dropIn)).toBe(
      [
        '# Written by netctl; "netctl node reset" takes it away.',
        '[Unit]',
        'Wants=flanneld.service',
        'After=flanneld.service',
        '',
        '[Service]',
        'ExecStartPre=-/bin/sh /usr/local/lib/netctl/docker-from-subnet-env json /run/flannel/subnet.env 30 /etc/docker/daemon.json bip ip-masq mtu',
        '',
      ].join('\n'),
    );
    expect(plan.reload).toBe(true);
    expect(plan.restart).toEqual({
      kind: 'restart',
      why: [
        "docker0 is 172.17.0.1/16, flannel's subnet is 172.7.21.1/24",
        'containers get MTU 1500, it should be 1450',
        'Docker masquerades, it should not',
      ],
      stops: ['web', 'db'],
      stopFirst: false,
    });
    expect(plan.expected).toEqual({ address: '172.7.21.1/24', subnet: '172.7.21.0/24', mtu: 1450, ipMasq: false });
  });

  it('already right: an applied plan plans to nothing, and planning twice is equal', () => {
    const plan = planDocker(fresh, json);
    expect(JSON.stringify(planDocker(fresh, json))).toBe(JSON.stringify(plan));
    plansToNothing(applied(fresh, plan), json);
  });

  it('wrong: another subnet, and the rest of the file stays', () => {
    const first = planDocker(fresh, json);
    const text = '{\n\t"data-root": "/srv/docker",\n\t"bip": "172.7.21.1/24"\n}\n';
    const facts = {
      ...applied(fresh, first),
      daemonJson: { path: '/etc/docker/daemon.json', text, mode: 0o600 },
      subnetEnv: { path: '/run/flannel/subnet.env', text: subnetEnv.replace('172.7.21.1', '172.7.30.1') },
    };
    const plan = planDocker(facts, json);
    expect(plan.writes).toEqual([
      {
        kind: 'write',
        path: '/etc/docker/daemon.json',
        mode: 0o600,
        before: text,
        after: '{\n\t"data-root": "/srv/docker",\n\t"bip": "172.7.30.1/24",\n\t"mtu": 1450,\n\t"ip-masq": false\n}\n',
        why: 'bip "172.7.21.1/24" -> "172.7.30.1/24", mtu unset -> 1450, ip-masq unset -> false',
      },
    ]);
    expect(plan.undo).toEqual([expect.objectContaining({ before: plan.writes[0]?.after, after: text, mode: 0o600 })]);
    expect(plan.restart?.why).toEqual(["docker0 is 172.7.21.1/24, flannel's subnet is 172.7.30.1/24"]);
    plansToNothing(applied(facts, plan), json);
  });

  it('restarts nothing when only the file is wrong', () => {
    const running = applied(fresh, planDocker(fresh, json));
    const plan = planDocker({ ...running, daemonJson: { ...running.daemonJson, text: '{}', mode: 0o644 } }, json);
    expect(paths(plan.writes)).toEqual(['/etc/docker/daemon.json']);
    expect(plan.restart).toBeNull();
  });

  it('restarts when docker0 was given the address by hand and Docker does not know it', () => {
    const running = applied(fresh, planDocker(fresh, json));
    const bridge = { subnet: '172.17.0.0/16', mtu: 1450, ipMasq: false };
    expect(planDocker({ ...running, bridge }, json).restart?.why).toEqual([
      "Docker gives containers addresses of 172.17.0.0/16, flannel's subnet is 172.7.21.0/24",
    ]);
  });

  it('does not wait for masquerading that dockerd turns off without iptables', () => {
    const env = subnetEnv.replace('IPMASQ=true', 'IPMASQ=false');
    const facts: DockerFacts = {
      ...fresh,
      daemonJson: { ...fresh.daemonJson, text: '{"iptables": false}', mode: 0o644 },
      bridge: { subnet: '172.17.0.0/16', mtu: 1500, ipMasq: false },
      subnetEnv: { ...fresh.subnetEnv, text: env },
    };
    const plan = planDocker(facts, json);
    expect(written(plan, '/etc/docker/daemon.json')).toContain('"ip-masq": true');
    plansToNothing(applied(facts, plan), json);
  });

  it('says that containers must stop before the restart when live-restore is on', () => {
    expect(planDocker({ ...fresh, liveRestore: true }, json).restart?.stopFirst).toBe(true);
    expect(planDocker({ ...fresh, liveRestore: true, containers: [] }, json).restart?.stopFirst).toBe(false);
  });

  it('starts Docker when it does not run', () => {
    const plan = planDocker({ ...fresh, cmdline: null, docker0: null, bridge: null, containers: [] }, json);
    expect(plan.restart).toEqual({ kind: 'start', why: ['Docker does not run'], stops: [], stopFirst: false });
  });

  it('leaves ip-masq alone when told so', () => {
    const plan = planDocker(fresh, { ...json, ipMasq: false });
    expect(written(plan, '/etc/docker/daemon.json')).not.toContain('ip-masq');
    expect(written(plan, dockerDefaults.dropIn)).toContain('daemon.json bip mtu\n');
    expect(plan.restart?.why.join()).not.toContain('masquerade');
  });

  it('has dockerd check the new file where it can, with the flags of the unit', () => {
    expect(planDocker(fresh, json).validate).toBeNull();
    expect(planDocker({ ...fresh, version: '24.0.7' }, json).validate?.('/etc/docker/new.json')).toEqual([
      ...(fresh.cmdline ?? []),
      '--validate',
      '--config-file=/etc/docker/new.json',
    ]);
  });

  it('can follow flannel to another subnet by itself, and stop to do so', () => {
    const wish = { ...json, follow: true };
    const plan = planDocker(fresh, wish);
    expect(paths(plan.writes)).toContain(dockerDefaults.followPath);
    expect(plan.enable).toEqual(['netctl-docker-follow.path']);
    expect(written(plan, dockerDefaults.followPath)).toContain('PathChanged=/run/flannel/subnet.env\n');
    const facts = applied(fresh, plan);
    plansToNothing(facts, wish);
    const back = planDocker(facts, json);
    expect(back.disable).toEqual(['netctl-docker-follow.path']);
    expect(back.writes.map(({ path, after }) => [path, after])).toEqual([
      [dockerDefaults.followPath, null],
      [dockerDefaults.followService, null],
    ]);
  });
});

describe('Docker on flannel’s subnet, by an options file', () => {
  it('missing: reads the file under a name of our own behind the words of the distribution', () => {
    const plan = planDocker(fresh, options);
    expect(paths(plan.writes)).toEqual([dockerDefaults.helper, dockerDefaults.dropIn]);
    expect(written(plan, dockerDefaults.dropIn).split('\n').slice(5)).toEqual([
      '[Service]',
      'EnvironmentFile=-/run/docker_opts.env',
      'ExecStartPre=-/bin/sh /usr/local/lib/netctl/docker-from-subnet-env options /run/flannel/subnet.env 30 /run/docker_opts.env /var/lib/netctl/docker_opts.env FLANNEL_DOCKER_OPTS bip ip-masq mtu',
      'ExecStart=',
      `${execStart} $FLANNEL_DOCKER_OPTS`,
      '',
    ]);
    plansToNothing(applied(fresh, plan), options);
  });

  it('notices that the distribution changed its words', () => {
    const facts = applied(fresh, planDocker(fresh, options));
    const [, dropIn] = facts.unit.files;
    if (dropIn === undefined) throw new Error('no drop-in');
    const upgraded = { path: unitPath, text: debian.replace('dockerd -H', 'dockerd --icc=false -H') };
    const plan = planDocker({ ...facts, unit: { ...facts.unit, files: [upgraded, dropIn] } }, options);
    expect(written(plan, dockerDefaults.dropIn)).toContain('ExecStart=/usr/sbin/dockerd --icc=false -H fd://');
  });

  it('keeps a set-up by hand with mk-docker-opts.sh as it is, and only brings its file up to date', () => {
    const byHand = debian.replace('-/etc/default/docker', '-/run/docker_opts.env');
    const text = 'DOCKER_OPTS=" --bip=172.7.21.1/24 --ip-masq=false --mtu=1450"\n';
    for (const now of [text, null]) {
      const facts: DockerFacts = {
        ...fresh,
        unit: {
          files: [{ path: unitPath, text: byHand }],
          environmentFiles: [{ path: '/run/docker_opts.env', text: now }],
        },
      };
      const plan = planDocker(facts, options);
      expect(codes(plan)).toEqual([]);
      const dropIn = written(plan, dockerDefaults.dropIn);
      expect(dropIn).toContain('/var/lib/netctl/docker_opts.env DOCKER_OPTS bip ip-masq mtu\n');
      expect(dropIn).not.toContain('ExecStart=');
      plansToNothing(applied(facts, plan), options);
      expect(codes(planDocker(facts, json))).toEqual(['options-file-in-use']);
    }
  });

  it('takes its keys out of daemon.json when the style changes, and puts them back', () => {
    const before = applied(fresh, planDocker(fresh, json));
    const plan = planDocker(before, options);
    expect(written(plan, '/etc/docker/daemon.json')).toBe('{}\n');
    expect(plan.restart).toBeNull();
    const after = applied(before, plan);
    plansToNothing(after, options);
    const back = applied(after, planDocker(after, json));
    plansToNothing(back, json);
    expect(JSON.parse(back.daemonJson.text ?? '')).toEqual({ bip: '172.7.21.1/24', mtu: 1450, 'ip-masq': false });
  });
});

describe('the unit of the fourth seed, with flags by hand and --mtu=1500 over a 1450 overlay', () => {
  const text =
    '[Service]\nType=notify\nExecStart=/usr/bin/dockerd --bip=10.0.65.1/24 --ip-masq=false --mtu=1500 -H fd:// --containerd=/run/containerd/containerd.sock\n';
  const facts: DockerFacts = {
    ...fresh,
    unit: { files: [{ path: unitPath, text }], environmentFiles: [] },
    cmdline: '/usr/bin/dockerd --bip=10.0.65.1/24 --ip-masq=false --mtu=1500 -H fd://'.split(' '),
    docker0: { addresses: ['10.0.65.1/24'] },
    bridge: { subnet: '10.0.65.0/24', mtu: 1500, ipMasq: false },
    subnetEnv: {
      path: '/run/flannel/subnet.env',
      text: 'FLANNEL_NETWORK=10.0.0.0/16\nFLANNEL_SUBNET=10.0.65.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
    },
  };

  it('is noticed, and refused as it would keep Docker from starting', () => {
    for (const wish of [json, options]) {
      const plan = planDocker(facts, wish);
      expect(plan.problems).toEqual([
        {
          code: 'mtu-larger-than-overlay',
          severity: 'error',
          path: 'mtu',
          message: `--mtu (${unitPath}): MTU 1500, but the overlay carries 1450 bytes: small requests work, large ones hang`,
          suggestion: '--mtu=1450',
        },
      ]);
      expect(codes(plan)).toEqual(['docker-flags-by-hand']);
      expect(plan.refusals[0]?.message).toContain(`--bip=10.0.65.1/24 (${unitPath})`);
      expect(plan.writes).toEqual([]);
      expect(plan.restart).toBeNull();
    }
  });

  it('is mended in a drop-in when netctl may, and the file stays', () => {
    for (const wish of [json, options]) {
      const plan = planDocker(facts, { ...wish, adopt: true });
      expect(codes(plan)).toEqual([]);
      expect(paths(plan.writes)).not.toContain(unitPath);
      const [line] = written(plan, dockerDefaults.dropIn).split('\n').slice(-2);
      expect(line).toBe(
        `ExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock${wish.style === 'options-file' ? ' $FLANNEL_DOCKER_OPTS' : ''}`,
      );
      expect(plan.restart?.why).toEqual(['containers get MTU 1500, it should be 1450']);
      // The second run needs no leave: the flags are out of effect.
      plansToNothing(applied(facts, plan), wish);
      expect(plan.validate).toBeNull();
      const newer = planDocker({ ...facts, version: '25.0.1' }, { ...json, adopt: true });
      expect(newer.validate?.('/x')).not.toContain('--mtu=1500');
    }
  });
});

describe('what cannot be', () => {
  const withFlags = (flags: string): DockerFacts => ({
    ...fresh,
    unit: { ...fresh.unit, environmentFiles: [{ path: '/etc/default/docker', text: `DOCKER_OPTS="${flags}"\n` }] },
  });
  const withJson = (text: string): DockerFacts => ({
    ...fresh,
    daemonJson: { ...fresh.daemonJson, text, mode: 0o644 },
  });

  it.each<[string, DockerFacts, DockerWish, readonly string[]]>([
    ['no subnet yet', { ...fresh, subnetEnv: { ...fresh.subnetEnv, text: null } }, json, ['no-subnet-env']],
    [
      'a subnet of IPv6 alone',
      { ...fresh, subnetEnv: { ...fresh.subnetEnv, text: 'FLANNEL_IPV6_SUBNET=fd00::1/64\nFLANNEL_MTU=1400\n' } },
      json,
      ['no-ipv4-subnet'],
    ],
    [
      'a subnet.env that is broken',
      { ...fresh, subnetEnv: { ...fresh.subnetEnv, text: 'FLANNEL_SUBNET=x\nFLANNEL_MTU=1400\n' } },
      json,
      ['subnet-env-bad-value'],
    ],
    ['a daemon.json with a comment', withJson('{ // x\n}'), json, ['daemon-json-invalid']],
    ['a daemon.json with a comment, for the other style too', withJson('{ // x\n}'), options, ['daemon-json-invalid']],
    ['hosts in both places', withJson('{"hosts":["fd://"]}'), json, ['flag-and-file']],
    ['flags in a variable', withFlags('--debug --mtu=1400'), json, ['docker-flags-in-variable']],
    ['flags in a variable, for the other style', withFlags('--mtu=1400'), options, ['docker-flags-in-variable']],
    ['another bridge as a flag', withFlags('-b br0'), json, ['bip-and-bridge']],
    ['another bridge in the file', withJson('{"bridge":"none"}'), json, ['bip-and-bridge']],
    ['a fixed-cidr elsewhere', withJson('{"fixed-cidr":"10.0.0.0/24"}'), json, ['fixed-cidr-outside']],
    ['another daemon.json', withFlags('--config-file=/etc/d.json'), json, ['other-daemon-json']],
    [
      'keys that somebody added since',
      {
        ...applied(fresh, planDocker(fresh, options)),
        daemonJson: { ...fresh.daemonJson, text: '{"mtu":9}', mode: 0o644 },
      },
      options,
      ['flag-and-file'],
    ],
    ['keys of somebody else beside flags', withJson('{"mtu":1400}'), options, ['flag-and-file']],
    [
      'a shell in front of dockerd',
      {
        ...fresh,
        unit: { files: [{ path: unitPath, text: '[Service]\nExecStart=/bin/sh /start\n' }], environmentFiles: [] },
        cmdline: null,
      },
      options,
      ['not-dockerd'],
    ],
    [
      'an environment file that is not there',
      {
        ...fresh,
        unit: {
          files: [{ path: unitPath, text: debian.replace('-/etc/default', '/etc/default') }],
          environmentFiles: [{ path: '/etc/default/docker', text: null }],
        },
      },
      json,
      ['environment-file-missing'],
    ],
    [
      'a drop-in that takes ours back',
      {
        ...fresh,
        unit: {
          ...fresh.unit,
          files: [
            ...fresh.unit.files,
            { path: '/etc/systemd/system/docker.service.d/zzz.conf', text: '[Service]\nExecStartPre=\n' },
          ],
        },
      },
      json,
      ['drop-in-overruled'],
    ],
  ])('is refused with nothing planned: %s', (_name, facts, wish, expected) => {
    const plan = planDocker(facts, wish);
    expect(codes(plan)).toEqual(expected);
    expect([plan.writes, plan.restart, plan.undo, plan.reload]).toEqual([[], null, [], false]);
  });

  it('lets a fixed-cidr within the subnet, and an override.conf before our drop-in', () => {
    expect(codes(planDocker(withJson('{"fixed-cidr":"172.7.21.128/25"}'), json))).toEqual([]);
    const override = {
      path: '/etc/systemd/system/docker.service.d/override.conf',
      text: '[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd --icc=false\n',
    };
    const facts = { ...fresh, unit: { ...fresh.unit, files: [...fresh.unit.files, override] } };
    const plan = planDocker(facts, options);
    expect(written(plan, dockerDefaults.dropIn)).toContain(
      'ExecStart=/usr/sbin/dockerd --icc=false $FLANNEL_DOCKER_OPTS',
    );
    plansToNothing(applied(facts, plan), options);
  });
});

describe('what is noticed on the way', () => {
  it('two that masquerade, and a Docker that stops with flannel', () => {
    const required = {
      path: '/etc/systemd/system/docker.service.d/flannel.conf',
      text: '[Unit]\nRequires=flanneld.service\n',
    };
    const facts = { ...fresh, unit: { ...fresh.unit, files: [...fresh.unit.files, required] } };
    expect(planDocker(facts, json).problems.map(({ code }) => code)).toEqual([
      'mtu-larger-than-overlay',
      'both-masquerade',
      'docker-requires-flannel',
    ]);
  });

  it('a command line that nobody knows', () => {
    const facts = { ...fresh, unit: { files: [], environmentFiles: [] }, cmdline: null };
    expect(planDocker(facts, json).problems.map(({ code }) => code)).toContain('docker-flags-unknown');
  });
});

describe('taking it back', () => {
  it('leaves a node as it was', () => {
    for (const wish of [json, options, { ...json, follow: true }]) {
      const facts = applied(fresh, planDocker(fresh, wish));
      const after = applied(facts, planDockerReset(facts, wish));
      expect(after.daemonJson.text).toBeNull();
      expect(after.unit.files).toEqual(fresh.unit.files);
      expect(after.files.filter(({ text }) => text !== null)).toEqual([]);
      expect(planDockerReset(after, wish).writes).toEqual([]);
    }
  });

  it('keeps what somebody has changed since, and every other key', () => {
    const facts = applied(fresh, planDocker(fresh, json));
    const text = '{"debug":true,"bip":"172.7.21.1/24","mtu":9000,"ip-masq":false}';
    const plan = planDockerReset({ ...facts, daemonJson: { ...facts.daemonJson, text } }, json);
    expect(plan.writes.at(-1)?.after).toBe('{"debug":true,"mtu":9000}');
    expect(plan.problems.map(({ code, path }) => [code, path])).toEqual([['key-changed-since', 'mtu']]);
  });

  it('touches no key of a daemon.json that it did not write', () => {
    const text = '{"bip":"172.7.21.1/24"}';
    const plan = planDockerReset({ ...fresh, daemonJson: { ...fresh.daemonJson, text, mode: 0o644 } }, json);
    expect(plan.writes).toEqual([]);
  });
});
