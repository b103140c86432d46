import type { Topic } from './topic';

/** The inventory, and the settings that come from flags, variables and it. */
export const inventoryTopics: readonly Topic[] = [
  {
    code: 'inventory-invalid',
    title: 'The inventory is not valid',
    exit: 2,
    meaning:
      'netctl.yaml was found and read, but something in it cannot be meant. Every problem is listed with file, line and column, the path of the key and a corrected form. Nothing was done.',
    causes: ['A misspelt key.', 'A value of another kind or form.', 'Two nodes with the same name, address or subnet.'],
    mend: ['netctl config validate', 'netctl config init --full - prints every key with its meaning'],
    see: ['docs/inventory.md', 'inventory-syntax', 'inventory-unknown-key'],
  },
  {
    code: 'inventory-syntax',
    title: 'The inventory is not readable YAML',
    meaning:
      'The text is not one YAML 1.2 document in UTF-8, or is nested or multiplied by aliases beyond what an inventory can be.',
    causes: [
      'A tab in the indentation.',
      'A bracket or quote that is not closed.',
      'A second document after ---.',
      'A merge key (<<) or a tag (!…).',
      'A file in UTF-16.',
    ],
    mend: [
      'Look at the line and column that are named',
      'Indent with two blanks',
      'iconv -f UTF-16 -t UTF-8 OLD > netctl.yaml',
    ],
  },
  {
    code: 'inventory-empty',
    title: 'The inventory holds no setting',
    meaning:
      'A file without any setting is rather a copy that went wrong than a wish. netctl does not fall back to the etcd on this machine in silence.',
    causes: ['The file was cut off or never filled.', 'Every line is a comment.'],
    mend: ['netctl config init --force', 'Delete the file when the defaults are wanted'],
  },
  {
    code: 'inventory-too-large',
    title: 'The inventory is larger than 4 MiB',
    exit: 2,
    meaning: '10,000 nodes with every key fit into 4 MiB; a larger file is something else.',
    causes: ['--config or NETCTL_CONFIG names another file.'],
    mend: ['Name the right file: --config FILE'],
  },
  {
    code: 'inventory-unknown-key',
    title: 'The inventory has a key that netctl does not know',
    meaning: 'A key that is silently ignored is a setting that silently does not hold, so unknown keys are errors.',
    causes: [
      'A misspelling.',
      "Another tool's word for it.",
      'The right key in the wrong section.',
      'A key of a newer netctl.',
    ],
    mend: ['Take the key that is proposed', 'netctl config init --full - lists all of them'],
    see: ['docs/inventory.md'],
  },
  {
    code: 'inventory-missing-key',
    title: 'A key is missing that must be there',
    meaning: 'A node has a name, a backend a type; without it the rest says nothing.',
    causes: ['It was forgotten.', 'It is indented one level too deep or too little.'],
    mend: ['Add it'],
  },
  {
    code: 'inventory-wrong-type',
    title: 'A value is of another kind than its key',
    meaning:
      'A text stands where a number belongs, or the other way round. YAML decides by the look: 0.10 is the number 0.1, and yes is a text since YAML 1.2.',
    causes: [
      'A version or a name that looks like a number and is not in quotes.',
      'yes, no, on or off for true or false.',
      'A unit behind a number.',
      'One value where a list belongs.',
    ],
    mend: [
      'Put texts that look like numbers into quotes: version: "0.11.0"',
      'Write true or false',
      'Put one value into brackets: labels: [edge]',
    ],
  },
  {
    code: 'inventory-wrong-value',
    title: 'A value has not the form that its key wants, or cannot be meant',
    meaning:
      'The value is of the right kind, but not an address, a range, a path or one of the words that are allowed.',
    causes: [
      'A mistyped address.',
      'A range without its length, or with bits set behind it.',
      'An endpoint without scheme or port.',
    ],
    mend: ['Take the corrected form that is proposed'],
  },
  {
    code: 'inventory-duplicate',
    title: 'Something that must be unique is there twice',
    meaning:
      'Two nodes with one name cannot be told apart; two with one public IP are one node to flannel and would be given one subnet. A key that stands twice would hold with its last value alone.',
    causes: [
      'A copied entry that was not changed.',
      'Machines behind one NAT address (every Vagrant box has 10.0.2.15).',
    ],
    mend: [
      'Give each node its own name, address and publicIP',
      'Set publicIP to the address by which the other nodes reach it',
    ],
  },
  {
    code: 'inventory-secret',
    title: 'A secret stands in the inventory',
    meaning:
      'An inventory is meant to be shared and kept under version control, so it names the file of a password and never the password.',
    causes: [
      'password: in a section.',
      'user:password in one value or in an endpoint.',
      'A private key pasted in place of its path.',
    ],
    mend: [
      'passwordFile: with the path of a file that only you can read',
      'export NETCTL_PASSWORD=…',
      'Leave it out: netctl asks',
      'Change a password that was committed',
    ],
    see: ['password-missing'],
  },
  {
    code: 'inventory-subnet',
    title: 'A subnet or address does not fit into the network',
    meaning:
      'A node keeps a fixed subnet only when it lies between SubnetMin and SubnetMax, has the subnet length of the network, and overlaps no other. And no node and no etcd may have an address inside the container network: its route would cut them off.',
    causes: [
      'The gateway address (172.7.21.1/24) instead of the subnet (172.7.21.0/24).',
      'Another length.',
      'The first subnet of the range, which flannel leaves out by default.',
    ],
    mend: ['Take the subnet that is proposed', 'network.subnetMin names the first subnet that may be given out'],
    see: ['docs/inventory.md'],
  },
  {
    code: 'inventory-tls',
    title: 'Half of a pair is missing',
    meaning: 'A client certificate works only with its private key, and a password only with a user.',
    causes: ['cert without key, or key without cert.', 'passwordFile without user.'],
    mend: ['Add the other half', 'Take away the one that is there'],
    see: ['tls-incomplete'],
  },
  {
    code: 'inventory-not-found',
    title: 'The inventory that was named is not there',
    exit: 2,
    meaning:
      '--config or NETCTL_CONFIG names a file that does not exist. The usual places are only looked at when no file is named.',
    causes: ['A misspelt path.', 'Another working directory than expected.'],
    mend: ['netctl config init FILE writes one', 'unset NETCTL_CONFIG'],
  },
  {
    code: 'inventory-unreadable',
    title: 'The inventory cannot be read',
    exit: 2,
    meaning: 'The file is there, but the system does not let you read it, or it is a directory.',
    causes: ['Permissions.', 'A directory was named.'],
    mend: ['ls -l FILE', '--config DIRECTORY/netctl.yaml'],
  },
  {
    code: 'endpoint-invalid',
    title: 'An address of etcd has not the right form',
    exit: 2,
    meaning:
      'An endpoint is scheme, host and port: http://10.4.7.12:2379. Without a scheme it is https when TLS files are given, else http. All are of one scheme.',
    causes: [
      'No port.',
      'A path behind the port.',
      'A user or password in it.',
      'IPv6 without brackets.',
      'http and https mixed.',
    ],
    mend: [
      '--endpoints https://10.4.7.12:2379,https://10.4.7.21:2379',
      'User and password are given by --user and --password-file',
    ],
    see: ['netctl config show'],
  },
  {
    code: 'prefix-invalid',
    title: 'The prefix cannot be one of flannel',
    exit: 2,
    meaning:
      'flanneld compiles its --etcd-prefix as a regular expression: with a metacharacter in it, it finds none of its own leases or crashes at start.',
    causes: ['A character such as * + ? ( ) [ ] { } | ^ $ or a backslash.', 'A blank.', 'Only slashes.'],
    mend: [
      '--prefix /coreos.com/network',
      'Letters, digits, dot, dash and underscore between slashes are always right',
    ],
  },
  {
    code: 'api-invalid',
    title: 'There is no such API of etcd',
    exit: 2,
    meaning:
      'flannel up to v0.17 keeps its state in the v2 API of etcd, from v0.18 in v3; auto looks where the prefix is.',
    causes: ['Another word in --etcd-api or NETCTL_ETCD_API.'],
    mend: ['--etcd-api auto'],
  },
  {
    code: 'timeout-invalid',
    title: 'The timeout is not a number of seconds',
    exit: 2,
    meaning: 'The longest wait for one answer of etcd, from 0.1 to 600 seconds.',
    causes: ['A unit other than s.', 'Nothing, or a negative number.'],
    mend: ['--timeout 5'],
  },
  {
    code: 'setting-empty',
    title: 'A flag was given without a value',
    exit: 2,
    meaning:
      'An empty value is most often a variable of a script that was not set; to go on with the default would reach another etcd than was meant.',
    causes: ['--endpoints "$ENDPOINTS" with ENDPOINTS unset.'],
    mend: ['Give it a value, or leave the flag out'],
  },
  {
    code: 'tls-incomplete',
    title: 'A certificate without its key, or a key without its certificate',
    exit: 2,
    meaning:
      'A client certificate and its private key work only together. flanneld ignores TLS files silently when one is missing.',
    causes: ['Only one of --cert and --key.', 'One in the inventory, the other nowhere.'],
    mend: ['Give both', 'A CA alone is right where etcd asks for no client certificate: --cacert FILE'],
    see: ['netctl config show'],
  },
  {
    code: 'tls-key-mismatch',
    title: 'The private key belongs to another certificate',
    exit: 2,
    meaning: 'The two files are each in order, but the public key in the certificate is not that of the private key.',
    causes: [
      'Files of two clients mixed up.',
      'The certificate was renewed with a new key, and only one file was copied.',
      '--cert from the command line, --key from the inventory.',
    ],
    mend: [
      'netctl config show says where each comes from',
      'openssl x509 -noout -pubkey -in CERT; openssl pkey -pubout -in KEY',
    ],
  },
  {
    code: 'pem-invalid',
    title: 'A TLS file is not what it should be',
    exit: 2,
    meaning: 'CA, certificate and key are PEM texts. The file holds something else, or is damaged.',
    causes: [
      'DER instead of PEM.',
      'Certificate and key exchanged.',
      'A certificate request that nobody has signed.',
      'A key locked with a passphrase.',
    ],
    mend: ['openssl x509 -inform DER -in FILE -out FILE.pem', 'openssl pkey -in LOCKED -out KEY'],
  },
  {
    code: 'password-on-argv',
    title: 'A password was given on the command line',
    exit: 2,
    meaning:
      'Every user of the machine can read the command lines of all processes, and the shell keeps them in its history.',
    causes: ['--user NAME:PASSWORD, as etcdctl takes it.'],
    mend: [
      '--user NAME: netctl asks',
      '--password-file FILE',
      'NETCTL_PASSWORD=…',
      'Remove the line from the history of your shell',
    ],
  },
  {
    code: 'password-missing',
    title: 'A password is needed and nobody can be asked',
    exit: 2,
    meaning: 'A user is set, no password is, and standard input or standard error is no terminal.',
    causes: ['netctl runs in a script or under cron.'],
    mend: ['--password-file FILE', 'NETCTL_PASSWORD=…', 'etcd.passwordFile in netctl.yaml'],
  },
  {
    code: 'password-empty',
    title: 'The password is empty',
    exit: 2,
    meaning: 'The first line of the password file is the password; it is empty.',
    causes: ['An empty first line.', 'A user with a colon and nothing behind it.'],
    mend: ['Put the password into the first line of the file'],
  },
  {
    code: 'user-missing',
    title: 'A password without a user',
    exit: 2,
    meaning: 'etcd knows passwords of users only.',
    causes: ['--password-file without --user.'],
    mend: ['--user NAME --password-file FILE'],
  },
  {
    code: 'file-unreadable',
    title: 'A file that a setting names cannot be read',
    exit: 2,
    meaning:
      'A CA, certificate, key or password file does not exist, is empty, is a directory or may not be read. The message says which setting names it.',
    causes: [
      'A relative path: in the inventory it counts from its folder, on the command line from the working directory.',
      'Permissions.',
    ],
    mend: ['netctl config show says where the path comes from', 'ls -l FILE'],
  },
  {
    code: 'file-too-large',
    title: 'A file that a setting names is larger than 1 MiB',
    exit: 2,
    meaning: 'No certificate, key or password is that large.',
    causes: ['Another file was named.'],
    mend: ['netctl config show says where the path comes from'],
  },
  {
    code: 'file-exists',
    title: 'The file is there already',
    exit: 3,
    meaning: 'What you have written is not overwritten without being told so. Nothing was changed.',
    causes: ['netctl config init ran before.'],
    mend: ['--force replaces it', 'Name another file', 'netctl config init - prints it'],
  },
  {
    code: 'file-unwritable',
    title: 'The file cannot be written there',
    exit: 2,
    meaning: 'The folder does not exist or may not be written to. Nothing was changed.',
    causes: ['A misspelt folder.', 'Permissions.', 'A read-only file system.'],
    mend: ['Name a file in a folder of yours', 'mkdir FOLDER'],
  },
  {
    code: 'file-write-failed',
    title: 'Writing the file failed',
    exit: 5,
    meaning: 'The text was written beside the target first, and that failed. What was there before is as it was.',
    causes: ['The disk is full.', 'An input or output error.'],
    mend: ['df -h FOLDER'],
  },
  {
    code: 'output-failed',
    title: 'The output could not be written',
    exit: 5,
    meaning:
      'Standard output or standard error took no more. A change that was on its way was finished and what was held was given back, but not all of what came of it was told.',
    causes: ['The disk is full to which the output was redirected.'],
    mend: ['Make room, then look what is there: netctl subnets ls, netctl node status.'],
  },
];
