import { InvalidInput } from '../errors';
import { forms, suggestForm } from './forms';

/**
 * A prefix as flanneld cleans it (Go's `path.Join`): one slash in front, none doubled, none at the end. flanneld on etcd v2 had
 * its leading slash added by the server; on v3 a prefix without one names other keys, which flannel's documentation never does.
 *
 * @param name what to call it in the message: `--prefix`, `netctl.yaml:4`
 * @throws InvalidInput `prefix-invalid`: characters that flanneld's regular expression would take otherwise (flannel compiles
 *   its prefix), `.` and `..` as steps, or nothing but slashes
 */
export function normalizePrefix(text: string, name: string): string {
  const bad = (rule: string, corrected: string): InvalidInput =>
    new InvalidInput({
      code: 'prefix-invalid',
      message: `${name}: ${JSON.stringify(text.slice(0, 100))} ${rule}`,
      next: [`Write ${corrected}`],
    });
  if (text.split('/').every((step) => step === '')) {
    throw bad('is no prefix: all keys of etcd would lie below it', '/coreos.com/network');
  }
  if (!forms.prefix.pattern.test(text)) throw bad(forms.prefix.rule, suggestForm(forms.prefix, text));
  const steps = text.split('/').filter((step) => step !== '');
  const plain = steps.filter((step) => step !== '.' && step !== '..');
  if (plain.length < steps.length) {
    throw bad('has . or .. as a step, which flanneld would resolve', `/${plain.join('/')}`);
  }
  return `/${steps.join('/')}`;
}
