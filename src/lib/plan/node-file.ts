/** Something that ought to lie on a node, as plain data: a dry run shows it, the engine puts it there, a test compares it. Owner is root. */
export type NodeFile =
  | {
      readonly kind: 'file';
      /** Absolute, and never through a link that is about to change. */
      readonly path: string;
      readonly mode: number;
      readonly content: string | Uint8Array;
      /** Is it never to be shown, not even as a difference? */
      readonly isSecret: boolean;
      /** Written only where there is none: whoever owns it afterwards changes it. */
      readonly onlyIfAbsent?: true;
      readonly why: string;
    }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number; readonly why: string }
  /** A symbolic link, put in place of an older one in one step. A real directory there is not ours to replace. */
  | { readonly kind: 'link'; readonly path: string; readonly target: string; readonly why: string };

/** A command that makes files take effect. */
export interface NodeCommand {
  readonly argv: readonly [string, ...string[]];
  readonly why: string;
  /** Run only when one of these changed. */
  readonly after: readonly string[];
}
