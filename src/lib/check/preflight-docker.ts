import { isDockerAtLeast } from '../fact/docker';
import type { Known } from '../fact/fact';
import type { IptablesRules } from '../fact/iptables';
import { deviceFits, readRule } from '../fact/iptables-rule';
import { type SavedRuleset, tableOf } from '../fact/iptables-save';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { cidrContains } from '../net/cidr';
import { isAtLeast } from '../net/flannel-version';
import { readDaemonJson } from '../net/json-edit';
import { overlayChain } from '../net/masquerade-rule';
import { fileText, installCommand, type NodeCheck, type NodeScene, notChecked, someOf, vniOf } from './preflight-scene';

function rulesetOf(rules: Known<IptablesRules>): SavedRuleset | undefined {
  return rules.known && rules.value.state === 'read' ? rules.value.ruleset : undefined;
}

function hasRules(ruleset: SavedRuleset | undefined): boolean {
  return ruleset?.tables.some(({ rules }) => rules.length > 0) === true;
}

/** Whose chains these are, as far as they matter here. */
function ownersIn(ruleset: SavedRuleset): readonly string[] {
  const chains = ruleset.tables.flatMap((table) => table.chains.map(({ name }) => name));
  const owners: readonly (readonly [string, RegExp])[] = [
    ['Docker', /^DOCKER/],
    ['flannel', /^FLANNEL/],
    ['Kubernetes', /^KUBE-/],
    ['ufw', /^ufw-/],
  ];
  return owners.filter(([, pattern]) => chains.some((chain) => pattern.test(chain))).map(([owner]) => owner);
}

export const iptables: NodeCheck = function* (scene) {
  const { answers, input } = scene;
  const { iptables: found, iptablesNft, iptablesLegacy, docker } = answers;
  if (!found.known) {
    yield notChecked('iptables', found.why);
    return;
  }
  const { standard, hasIp6tables, hasNftProgram } = found.value;
  const { version, effective } = input;
  const usesNftables = effective?.enableNFTables === true && isAtLeast(version, 'v0.25.0');
  const dockerNeedsIt = !(
    docker.known &&
    docker.value.state === 'running' &&
    docker.value.engine.firewallBackend === 'nftables'
  );
  if (standard === null && (!usesNftables || isAtLeast(version, 'v0.27.0') || dockerNeedsIt)) {
    yield {
      code: 'iptables-missing',
      severity: 'error',
      path: 'iptables',
      message: `iptables is not there: flanneld ${version.tag} and Docker make their rules with it`,
      suggestion: installCommand(scene, 'iptables', 'iptables'),
    };
    return;
  }
  if (!hasIp6tables && (effective?.enableIPv6 === true || (usesNftables && isAtLeast(version, 'v0.27.0')))) {
    yield {
      code: 'ip6tables-missing',
      severity: 'error',
      path: 'ip6tables',
      message:
        effective?.enableIPv6 === true
          ? 'ip6tables is not there, and the network config has EnableIPv6'
          : `ip6tables is not there: flanneld ${version.tag} in nftables mode cleans up with it, and ends with exit code 1 otherwise`,
      suggestion: installCommand(scene, 'iptables', 'iptables'),
    };
  }
  if (usesNftables && !hasNftProgram) {
    yield {
      code: 'nft-missing',
      severity: 'error',
      path: 'nft',
      message: 'nft is not there, and the network config has EnableNFTables',
      suggestion: installCommand(scene, 'nftables', 'nftables'),
    };
  }
  for (const [name, rules] of [
    ['nft', iptablesNft],
    ['legacy', iptablesLegacy],
  ] as const) {
    if (!rules.known) yield notChecked(`the rules of iptables-${name}`, rules.why);
  }
  const nft = rulesetOf(iptablesNft);
  const legacy = rulesetOf(iptablesLegacy);
  const described = (name: string, ruleset: SavedRuleset | undefined): string => {
    const owners = ruleset === undefined ? [] : ownersIn(ruleset);
    return `iptables-${name} holds ${owners.length === 0 ? 'rules of others' : `those of ${owners.join(' and ')}`}`;
  };
  if (hasRules(nft) && hasRules(legacy)) {
    yield {
      code: 'iptables-both',
      severity: 'warning',
      path: 'iptables',
      message: `both kinds of iptables are in use, and a packet passes both: ${described('nft', nft)}, ${described('legacy', legacy)}; a plain iptables is ${standard ?? 'neither'}`,
      suggestion: `See who uses iptables-${standard === 'nft' ? 'legacy' : 'nft'}, turn it to the other (update-alternatives --config iptables), and boot the node anew: old rules stay until then.`,
    };
    return;
  }
  const dockers = [
    ['nft', nft],
    ['legacy', legacy],
  ] as const;
  const holder = dockers.find(([, ruleset]) => ruleset !== undefined && ownersIn(ruleset).includes('Docker'))?.[0];
  if (holder === undefined || standard === null || holder === standard) return;
  yield {
    code: 'iptables-other-front-end',
    severity: 'warning',
    path: 'iptables',
    message: `Docker’s rules are in iptables-${holder}, and a plain iptables, which flanneld calls, is ${standard}: their order is then nobody’s`,
    suggestion: `update-alternatives --config iptables, and choose ${holder}`,
  };
};

