import { cidrOf, type Ipv4Cidr } from '../net/cidr';
import { parseSubnetEnv, type SubnetEnvReading } from '../net/subnet-env';
import { answerText } from './answer-text';
import { type Fact, type Known, known, unknown } from './fact';
import { fileContents } from './files';

export type SubnetEnvFile =
  | {
      readonly present: true;
      readonly reading: SubnetEnvReading;
      /** By the node's clock. flanneld writes the file once, at its start. */
      readonly modifiedAtSeconds: number;
    }
  | { readonly present: false };

/** @param path of flanneld's `--subnet-file` on this node */
export function subnetEnvFile(path: string): Fact<SubnetEnvFile> {
  const file = fileContents([path], 16 * 1024);
  return {
    ...file,
    name: `subnet-env-file ${path}`,
    parse(output) {
      const files = file.parse(output);
      if (!files.known) return files;
      const found = files.value.get(path);
      if (found === undefined) return unknown('the node did not tell of it');
      if (!found.known) return found;
      if (!found.value.present) return known({ present: false });
      if (found.value.bytes === null) return unknown(`${path} is a folder`);
      return known({
        present: true,
        reading: parseSubnetEnv(answerText(found.value.bytes)),
        modifiedAtSeconds: found.value.modifiedAtSeconds,
      });
    },
  };
}

/** The subnet that the file names; null when it names none, is not there, or could not be read. */
export function writtenSubnet(file: Known<SubnetEnvFile>): Ipv4Cidr | null {
  const own = file.known && file.value.present ? file.value.reading.env.subnet : null;
  return own === null ? null : cidrOf(own.address, own.length);
}
