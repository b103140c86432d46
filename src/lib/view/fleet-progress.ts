import type { Screen } from './format';
import { type LiveStream, live } from './live';
import { safeText } from './safe-text';
import { cutToWidth, loadTextWidth } from './text-width';

/** Long work on many nodes: on a terminal a line for each node that is redrawn, in a pipe a line for each thing done. */
export interface FleetProgress {
  readonly doing: (node: string, text: string, done: number, total: number) => void;
  readonly end: (node: string, text: string) => void;
  /** Leaves the last state standing. To be called before anything else is printed. */
  readonly close: () => void;
}

const redrawMs = 100;

export async function fleetProgress(
  stream: LiveStream,
  screen: Screen,
  nodes: readonly string[],
): Promise<FleetProgress> {
  if (!screen.isTerminal) {
    const say = (node: string, text: string): void => void stream.write(`${safeText(node)}: ${safeText(text, 300)}\n`);
    return { doing: say, end: say, close: () => {} };
  }
  const widthOf = await loadTextWidth();
  const nameWidth = Math.max(...nodes.map((name) => widthOf(safeText(name))));
  const lines = new Map(nodes.map((name) => [name, 'waits']));
  let columns = screen.columns;
  const block = live(stream, screen, (resized) => {
    columns = resized.columns;
    draw();
  });
  const draw = (): void => {
    const text = [...lines].map(([name, state]) => {
      const shown = safeText(name);
      return cutToWidth(`${shown}${' '.repeat(nameWidth - widthOf(shown) + 2)}${state}`, columns - 1, '…', widthOf);
    });
    block.show(`${text.join('\n')}\n`);
  };
  let timer: NodeJS.Timeout | undefined;
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      draw();
    }, redrawMs);
  };
  draw();
  return {
    doing: (node, text, done, total) => {
      lines.set(node, `${String(done).padStart(String(total).length)}/${total}  ${safeText(text, 200)}`);
      soon();
    },
    end: (node, text) => {
      lines.set(node, safeText(text, 200));
      soon();
    },
    close: () => {
      clearTimeout(timer);
      draw();
      block.end();
    },
  };
}
