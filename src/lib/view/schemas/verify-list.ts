import * as z from 'zod';
import { documentSchema } from './document';
import { problemItem } from './problem-item';

/** `netctl verify -o json`. */
export const verifyList = documentSchema('VerifyList', {
  answerTimeoutSeconds: z.number().describe('A packet without an answer for so long has failed.'),
  nodes: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['probed', 'unknown', 'unreachable']),
      address: z.string().nullable().describe('What a container there would have, and the probe had.'),
      bridge: z.string().nullable(),
      mtu: z.int().nullable().describe('What a new container there gets, in bytes.'),
      why: z.string().nullable().describe('Why it could not be probed.'),
    }),
  ),
  counts: z.object({ ok: z.int(), masqueraded: z.int(), failed: z.int(), unknown: z.int() }),
  problems: z
    .array(problemItem)
    .describe('The same of several pairs is one; exit code 10 when there are errors or warnings.'),
  items: z.array(
    z.object({
      from: z.string(),
      to: z.string().describe('A node; for the leg outside an address.'),
      leg: z.enum(['container-to-container', 'container-to-node', 'node-to-container', 'container-to-outside']),
      state: z
        .enum(['ok', 'masqueraded', 'failed', 'unknown'])
        .describe("masqueraded: everything arrived, with another source address than the container's."),
      fault: z.enum(['path-dead', 'path-mtu', 'path-protocol']).nullable(),
      sender: z
        .string()
        .nullable()
        .describe('The source address with which it was sent; null where the kernel chose it.'),
      sources: z.array(z.string()).describe('Source addresses that arrived.'),
      roundTripMicroseconds: z.int().nullable().describe("The shortest, by the kernel's measure of a TCP connection."),
      tests: z.array(
        z.object({
          protocol: z.enum(['tcp', 'udp', 'icmp']),
          size: z
            .enum(['small', 'large'])
            .describe('large: several packets for TCP and UDP, one of exactly the MTU that must stay whole for ICMP.'),
          bytes: z.int().describe('Of the payload; for ICMP of the whole packet.'),
          state: z.enum(['answered', 'failed', 'unknown']),
          source: z.string().nullable().describe('As it arrived; ICMP does not show it.'),
          roundTripMicroseconds: z.int().nullable(),
          why: z.string().nullable(),
        }),
      ),
    }),
  ),
});
