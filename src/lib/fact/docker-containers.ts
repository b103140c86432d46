import { type Address, addressOf } from './address';
import { answerLines, isOnlyOfGone, whyFailed } from './answer-text';
import { type Fact, known, shellCommand } from './fact';
import { countIn, entriesOf, fieldOf, parseJsonAnswer, textIn } from './json-answer';

export interface RunningContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** `always` and `unless-stopped` come back when Docker starts again, `no` and `on-failure` stay stopped. */
  readonly restartPolicy: string;
  readonly restartsWithDocker: boolean;
  /** By network name; null where it has no address yet, and for `host`. */
  readonly networks: ReadonlyMap<string, Address | null>;
  /** Of its main process on the node. */
  readonly pid: number | null;
}

/** The containers that a restart of Docker would stop. */
export const runningContainers: Fact<readonly RunningContainer[]> = {
  name: 'running-containers',
  command: {
    // No environment and no labels: secrets stand there.
    ...shellCommand(
      `c=$(docker ps -q --no-trunc) || exit
[ -z "$c" ] || docker inspect --type container -f "$1" $c`,
      '{"Id":{{json .Id}},"Name":{{json .Name}},"Image":{{json .Config.Image}},"Policy":{{json .HostConfig.RestartPolicy.Name}},"Pid":{{json .State.Pid}},"Networks":{ {{- $f := true}}{{range $n, $e := .NetworkSettings.Networks}}{{if not $f}},{{end}}{{$f = false}}{{json $n}}:{{json $e.IPAddress}}{{end -}} } }',
    ),
    maxOutputBytes: 2 * 1024 * 1024,
    timeoutMs: 10_000,
  },
  requires: { root: 'all', programs: [['docker']] },
  parse(output) {
    const lines = answerLines(output.stdout);
    // A container that ended between the two commands makes the second one fail and still show the others.
    if (output.code !== 0 && (lines.length === 0 || !isOnlyOfGone(output))) return whyFailed('docker', output);
    return known(
      lines.flatMap((line) => {
        const json = parseJsonAnswer(line);
        const id = textIn(json, 'Id');
        const name = textIn(json, 'Name');
        if (id === undefined || !/^[0-9a-f]{12,64}$/.test(id) || name === undefined) return [];
        const policy = textIn(json, 'Policy');
        const restartPolicy = policy === undefined || !/^[a-z-]{1,32}$/.test(policy) ? 'no' : policy;
        const pid = countIn(json, 'Pid');
        return [
          {
            id,
            name: name.replace(/^\//, '').slice(0, 255),
            image: (textIn(json, 'Image') ?? '').slice(0, 255),
            restartPolicy,
            restartsWithDocker: restartPolicy === 'always' || restartPolicy === 'unless-stopped',
            networks: new Map(
              entriesOf(fieldOf(json, 'Networks')).map(([network, address]) => [
                network,
                (typeof address === 'string' ? addressOf(address) : undefined) ?? null,
              ]),
            ),
            pid: pid === undefined || pid === 0 ? null : pid,
          },
        ];
      }),
    );
  },
};
