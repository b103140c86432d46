const mark = 'Written by netctl';

/**
 * The comment that every file begins with that netctl puts on a node. No date and no release stand in it: the same wish gives
 * the same bytes, so that a second run finds nothing to change.
 * @param sign how a comment begins in that file
 * @param command what writes it
 */
export function writtenByNetctl(sign: '#' | ';' = '#', command = 'netctl node bootstrap'): string {
  return [
    `${sign} ${mark}, which replaces this file: a change made here is lost at its next run.`,
    `${sign} Change netctl.yaml on the workstation instead, then: ${command}`,
    '',
  ].join('\n');
}

/** Does the file carry our comment in its first lines? A file without it was made by hand, or by another tool. */
export function isWrittenByNetctl(text: string): boolean {
  return text
    .slice(0, 4096)
    .split('\n', 3)
    .some((line) => line.startsWith(`# ${mark},`) || line.startsWith(`; ${mark},`));
}
