import * as z from 'zod';
import { documentSchema, listSchema } from './document';

const fields = {
  code: z.string(),
  title: z.string(),
  exit: z.int().optional().describe('How a run ends that fails with it; absent for what is only reported.'),
  meaning: z.string(),
  causes: z.array(z.string()),
  mend: z.array(z.string()).describe('What to do, the surest first.'),
  see: z.array(z.string()).optional(),
};

/** `netctl explain CODE -o json`. */
export const topic = documentSchema('Topic', fields);

/** `netctl explain -o json`. */
export const topicList = listSchema('TopicList', z.object(fields));
