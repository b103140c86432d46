import type { MasqueradeAnswers } from '../fact/masquerade-facts';
import type { InventoryNode } from '../inventory/inventory';
import { formatCidr } from '../net/cidr';
import type { Problem } from '../net/problem';
import type { NodeStep } from './host-change';
import type { MasqueradeIntent } from './masquerade-files';
import { chainChanges, dropsOf, judge, pathChanges } from './masquerade-judge';
import { revertPlan } from './masquerade-revert';
import { dockerRulesIn, isOwnRule, mendedRules, natRules, pairText } from './masquerade-rules';
import { staleSavedRules } from './masquerade-save';
import {
  dockersMasq,
  type MasqueradeMethod,
  type MasqueradePlan,
  type MasqueradeWish,
  masqueradeScene,
  problem,
  type Scene,
} from './masquerade-scene';
import { containersOf, fixStep, jsonEdit, restartStep, savedSteps, writtenBack } from './masquerade-step';

/** Pure: what must be done so that containers' own addresses arrive at other nodes, or, to revert, so that Docker decides again. */
export function planMasquerade(node: InventoryNode, answers: MasqueradeAnswers, wish: MasqueradeWish): MasqueradePlan {
  const problems: Problem[] = [];
  const { network, scene } = masqueradeScene(node.name, answers, wish, problems);
  if (scene !== null) return wish.revert ? revertPlan(scene) : fixPlan(scene);
  return {
    node: node.name,
    network: network === null ? null : formatCidr(network),
    method: null,
    reason: '',
    bridges: [],
    paths: [],
    chains: [],
    steps: [],
    stops: [],
    undo: [],
    problems,
  };
}

interface Choice {
  readonly method: MasqueradeMethod;
  readonly reason: string;
}

function choiceOf(scene: Scene): Choice {
  const { answers, byFlannel, wish, problems } = scene;
  const { subnetEnv } = answers;
  const env = subnetEnv.known && subnetEnv.value.present ? subnetEnv.value.reading.env : null;
  const masq = dockersMasq(scene.answers, scene.wish.inventory);
  if (wish.method === 'rule') return { method: 'rule', reason: 'as asked for' };
  const why =
    env?.ipMasq !== true
      ? env === null
        ? 'flanneld has written no subnet.env here'
        : 'flanneld runs without --ip-masq (FLANNEL_IPMASQ=false)'
      : byFlannel
        ? null
        : 'FLANNEL_IPMASQ=true, but the rules of flanneld are not there';
  if (wish.method === 'docker') {
    if (why !== null) {
      problems.push(
        problem(
          'error',
          'flannel-does-not-masquerade',
          'flannel.ipMasq',
          `with --method docker nobody would masquerade on ${scene.node}, and containers would have no way out: ${why}`,
          'flannel: { ipMasq: true } in netctl.yaml, then netctl node bootstrap; or --method rule',
        ),
      );
    } else if (masq.value && masq.flag !== null) {
      problems.push(
        problem(
          'error',
          'ip-masq-flag',
          'ip-masq',
          `dockerd masquerades by a flag, ${masq.flag}; beside "ip-masq" in daemon.json Docker would not start again`,
          'Take the flag out, or --method rule',
        ),
      );
    }
    return { method: 'docker', reason: 'as asked for' };
  }
  if (why !== null) return { method: 'rule', reason: `${why}, so Docker's rule is made narrower` };
  if (masq.value && masq.flag !== null) {
    return { method: 'rule', reason: `dockerd has a flag for it, ${masq.flag}, so Docker's rule is made narrower` };
  }
  return { method: 'docker', reason: 'flanneld masquerades (FLANNEL_IPMASQ=true, and its rules are there)' };
}

function fixPlan(scene: Scene): MasqueradePlan {
  const { answers, network, fronts, bridges, masqueraded, localBridges, earlier, problems, node } = scene;
  const { method, reason } = choiceOf(scene);
  const drops = dropsOf(scene);
  const masq = dockersMasq(scene.answers, scene.wish.inventory);
  const json = jsonEdit(scene, {
    ...(method === 'docker' && masq.value && masq.flag === null ? { 'ip-masq': false } : {}),
    ...(drops.wantsDirectRouting ? { 'allow-direct-routing': true } : {}),
  });
  const own = fronts.flatMap((front) => natRules(front).filter(isOwnRule));
  const left = fronts.flatMap((front) => dockerRulesIn(front, network));
  const rightBridges =
    method === 'docker'
      ? bridges
      : bridges.filter(
          (bridge) =>
            masqueraded.includes(bridge) ||
            left.some((other) => pairText(other) === pairText(bridge)) ||
            own.some(({ words }) => words.includes(bridge.device) && words.includes(formatCidr(bridge.subnet))),
        );
  const intent: MasqueradeIntent = {
    network,
    bridges: rightBridges,
    byFlannel: method === 'docker',
    accepts: drops.wantsAccept,
    ipMasqBefore: earlier?.ipMasqBefore ?? json.ipMasqBefore,
    directRoutingBefore: earlier?.directRoutingBefore ?? json.directRoutingBefore,
  };
  const isNeeded =
    bridges.length > 0 &&
    (method === 'rule'
      ? rightBridges.length > 0 || left.length > 0
      : masqueraded.length > 0 || left.length > 0 || own.length > 0);
  const wantsFiles = isNeeded || drops.wantsAccept || drops.wantsDirectRouting || earlier !== undefined;
  const after = wantsFiles ? fronts.map((front) => mendedRules(front, intent, localBridges)) : fronts;
  const paths = pathChanges(scene, after, drops.wantsDirectRouting);
  judge(scene, paths, method, earlier === undefined && isNeeded && left.length === 0);

  const steps: NodeStep[] = [];
  const undo: NodeStep[] = [];
  if (wantsFiles && !problems.some(({ severity }) => severity === 'error')) {
    const step = fixStep(scene, intent, json.change, after);
    const restart = drops.wantsDirectRouting ? restartStep(scene, json.change) : null;
    if (step.changes.length > 0) {
      steps.push(step);
      // Docker is restarted only with its old daemon.json, so that goes with the restart.
      const isLater = (of: unknown): boolean => restart !== null && of === json.change;
      const changes = (step.undo ?? []).flatMap((each) =>
        'of' in each ? (isLater(each.of) ? [] : [each.change]) : [each],
      );
      undo.push({ title: 'back to what was there before', changes, mind: [] });
    }
    if (restart !== null) {
      steps.push(restart);
      if (json.change !== null) {
        undo.push({
          title: 'Docker with its old settings',
          oneAtATime: 'docker-restart',
          changes: [writtenBack(json.change), ...restart.changes],
          mind: [],
        });
      }
    }
  }
  const stops = steps.some(({ oneAtATime }) => oneAtATime === 'docker-restart') ? containersOf(answers) : [];
  if (scene.wish.save) {
    const saved = savedSteps(scene, after);
    steps.push(...saved.steps);
    if (saved.undo.length > 0) undo.unshift({ title: 'the saved rules of before', changes: saved.undo, mind: [] });
  } else problems.push(...staleSavedRules(answers.texts, network));
  return {
    node,
    network: formatCidr(network),
    method,
    reason,
    bridges,
    paths,
    chains: chainChanges(fronts, after),
    steps: problems.some(({ severity }) => severity === 'error') ? [] : steps,
    problems,
    stops,
    undo,
  };
}
