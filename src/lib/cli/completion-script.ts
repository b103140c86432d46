export const shells = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof shells)[number];

/** A script for the shell that asks `netctl __complete` at every Tab. */
export function completionScript(shell: Shell): string {
  return scripts[shell];
}

// The command is run as it was typed (`./bin/run.js` completes too), so a second netctl on the PATH is not asked instead.
const bash = `# netctl completion for bash: source <(netctl completion bash)
_netctl() {
  local value _description
  COMPREPLY=()
  while IFS=$'\\t' read -r value _description; do
    if [[ $value == :file ]]; then
      compopt -o default 2>/dev/null
      COMPREPLY=()
      return
    fi
    COMPREPLY+=("$value")
  done < <("\${1/#\\~/$HOME}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _netctl netctl
`;

const zsh = `#compdef netctl
# netctl completion for zsh: source <(netctl completion zsh), or save it as _netctl in a folder of $fpath
_netctl() {
  local -a lines candidates
  local line
  lines=("\${(@f)$("\${(Q)words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $lines[1] == :file* ]]; then
    _files
    return
  fi
  for line in $lines; do
    [[ -n $line ]] || continue
    candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( $#candidates )) && _describe -t values netctl candidates
}
if [[ $funcstack[1] == _netctl ]]; then
  _netctl "$@"
else
  compdef _netctl netctl
fi
`;

const fish = `# netctl completion for fish: netctl completion fish | source
function __netctl_complete
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  set -l lines ($before[1] __complete -- $before[2..-1] "$current" 2>/dev/null)
  if test "$lines[1]" = :file
    __fish_complete_path $current
    return
  end
  for line in $lines
    echo $line
  end
end
complete -c netctl -f -a '(__netctl_complete)'
`;

const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
