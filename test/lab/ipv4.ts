import { LabError } from './lab-error';

// The lab judges netctl, so it does not count with netctl's own arithmetic.

export interface Block {
  readonly first: number;
  readonly last: number;
  readonly prefix: number;
}

function toNumber(address: string): number {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) {
    throw new LabError(`${address}: not an IPv4 address`);
  }
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** Reads `10.4.7.0/24`; a bare address is a block of one. */
export function parseBlock(text: string): Block {
  const [address = '', prefixText = '32'] = text.split('/');
  const prefix = Number(prefixText);
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > 32) throw new LabError(`${text}: not an IPv4 block`);
  const size = 2 ** (32 - prefix);
  const first = Math.floor(toNumber(address) / size) * size;
  return { first, last: first + size - 1, prefix };
}

/** The address that stands `offset` after the block's first. */
export function addressIn(block: Block, offset: number): string {
  if (block.first + offset >= block.last)
    throw new LabError(`${toText(block.first)}/${block.prefix}: too small for a lab segment (use a /24)`);
  return toText(block.first + offset);
}

export function overlaps(one: Block, other: Block): boolean {
  return one.first <= other.last && other.first <= one.last;
}

export function contains(block: Block, address: string): boolean {
  const number = toNumber(address);
  return number >= block.first && number <= block.last;
}