export const docker: NodeCheck = function* (scene) {
  const { answers, input } = scene;
  const { dockerProgram, docker: state, units } = answers;
  const service = `${input.inventory.docker.service ?? inventoryDefaults.docker.service}.service`;
  if (!dockerProgram.known) yield notChecked('Docker', dockerProgram.why);
  else if (dockerProgram.value.path === null) {
    yield {
      code: 'docker-missing',
      severity: 'error',
      path: 'dockerd',
      message: 'dockerd is not there: netctl sets up Docker for flannel, and does not install it',
      suggestion: `${installCommand(scene, 'docker.io', 'docker-ce')}; for a node without Docker: --skip-check docker`,
    };
    return;
  }
  if (units.known) {
    const unit = units.value.get(service);
    if (unit === undefined || !unit.isFound || unit.loadState === 'masked') {
      yield {
        code: 'docker-no-unit',
        severity: 'error',
        path: service,
        message: `${service} ${unit?.loadState === 'masked' ? 'is masked: systemd may not start it' : 'is not there: systemd does not start Docker under this name'}`,
        suggestion:
          unit?.loadState === 'masked'
            ? `systemctl unmask ${service}`
            : 'docker.service in netctl.yaml: the name of its unit',
      };
    }
  } else yield notChecked(service, units.why);
  if (!state.known) {
    yield notChecked('the running Docker', state.why);
    return;
  }
  if (state.value.state === 'stopped') {
    yield {
      code: 'docker-not-running',
      severity: 'warning',
      path: service,
      message: `Docker does not run (${state.value.why}): bootstrap starts it, and what kept it from running may do so again`,
      suggestion: `journalctl -u ${service} -n 50`,
    };
    return;
  }
  const { engine } = state.value;
  const { version, firewallBackend, isInSwarm } = engine;
  if (version.major < 17) {
    yield {
      code: 'docker-old',
      severity: 'warning',
      path: 'dockerd',
      message: `Docker ${version.text} is older than 17.03: how it makes its rules is not known to netctl`,
      suggestion: installCommand(scene, 'docker.io', 'docker-ce'),
    };
  }
  if (firewallBackend === 'nftables') {
    yield {
      code: 'docker-nftables',
      severity: 'warning',
      path: 'firewall-backend',
      message: `Docker ${version.text} makes its rules with nftables: it passes over DOCKER-USER, does not set ip_forward, and drops what its own tables do not let in`,
      suggestion: '"firewall-backend": "iptables" in daemon.json, unless nftables is meant',
    };
  }
  if (isInSwarm) {
    yield {
      code: 'docker-in-swarm',
      severity: 'warning',
      path: 'swarm',
      message:
        'Docker is in a swarm: a restart moves its services, and its own overlay uses UDP 4789 and other addresses than flannel',
      suggestion: `Drain the node first: docker node update --availability drain ${scene.node.name}`,
    };
  }
  yield* drops(scene);
};

/**
 * Docker 28 and later drop what enters docker0 by another way than its own bridge: packets of the overlay. (moby v28.0.0: filter
 * `DOCKER`, and raw `PREROUTING` by published port, from 28.2 by container.)
 */
