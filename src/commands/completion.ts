import * as Args from '@oclif/core/args';
import { NetctlCommand } from '../lib/cli/command';
import { completionScript, shells } from '../lib/cli/completion-script';

export default class Completion extends NetctlCommand {
  static override summary = 'Print the script that teaches a shell to complete netctl.';
  static override description =
    'Commands, flags, their values and the names of your nodes are completed. The script asks netctl at every Tab, so it need not be renewed after an update.';
  static override args = {
    shell: Args.option({ options: shells, ignoreStdin: true, description: 'Which shell.' })({ required: true }),
  };
  static override examples = [
    { description: 'bash, for every new shell', command: "echo 'source <(netctl completion bash)' >> ~/.bashrc" },
    { description: 'zsh', command: "echo 'source <(netctl completion zsh)' >> ~/.zshrc" },
    { description: 'fish', command: 'netctl completion fish > ~/.config/fish/completions/netctl.fish' },
  ];

  async run(): Promise<void> {
    const { args } = await this.parse(Completion);
    await this.write([completionScript(args.shell)]);
  }
}
