import * as z from 'zod';
import { documentSchema } from './document';

/** What a failing command prints on stderr with `-o json`. */
export const errorDocument = documentSchema('Error', {
  code: z.string().describe('Stable kebab-case word: the argument of `netctl explain`.'),
  exit: z.int().min(1).max(255).describe('The exit code of the process: docs/exit-codes.md.'),
  message: z.string().describe('One sentence. It is for people and may change; dispatch on `code`.'),
  details: z.array(z.string()).describe('Evidence, one line each.'),
  next: z.array(z.string()).describe('What to do: commands or corrected forms.'),
});
