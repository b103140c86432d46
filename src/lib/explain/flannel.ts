import type { Topic } from './topic';

/** flanneld on a node: its release archive, its flags, and the certificates by which it reaches etcd. */
export const flannelTopics: readonly Topic[] = [
  {
    code: 'archive-sha256-mismatch',
    title: 'The release archive is not the one that was meant',
    exit: 2,
    meaning:
      'The SHA-256 of the file differs from the one that was given. It was compared before anything in the archive was looked at, and nothing was sent to a node.',
    causes: [
      'The sum belongs to another release or to another machine.',
      'The download was cut off or changed on the way.',
      'A proxy delivered its error page as the file.',
    ],
    mend: ['sha256sum FILE', 'Fetch the archive again', 'Correct flannel.sha256 when the file is the right one'],
    see: ['archive-sha256-changed'],
  },
  {
    code: 'archive-sha256-changed',
    title: 'A release archive differs from the one that was first fetched',
    exit: 2,
    meaning:
      'Nobody gave a SHA-256, so netctl noted that of the first download and holds later ones to it. This download has another one. The new file was thrown away.',
    causes: [
      'The mirror was changed, or somebody changed the file on it.',
      'The first download came from another place.',
      'Somebody stands between this machine and the server.',
    ],
    mend: [
      'Compare the sum with somebody who has the archive, and write it down: flannel.sha256',
      'Only when you know the reason: remove the file FILE.sha256 in the cache',
    ],
    see: ['archive-sha256-mismatch'],
  },
  {
    code: 'archive-too-large',
    title: 'The archive holds more than a release of flannel can',
    exit: 2,
    meaning:
      'netctl reads archives up to a limit, so that a file which unpacks to terabytes fills no memory and no disk.',
    causes: ['It is another archive.', 'It was made to do harm.'],
    mend: ['ls -l FILE', 'Take the archive of the release page: https://github.com/flannel-io/flannel/releases'],
  },
  {
    code: 'archive-unreadable',
    title: 'The archive is cut off or is no gzipped tar',
    exit: 2,
    meaning: 'The file could not be read to its end as a tar archive that was packed with gzip.',
    causes: ['The download was cut off.', 'It is a web page, a zip file or the bare program.'],
    mend: ['gzip -t FILE', 'Fetch the archive again'],
  },
  {
    code: 'archive-bad-member',
    title: 'The archive holds something that no release of flannel does',
    exit: 2,
    meaning:
      'A release holds flanneld, mk-docker-opts.sh and README.md, each as a plain file and without a folder. Anything else is refused: links, devices, names that lead out of the folder, the same name twice.',
    causes: [
      'It is the release for Windows, or that of another program.',
      'It was packed anew with a folder around the files.',
    ],
    mend: ['tar -tzvf FILE', 'tar -czf flannel-vX.Y.Z-linux-amd64.tar.gz flanneld mk-docker-opts.sh README.md'],
  },
  {
    code: 'archive-incomplete',
    title: 'flanneld or mk-docker-opts.sh is not in the archive',
    exit: 2,
    meaning: 'Both are needed on a node: flanneld itself, and the script that turns subnet.env into options of Docker.',
    causes: ['It is an archive of something else.', 'It was packed anew without one of them.'],
    mend: ['tar -tzvf FILE', 'Take the archive of the release page'],
  },
  {
    code: 'archive-not-a-program',
    title: 'flanneld in the archive is no program for Linux',
    exit: 2,
    meaning:
      'Its first bytes are neither those of a Linux program (ELF) for a machine that flannel is released for, nor those of a script.',
    causes: ['It was built for another system.', 'It is damaged.'],
    mend: ['tar -xzOf FILE flanneld | file -', 'Take the archive of the release page'],
  },
  {
    code: 'archive-wrong-machine',
    title: 'The archive is named for another machine than its program is built for',
    exit: 2,
    meaning: 'The name says one architecture and the header of flanneld another, so one of the two is a mistake.',
    causes: ['The file was renamed.', 'It was packed anew around another binary.'],
    mend: ['tar -xzOf FILE flanneld | file -', 'Take the archive of the release page'],
  },
  {
    code: 'archive-wrong-version',
    title: 'The archive is named for another release than its program says',
    exit: 2,
    meaning:
      'The flags, the API of etcd and the checks are chosen by the release. With the wrong one flanneld would end at once, or read another store.',
    causes: ['The file was renamed.', 'It was packed anew around another binary.'],
    mend: ['Give the file the name of its release', 'Take the archive of the release page'],
    see: ['flag-not-in-release'],
  },
  {
    code: 'archive-script',
    title: 'flanneld in the archive is a script',
    meaning:
      'The released flanneld is a binary. A script is accepted, because stand-ins for tests are scripts, but the machine that it needs cannot be checked.',
    causes: ['It is a stand-in for a lab.', 'Somebody wrapped flanneld into a script.'],
    mend: ['Nothing in a lab', 'Elsewhere take the archive of the release page'],
  },
  {
    code: 'flannel-download-failed',
    title: 'The release of flannel could not be fetched',
    exit: 4,
    meaning:
      'flannel.version asks for a release that is not in the cache, and the server was not reached or did not deliver it whole. Nothing was kept of the attempt.',
    causes: [
      'This machine has no way to the Internet.',
      'A proxy is needed: netctl reads no https_proxy.',
      'The server sends to a plain http address, which is not followed.',
    ],
    mend: [
      'Fetch the file on another machine with the curl command that is shown, then name it: flannel.archive',
      'NETCTL_FLANNEL_URL=https://mirror.example/flannel names a mirror',
    ],
    see: ['archive-sha256-mismatch'],
  },
  {
    code: 'flannel-release-missing',
    title: 'There is no such release of flannel',
    exit: 2,
    meaning: 'The server says that the archive does not exist: the release, or the release for this machine.',
    causes: [
      'A release that was never made.',
      'riscv64 exists from v0.24.0, s390x from v0.8.0, mips64le from v0.16.2 to v0.24.0.',
      'A mirror that does not have it.',
    ],
    mend: ['https://github.com/flannel-io/flannel/releases lists the releases', 'Correct flannel.version'],
  },
  {
    code: 'flannel-url-invalid',
    title: 'The address of the releases cannot be one',
    exit: 2,
    meaning: 'It must be https:// (or http:// for a mirror of your own) with a path, without user, password, ? and #.',
    causes: [
      'A typing error in NETCTL_FLANNEL_URL.',
      'The address of one file instead of the folder above the releases.',
    ],
    mend: ['NETCTL_FLANNEL_URL=https://github.com/flannel-io/flannel/releases/download'],
  },
  {
    code: 'flannel-cache-unwritable',
    title: 'The cache for releases cannot be written',
    exit: 5,
    meaning: 'The archive was fetched but could not be kept below the cache folder of this user.',
    causes: ['The disk is full.', 'The folder belongs to another user, as after sudo.'],
    mend: ['df -h ~/.cache', 'XDG_CACHE_HOME=/another/folder', 'Give the archive yourself: flannel.archive'],
  },
  {
    code: 'flag-unknown',
    title: 'flanneld does not know a flag',
    meaning:
      'flanneld prints its usage and ends with exit code 0 when it meets a flag that it does not know. Many watchers take that for success and leave it dead.',
    causes: ['A misspelling.', 'A flag of another program.', 'Dashes or a value in the name.'],
    mend: ['Take the flag that is proposed', 'flanneld --help lists those of its release'],
    see: ['flag-not-in-release'],
  },
  {
    code: 'flag-not-in-release',
    title: 'flanneld of this release does not have a flag',
    meaning:
      'The flag came with a later release, or was taken away. flanneld would print its usage and end with exit code 0.',
    causes: ['A newer document than the release.', 'flannel.version is not what the nodes shall run.'],
    mend: ['Leave it out', 'Raise flannel.version to the release that is named'],
    see: ['flag-unknown'],
  },
  {
    code: 'flag-bad-value',
    title: 'A flag of flanneld has a value that it cannot have',
    meaning: 'flanneld would end at once, crash, or take something else than was meant.',
    causes: ['A number out of its range.', 'A boolean as a word of its own: --ip-masq true.', 'A relative path.'],
    mend: ['Take the form that is proposed'],
  },
  {
    code: 'flag-given-twice',
    title: 'A flag of flanneld is set in two places',
    meaning:
      'It has a key of its own in the inventory and stands in flannel.options as well; one of the two would be lost in silence.',
    causes: ['An option was copied from an existing command line.'],
    mend: ['Leave it out of flannel.options'],
  },
  {
    code: 'flag-without-effect',
    title: 'A flag of flanneld has no effect here',
    meaning:
      'flanneld takes the flag and does nothing with it, because another setting is missing or it belongs to Kubernetes mode.',
    causes: ['A flag that was copied from a Kubernetes manifest.', 'healthz-ip without healthz-port.'],
    mend: ['Leave it out', 'Set the other one that is named'],
  },
  {
    code: 'flanneld-positional-word',
    title: 'flanneld stops reading its command line half-way',
    meaning:
      'A word without a dash in front ends the flags of a Go program. Everything behind it is ignored without a word in the log, and flanneld runs with defaults: another etcd, another prefix, another interface.',
    causes: [
      '--ip-masq true instead of --ip-masq=true.',
      'A blank in a value that was not quoted.',
      'A backslash at the end of a line with a blank behind it.',
    ],
    mend: ['Write every flag as --name=value', 'netctl node bootstrap writes the command line anew'],
  },
  {
    code: 'flannel-no-endpoint',
    title: 'flanneld is given no etcd endpoint',
    meaning: 'It would ask 127.0.0.1 on the ports 4001 and 2379, and wait for ever when there is none.',
    causes: ['Neither flannel.etcd.endpoints nor etcd.endpoints is set.'],
    mend: ['etcd.endpoints in netctl.yaml'],
  },
  {
    code: 'flannel-bad-endpoint',
    title: 'An etcd endpoint is not one that flanneld takes',
    meaning:
      'flanneld splits the list at commas and trims nothing; each part must be http:// or https:// with host and port.',
    causes: ['A blank behind a comma.', 'No scheme.', 'A user or a path in the address.'],
    mend: ['Take the form that is proposed'],
  },
  {
    code: 'flannel-tls-incomplete',
    title: 'A client certificate without its key, or the other way round',
    meaning: 'flanneld makes TLS settings only when it has both, and connects without them otherwise.',
    causes: ['One of flannel.etcd.cert and flannel.etcd.key is missing.'],
    mend: ['Give both'],
    see: ['flannel-ca-ignored'],
  },
  {
    code: 'flannel-ca-ignored',
    title: 'flanneld ignores the CA',
    meaning:
      'flanneld from v0.18 looks at --etcd-cafile only together with a client certificate and key. Without them v0.18.0 to v0.19.1 accept any server, later releases know only the CAs of the system and cannot reach an etcd with a CA of its own.',
    causes: ['etcd asks for no client certificates, so none was made.'],
    mend: ['Give flannel.etcd.cert and flannel.etcd.key as well: any certificate that etcd accepts'],
    see: ['flannel-tls-unverified'],
  },
  {
    code: 'flannel-tls-unverified',
    title: 'This release of flannel accepts any etcd server',
    meaning:
      'v0.18.0 to v0.19.1 switch the check of the server off when they have no client certificate. Whoever stands in between can give the nodes any network.',
    causes: ['https endpoints without certificates.'],
    mend: ['Give CA, client certificate and key', 'flannel.version: v0.19.2 or later'],
  },
  {
    code: 'flannel-tls-unused',
    title: 'Certificates are given but every endpoint is plain http',
    meaning: 'flanneld would send everything unprotected; the certificates have no part in it.',
    causes: ['http:// where https:// was meant.'],
    mend: ['Write the endpoints with https://', 'Leave the certificates out'],
  },
  {
    code: 'flannel-mixed-endpoints',
    title: 'Some etcd endpoints are http and some https',
    meaning:
      'flanneld goes from one to the next when one fails, so its traffic and its password sometimes go unprotected.',
    causes: ['A change to TLS that was not finished.'],
    mend: ['Write all endpoints with https://'],
  },
  {
    code: 'flannel-no-ca',
    title: 'https endpoints without a CA',
    meaning:
      'flanneld judges the server by the CAs that the node has. An etcd with a CA of its own is then not reached.',
    causes: ['flannel.etcd.ca is missing.'],
    mend: ['Give flannel.etcd.ca', 'Nothing, when a public CA signed the certificates of etcd'],
  },
  {
    code: 'flannel-login-incomplete',
    title: 'A user of etcd without a password, or the other way round',
    meaning: 'etcd lets flanneld in only with both.',
    causes: ['One of flannel.etcd.user and flannel.etcd.passwordFile is missing.'],
    mend: ['Give both, or use a client certificate'],
  },
  {
    code: 'flannel-password-logged',
    title: 'flanneld prints its etcd password',
    meaning:
      'It logs all its flags when it starts, the password in clear. Everybody who may read the journal of a node can read it.',
    causes: ['flannel.etcd.user and passwordFile are used.'],
    mend: ['Use a client certificate instead', 'Give that user no more rights in etcd than flannel needs'],
  },
  {
    code: 'flannel-public-ip-needs-iface',
    title: 'A public IP without an interface',
    meaning:
      'From v0.12 --public-ip also chooses the interface. When no interface has that address, as behind NAT, flanneld finds none and ends with exit code 1.',
    causes: ['publicIP is set and neither the node nor the section flannel names an interface.'],
    mend: ['iface of the node, or flannel.iface'],
  },
  {
    code: 'flannel-kube-mode',
    title: 'flanneld would take its subnets from Kubernetes',
    meaning: 'With --kube-subnet-mgr it ignores etcd, so nothing that netctl writes there has an effect.',
    causes: ['The flag was copied from a Kubernetes manifest.'],
    mend: ['Leave it out'],
  },
  {
    code: 'certificate-unreadable',
    title: 'A file holds no certificate that flanneld can read',
    meaning:
      'flanneld reads PEM: a line -----BEGIN CERTIFICATE-----, base64, a line -----END CERTIFICATE-----. Other blocks and other forms it skips in silence.',
    causes: [
      'DER instead of PEM.',
      'A request instead of a certificate.',
      'A file that was cut off, or that begins with a byte order mark.',
    ],
    mend: ['Take the command that is proposed', 'head -1 FILE'],
  },
  {
    code: 'certificate-holds-key',
    title: 'A certificate file holds a private key',
    meaning:
      'The file would be copied to every node. A CA file with the key of the CA would let every node make certificates.',
    causes: ['One file for certificate and key.', 'The key was given in the place of the certificate.'],
    mend: ['openssl x509 -in FILE -out FILE.pem'],
  },
  {
    code: 'certificate-extra-blocks',
    title: 'A certificate file holds blocks that are skipped',
    meaning: 'flanneld takes blocks of the type CERTIFICATE only. A CA in another block is as good as missing.',
    causes: ['OpenSSL wrote TRUSTED CERTIFICATE.', 'A revocation list or parameters were put into the file.'],
    mend: ['openssl x509 -in FILE -out FILE.pem'],
  },
  {
    code: 'certificate-swapped',
    title: 'The CA and the client certificate are swapped',
    meaning: 'What was given as the CA is none, and what was given as the client certificate is one.',
    causes: ['The two paths were swapped.'],
    mend: ['Swap flannel.etcd.ca and flannel.etcd.cert'],
  },
  {
    code: 'certificate-not-ca',
    title: 'The CA file holds a certificate that is no CA',
    meaning: 'Its basic constraints do not say CA:TRUE, so it can vouch for nobody else.',
    causes: [
      'The certificate of the etcd server was given instead of its CA.',
      'The CA was made without the extension.',
    ],
    mend: ['openssl x509 -noout -text -in FILE shows CA:TRUE for the right one'],
  },
  {
    code: 'certificate-not-for-clients',
    title: 'The client certificate may not be used by a client',
    meaning: 'It lists what it may be used for, and clientAuth is not among it. etcd refuses it.',
    causes: ['It was made for a server only.'],
    mend: ['Have it signed with extendedKeyUsage = clientAuth'],
  },
  {
    code: 'certificate-not-signed-by-ca',
    title: 'The client certificate was not signed by the CA that is given',
    meaning:
      'No chain leads from the client certificate, over those that stand in its file, to the CA. etcd knows clients by the CA that it was started with, which is nearly always the same one.',
    causes: [
      'The CA was made anew under the same name.',
      'The intermediate certificate is missing from the file.',
      'Files of two clusters were mixed.',
    ],
    mend: [
      'openssl verify -CAfile CA -untrusted CERT CERT',
      'Append the intermediate certificate to the client certificate',
      'When etcd has a CA of its own for clients: --skip-check certificates',
    ],
  },
  {
    code: 'certificate-expired',
    title: 'A certificate has expired',
    meaning: 'etcd and flanneld refuse it. Leases can no longer be renewed, and run out within 24 hours.',
    causes: ['Nobody renewed it.', 'The clock of this machine is wrong.'],
    mend: ['Have a new one signed, then: netctl node bootstrap', 'date -u'],
    see: ['certificate-expires-soon'],
  },
  {
    code: 'certificate-expires-soon',
    title: 'A certificate expires soon',
    meaning: 'After that day flanneld cannot renew its lease, and a day later the node is out of the network.',
    causes: ['Its time is nearly over.'],
    mend: ['Have a new one signed, then: netctl node bootstrap', 'netctl certs check --warn-days DAYS in a timer'],
    see: ['certificate-expired'],
  },
  {
    code: 'certificate-not-yet-valid',
    title: 'A certificate is not valid yet',
    meaning: 'Its first day lies in the future, by the clock of this machine.',
    causes: ['The clock of this machine is slow, or that of the CA was fast.', 'It was made for later.'],
    mend: ['date -u here and on the machine of the CA'],
  },
  {
    code: 'certificate-bad-date',
    title: 'A certificate has a date that cannot be read',
    meaning: 'Whether it is valid cannot be said, so it is not copied.',
    causes: ['The certificate is damaged or was made by a faulty program.'],
    mend: ['openssl x509 -noout -dates -in FILE', 'Have it made again'],
  },
  {
    code: 'certificate-weak',
    title: 'A certificate is weaker than programs accept today',
    meaning:
      'RSA keys below 2048 bits can be broken; signatures with SHA-1 or MD5 are refused by programs that were built with Go 1.18 or later.',
    causes: ['An old CA or old defaults.'],
    mend: ['openssl genrsa -out KEY 2048, and have it signed with SHA-256'],
  },
  {
    code: 'certificate-key-unreadable',
    title: 'A file holds no private key that flanneld can read',
    meaning: 'flanneld takes RSA, ECDSA (P-224 to P-521) and Ed25519 keys in PEM.',
    causes: ['A certificate in its place.', 'DER instead of PEM.', 'A curve that Go does not have, such as secp256k1.'],
    mend: ['openssl pkey -in FILE -out FILE.pem'],
  },
  {
    code: 'certificate-key-encrypted',
    title: 'The private key is locked with a passphrase',
    meaning: 'flanneld starts by itself at boot and cannot ask for it.',
    causes: ['The key was made with a passphrase.'],
    mend: ['openssl pkey -in FILE -out unlocked.pem && chmod 600 unlocked.pem'],
  },
  {
    code: 'certificate-key-mismatch',
    title: 'The private key belongs to another certificate',
    meaning: 'Certificate and key are no pair, so flanneld ends when it starts.',
    causes: ['Files of two certificates were mixed.', 'The certificate was renewed with a new key.'],
    mend: ['openssl x509 -noout -pubkey -in CERT and openssl pkey -pubout -in KEY must print the same'],
  },
];
