import { type Address, addressOf } from './address';
import { answerText } from './answer-text';
import { type Fact, known, shellCommand } from './fact';

/** The ends of the SSH connection by which we look, as the node sees them: a network over either would cut us off. */
export type SshClient =
  | { readonly viaSsh: true; readonly client: Address; readonly server: Address }
  | { readonly viaSsh: false };

/** sudo takes SSH_CONNECTION away, so the shells above us are asked as well. */
const script = `c=$SSH_CONNECTION p=$$ n=0
while [ -z "$c" ] && [ "$p" -gt 1 ] && [ "$n" -lt 12 ]; do
c=$(tr '\\000' '\\n' <"/proc/$p/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p' | head -n 1)
while read -r k v x; do [ "$k" = PPid: ] && p=$v && break; done <"/proc/$p/status" || break
n=$((n+1))
done
printf '%s\\n' "$c"`;

export const sshClient: Fact<SshClient> = {
  name: 'ssh-client',
  command: shellCommand(script),
  requires: { root: 'none', programs: [] },
  parse(output) {
    const [client, , server] = answerText(output.stdout).trim().split(' ');
    const from = addressOf(client);
    const to = addressOf(server);
    return known(
      from === undefined || to === undefined ? { viaSsh: false } : { viaSsh: true, client: from, server: to },
    );
  },
};
