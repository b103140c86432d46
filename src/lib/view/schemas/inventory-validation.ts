import * as z from 'zod';
import { documentSchema } from './document';
import { problemItem } from './problem-item';

/** `netctl config validate -o json`. */
export const inventoryValidation = documentSchema('InventoryValidation', {
  valid: z.boolean(),
  file: z.string(),
  problems: z.array(problemItem.extend({ line: z.int().min(1), column: z.int().min(1) })),
});
