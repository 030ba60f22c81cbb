// Encrypted connections to brokers: the files that they take, and what goes wrong with certificates, in words.

import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { messageOf, OctomoteError } from "../errors.ts";

/** PEM files; without `caFile` the authorities that Node trusts. */
export interface TlsFiles {
  /** The authorities to trust instead. */
  caFile?: string | undefined;
  /** Our own certificate, for brokers that ask for one; with `keyFile`. */
  certFile?: string | undefined;
  keyFile?: string | undefined;
}

export interface TlsSecrets {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
}

/** Reads the files; throws `OctomoteError` that names the one which is missing, no PEM, or does not fit the other. */
export function readTlsFiles({ caFile, certFile, keyFile }: TlsFiles): TlsSecrets {
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const [given, missing] = certFile === undefined ? ["key", "certificate"] : ["certificate", "key"];
    throw new OctomoteError(
      `A ${given} was named without its ${missing}`,
      "name both, with --cert and --key",
    );
  }
  const secrets: TlsSecrets = {};
  if (caFile !== undefined) {
    secrets.ca = read(caFile, "--ca");
    check({ ca: secrets.ca }, `${caFile} holds no certificate`, "name a PEM file with --ca");
    // OpenSSL takes a file without any certificate for an empty list.
    if (!secrets.ca.includes("-----BEGIN")) {
      throw new OctomoteError(`${caFile} holds no certificate`, "name a PEM file with --ca");
    }
  }
  if (certFile !== undefined && keyFile !== undefined) {
    const cert = read(certFile, "--cert");
    const key = read(keyFile, "--key");
    check({ cert }, `${certFile} holds no certificate`, "name a PEM file with --cert");
    check(
      { key },
      `${keyFile} holds no private key that can be read`,
      "name a PEM file without passphrase with --key",
    );
    check({ cert, key }, `${keyFile} is not the key of ${certFile}`, "name the two files of one pair");
    Object.assign(secrets, { cert, key });
  }
  return secrets;
}

/** Throws `OctomoteError` when files were named for a connection that is not encrypted. */
export function refuseUselessTls(url: string, { caFile, certFile }: TlsFiles): void {
  if ((caFile ?? certFile) === undefined || /^(mqtts|wss):/i.test(url)) return;
  throw new OctomoteError(
    "Certificates were named, but the connection to the broker is not encrypted",
    "write its address as mqtts://host:8883 or wss://host, or leave out --ca, --cert and --key",
  );
}

function read(path: string, option: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new OctomoteError(
      `Cannot read ${path}: ${messageOf(error)}`,
      `check the path given with ${option}`,
      {
        cause: error,
      },
    );
  }
}

function check(secrets: TlsSecrets, message: string, fix: string): void {
  try {
    createSecureContext(secrets);
  } catch (error) {
    throw new OctomoteError(message, fix, { cause: error });
  }
}

interface Explanation {
  /** Follows "The broker at …". */
  what: string;
  fix: string;
}

const UNTRUSTED: Explanation = {
  what: "shows a certificate of an authority that is not trusted here",
  fix: "name the authority's PEM file with --ca",
};
const OURS = "name a certificate that its authority has signed with --cert, and its key with --key";

/** OpenSSL's codes, as Node tells them. */
const CODES: Record<string, Explanation> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  CERT_HAS_EXPIRED: {
    what: "shows a certificate that has expired",
    fix: "renew it at the broker, and check this machine's clock",
  },
  CERT_NOT_YET_VALID: {
    what: "shows a certificate that is not valid yet",
    fix: "check the clocks of this machine and of the one that signed it",
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    what: "shows a certificate of another name",
    fix: "write --broker with the name that its certificate has",
  },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    what: "does not speak TLS at this port",
    fix: "name the port of its TLS listener (mostly 8883), or write mqtt:// instead of mqtts://",
  },
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: { what: "asks for a certificate of ours", fix: OURS },
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: {
    what: "refuses our certificate: it has expired",
    fix: "renew it, and name the new one with --cert",
  },
};

/** What an error says about certificates; undefined if it is none of TLS. */
export function explainTls(error: unknown): Explanation | undefined {
  const code = tlsCode(error);
  const known = CODES[code];
  if (known) return known;
  if (
    /^ERR_SSL_.*ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_|DECRYPT_ERROR|UNSUPPORTED_CERTIFICATE)/.test(
      code,
    )
  ) {
    return { what: `refuses our certificate (${code})`, fix: OURS };
  }
  if (!code.startsWith("ERR_SSL_")) return undefined;
  return {
    what: `does not come to terms over TLS (${code})`,
    fix: "look at its log; it may need --cert and --key",
  };
}

/** Node's code for an error of OpenSSL. An error that a write meets first has it in its text only. */
function tlsCode(error: unknown): string {
  const code = String((error as { code?: unknown } | null)?.code ?? "");
  const reason = code === "EPROTO" ? /:SSL routines:[^:]*:([^:]+):/.exec(messageOf(error))?.[1] : undefined;
  return reason === undefined ? code : `ERR_SSL_${reason.toUpperCase().replaceAll(" ", "_")}`;
}