function* drops(scene: NodeScene): ReturnType<NodeCheck> {
  const { answers, network, input, backend } = scene;
  if (!answers.docker.known || answers.docker.value.state !== 'running') return;
  const { version, firewallBackend } = answers.docker.value.engine;
  if (!isDockerAtLeast(version, 28) || firewallBackend === 'nftables') return;
  const ruleset = [rulesetOf(answers.iptablesNft), rulesetOf(answers.iptablesLegacy)].find(
    (each) => each !== undefined && ownersIn(each).includes('Docker'),
  );
  const device = backend?.type === 'vxlan' ? `flannel.${vniOf(backend)}` : null;
  const isLetIn = (
    tableOf(ruleset ?? { tables: [], incompatibleTables: [], strangeLines: [] }, 'filter')?.rules ?? []
  ).some((rule) => {
    if (rule.chain !== 'DOCKER-USER') return false;
    const { target, source, inDevice } = readRule(rule);
    // Our own chain accepts what comes from other nodes.
    if (target !== 'ACCEPT' && target !== overlayChain) return false;
    const fromNetwork =
      network !== null && source?.value.family === 4 && !source.isNegated && cidrContains(source.value, network);
    const byDevice = device !== null && inDevice !== null && !inDevice.isNegated && deviceFits(inDevice.value, device);
    return fromNetwork || (byDevice && source === null);
  });
  const path = input.inventory.docker.daemonJson ?? inventoryDefaults.docker.daemonJson;
  const text = fileText(answers, path);
  const file = text.known ? readDaemonJson(text.value) : undefined;
  const isDirect = file?.kind === 'object' && file.values.get('allow-direct-routing') === true;
  if (isLetIn && (isDirect || !isDockerAtLeast(version, 28, 2))) return;
  yield {
    code: 'docker-drops-overlay',
    severity: 'warning',
    path: 'docker0',
    message: `Docker ${version.text} drops packets to docker0 that other nodes send (from 28.0, by rules in DOCKER${isDockerAtLeast(version, 28, 2) ? ' and raw PREROUTING' : ''}): containers of two nodes do not reach each other`,
    suggestion: isDockerAtLeast(version, 28, 2)
      ? '"allow-direct-routing": true in daemon.json, and an accept for the network in DOCKER-USER'
      : 'An accept for the network in DOCKER-USER; for published ports DOCKER_INSECURE_NO_IPTABLES_RAW=1 for dockerd',
  };
}

export const cascade: NodeCheck = function* ({ answers, input }) {
  const { units } = answers;
  if (!units.known) {
    yield notChecked('what stops with flanneld and Docker', units.why);
    return;
  }
  const service = `${input.inventory.docker.service ?? inventoryDefaults.docker.service}.service`;
  const found = units.value.get(service);
  const flannel = units.value.get('flanneld.service');
  const ties = [
    ['Requires', found?.requires ?? []],
    ['Requisite', found?.requisite ?? []],
    ['BindsTo', found?.bindsTo ?? []],
    ['PartOf', found?.partOf ?? []],
    ['RequiredBy', flannel?.requiredBy.includes(service) === true ? ['flanneld.service'] : []],
    ['BoundBy', flannel?.boundBy.includes(service) === true ? ['flanneld.service'] : []],
  ] as const;
  const tie = ties.find(([, names]) => names.some((name) => name === 'flanneld.service' || name === 'flannel.service'));
  if (tie !== undefined) {
    const [key, names] = tie;
    yield {
      code: 'docker-requires-flannel',
      severity: 'warning',
      path: service,
      message: `${key}=${someOf(names.filter((name) => name.startsWith('flannel')))} ties ${service} to flanneld: a restart of flanneld stops Docker and its containers`,
      suggestion: `In the unit or drop-in that says it (systemctl cat ${service}): Wants=flanneld.service`,
    };
  }
  const taken = [...new Set([...(found?.requiredBy ?? []), ...(found?.boundBy ?? []), ...(found?.consistsOf ?? [])])]
    .filter((name) => name !== 'flanneld.service' && !/\.(?:socket|target)$/.test(name))
    .sort();
  if (taken.length === 0) return;
  yield {
    code: 'docker-stops-others',
    severity: 'info',
    path: service,
    message: `${someOf(taken)} ${taken.length === 1 ? 'stops' : 'stop'} whenever Docker is restarted`,
    suggestion: `systemctl list-dependencies --reverse ${service}`,
  };
};
